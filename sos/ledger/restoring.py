"""Noticing that this database is a copy from earlier, or runs for another installation: nothing goes on by itself."""

from datetime import datetime

import structlog

from sos import journal
from sos.actor import SYSTEM
from sos.database import Connection, run, value
from sos.jobs import Record
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import RESTORED
from sos.network import NETWORK

log = structlog.get_logger()


async def recognise(record: Record, instance: str, now: datetime) -> bool:
    """Whether this is the database that we know; if not, everything unsettled is unknown and sending is paused.

    A restored backup runs on another server, on a new timeline of it, or as a database made anew; a copy that somebody
    tries out runs under another instance. Files put back in place under a server that never noticed look the same:
    `sos restored` says it then.
    """
    async with record.step() as step:
        known: list[str] = await value(step.conn, "SELECT ARRAY[instance, server] FROM network FOR UPDATE")
        here = [instance, await _server(step.conn)]
        if known == here:
            return True
        if known != ["", ""]:
            await doubt_everything(step.conn, now)
        await run(step.conn, "UPDATE network SET instance = %(at)s, server = %(on)s", at=here[0], on=here[1])
    return known == ["", ""]


async def doubt_everything(conn: Connection, now: datetime) -> int:
    """What was being sent may have arrived since: all of it is unknown, and two people let the sending go on."""
    await hold_store.place_hold(conn, HoldScope.EVERYTHING, "", RESTORED, now, people_needed=2)
    await hold_store.take_back_words(conn, HoldScope.EVERYTHING, "")  # said before, of another pause
    doubted = await run(
        conn,
        "UPDATE deliveries SET state = 'unknown', reason = %(reason)s, settled_at = %(now)s WHERE is_open",
        reason=RESTORED, now=now,
    )  # fmt: skip
    await run(conn, "DELETE FROM attempts")
    await journal.note(conn, "database.restored", SYSTEM, NETWORK, now, deliveries=doubted)
    log.error("database.restored", count=doubted)
    return doubted


async def _server(conn: Connection) -> str:
    """What this server calls itself, with its timeline, and the number of this database on it."""
    found: str = await value(
        conn,
        """
        SELECT concat_ws('/', system_identifier, timeline_id, (
            SELECT oid FROM pg_database WHERE datname = current_database()
        )) FROM pg_control_system(), pg_control_checkpoint()
        """,
    )
    return found
