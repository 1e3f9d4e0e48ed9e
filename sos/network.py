"""Founding a network: its kind, and the recovery key whose private half leaves this machine on paper."""

from datetime import datetime
from uuid import UUID

from sos import journal
from sos.actor import SYSTEM
from sos.database import Connection, run
from sos.jobs import Record
from sos.vault import PrivateKey

NETWORK = UUID(int=1)  # what the journal calls the network itself


class AlreadyFounded(Exception):
    """This database holds a network already."""


async def found_network(record: Record, kind: str, now: datetime) -> PrivateKey:
    """Found a network; the answer is the private half of its recovery key, which is stored nowhere.

    Raises AlreadyFounded.
    """
    recovery = PrivateKey.new()
    async with record.step() as step:
        if not await _insert(step.conn, kind, recovery.public(), now):
            raise AlreadyFounded
        await journal.note(step.conn, "network.founded", SYSTEM, NETWORK, now, kind=kind)
    return recovery


async def _insert(conn: Connection, kind: str, recovery_key: bytes, now: datetime) -> bool:
    return await run(
        conn,
        """
        INSERT INTO network (kind, recovery_key, founded_at) VALUES (%(kind)s, %(key)s, %(now)s) ON CONFLICT DO NOTHING
        """,
        kind=kind, key=recovery_key, now=now,
    ) == 1  # fmt: skip
