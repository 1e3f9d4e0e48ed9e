"""The supervisor, watched from outside: real processes, real signals."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHIN_SECONDS = 15.0

CHILD = """
import os, signal, subprocess, sys, time

name, journal, temper = sys.argv[1:]

def note(what):
    with open(journal, "a") as lines:
        lines.write(f"{name} {what} {os.getpid()}\\n")

def stop(*_):
    time.sleep(0.5 if temper == "slow" else 0)
    note("stopped")
    sys.exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if temper == "stubborn" else stop)
note("launched")
if temper == "with a child":
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(journal, "a") as lines:
        lines.write(f"sleeper launched {sleeper.pid}\\n")
if temper == "late":
    time.sleep(0.3)
print(f"{name} speaks", flush=True)
note("ready")
while temper == "chatty":
    print("x" * 1000, flush=True)
if temper == "crashing":
    sys.exit(3)
while True:
    signal.pause()
"""

DRIVER = """
import json, signal, sys
from functools import partial
from pathlib import Path

from sos.supervisor import Child, supervise

signal.signal(signal.SIGHUP, getattr(signal, sys.argv[4]))
journal = Path(sys.argv[1])

def count(name):
    return journal.read_text().count(f"{name} ready")

async def is_ready(name):
    return count(name) > 0

async def never():
    return False

async def note(line):
    with journal.open("a") as lines:
        lines.write(f"{line} done 0\\n")

async def fail(_):
    raise RuntimeError("the migration failed")

def child(name, temper="calm", argv=None, never_ready=False, before=None, log=None, **options):
    return Child(
        name=name,
        argv=tuple(argv or (sys.executable, "-c", sys.argv[2], name, str(journal), temper)),
        ready=never if never_ready else partial(is_ready, name),
        before={"note": partial(note, f"{name}-before"), "fail": partial(fail, name), None: None}[before],
        log=Path(log) if log else None,
        **options,
    )

children = [child(**options) for options in json.loads(sys.argv[3])]
sys.exit(supervise(children, on_ready=lambda: journal.open("a").write("all ready 0\\n")))
"""


class House:
    """A supervisor process and the journal that its children write."""

    def __init__(self, directory: Path) -> None:
        self.journal = directory / "journal"
        self.journal.touch()
        self.process: subprocess.Popen[bytes]

    def open(self, *children: dict[str, Any], hup: str = "SIG_DFL", terminal: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, self.journal, CHILD, json.dumps(children), hup],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=terminal is None,
            pass_fds=[terminal] if terminal is not None else [],
            preexec_fn=partial(os.login_tty, terminal) if terminal is not None else None,
        )

    def lines(self) -> list[str]:
        """What happened, without the process ids."""
        return [line.rsplit(" ", 1)[0] for line in self.journal.read_text().splitlines()]

    def pids(self, what: str = "launched") -> list[int]:
        return [int(line.split()[-1]) for line in self.journal.read_text().splitlines() if f" {what} " in line]

    def wait_for(self, line: str, times: int = 1) -> None:
        wait_until(lambda: self.lines().count(line) >= times, f"no {line!r} in {self.lines()}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(timeout=WITHIN_SECONDS)

    def printed(self) -> str:
        assert self.process.stdout
        return self.process.stdout.read().decode()

    def assert_nothing_runs(self) -> None:
        for pid in self.pids():
            wait_until(partial(is_gone, pid), f"{pid} still runs after {self.lines()}")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    for pid in [house.process.pid, *house.pids()]:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)
    house.process.wait()
    if house.process.stdout:
        house.process.stdout.close()


def wait_until(is_so: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        assert time.monotonic() < until, otherwise
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether it has ended; on Linux also when nobody has collected it yet."""
    try:
        os.kill(pid, 0)
        return sys.platform == "linux" and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_each_child_is_started_when_the_one_before_it_is_ready(house: House) -> None:
    house.open({"name": "database", "temper": "late"}, {"name": "web", "before": "note"}, {"name": "worker"})
    house.wait_for("all ready")
    assert house.lines() == [
        "database launched",
        "database ready",
        "web-before done",
        "web launched",
        "web ready",
        "worker launched",
        "worker ready",
        "all ready",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_stops_the_children_in_reverse_order(house: House, number: signal.Signals) -> None:
    house.open({"name": "database"}, {"name": "web"}, {"name": "worker", "temper": "slow"})
    house.wait_for("all ready")
    house.send(number)
    assert house.exit_code() == 0
    assert house.lines()[-3:] == ["worker stopped", "web stopped", "database stopped"]
    house.assert_nothing_runs()


def test_a_signal_while_starting_stops_what_has_started(house: House) -> None:
    house.open({"name": "database"}, {"name": "web", "never_ready": True}, {"name": "worker"})
    house.wait_for("web ready")
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0
    assert "worker launched" not in house.lines()
    house.assert_nothing_runs()


def test_a_second_interrupt_does_not_cut_the_stopping_short(house: House) -> None:
    house.open({"name": "database"}, {"name": "worker", "temper": "slow"})
    house.wait_for("all ready")
    for _ in range(3):
        house.send(signal.SIGINT)
        time.sleep(0.05)
    assert house.exit_code() == 0
    assert house.lines()[-2:] == ["worker stopped", "database stopped"]
    house.assert_nothing_runs()


def test_a_child_that_ignores_the_request_to_stop_is_killed(house: House) -> None:
    house.open({"name": "database"}, {"name": "worker", "temper": "stubborn", "grace_seconds": 0.3})
    house.wait_for("all ready")
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0
    assert house.lines()[-1] == "database stopped"
    assert "worker has stopped (SIGKILL)" in house.printed()
    house.assert_nothing_runs()


def test_what_a_child_has_started_ends_with_it(house: House) -> None:
    house.open({"name": "web", "temper": "with a child"})
    house.wait_for("all ready")
    assert len(house.pids()) == 2
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0
    house.assert_nothing_runs()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_the_children_of_a_killed_supervisor_die(house: House) -> None:
    house.open({"name": "database"}, {"name": "worker", "temper": "stubborn"})
    house.wait_for("all ready")
    house.send(signal.SIGKILL)
    house.exit_code()
    house.assert_nothing_runs()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can start a child as nobody"
)
def test_a_child_that_became_another_user_dies_with_a_killed_supervisor_too(house: House) -> None:
    script = "trap '' TERM; echo database launched $$; echo database ready $$; while :; do sleep 0.1; done"
    argv = ["/bin/sh", "-c", script]
    house.open({"name": "database", "owner": [65534, 65534], "argv": argv, "log": str(house.journal)})
    house.wait_for("all ready")
    assert os.stat(f"/proc/{house.pids()[0]}").st_uid == 65534
    house.send(signal.SIGKILL)
    house.exit_code()
    house.assert_nothing_runs()


def test_a_child_that_ends_is_started_again(house: House) -> None:
    house.open({"name": "database"}, {"name": "web", "temper": "crashing"})
    house.wait_for("web launched", times=2)
    assert house.lines().count("database launched") == 1
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0
    assert "web has ended (exit status 3); starting it again in 1 s" in house.printed()


def test_the_end_of_an_essential_child_stops_everything_loudly(house: House) -> None:
    house.open({"name": "database", "essential": True}, {"name": "web"}, {"name": "worker"})
    house.wait_for("all ready")
    os.kill(house.pids()[0], signal.SIGKILL)
    assert house.exit_code() == 1
    assert house.lines()[-2:] == ["worker stopped", "web stopped"]
    assert "database has ended (SIGKILL). Stopping everything" in house.printed()
    house.assert_nothing_runs()


def test_a_child_that_does_not_become_ready_stops_everything(house: House) -> None:
    house.open(
        {"name": "database"}, {"name": "web", "never_ready": True, "ready_within_seconds": 0.5}, {"name": "worker"}
    )
    assert house.exit_code() == 1
    assert "worker launched" not in house.lines()
    assert "web was not ready after 0.5 seconds" in house.printed()
    house.assert_nothing_runs()


def test_a_child_that_dies_before_it_is_ready_stops_everything(house: House) -> None:
    house.open({"name": "database"}, {"name": "web", "temper": "crashing", "never_ready": True})
    assert house.exit_code() == 1
    assert "web did not start (exit status 3)" in house.printed()
    house.assert_nothing_runs()


def test_a_failure_ahead_of_a_child_stops_what_has_started(house: House) -> None:
    house.open({"name": "database"}, {"name": "web", "before": "fail"})
    assert house.exit_code() == 1
    assert house.lines() == ["database launched", "database ready", "database stopped"]
    assert "the migration failed" in house.printed()


def test_a_terminal_that_vanishes_stops_everything(house: House) -> None:
    ours, terminal = pty.openpty()
    house.open({"name": "database"}, {"name": "worker", "temper": "slow"}, terminal=terminal)
    os.close(terminal)
    house.wait_for("all ready")
    os.close(ours)
    assert house.exit_code() == 0
    assert house.lines()[-2:] == ["worker stopped", "database stopped"]
    house.assert_nothing_runs()


def test_under_nohup_the_end_of_the_terminal_changes_nothing(house: House) -> None:
    house.open({"name": "database"}, hup="SIG_IGN")
    house.wait_for("all ready")
    house.send(signal.SIGHUP)
    time.sleep(0.3)
    assert not is_gone(house.pids()[0])
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0


def test_a_terminal_that_nobody_reads_does_not_keep_it_from_stopping(house: House) -> None:
    house.open({"name": "database"}, {"name": "web", "temper": "chatty", "grace_seconds": 0.5})
    house.wait_for("all ready")
    time.sleep(0.3)
    house.send(signal.SIGTERM)
    assert house.exit_code() == 0
    house.assert_nothing_runs()


def test_each_line_bears_the_name_of_its_child(house: House) -> None:
    house.open({"name": "web"}, {"name": "worker"})
    house.wait_for("all ready")
    house.send(signal.SIGTERM)
    house.exit_code()
    printed = house.printed().splitlines()
    assert "web        | web speaks" in printed
    assert "worker     | worker speaks" in printed


def test_a_child_with_a_log_is_silent_on_the_terminal(house: House, tmp_path: Path) -> None:
    house.open({"name": "database", "log": str(tmp_path / "log")})
    house.wait_for("all ready")
    house.send(signal.SIGTERM)
    house.exit_code()
    assert (tmp_path / "log").read_text() == "database speaks\n"
    assert "database speaks" not in house.printed()
