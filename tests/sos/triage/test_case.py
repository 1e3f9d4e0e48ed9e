"""The rules of a case, as tables: states, clocks, verification, consent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from sos.intake.report import Urgency
from sos.triage.case import (
    MOVES,
    Case,
    CaseMoved,
    ConsentValue,
    Findings,
    Mandate,
    NotYours,
    Source,
    State,
    is_taken_back,
    missing_for_verification,
    next_clock,
    permits,
    require_alive,
    require_move,
    require_owner,
    state_after_mandate,
    strictest,
    time_waited,
)

OPENED = datetime(2031, 3, 14, 9, tzinfo=UTC)
AMINA, BRUNO = UUID(int=1), UUID(int=2)
CASE = Case(
    id=UUID(int=9), report_id=UUID(int=8), number=100_001, urgency=Urgency.LIFE, owner_id=AMINA, handed_to=None,
    working_group="women", state=State.OPEN, opened_at=OPENED,
    first_contact_due_at=OPENED + timedelta(hours=2), decision_due_at=OPENED + timedelta(hours=24),
    first_contact_at=None, waiting_since=None, decided_at=None, mandate=None, ending=None,
)  # fmt: skip
LATER = OPENED + timedelta(hours=1)
WAITING = replace(CASE, state=State.WAITING, waiting_since=OPENED)
Y, A, N, U, W = (
    ConsentValue.YES,
    ConsentValue.ANONYMISED,
    ConsentValue.NO,
    ConsentValue.NOT_ASKED,
    ConsentValue.WITHDRAWN,
)
COMPLETE = Findings(
    mandate=Mandate.INSIDE, sources=(Source.PRESS, Source.PARTNER), is_graded=True, risk_act=True, risk_wait=True
)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("to", list(State))
def test_a_case_moves_only_where_its_state_leads(state: State, to: State) -> None:
    case = replace(CASE, state=state)
    if to in MOVES[state]:
        require_move(case, to)
    else:
        with pytest.raises(CaseMoved):
            require_move(case, to)


def test_nothing_leads_out_of_a_closed_case() -> None:
    assert MOVES[State.CLOSED] == frozenset()
    with pytest.raises(CaseMoved):
        require_alive(replace(CASE, state=State.CLOSED))


def test_what_only_an_owner_may_do_is_refused_to_others() -> None:
    require_owner(CASE, AMINA)
    with pytest.raises(NotYours):
        require_owner(CASE, BRUNO)


@pytest.mark.parametrize(
    ("case", "what"),
    [
        (CASE, "first_contact"),
        (replace(CASE, first_contact_at=LATER), "decision"),
        (replace(CASE, first_contact_at=LATER, decided_at=LATER), None),
        (replace(CASE, decided_at=LATER), "first_contact"),
        (WAITING, "first_contact"),
        (replace(WAITING, first_contact_at=LATER), None),
        (replace(CASE, state=State.CLOSED), None),
    ],
)
def test_the_next_clock_is_the_promise_that_runs_out_first(case: Case, what: str | None) -> None:
    clock = next_clock(case)
    assert (clock.what if clock else None) == what


def test_a_clock_is_late_only_after_its_moment() -> None:
    clock = next_clock(CASE)
    assert clock
    assert not clock.is_late(clock.due_at)
    assert clock.is_late(clock.due_at + timedelta(seconds=1))


def test_a_wait_is_as_long_as_it_lasted() -> None:
    assert time_waited(WAITING, OPENED + timedelta(hours=5)) == timedelta(hours=5)
    assert time_waited(CASE, LATER) == timedelta()


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (Findings(), ("mandate", "corroborations", "grades", "risk_act", "risk_wait")),
        (COMPLETE, ()),
        (replace(COMPLETE, mandate=Mandate.OUTSIDE), ("inside",)),
        (replace(COMPLETE, mandate=None, risk_wait=False), ("mandate", "risk_wait")),
        (replace(COMPLETE, sources=(Source.PRESS,)), ("corroborations",)),
        (replace(COMPLETE, sources=(Source.MEMBER,)), ("corroborations",)),
        (replace(COMPLETE, sources=(Source.MEMBER_NEAR,)), ()),
        (replace(COMPLETE, sources=(), has_exception=True), ()),
        (replace(COMPLETE, is_graded=False, risk_act=False), ("grades", "risk_act")),
    ],
)
def test_verification_names_everything_that_is_missing(found: Findings, missing: tuple[str, ...]) -> None:
    assert missing_for_verification(found) == missing


@pytest.mark.parametrize(
    ("state", "mandate", "after"),
    [
        (State.VERIFIED, Mandate.OUTSIDE, State.OPEN),
        (State.VERIFIED, Mandate.INSIDE, State.VERIFIED),
        (State.OPEN, Mandate.OUTSIDE, State.OPEN),
        (State.WAITING, Mandate.OUTSIDE, State.WAITING),
    ],
)
def test_what_is_outside_the_mandate_is_not_verified(state: State, mandate: Mandate, after: State) -> None:
    assert state_after_mandate(replace(CASE, state=state), mandate) is after


@pytest.mark.parametrize(
    ("values", "holds", "permitted"),
    [
        ((), N, False),
        ((Y,), Y, True),
        ((Y, A), A, True),
        ((Y, N), N, False),
        ((A, U), U, False),
        ((U, N), N, False),
        ((Y, Y, W), W, False),
        ((N, W), W, False),
    ],
)
def test_the_strictest_answer_holds_for_all_and_only_a_yes_of_everybody_permits(
    values: tuple[ConsentValue, ...], holds: ConsentValue, permitted: bool
) -> None:
    assert strictest(values) is holds
    assert permits(values) is permitted


@pytest.mark.parametrize(
    ("history", "plainly", "stops"),
    [
        ((), False, False),
        ((N,), False, False),
        ((N, U), False, False),
        ((Y,), False, False),
        ((Y, A), False, False),
        ((Y, N), False, True),
        ((A, U), False, True),
        ((W,), False, True),
        ((Y, W), False, True),
        ((Y, W, N), False, True),
        ((Y, W, Y), False, False),
        ((Y, A), True, True),
        ((A,), True, False),
        ((Y,), True, False),
    ],
)
def test_a_consent_that_falls_behind_an_earlier_one_stops_what_leans_on_it(
    history: tuple[ConsentValue, ...], plainly: bool, stops: bool
) -> None:
    assert is_taken_back(history, plainly=plainly) is stops
