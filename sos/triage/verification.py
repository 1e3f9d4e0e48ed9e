"""Verifying a case: the mandate, what others say, two grades, the risks, and then the word that it is verified."""

from datetime import datetime
from uuid import UUID, uuid4

from sos.database import Connection
from sos.jobs import Record
from sos.staff.staff import Person
from sos.triage import finding_store, store
from sos.triage.case import (
    Case,
    Findings,
    Mandate,
    NoteKind,
    NotVerifiable,
    Reliability,
    Source,
    State,
    Validity,
    missing_for_verification,
    require_alive,
    require_move,
    state_after_mandate,
)
from sos.triage.folder import corroboration_place, open_folder


async def answer_mandate(
    record: Record, person: Person, case_id: UUID, *, mandate: Mandate, reason: str, now: datetime
) -> None:
    """Whether this is the network's to do; an answer of "outside" undoes a verification. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        await store.answer_mandate(folder.conn, case_id, mandate, state_after_mandate(folder.case, mandate))
        await folder.write_note(NoteKind.MANDATE, reason)
        await folder.journal("case.mandate_answered", mandate=mandate)


async def corroborate(
    record: Record, person: Person, case_id: UUID, *, source: Source, note: str, now: datetime
) -> None:
    """Keep what another source says. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        found_id = uuid4()
        sealed = folder.seal(note, corroboration_place(found_id))
        found = finding_store.Corroboration(found_id, source, sealed, person.id, now)
        await finding_store.insert_corroboration(folder.conn, case_id, found)
        await folder.journal("case.corroborated", source=source)


async def grade(
    record: Record, person: Person, case_id: UUID, *, reliability: Reliability, validity: Validity, now: datetime
) -> None:
    """Grade the source and the information apart. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        grades = finding_store.Grades(reliability, validity, person.id, now)
        await finding_store.insert_grades(folder.conn, case_id, grades)
        await folder.journal("case.graded", reliability=reliability, validity=validity)


async def weigh_risks(
    record: Record, person: Person, case_id: UUID, *, if_we_act: str, if_we_do_not: str, now: datetime
) -> None:
    """What may happen if the network acts, and if it does not. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        await folder.write_note(NoteKind.RISK_ACT, if_we_act)
        await folder.write_note(NoteKind.RISK_WAIT, if_we_do_not)
        await folder.journal("case.risks_weighed")


async def verify(record: Record, person: Person, case_id: UUID, *, exception: str, now: datetime) -> None:
    """Call a case verified. Raises CaseMoved, or NotVerifiable with everything that is missing.

    `exception` is the reason for doing without two corroborations, or nothing.
    """
    async with open_folder(record, person, case_id, now) as folder:
        require_move(folder.case, State.VERIFIED)
        found = await find_findings(folder.conn, folder.case, has_exception=bool(exception))
        missing = missing_for_verification(found)
        if missing:
            raise NotVerifiable(missing)
        await store.set_state(folder.conn, case_id, was=folder.case.state, becomes=State.VERIFIED)
        await finding_store.insert_verification(folder.conn, case_id, finding_store.Verification(person.id, now))
        await folder.write_note(NoteKind.EXCEPTION, exception)
        await folder.journal("case.verified", by_exception=bool(exception))


async def find_findings(conn: Connection, case: Case, *, has_exception: bool = False) -> Findings:
    """What verification has to look at so far."""
    corroborations = await finding_store.list_corroborations(conn, case.id)
    notes = {note.kind for note in await finding_store.list_notes(conn, case.id)}
    return Findings(
        mandate=case.mandate,
        sources=tuple(found.source for found in corroborations),
        has_exception=has_exception,
        is_graded=await finding_store.latest_grades(conn, case.id) is not None,
        risk_act=NoteKind.RISK_ACT in notes,
        risk_wait=NoteKind.RISK_WAIT in notes,
    )
