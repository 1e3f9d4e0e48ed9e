"""What is written into logs and into the journal: constant events, and facts from a list."""

import ast
import re
from collections.abc import Iterator

from sos.log import FACTS
from tests.shape.source import PRODUCT, ROOT, calls, spoken, trees

EVENT = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# How much, which one, of what kind. A name, an address, a text, a token or a code is none of these.
JOURNAL_FACTS = frozenset(
    """
    answer by_exception channel deliveries delivery door ended ending keys kind language mandate new_addresses notices
    outcome owner people reason refused reliability report roles scope scopes settled signatures source subject
    target targets thanks to tries urgency validity value verdict working_group
    """.split()
)


def logged() -> Iterator[tuple[str, ast.Call]]:
    for place, call in calls(*PRODUCT):
        owner, name = spoken(call)
        if owner in ("log", "logger", "logging") and name in LEVELS:
            yield place, call


def journalled() -> Iterator[tuple[str, ast.expr, list[ast.keyword]]]:
    """What is noted by `journal.note(conn, did, …)`, or by a folder's `journal(did, …)`."""
    for place, call in calls(*PRODUCT):
        owner, name = spoken(call)
        if name == "journal":
            yield place, call.args[0], call.keywords
        elif (owner, name) == ("journal", "note") or (isinstance(call.func, ast.Name) and call.func.id == "note"):
            yield place, call.args[1], call.keywords


def constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def value_of(path: str, node: ast.expr) -> str:
    """A text, or that of a constant of the same module."""
    if not isinstance(node, ast.Name):
        return constant(node) or ""
    made = [one.value for one in trees("sos")[path].body if isinstance(one, ast.Assign) and _makes(one, node.id)]
    return (constant(made[0]) or "") if made else ""


def _makes(assign: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assign.targets)


def test_there_is_something_to_look_at() -> None:
    assert len(list(logged())) > 15
    assert len(list(journalled())) > 25


def test_a_logged_event_is_constant_and_says_what_happened_to_what() -> None:
    events = [(place, call.args) for place, call in logged()]
    wrong = [place for place, args in events if len(args) != 1 or not EVENT.fullmatch(constant(args[0]) or "")]

    assert not wrong


def test_only_listed_facts_are_logged_each_by_its_name() -> None:
    wrong = [f"{place}: {fact.arg}" for place, call in logged() for fact in call.keywords if fact.arg not in FACTS]

    assert not wrong


def test_no_fact_of_a_log_line_is_an_error_that_could_quote_a_row() -> None:
    """An error is named by its type; `exception` adds where it rose."""
    errors = [
        f"{place}: {fact.arg}"
        for place, call in logged()
        for fact in call.keywords
        if fact.arg == "error" and not (isinstance(fact.value, ast.Attribute) and fact.value.attr == "__name__")
    ]

    assert not errors


def test_every_list_of_facts_is_in_use() -> None:
    told = {fact.arg for _, _, facts in journalled() for fact in facts}

    assert told - {None} <= JOURNAL_FACTS
    assert not JOURNAL_FACTS - told


def test_a_journalled_event_is_constant_and_says_what_happened_to_what() -> None:
    """One place passes on what its callers say, and those are looked at; another takes its events from a table."""
    elsewhere = {"sos/members/steps.py", "sos/triage/folder.py"}
    events = [(place, event) for place, event, _ in journalled() if place.split(":")[0] not in elsewhere]
    wrong = [place for place, event in events if not EVENT.fullmatch(value_of(place.split(":")[0], event))]

    assert not wrong


def test_nothing_of_ours_prints_or_logs_by_another_way() -> None:
    """`sos up` talks to whoever started it; everything else is a log line or the answer of a command."""
    talking = {"sos/up.py", "sos/supervisor.py"}
    printed = [
        place
        for place, call in calls(*PRODUCT)
        if isinstance(call.func, ast.Name) and call.func.id == "print" and place.split(":")[0] not in talking
    ]

    assert not printed


def test_no_address_of_a_request_is_written_down() -> None:
    """The library's own access log prints paths, and a path may hold a link's token."""
    assert "access_log=None" in (ROOT / "sos" / "serve.py").read_text("utf-8")
