"""Making a practice network: members, staff, one open case. Done once, in an empty database."""

from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pyotp.totp import TOTP

from sos.actor import SYSTEM
from sos.config import Config
from sos.intake.report import Urgency, new_form_secret
from sos.intake.steps import file_report, open_report
from sos.intake.store import list_without_case
from sos.jobs import Record
from sos.members.importing import parse_members
from sos.members.steps import import_members
from sos.network import found_network
from sos.practice.people import FIRST_REPORT, PASSPHRASE, STAFF
from sos.staff.staff import Person
from sos.staff.steps import find_person, join_staff, sign_in, sign_out
from sos.triage.case import SubjectKind
from sos.triage.steps import NewSubject, open_case
from sos.vault import KeyFile

MEMBERS = Path(__file__).parents[2] / "config" / "practice" / "members.csv"
ONE_CODE = timedelta(seconds=30)

log = structlog.get_logger()


async def seed_practice(record: Record, keys: KeyFile, config: Config, now: datetime) -> None:
    """Found a practice network and fill it. Raises AlreadyFounded."""
    await found_network(record, "practice", now)
    parsed = parse_members(MEMBERS.read_bytes(), config)
    result = await import_members(record, keys, parsed, SYSTEM, now, partial=False)
    secrets = {new.login: (await join_staff(record, keys, new, now)).totp_secret for new in STAFF}
    await _open_first_case(record, keys, config, secrets, now)
    log.info("practice.seeded", count=result.contacts_added)


async def _open_first_case(
    record: Record, keys: KeyFile, config: Config, secrets: dict[str, str], now: datetime
) -> None:
    """Somebody filed a report yesterday, and the triager on duty has made a case of it."""
    yesterday = now - timedelta(hours=20)
    await file_report(
        record, FIRST_REPORT, form_secret=new_form_secret(), language="es", urgency=Urgency.SERIOUS, now=yesterday
    )
    async with record.reading() as conn:
        report_id = (await list_without_case(conn))[0].id
    login = STAFF[0].login
    person = await _as_person(record, keys, login, secrets[login], now)
    await open_report(record, person, report_id, now)
    await open_case(
        record, config, person, report_id, urgency=Urgency.SERIOUS, working_group="environment", now=now,
        subject=NewSubject(SubjectKind.COMMUNITY, 400, "Agua Serena"),
    )  # fmt: skip
    await sign_out(record, person, now)


async def _as_person(record: Record, keys: KeyFile, login: str, secret: str, now: datetime) -> Person:
    """Signed in like anybody, with the code before the present one: that stays free for whoever practises."""
    code = TOTP(secret).at(now - ONE_CODE)
    cookie = await sign_in(record, keys, login, PASSPHRASE, code, now)
    person = await find_person(record, keys, cookie, now)
    assert person
    return person
