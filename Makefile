# Needs Python 3.11 or newer and make; everything else comes into .venv from the lock files.
PYTHON ?= python3
ARGS ?=
N ?= 2000

VENV := .venv
RUN := $(VENV)/bin/python
# A stamp carries its lock file's checksum in its name, so that another content means another stamp.
EMBEDDED := $(VENV)/embedded-$(shell cksum < requirements-embedded.lock | cut -d ' ' -f 1)
DEV := $(VENV)/dev-$(shell cksum < requirements-dev.lock | cut -d ' ' -f 1)
INSTALL := $(RUN) -m pip install --quiet --no-input --disable-pip-version-check --require-hashes --only-binary :all:

.DEFAULT_GOAL := help
.PHONY: help up demo test bench faults lint format clean

help: ## Say what there is
	@echo "make TARGET [ARGS=...] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  %-8s %s\n", $$1, $$2 }'

# One exec line: the process that make started is the supervisor itself, and a signal to make reaches it.
up: $(EMBEDDED) ## Run SOS on this machine, with its own PostgreSQL and Valkey; Ctrl-C stops it
	@exec $(RUN) -m sos.cli up $(ARGS)

demo: $(DEV) ## Play the story from a report to a letter, with stand-ins for the providers, and count
	@exec $(RUN) -m tests.demo $(ARGS)

# Whole files go to two processes, each with servers of its own, in the order of the folders: the longest come first.
test: $(DEV) ## Run the tests (ARGS="-k vault -x"; ARGS="-n 0" in one process)
	@exec $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(DEV) ## Measure a fan-out beside others (ARGS="scale", "curve", "pace" or "life" for the rest)
	@exec $(RUN) -m tests.bench $(ARGS)

faults: $(DEV) ## Break everything in mid fan-out and judge by what arrived (N=10000, ARGS="--only zombie")
	@exec $(RUN) -m tests.faults --recipients $(N) $(ARGS)

lint: $(DEV) ## Check style, types and who imports whom
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/basedpyright
	$(VENV)/bin/lint-imports

format: $(DEV) ## Put the code in its form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean: ## Remove .venv and the caches; the data in .sos stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find channels sos tests workers -name __pycache__ -type d -prune -exec rm -rf {} +

$(EMBEDDED): | $(VENV)/ready
	@echo "Installing what SOS needs into $(VENV) (once)"
	@$(INSTALL) -r requirements-embedded.lock
	@rm -f $(VENV)/embedded-*
	@touch $@

$(DEV): | $(VENV)/ready
	@echo "Installing what the tests need into $(VENV) (once)"
	@$(INSTALL) -r requirements-dev.lock
	@rm -f $(VENV)/dev-*
	@touch $@

$(VENV)/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "SOS needs Python 3.11 or newer, which $(PYTHON) is not here: try make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: on Debian or Ubuntu, apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@
