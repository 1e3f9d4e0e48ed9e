"""The SQL of reports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, row, rows, run, value
from sos.intake.report import Report, Stage


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report on its way into the database."""

    id: UUID
    form_index: bytes
    language: str
    urgency: str
    words_sealed: bytes
    receipt_salt: bytes
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """What opening by receipt needs."""

    id: UUID
    words_sealed: bytes
    receipt_salt: bytes
    wrong_codes: int
    locked_until: datetime | None
    stage: Stage
    filed_at: datetime


async def insert_report(conn: Connection, new: NewReport) -> int | None:
    """The report's number, or None if this form has made its report already."""
    number: int | None = await value(
        conn,
        """
        INSERT INTO reports (id, form_index, language, urgency, words_sealed, receipt_salt, filed_at)
        VALUES (%(id)s, %(form)s, %(language)s, %(urgency)s, %(words)s, %(salt)s, %(filed_at)s)
        ON CONFLICT (form_index) DO NOTHING RETURNING number
        """,
        id=new.id, form=new.form_index, language=new.language, urgency=new.urgency, words=new.words_sealed,
        salt=new.receipt_salt, filed_at=new.filed_at,
    )  # fmt: skip
    return number


async def find_by_form(conn: Connection, form_index: bytes) -> Report | None:
    return await row(
        conn,
        Report,
        """
        SELECT id, number, language, urgency, stage, filed_at, opened_by, opened_at
        FROM reports WHERE form_index = %(form)s
        """,
        form=form_index,
    )


async def find_report(conn: Connection, report_id: UUID) -> Report | None:
    return await row(
        conn,
        Report,
        """
        SELECT id, number, language, urgency, stage, filed_at, opened_by, opened_at
        FROM reports WHERE id = %(id)s
        """,
        id=report_id,
    )


async def list_without_case(conn: Connection) -> list[Report]:
    """Reports that nobody has made a case of yet, the most urgent and the oldest first."""
    return await rows(
        conn,
        Report,
        """
        SELECT id, number, language, urgency, stage, filed_at, opened_by, opened_at
        FROM reports WHERE stage IN ('received', 'opened')
        ORDER BY array_position(ARRAY['life', 'serious', 'routine'], urgency), filed_at
        """,
    )


async def words_of(conn: Connection, report_id: UUID) -> bytes | None:
    """Her words as they lie sealed."""
    sealed: bytes | None = await value(conn, "SELECT words_sealed FROM reports WHERE id = %(id)s", id=report_id)
    return sealed


async def lock_by_number(conn: Connection, number: int) -> ReceiptRow | None:
    """The report with this number, locked so that wrong codes are counted one after another."""
    return await row(
        conn,
        ReceiptRow,
        """
        SELECT id, words_sealed, receipt_salt, wrong_codes, locked_until, stage, filed_at
        FROM reports WHERE number = %(number)s FOR UPDATE
        """,
        number=number,
    )


async def count_wrong_code(conn: Connection, report_id: UUID, wrong_codes: int, until: datetime | None) -> None:
    await run(
        conn,
        "UPDATE reports SET wrong_codes = %(wrong)s, locked_until = %(until)s WHERE id = %(id)s",
        id=report_id, wrong=wrong_codes, until=until,
    )  # fmt: skip


async def mark_opened(conn: Connection, report_id: UUID, by: UUID, now: datetime) -> bool:
    """Whether this was the first opening."""
    return await run(
        conn,
        """
        UPDATE reports SET stage = 'opened', opened_by = %(by)s, opened_at = %(now)s
        WHERE id = %(id)s AND stage = 'received'
        """,
        id=report_id, by=by, now=now,
    ) == 1  # fmt: skip


async def set_stage(conn: Connection, report_id: UUID, stage: Stage) -> None:
    await run(conn, "UPDATE reports SET stage = %(stage)s WHERE id = %(id)s", id=report_id, stage=stage)
