"""The SQL of what stops deliveries: holds, and addresses that are written to no more."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, rows, run, value
from sos.ledger.delivery import Hold, HoldScope
from sos.members.member import Spot, StopReason


async def place_hold(
    conn: Connection, scope: HoldScope, target: str, reason: str, now: datetime, *,
    placed_by: UUID | None = None, people_needed: int = 1,
) -> bool:  # fmt: skip
    """Stop what the scope names (an id as text, a channel; '' for everything) until so many people resume it.

    0: it is not resumed. Whoever was first stays in the record, but a person's hold takes the place of the service's,
    and a stop for good that of a pause.
    """
    return await run(
        conn,
        """
        INSERT INTO holds (scope, target, reason, placed_by, placed_at, people_needed)
        VALUES (%(scope)s, %(target)s, %(reason)s, %(by)s, %(now)s, %(people)s)
        ON CONFLICT (scope, target) DO UPDATE
            SET reason = EXCLUDED.reason, placed_by = EXCLUDED.placed_by, placed_at = EXCLUDED.placed_at,
                people_needed = EXCLUDED.people_needed
            WHERE holds.people_needed > 0
              AND (EXCLUDED.people_needed = 0 OR holds.placed_by IS NULL AND EXCLUDED.placed_by IS NOT NULL)
        """,
        scope=scope, target=target, reason=reason, by=placed_by, now=now, people=people_needed,
    ) == 1  # fmt: skip


async def lift_hold(conn: Connection, scope: HoldScope, target: str) -> bool:
    """Let go on; whoever sends is woken."""
    return await run(
        conn, "DELETE FROM holds WHERE scope = %(scope)s AND target = %(target)s", scope=scope, target=target
    ) == 1  # fmt: skip


async def take_back_words(conn: Connection, scope: HoldScope, target: str) -> None:
    """Whoever has said that it may go on says so anew."""
    await run(
        conn, "DELETE FROM resumptions WHERE scope = %(scope)s AND target = %(target)s", scope=scope, target=target
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resumption:
    """How many have said that something may go on, and how many it takes."""

    said: int
    needed: int

    @property
    def is_enough(self) -> bool:
        return self.said >= self.needed


async def say_resume(
    conn: Connection, scope: HoldScope, target: str, person: UUID, now: datetime
) -> Resumption | None:  # fmt: skip
    """One person's word, which counts once; None where nothing is held that people may let go on."""
    needed: int | None = await value(
        conn,
        """
        SELECT people_needed FROM holds
        WHERE scope = %(scope)s AND target = %(target)s AND people_needed > 0 FOR UPDATE
        """,
        scope=scope, target=target,
    )  # fmt: skip
    if needed is None:
        return None
    await run(
        conn,
        """
        INSERT INTO resumptions (scope, target, staff_id, said_at) VALUES (%(scope)s, %(target)s, %(person)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        scope=scope, target=target, person=person, now=now,
    )  # fmt: skip
    said: int = await value(
        conn,
        "SELECT count(*) FROM resumptions WHERE scope = %(scope)s AND target = %(target)s",
        scope=scope, target=target,
    )  # fmt: skip
    return Resumption(said, needed)


async def holds(conn: Connection) -> list[Hold]:
    """Everything that stops deliveries, the latest first."""
    return await rows(
        conn,
        Hold,
        """
        SELECT scope, target, reason, placed_by, placed_at, people_needed FROM holds ORDER BY placed_at DESC, target
        """,
    )


async def suppress_addresses(conn: Connection, reasons: dict[int, StopReason], now: datetime) -> list[Spot]:
    """Write no more to the addresses of these deliveries; what is known of one already stays. Answers the new ones."""
    cursor = await conn.execute(
        """
        INSERT INTO suppressions (channel, value_index, reason, since)
        SELECT DISTINCT ON (a.channel, a.value_index) a.channel, a.value_index, s.reason, %(now)s
        FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS s (id, reason)
        JOIN deliveries d ON d.id = s.id JOIN addresses a ON a.id = d.address_id
        ON CONFLICT DO NOTHING RETURNING channel, value_index
        """,
        {"ids": list(reasons), "reasons": list(reasons.values()), "now": now},
    )
    return [(ChannelName(channel), bytes(index)) for channel, index in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody's word that something may go on."""

    scope: HoldScope
    target: str
    staff_id: UUID
    said_at: datetime


async def said(conn: Connection) -> list[Said]:
    """Everybody's word about what is still held, the first one first."""
    return await rows(conn, Said, "SELECT scope, target, staff_id, said_at FROM resumptions ORDER BY said_at")
