"""What stands where in somebody's queue."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from sos.desk.web import Row, sort_queue
from sos.intake.report import Report, Stage, Urgency
from sos.triage.case import Case, State
from sos.triage.handover_store import Handed
from tests.sos.triage.test_case import AMINA, BRUNO, CASE, LATER, OPENED, WAITING

REPORT = Report(UUID(int=7), 100_002, "es", Urgency.SERIOUS, Stage.RECEIVED, OPENED, None, None)
RESTING = replace(WAITING, first_contact_at=LATER)
DECIDED = replace(CASE, state=State.VERIFIED, first_contact_at=LATER, decided_at=LATER)


@pytest.mark.parametrize(
    ("me", "case", "place"),
    [
        (AMINA, CASE, "now"),
        (AMINA, WAITING, "now"),
        (AMINA, RESTING, "waiting"),
        (AMINA, DECIDED, "waiting"),
        (AMINA, replace(CASE, handed_to=BRUNO), "handed"),
        (BRUNO, replace(CASE, handed_to=BRUNO), "now"),
        (AMINA, replace(CASE, owner_id=BRUNO), "handed"),
        (BRUNO, CASE, "others"),
        (BRUNO, RESTING, "others"),
    ],
)
def test_every_case_stands_in_exactly_one_list(me: UUID, case: Case, place: str) -> None:
    given = {case.id: Handed(case.id, BRUNO, LATER, None)} if case.handed_to or case.owner_id == BRUNO else {}
    queue = sort_queue(me, [], [case], given if me == AMINA else {})
    lists = {"now": queue.now, "waiting": queue.waiting, "handed": queue.handed, "others": queue.others}
    assert [name for name, found in lists.items() if found] == [place]


def test_a_case_that_came_back_is_mine_again() -> None:
    queue = sort_queue(AMINA, [], [CASE], {CASE.id: Handed(CASE.id, BRUNO, OPENED, LATER)})
    assert queue.now
    assert not queue.handed


def test_life_comes_first_and_then_what_was_first() -> None:
    older = replace(REPORT, id=UUID(int=6), filed_at=OPENED - timedelta(days=3))
    dying = replace(REPORT, id=UUID(int=5), urgency=Urgency.LIFE, filed_at=LATER)
    soon = replace(CASE, id=UUID(int=4), first_contact_due_at=LATER + timedelta(minutes=1))
    queue = sort_queue(AMINA, [REPORT, older, dying], [CASE, soon], {})
    ids = [one.case.id if isinstance(one, Row) else one.id for one in queue.now]
    assert ids == [dying.id, soon.id, CASE.id, older.id, REPORT.id]
