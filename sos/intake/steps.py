"""Filing a report, coming back with its receipt, opening it, and telling those on duty."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sos import journal
from sos.actor import SYSTEM, Actor
from sos.config import Config
from sos.database import Connection
from sos.intake import store
from sos.intake.report import (
    SHOWN_AGAIN,
    AlreadyFiled,
    FiledOtherwise,
    Receipt,
    ReceiptLocked,
    Stage,
    Told,
    Urgency,
    WrongReceipt,
    code_of,
    wait_after,
)
from sos.jobs import Record
from sos.ledger.notice_store import plan_notices
from sos.staff import store as staff_store
from sos.staff.custody import entrust_key, open_key
from sos.staff.staff import Person
from sos.vault import CannotOpen, Place, digest, new_key, seal, stretch_receipt, unseal

SALT_BYTES = 16
REPORTER = Actor("reporter")
TELL_DUTY = "tell_duty"


@dataclass(frozen=True, slots=True)
class Returned:
    """What a receipt opens: her own words and how far they have come, never the desk's notes."""

    told: Told
    stage: Stage
    filed_at: datetime


async def file_report(
    record: Record, told: Told, *, form_secret: str, language: str, urgency: Urgency, now: datetime
) -> Receipt:
    """Store and seal a report; only then is there a receipt. The same form makes one report.

    Raises AlreadyFiled, FiledOtherwise.
    """
    form_index, code = digest("form", form_secret), code_of(form_secret)
    salt = secrets.token_bytes(SALT_BYTES)
    receipt_key = await asyncio.to_thread(stretch_receipt, code, salt)
    report_id, key = uuid4(), new_key()
    words_sealed = seal(key, told.dump(), Place("reports", "words", report_id))
    async with record.step() as step:
        new = store.NewReport(report_id, form_index, language, urgency, words_sealed, salt, now)
        number = await store.insert_report(step.conn, new)
        if number is None:
            return await _receipt_again(step.conn, told, form_index, code, now)
        await entrust_key(step.conn, "report", report_id, key, now)
        await _entrust_to_receipt(step.conn, report_id, seal(receipt_key, key, _receipt_place(report_id)), now)
        await journal.note(step.conn, "report.filed", REPORTER, report_id, now, urgency=urgency, language=language)
        await step.ask(TELL_DUTY, report_id, now)
    return Receipt(number, code)


async def _entrust_to_receipt(conn: Connection, report_id: UUID, sealed: bytes, now: datetime) -> None:
    key = staff_store.KeyRow(report_id, "report", sealed)
    await staff_store.insert_grant(conn, key, holder_kind="receipt", holder_id=report_id, granted_by=None, now=now)


async def _receipt_again(conn: Connection, told: Told, form_index: bytes, code: str, now: datetime) -> Receipt:
    """The receipt of a form that came twice: shown again while the first answer may just have been lost."""
    report = await store.find_by_form(conn, form_index)
    row = await store.lock_by_number(conn, report.number) if report else None
    assert report
    assert row
    if await _open_by_receipt(conn, row, await asyncio.to_thread(stretch_receipt, code, row.receipt_salt)) != told:
        raise FiledOtherwise(report.number)
    if now - report.filed_at > SHOWN_AGAIN:
        raise AlreadyFiled(report.number)
    return Receipt(report.number, code)


async def come_back(record: Record, receipt: Receipt, now: datetime) -> Returned:
    """Open a report by its receipt. Raises WrongReceipt, ReceiptLocked; an unknown number takes as long as a known."""
    async with record.step() as step:
        row = await store.lock_by_number(step.conn, receipt.number)
        if row and row.locked_until and row.locked_until > now:
            raise ReceiptLocked(row.locked_until)
        salt = row.receipt_salt if row else bytes(SALT_BYTES)
        receipt_key = await asyncio.to_thread(stretch_receipt, receipt.code, salt)
        told = await _open_by_receipt(step.conn, row, receipt_key) if row else None
        if row and told:
            await store.count_wrong_code(step.conn, row.id, 0, None)
            return Returned(told, row.stage, row.filed_at)
        if row:
            wrong = row.wrong_codes + 1
            await store.count_wrong_code(step.conn, row.id, wrong, wait_after(wrong, now))
    raise WrongReceipt


async def _open_by_receipt(conn: Connection, row: store.ReceiptRow, receipt_key: bytes) -> Told | None:
    grant = await staff_store.find_grant(conn, row.id, "receipt", row.id)
    if grant is None:
        return None
    try:
        key = unseal(receipt_key, grant.sealed, _receipt_place(row.id))
        return Told.load(unseal(key, row.words_sealed, Place("reports", "words", row.id)))
    except CannotOpen:
        return None


async def open_report(record: Record, person: Person, report_id: UUID, now: datetime) -> Told | None:
    """Her words, by the key of whoever is signed in; the opening is journalled. Raises NotGranted."""
    async with record.step() as step:
        key = await open_key(step.conn, person, report_id)
        sealed = await store.words_of(step.conn, report_id)
        if sealed is None:
            return None
        await store.mark_opened(step.conn, report_id, person.id, now)
        await journal.note(step.conn, "report.opened", person.actor, report_id, now)
    return Told.load(unseal(key, sealed, Place("reports", "words", report_id)))


async def tell_duty(record: Record, config: Config, report_id: UUID, now: datetime) -> int:
    """Plan a content-free notice to the staff on duty; answer how many messages that makes."""
    async with record.step() as step:
        report = await store.find_report(step.conn, report_id)
        assert report
        urgency = config.urgencies[report.urgency]
        planned = await plan_notices(
            step.conn, "notice", report.id, rank=urgency.rank, now=now, until=now + urgency.decision
        )
        await journal.note(step.conn, "duty.told", SYSTEM, report_id, now, notices=planned)
    return planned


def _receipt_place(report_id: UUID) -> Place:
    return Place("key_grants", "receipt", report_id)
