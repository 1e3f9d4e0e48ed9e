"""The SQL of what was found out about a case: corroborations, grades, verifications, and notes with the reasons."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, row, rows, run
from sos.triage.case import NoteKind, Reliability, Source, Validity


@dataclass(frozen=True, slots=True)
class Corroboration:
    """What another source says, sealed as stored."""

    id: UUID
    source: Source
    note_sealed: bytes
    recorded_by: UUID
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Grades:
    """The two grades, by whom and when."""

    reliability: Reliability
    validity: Validity
    graded_by: UUID
    graded_at: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """That somebody called a case verified."""

    verified_by: UUID
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A reason in words, sealed as stored."""

    id: UUID
    kind: NoteKind
    text_sealed: bytes
    written_by: UUID
    written_at: datetime


async def insert_corroboration(conn: Connection, case_id: UUID, found: Corroboration) -> None:
    await run(
        conn,
        """
        INSERT INTO corroborations (id, case_id, source, note_sealed, recorded_by, recorded_at)
        VALUES (%(id)s, %(case)s, %(source)s, %(note)s, %(by)s, %(at)s)
        """,
        id=found.id, case=case_id, source=found.source, note=found.note_sealed, by=found.recorded_by,
        at=found.recorded_at,
    )  # fmt: skip


async def list_corroborations(conn: Connection, case_id: UUID) -> list[Corroboration]:
    """The oldest first."""
    return await rows(
        conn,
        Corroboration,
        """
        SELECT id, source, note_sealed, recorded_by, recorded_at
        FROM corroborations WHERE case_id = %(case)s ORDER BY position
        """,
        case=case_id,
    )


async def insert_grades(conn: Connection, case_id: UUID, grades: Grades) -> None:
    await run(
        conn,
        """
        INSERT INTO grades (case_id, reliability, validity, graded_by, graded_at)
        VALUES (%(case)s, %(reliability)s, %(validity)s, %(by)s, %(at)s)
        """,
        case=case_id, reliability=grades.reliability, validity=grades.validity, by=grades.graded_by,
        at=grades.graded_at,
    )  # fmt: skip


async def latest_grades(conn: Connection, case_id: UUID) -> Grades | None:
    """The grades that hold."""
    return await row(
        conn,
        Grades,
        """
        SELECT reliability, validity, graded_by, graded_at
        FROM grades WHERE case_id = %(case)s ORDER BY id DESC LIMIT 1
        """,
        case=case_id,
    )


async def insert_verification(conn: Connection, case_id: UUID, verification: Verification) -> None:
    await run(
        conn,
        """
        INSERT INTO verifications (case_id, verified_by, verified_at) VALUES (%(case)s, %(by)s, %(at)s)
        """,
        case=case_id, by=verification.verified_by, at=verification.verified_at,
    )  # fmt: skip


async def latest_verification(conn: Connection, case_id: UUID) -> Verification | None:
    return await row(
        conn,
        Verification,
        """
        SELECT verified_by, verified_at FROM verifications WHERE case_id = %(case)s ORDER BY id DESC LIMIT 1
        """,
        case=case_id,
    )


async def insert_note(conn: Connection, case_id: UUID, note: NoteRow) -> None:
    await run(
        conn,
        """
        INSERT INTO case_notes (id, case_id, kind, text_sealed, written_by, written_at)
        VALUES (%(id)s, %(case)s, %(kind)s, %(text)s, %(by)s, %(at)s)
        """,
        id=note.id, case=case_id, kind=note.kind, text=note.text_sealed, by=note.written_by, at=note.written_at,
    )  # fmt: skip


async def list_notes(conn: Connection, case_id: UUID) -> list[NoteRow]:
    """The oldest first."""
    return await rows(
        conn,
        NoteRow,
        """
        SELECT id, kind, text_sealed, written_by, written_at FROM case_notes WHERE case_id = %(case)s ORDER BY position
        """,
        case=case_id,
    )
