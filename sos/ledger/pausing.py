"""Pausing and going on: anybody may stop the sending; what a person stopped, two let go on."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sos import journal
from sos.actor import SYSTEM
from sos.database import Connection
from sos.jobs import Record
from sos.ledger import hold_store, notice_store
from sos.ledger.delivery import Hold, HoldScope
from sos.ledger.hold_store import Resumption
from sos.network import NETWORK
from sos.staff.staff import Person

PAUSED = "paused"
RESTORED = "restored"
PAGE_WITHIN = timedelta(hours=24)


class NotPaused(Exception):
    """Nothing is paused there any more, or it was stopped for good: look again."""


async def pause(record: Record, person: Person, scope: HoldScope, target: str, now: datetime) -> bool:
    """Send nothing more of what the scope names until two people let it go on; False if a person had paused it."""
    async with record.step() as step:
        is_new = await hold_store.place_hold(
            step.conn, scope, target, PAUSED, now, placed_by=person.id, people_needed=2
        )
        if is_new:
            await journal.note(
                step.conn, "sending.paused", person.actor, _subject(target), now, scope=scope, target=target
            )
    return is_new


async def resume(record: Record, person: Person, scope: HoldScope, target: str, now: datetime) -> Resumption:
    """One person's word that it may go on; with as many as it takes it does. Raises NotPaused."""
    async with record.step() as step:
        resumption = await hold_store.say_resume(step.conn, scope, target, person.id, now)
        if resumption is None:
            raise NotPaused
        subject = _subject(target)
        await journal.note(step.conn, "resumption.said", person.actor, subject, now, scope=scope, target=target)
        if resumption.is_enough:
            await hold_store.lift_hold(step.conn, scope, target)
            await journal.note(step.conn, "sending.resumed", person.actor, subject, now, scope=scope, target=target)
    return resumption


async def pause_by_itself(conn: Connection, scope: HoldScope, target: str, reason: str, now: datetime) -> bool:
    """The service pauses something and calls whoever is on duty; one person may let it go on."""
    if not await hold_store.place_hold(conn, scope, target, reason, now):
        return False
    await notice_store.plan_notices(conn, "paused", uuid4(), rank=0, now=now, until=now + PAGE_WITHIN)
    await journal.note(conn, "sending.paused", SYSTEM, _subject(target), now, scope=scope, target=target, reason=reason)
    return True


def _subject(target: str) -> UUID:
    """What the journal calls it: an action or case itself, and the network for a channel or for everything."""
    try:
        return UUID(target)
    except ValueError:
        return NETWORK


def may_resume(hold: Hold) -> bool:
    """Whether people may let it go on: what was stopped for good has no way back."""
    return hold.people_needed > 0
