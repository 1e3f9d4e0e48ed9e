"""Everything of a case, opened by the key of whoever reads it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sos import journal
from sos.config import Config
from sos.jobs import Record
from sos.journal import Entry
from sos.staff.staff import Person
from sos.triage import finding_store, store
from sos.triage.case import (
    Case,
    Clock,
    ConsentValue,
    NoteKind,
    Source,
    SubjectKind,
    missing_for_verification,
    next_clock,
)
from sos.triage.consent import is_held, taken_back
from sos.triage.folder import Folder, corroboration_place, how_place, name_place, note_place, open_folder
from sos.triage.verification import find_findings

READ = "case.read"
READ_AGAIN_AFTER = timedelta(hours=1)  # one line of the journal for an hour at a case, not one for each look


@dataclass(frozen=True, slots=True)
class OpenedAnswer:
    """One answer about consent: what, how it was asked, by whom and when."""

    scope: str
    value: ConsentValue
    how: str
    by: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenedSubject:
    """Somebody in danger, with what she answers now, and everything that was ever recorded, the newest first."""

    id: UUID
    kind: SubjectKind
    people: int
    name: str
    answers: dict[str, OpenedAnswer]
    history: tuple[OpenedAnswer, ...]


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """Words of the secretariat about a case: a reason, or what another source says."""

    kind: NoteKind | Source
    text: str
    by: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """What the page of a case shows."""

    case: Case
    clock: Clock | None
    subjects: tuple[OpenedSubject, ...]
    corroborations: tuple[OpenedNote, ...]
    grades: finding_store.Grades | None
    notes: tuple[OpenedNote, ...]
    verification: finding_store.Verification | None
    missing: tuple[str, ...]
    is_held: bool
    taken_back: frozenset[tuple[UUID, str]]
    entries: tuple[Entry, ...]

    def latest_note(self, kind: NoteKind) -> OpenedNote | None:
        """The note of this kind that holds."""
        return next((note for note in reversed(self.notes) if note.kind == kind), None)


async def read_case(record: Record, config: Config, person: Person, case_id: UUID, now: datetime) -> OpenedCase:
    """Open a case to read it; that it was read is journalled. Raises NoSuchCase, NotGranted."""
    async with open_folder(record, person, case_id, now) as folder:
        entries = await journal.entries(folder.conn, case_id)
        if not _read_lately(entries, person.id, now):
            await folder.journal(READ)
        answers = await store.list_consents(folder.conn, case_id)
        return OpenedCase(
            case=folder.case,
            clock=next_clock(folder.case),
            subjects=await _open_subjects(folder, answers),
            corroborations=await _open_corroborations(folder),
            grades=await finding_store.latest_grades(folder.conn, case_id),
            notes=await _open_notes(folder),
            verification=await finding_store.latest_verification(folder.conn, case_id),
            missing=missing_for_verification(await find_findings(folder.conn, folder.case)),
            is_held=await is_held(folder.conn, case_id),
            taken_back=frozenset(taken_back(config.consent, answers)),
            entries=tuple(entry for entry in entries if entry.did.startswith("case.") and entry.did != READ),
        )


def _read_lately(entries: list[Entry], person_id: UUID, now: datetime) -> bool:
    mine = [entry.at for entry in entries if entry.did == READ and entry.actor_id == person_id]
    return bool(mine) and now - mine[-1] < READ_AGAIN_AFTER


async def _open_subjects(folder: Folder, answers: list[store.ConsentRow]) -> tuple[OpenedSubject, ...]:
    rows = await store.list_subjects(folder.conn, folder.case.id)
    return tuple(_open_subject(folder, row, [one for one in answers if one.subject_id == row.id]) for row in rows)


def _open_subject(folder: Folder, row: store.SubjectRow, answers: list[store.ConsentRow]) -> OpenedSubject:
    opened = [
        OpenedAnswer(one.scope, one.value, folder.open(one.how_sealed, how_place(one.id)), one.recorded_by,
                     one.recorded_at)
        for one in answers
    ]  # fmt: skip
    return OpenedSubject(
        id=row.id,
        kind=row.kind,
        people=row.people,
        name=folder.open(row.name_sealed, name_place(row.id)),
        answers={one.scope: one for one in opened},
        history=tuple(reversed(opened)),
    )


async def _open_corroborations(folder: Folder) -> tuple[OpenedNote, ...]:
    rows = await finding_store.list_corroborations(folder.conn, folder.case.id)
    return tuple(
        OpenedNote(row.source, folder.open(row.note_sealed, corroboration_place(row.id)), row.recorded_by,
                   row.recorded_at)
        for row in rows
    )  # fmt: skip


async def _open_notes(folder: Folder) -> tuple[OpenedNote, ...]:
    rows = await finding_store.list_notes(folder.conn, folder.case.id)
    return tuple(
        OpenedNote(row.kind, folder.open(row.text_sealed, note_place(row.id)), row.written_by, row.written_at)
        for row in rows
    )
