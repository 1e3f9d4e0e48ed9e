"""What people do about messages that did not arrive: try again, or leave them as they are."""

from collections.abc import Sequence
from datetime import datetime

from sos import journal
from sos.jobs import Record
from sos.ledger import watching_store
from sos.network import NETWORK
from sos.staff.staff import Person


async def try_again(record: Record, person: Person, ids: Sequence[int], now: datetime) -> int:
    """Queue these anew where that is possible; how many were."""
    async with record.step() as step:
        queued = await watching_store.try_again(step.conn, ids, now)
        await journal.note(step.conn, "deliveries.tried_again", person.actor, NETWORK, now, deliveries=queued)
    return len(queued)


async def set_aside(record: Record, person: Person, ids: Sequence[int], now: datetime) -> int:
    """These have been looked at and stay as they are; how many did."""
    async with record.step() as step:
        left = await watching_store.set_aside(step.conn, ids, person.id, now)
        await journal.note(step.conn, "deliveries.set_aside", person.actor, NETWORK, now, deliveries=left)
    return len(left)
