"""Making a practice network: members, staff, one open case. Done once."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from sos.actor import SYSTEM
from sos.config import Config
from sos.database import Connection, UniqueViolation
from sos.intake.report import Urgency, new_form_secret
from sos.intake.steps import file_report, open_report
from sos.intake.store import list_without_case
from sos.jobs import Record
from sos.members.importing import parse_members
from sos.members.steps import import_members
from sos.network import AlreadyFounded, found_network
from sos.practice.people import FIRST_REPORT, PASSPHRASE, STAFF
from sos.staff.staff import Person
from sos.staff.steps import current_code, find_person, join_staff, sign_in, sign_out
from sos.triage.case import SubjectKind
from sos.triage.steps import NewSubject, open_case
from sos.triage.store import list_cases
from sos.vault import KeyFile

MEMBERS = Path(__file__).parents[2] / "config" / "practice" / "members.csv"
ONE_CODE = timedelta(seconds=30)

log = structlog.get_logger()


async def is_seeded(conn: Connection) -> bool:
    """Whether the practice network is whole: its first case is made last."""
    return bool(await list_cases(conn))


async def seed_practice(record: Record, keys: KeyFile, config: Config, now: datetime) -> None:
    """Found a practice network and fill it; what an interrupted attempt has made already is kept."""
    with suppress(AlreadyFounded):
        await found_network(record, "practice", now)
    parsed = parse_members(MEMBERS.read_bytes(), config)
    result = await import_members(record, keys, parsed, SYSTEM, now, partial=False)
    for new in STAFF:
        with suppress(UniqueViolation):
            await join_staff(record, keys, new, now)
    await _open_first_case(record, keys, config, now)
    log.info("practice.seeded", count=result.contacts_added)


async def _open_first_case(record: Record, keys: KeyFile, config: Config, now: datetime) -> None:
    """Somebody filed a report yesterday, and the triager on duty has made a case of it."""
    report_id = await _file_first_report(record, now - timedelta(hours=20))
    person = await _as_person(record, keys, STAFF[0].login, now)
    await open_report(record, person, report_id, now)
    await open_case(
        record, config, person, report_id, urgency=Urgency.SERIOUS, working_group="environment", now=now,
        subject=NewSubject(SubjectKind.COMMUNITY, 400, "Agua Serena"),
    )  # fmt: skip
    await sign_out(record, person, now)


async def _file_first_report(record: Record, now: datetime) -> UUID:
    """The report of an interrupted attempt serves as well."""
    async with record.reading() as conn:
        waiting = await list_without_case(conn)
    if waiting:
        return waiting[0].id
    await file_report(
        record, FIRST_REPORT, form_secret=new_form_secret(), language="es", urgency=Urgency.SERIOUS, now=now
    )
    return await _file_first_report(record, now)


async def _as_person(record: Record, keys: KeyFile, login: str, now: datetime) -> Person:
    """Signed in like anybody, with the code before the present one: that stays free for whoever practises."""
    async with record.reading() as conn:
        code = await current_code(conn, keys, login, now - ONE_CODE)
    cookie = await sign_in(record, keys, login, PASSPHRASE, code, now)
    person = await find_person(record, keys, cookie, now)
    assert person
    return person
