"""A case opened for one step: locked, with its key, and with the moment at which it is worked on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sos import journal
from sos.database import Connection
from sos.jobs import Record
from sos.staff.custody import open_key
from sos.staff.staff import Person
from sos.triage import finding_store, store
from sos.triage.case import Case, NoSuchCase, NoteKind
from sos.vault import Place, seal, unseal


@dataclass(frozen=True, slots=True)
class Folder:
    """A case in somebody's hands for as long as one step lasts."""

    conn: Connection
    case: Case
    person: Person
    key: bytes
    now: datetime

    def seal(self, text: str, place: Place) -> bytes:
        return seal(self.key, text.encode(), place)

    def open(self, sealed: bytes, place: Place) -> str:
        return unseal(self.key, sealed, place).decode()

    async def write_note(self, kind: NoteKind, text: str) -> None:
        """Keep a reason in words, sealed; no words, no note."""
        if text:
            note_id = uuid4()
            sealed = self.seal(text, note_place(note_id))
            note = finding_store.NoteRow(note_id, kind, sealed, self.person.id, self.now)
            await finding_store.insert_note(self.conn, self.case.id, note)

    async def journal(self, did: str, **facts: object) -> None:
        """Journal what was done to this case; facts are ids, counts and labels."""
        await journal.note(self.conn, did, self.person.actor, self.case.id, self.now, **facts)


@asynccontextmanager
async def open_folder(record: Record, person: Person, case_id: UUID, now: datetime) -> AsyncIterator[Folder]:
    """One step over one case, after whatever others do to it now. Raises NoSuchCase, NotGranted."""
    async with record.step() as step:
        case = await store.lock_case(step.conn, case_id)
        if case is None:
            raise NoSuchCase
        yield Folder(step.conn, case, person, await open_key(step.conn, person, case_id), now)


def name_place(subject_id: UUID) -> Place:
    return Place("subjects", "name", subject_id)


def how_place(consent_id: UUID) -> Place:
    return Place("consents", "how", consent_id)


def corroboration_place(corroboration_id: UUID) -> Place:
    return Place("corroborations", "note", corroboration_id)


def note_place(note_id: UUID) -> Place:
    return Place("case_notes", "text", note_id)
