"""The secretariat's queue: what needs this person now, what waits, what she handed over, and what others have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aiohttp import web

from sos.actions import store as actions_store
from sos.actions.action import Action
from sos.actions.action import State as ActionState
from sos.database import Connection
from sos.desk.action_page import title_of
from sos.http import page, runtime_of
from sos.intake import store as intake_store
from sos.intake.report import Report, Urgency
from sos.staff.staff import Permission, Person
from sos.staff.steps import list_colleagues
from sos.staff.web import person_of
from sos.triage import consent, forms, handover_store
from sos.triage import store as triage_store
from sos.triage.case import Case, Clock, next_clock
from sos.triage.web import act
from sos.triage.web_steps import desk_of

ON_ITS_WAY = frozenset({ActionState.APPROVED, ActionState.LAUNCHED})


@dataclass(frozen=True, slots=True)
class Row:
    """A case in somebody's queue, with its running clock and whoever it was handed to."""

    case: Case
    clock: Clock | None
    handed_to: UUID | None = None
    handed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What one person sees when she comes in. Every open case that she may read stands in exactly one list.

    `now` holds whatever waits for her, of any stage: reports and cases so far.
    """

    now: tuple[Report | Row, ...]
    waiting: tuple[Row, ...]
    handed: tuple[Row, ...]
    others: tuple[Row, ...]


async def show_queue(request: web.Request) -> web.Response:
    """What needs her now, what waits, what she handed over, and what her colleagues have."""
    runtime, person = runtime_of(request), person_of(request)
    async with runtime.record.reading() as conn:
        queue = await find_queue(conn, person)
        names = {one.id: one.name for one in await list_colleagues(conn, runtime.keys)}
        preparing = await list_preparing(conn, person)
        titles = {one.id: await title_of(conn, runtime, one) for one in preparing}
    return page(
        request, "desk/queue.html", queue=queue, names=names, config=runtime.config, preparing=preparing, titles=titles
    )


async def list_preparing(conn: Connection, person: Person) -> list[Action]:
    """Actions on their way to being sent, for those who write, translate, approve or send them."""
    if not (person.may(Permission.TRANSLATE) or person.may(Permission.APPROVE)):
        return []
    return [action for action in await actions_store.list_actions(conn) if action.is_open_for_changes]


async def find_queue(conn: Connection, person: Person) -> Queue:
    """The queue of one person, by what her roles may read."""
    reads_reports, reads_cases = person.may(Permission.READ_REPORTS), person.may(Permission.READ_CASES)
    reports = await intake_store.list_without_case(conn) if reads_reports else []
    cases = await triage_store.list_cases(conn) if reads_cases else []
    handed = {one.case_id: one for one in await handover_store.list_handed_by(conn, person.id)}
    return sort_queue(person.id, reports, cases, handed)


def sort_queue(
    me: UUID, reports: Sequence[Report], cases: Sequence[Case], handed: Mapping[UUID, handover_store.Handed]
) -> Queue:
    """Each case into the first list that it belongs to; what needs her now by urgency, then by time."""
    now: list[Report | Row] = list(reports)
    lists: dict[str, list[Row]] = {"waiting": [], "handed": [], "others": []}
    for case in cases:
        clock, given, is_hers = next_clock(case), handed.get(case.id), case.owner_id == me
        if case.handed_to == me or (is_hers and clock and not case.handed_to):
            now.append(Row(case, clock))
        elif given and (case.handed_to or not is_hers):
            lists["handed"].append(Row(case, clock, given.to_id, given.accepted_at))
        else:
            lists["waiting" if is_hers else "others"].append(Row(case, clock))
    return Queue(tuple(sorted(now, key=_urgent_first)), **{name: tuple(found) for name, found in lists.items()})


def _urgent_first(one: Report | Row) -> tuple[int, datetime]:
    """Life first; then what was filed first, or runs out first."""
    order = tuple(Urgency)
    if isinstance(one, Report):
        return order.index(one.urgency), one.filed_at
    return order.index(one.case.urgency), one.clock.due_at if one.clock else one.case.opened_at


async def resume_sending(request: web.Request) -> web.Response:
    """Lift the hold of a withdrawn consent; it stands while an action that may lean on it is on its way."""
    at = desk_of(request)
    return await act(
        request, forms.ResumeForm,
        step=lambda form: consent.resume_sending(
            at.record, at.config, at.person, at.case_id, reason=form.resume_reason, is_acting=_is_acting, now=at.now
        ),
    )  # fmt: skip


async def _is_acting(conn: Connection, case_id: UUID) -> bool:
    actions = await actions_store.list_actions(conn)
    return any(action.case_id == case_id and action.state in ON_ITS_WAY for action in actions)
