"""Recipients of whom no message can be made, and a machine whose clock is wrong."""

import asyncio

from sos.database import Connection, run
from sos.members.sealed import open_address, seal_person
from sos.runtime import Runtime
from tests.faults.oracle import Inbox, Verdict, judge
from tests.faults.relay import Fault, Point, Relay
from tests.faults.rows import Measure, Row
from tests.faults.servers import Servers, by_email, everybody
from tests.faults.stage import WORKER, mailing, open_stage

TWO_HOURS_SECONDS = 7200
ENOUGH = 600
UNREADABLE, REFUSED = 404, 505  # numbers of recipients
NAMES = {101: "Ana\r\nBcc: eve@faults.example.org", 202: "=?utf-8?q?hi=0D=0ABcc:_eve=40faults.example.org?="}
SHIFTED = ("-m", "tests.faults.worker")


async def poison(servers: Servers, measure: Measure) -> Verdict:
    """Four recipients of whom each spoils a message in another way; nobody else may notice."""
    inbox, recipients = Inbox(), measure.recipients if measure.is_full else min(measure.recipients, ENOUGH)
    async with Relay(inbox, measure.recipients / measure.seconds) as relay:
        refused = by_email(REFUSED)[1]
        relay.rules = {Point.RCPT: lambda to: Fault(reply="550 5.1.1 no such user") if to == refused else None}
        given = {"SOS_SMTP_URL": relay.url}
        async with open_stage(servers, "poison", recipients, inbox, given, alter=_poison) as stage:
            await stage.start_workers()
            await stage.launch()
            await stage.until_over()
    spoilt = {by_email(number)[1] for number in (*NAMES, UNREADABLE, REFUSED)}
    others = [one for one in everybody(by_email, recipients) if one not in spoilt]
    impossible = {by_email(number)[1] for number in (UNREADABLE, REFUSED)} & inbox.addresses
    came = [f"{len(impossible)} came that cannot have been written"] if impossible else []
    # A name that would have forged a header may be put off or made harmless: then it comes, once, and to her alone.
    return judge(others, [one for one in inbox.arrivals if one.address not in spoilt], complaints=came)


async def _poison(conn: Connection, runtime: Runtime) -> None:
    wanted = {by_email(number)[1]: number for number in (*NAMES, UNREADABLE)}
    cursor = await conn.execute("SELECT id, owner_id, value_sealed FROM addresses WHERE owner_kind = 'contact'")
    for address, contact, sealed in await cursor.fetchall():
        number = wanted.get(open_address(runtime.keys, address, sealed))
        if number is None:
            continue
        name = seal_person(runtime.keys, contact, NAMES.get(number, "Ana"))
        name = name[:-1] + bytes([name[-1] ^ 1]) if number == UNREADABLE else name
        await run(conn, "UPDATE contacts SET name_sealed = %(name)s WHERE id = %(id)s", name=name, id=contact)


async def wrong_clock(servers: Servers, measure: Measure) -> Verdict:
    """One of two workers believes that it is two hours later."""
    async with mailing(servers, measure.recipients, measure.seconds, workers=0) as (stage, _):
        off = {"SOS_FAULTS_CLOCK_SECONDS": str(TWO_HOURS_SECONDS)}
        await asyncio.gather(stage.start_worker(0, WORKER), stage.start_worker(1, SHIFTED, off))
        await stage.launch()
        await stage.until_over()
    return judge(everybody(by_email, measure.recipients), stage.inbox.arrivals)


ROWS = (
    Row("poison", "one poison recipient of each kind", poison),
    Row("clock", "clock of one worker two hours off", wrong_clock),
)
