"""A case from its opening to its end: made of a report, in touch with the reporter, waiting, going on, closed."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from sos.config import Config
from sos.database import Connection
from sos.intake import store as intake_store
from sos.intake.report import Report, Stage, Urgency
from sos.jobs import Record
from sos.staff.custody import entrust_key, open_key
from sos.staff.staff import Person
from sos.triage import handover_store, store
from sos.triage.case import (
    AlreadyACase,
    Case,
    CaseMoved,
    ConsentValue,
    Ending,
    NoSuchCase,
    NoteKind,
    State,
    SubjectKind,
    require_alive,
    require_move,
    require_owner,
    time_waited,
)
from sos.triage.folder import Folder, name_place, open_folder
from sos.vault import new_key, unseal


@dataclass(frozen=True, slots=True)
class NewSubject:
    """Who is in danger, how many they are, and their name (or no name, while nobody knows it)."""

    kind: SubjectKind
    people: int
    name: str


async def open_case(
    record: Record,
    config: Config,
    person: Person,
    report_id: UUID,
    *,
    urgency: Urgency,
    working_group: str,
    subject: NewSubject,
    now: datetime,
    country: str | None = None,
) -> UUID:
    """Make a case of a report, with a key of its own; its id. Raises NoSuchCase, NotGranted, AlreadyACase.

    Whoever makes it must be able to read the report, and owns the case from now on.
    """
    async with record.step() as step:
        report = await intake_store.find_report(step.conn, report_id)
        if report is None:
            raise NoSuchCase
        await open_key(step.conn, person, report_id)
        case = replace(_new_case(config, report, person.id, urgency, working_group, now), country=country)
        if not await store.insert_case(step.conn, case):
            raise AlreadyACase(await _case_id_of(step.conn, report_id))
        key = new_key()
        await entrust_key(step.conn, "case", case.id, key, now, granted_by=person.id)
        folder = Folder(step.conn, case, person, key, now)
        await folder.journal("case.opened", report=str(report_id), urgency=urgency, working_group=working_group)
        await _add_subject(folder, subject)
        await intake_store.set_stage(step.conn, report_id, Stage.CHECKING)
    return case.id


def _new_case(
    config: Config, report: Report, owner_id: UUID, urgency: Urgency, working_group: str, now: datetime
) -> Case:
    clocks = config.urgencies[urgency]
    return Case(
        id=uuid4(),
        report_id=report.id,
        number=report.number,
        urgency=urgency,
        owner_id=owner_id,
        handed_to=None,
        working_group=working_group,
        state=State.OPEN,
        opened_at=now,
        first_contact_due_at=now + clocks.first_contact,
        decision_due_at=now + clocks.decision,
        first_contact_at=None,
        waiting_since=None,
        decided_at=None,
        mandate=None,
        ending=None,
    )


async def _case_id_of(conn: Connection, report_id: UUID) -> UUID:
    case = await store.find_case_of_report(conn, report_id)
    assert case
    return case.id


async def add_subject(record: Record, person: Person, case_id: UUID, subject: NewSubject, now: datetime) -> None:
    """Somebody else is in danger in this case; she has consented to nothing yet. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        await _add_subject(folder, subject)


async def _add_subject(folder: Folder, subject: NewSubject) -> None:
    subject_id = uuid4()
    name_sealed = folder.seal(subject.name, name_place(subject_id))
    row = store.SubjectRow(subject_id, subject.kind, subject.people, name_sealed)
    await store.insert_subject(folder.conn, folder.case.id, row)
    await folder.journal("case.subject_added", subject=str(subject_id), kind=subject.kind, people=subject.people)


async def make_first_contact(record: Record, person: Person, case_id: UUID, *, note: str, now: datetime) -> None:
    """A person has reached the reporter: the first clock stops. Raises CaseMoved if it had stopped already."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        if not await store.mark_first_contact(folder.conn, case_id, now):
            raise CaseMoved
        await folder.write_note(NoteKind.CONTACT, note)
        await folder.journal("case.first_contact_made")


async def wait_for_reporter(record: Record, person: Person, case_id: UUID, *, note: str, now: datetime) -> None:
    """The next word is the reporter's: the decision's clock rests. Raises NotYours, CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_owner(folder.case, person.id)
        require_move(folder.case, State.WAITING)
        await store.begin_waiting(folder.conn, case_id, now)
        await folder.write_note(NoteKind.WAITING, note)
        await folder.journal("case.waited")


async def go_on(record: Record, person: Person, case_id: UUID, now: datetime) -> None:
    """The wait is over: the decision's clock goes on where it rested. Raises NotYours, CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_owner(folder.case, person.id)
        if not await store.end_waiting(folder.conn, case_id, time_waited(folder.case, now)):
            raise CaseMoved
        await folder.journal("case.went_on")


async def close_case(
    record: Record, person: Person, case_id: UUID, *, ending: Ending, reason: str, now: datetime
) -> None:
    """Decide that this is the end, and why; the reporter is told that it is closed. Raises NotYours, CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_owner(folder.case, person.id)
        require_move(folder.case, State.CLOSED)
        await handover_store.take_back(folder.conn, case_id, now)
        await store.end_case(folder.conn, case_id, ending, now)
        await intake_store.set_stage(folder.conn, folder.case.report_id, Stage.CLOSED)
        await folder.write_note(NoteKind.CLOSED, reason)
        await folder.journal("case.closed", ending=ending)


async def withheld_names(conn: Connection, person: Person, case_id: UUID, config: Config) -> list[str]:
    """The names that no text may hold: of everybody who did not say a plain yes to it. Raises NotGranted."""
    key = await open_key(conn, person, case_id)
    withheld = await withheld_subjects(conn, case_id, config)
    names = [
        unseal(key, subject.name_sealed, name_place(subject.id)).decode()
        for subject in await store.list_subjects(conn, case_id)
        if subject.id in withheld
    ]
    return [name for name in names if name]


async def withheld_subjects(conn: Connection, case_id: UUID, config: Config) -> frozenset[UUID]:
    """Those in danger whose names no text may hold."""
    answers = await store.consent_values(conn, case_id, config.consent.name)
    return frozenset(subject for subject, answer in answers.items() if answer is not ConsentValue.YES)
