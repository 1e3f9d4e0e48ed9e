"""The SQL of what leaves: looked at, then marked. What may leave is decided by the conditions of the mark."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, array, plain_rows, row, value
from sos.ledger.delivery import Due, Purpose, Settlement
from sos.ledger.settling_store import ACCEPT, DUE, accepting
from sos.ledger.turn_store import end_silent, leave_block, take_block

BLOCK = 512  # so many numbers are looked at together, by one worker at a time
LOUD = frozenset(
    {ChannelName.SMS, ChannelName.TELEGRAM, ChannelName.BY_HAND}
)  # these ring, and rest in her quiet hours

# Neither held nor resting. What is the same for all rows is asked once: holds are few, and hashed.
_MAY_LEAVE: LiteralString = """
    d.is_open AND d.state = 'queued' AND d.channel = %(channel)s AND d.due_at <= %(now)s AND d.expires_at > %(now)s
    AND NOT EXISTS (SELECT FROM holds WHERE (scope, target) IN (('everything', ''), ('channel', %(channel)s)))
    AND (d.urgency = 0 OR NOT EXISTS (SELECT FROM holds WHERE scope = 'budget' AND target = %(channel)s))
    AND (d.is_canary OR d.about NOT IN (SELECT target::uuid FROM holds WHERE scope = 'wave'))
    AND d.about NOT IN (SELECT target::uuid FROM holds WHERE scope = 'about')
    AND coalesce(d.case_id, d.about) NOT IN (SELECT target::uuid FROM holds WHERE scope = 'case')
    AND d.recipient_id NOT IN (SELECT target::uuid FROM holds WHERE scope = 'recipient')
"""

# A phone that rings is left in peace by night; email is not asked this, which would cost it a look at each contact.
_NOT_QUIET: LiteralString = """
    AND (d.may_wake OR NOT EXISTS (
        SELECT FROM contacts c
        WHERE c.id = d.recipient_id AND is_quiet(%(now)s, c.time_zone, c.quiet_from, c.quiet_until)
    ))
"""

# Addressed to somebody who is not to be written to; that she said stop is confirmed to her once.
_NOT_SUPPRESSED: LiteralString = """
    AND NOT EXISTS (
        SELECT FROM addresses a JOIN suppressions s ON s.channel = a.channel AND s.value_index = a.value_index
        WHERE a.id = d.address_id
          AND NOT (d.purpose = 'reply' AND d.kind = 'stopped' AND s.reason = 'opted_out')
    )
"""


def may_leave(channel: ChannelName) -> LiteralString:
    """What must be so of a delivery `d` that leaves, at the moment when it does."""
    return _MAY_LEAVE + _NOT_SUPPRESSED + (_NOT_QUIET if channel in LOUD else "")


async def look(
    conn: Connection, channel: ChannelName, *, purposes: Collection[str], now: datetime, busy: Collection[int] = ()
) -> tuple[int, list[Due]] | None:
    """What may leave next, all of one urgency, from one block of numbers; and the block.

    Nobody is kept from these rows: that others leave the block alone until `look_away` is a courtesy among workers, so
    that they prepare different messages. Blocks in `busy` are left out.
    """
    others: set[int] = set()
    while True:
        first = await _first(conn, channel, purposes=purposes, now=now, busy={*busy, *others})
        if first is None:
            if others:
                await end_silent(conn, channel)
            return None
        if await take_block(conn, channel, first.block):
            return first.block, await _in_block(conn, channel, first, purposes=purposes, now=now)
        others.add(first.block)


async def look_away(conn: Connection, channel: ChannelName, block: int) -> None:
    """Leave a block to others."""
    await leave_block(conn, channel, block)


@dataclass(frozen=True, slots=True)
class _First:
    """Where that lies which would leave first, and how urgent it is."""

    block: int
    urgency: int


async def _first(
    conn: Connection, channel: ChannelName, *, purposes: Collection[str], now: datetime, busy: Collection[int]
) -> _First | None:
    return await row(
        conn,
        _First,
        """
        SELECT (d.id / %(size)s)::integer AS block, d.urgency FROM deliveries d
        WHERE d.purpose = ANY(%(purposes)s) AND (d.id / %(size)s)::integer <> ALL(%(busy)s) AND """
        + may_leave(channel)
        + "ORDER BY d.urgency, d.due_at, d.id LIMIT 1",
        channel=channel, purposes=list(purposes), now=now, busy=list(busy), size=BLOCK,
    )  # fmt: skip


async def _in_block(
    conn: Connection, channel: ChannelName, first: _First, *, purposes: Collection[str], now: datetime
) -> list[Due]:
    found = await plain_rows(
        conn,
        _due,
        "SELECT "
        + DUE
        + """
        FROM deliveries d
        WHERE d.id >= %(first)s AND d.id < %(end)s AND d.urgency = %(urgency)s AND d.purpose = ANY(%(purposes)s)
          AND """
        + may_leave(channel),
        channel=channel, purposes=list(purposes), now=now, urgency=first.urgency,
        first=first.block * BLOCK, end=(first.block + 1) * BLOCK,
    )  # fmt: skip
    return sorted(found, key=attrgetter("due_at", "id"))


_PURPOSES = {one.value: one for one in Purpose}
_CHANNELS = {one.value: one for one in ChannelName}


def _due(id: int, purpose: str, about: UUID, kind: str, channel: str, *rest: object) -> Due:
    """A row as it is: thousands a second are read here, too many for the parsing that other rows get."""
    return Due(id, _PURPOSES[purpose], about, kind, _CHANNELS[channel], *rest)  # type: ignore[arg-type]


async def is_overtaken(
    conn: Connection, channel: ChannelName, urgency: int, *, purposes: Collection[str], now: datetime
) -> bool:
    """Whether something more urgent than `urgency` could leave now."""
    return bool(
        await value(
            conn,
            """
            SELECT EXISTS (SELECT FROM deliveries d WHERE d.urgency < %(urgency)s AND d.purpose = ANY(%(purposes)s) AND
            """ + may_leave(channel) + ")",
            channel=channel, urgency=urgency, purposes=list(purposes), now=now,
        )
    )  # fmt: skip


async def mark(
    conn: Connection, channel: ChannelName, attempt: int, ids: Sequence[int], *, now: datetime, until: datetime,
    accepted: Sequence[Settlement] = (), over: Collection[int] = (),
) -> set[int]:  # fmt: skip
    """Mark for hand-over those of these rows that may leave, under a new attempt; answer which they are.

    This is the claim, and the last gate. A row that somebody is changing at this moment is left alone, so that a mark
    waits for nobody. What is still marked at `until` counts as uncertain. Whatever may have arrived keeps the moment at
    which it first left: from then on its provider is asked for it.

    The same statement first writes what was `accepted` and forgets the attempts that are `over`: what nearly every turn
    of a fan-out has to say to the database is said at once.
    """
    cursor = await conn.execute(
        "WITH accepted AS (" + ACCEPT + """ RETURNING d.id), over AS (
            DELETE FROM attempts WHERE id = ANY(%(over)s::bigint[])
        ), free AS (
            SELECT d.id FROM deliveries d
            WHERE (SELECT count(*) FROM accepted) IS NOT NULL  -- is waited for before any row is kept from others
              AND d.id = ANY(%(ids)s::bigint[]) AND """ + may_leave(channel) + """
            FOR UPDATE OF d SKIP LOCKED
        ), attempt AS (
            INSERT INTO attempts (id, channel, deliveries, lease_until)
            SELECT %(attempt)s, %(channel)s, array_agg(free.id), %(until)s FROM free HAVING count(*) > 0
            RETURNING id, deliveries
        )
        UPDATE deliveries d SET state = 'marked', attempt = attempt.id,
            marked_at = CASE WHEN d.unconfirmed > 0 THEN coalesce(d.marked_at, %(now)s) ELSE %(now)s END
        FROM attempt WHERE d.id = ANY(attempt.deliveries)
        RETURNING d.id
        """,
        accepting(accepted) | {
            "attempt": attempt, "ids": array(ids), "over": array(over), "channel": channel, "now": now, "until": until,
        },
        binary=True,
    )  # fmt: skip
    return {id for (id,) in await cursor.fetchall()}
