"""The SQL of what leaves: looked at, marked, settled. What may leave is decided by the conditions of the mark."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import args_row

from channels.base import ChannelName
from sos.database import Connection, row, rows, run, value
from sos.ledger.delivery import Due, Purpose, Settlement
from sos.ledger.turn_store import end_silent, leave_block, take_block

BLOCK = 512  # so many numbers are looked at together, by one worker at a time
LOUD = frozenset({ChannelName.SMS, ChannelName.TELEGRAM})  # these ring, and rest in her quiet hours

_DUE: LiteralString = """
    d.id, d.purpose, d.about, d.kind, d.channel, d.language, d.urgency, d.discreet, d.due_at, d.expires_at, d.attempts,
    d.unconfirmed, d.marked_at
"""
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


def _may_leave(channel: ChannelName) -> LiteralString:
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
        + _may_leave(channel)
        + "ORDER BY d.urgency, d.due_at, d.id LIMIT 1",
        channel=channel, purposes=list(purposes), now=now, busy=list(busy), size=BLOCK,
    )  # fmt: skip


async def _in_block(
    conn: Connection, channel: ChannelName, first: _First, *, purposes: Collection[str], now: datetime
) -> list[Due]:
    async with conn.cursor(binary=True, row_factory=args_row(_due)) as cursor:
        await cursor.execute(
            "SELECT "
            + _DUE
            + """
            FROM deliveries d
            WHERE d.id >= %(first)s AND d.id < %(end)s AND d.urgency = %(urgency)s AND d.purpose = ANY(%(purposes)s)
              AND """
            + _may_leave(channel)
            + "ORDER BY d.due_at, d.id",
            {"channel": channel, "purposes": list(purposes), "now": now, "urgency": first.urgency,
             "first": first.block * BLOCK, "end": (first.block + 1) * BLOCK},
        )  # fmt: skip
        return await cursor.fetchall()


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
            """ + _may_leave(channel) + ")",
            channel=channel, urgency=urgency, purposes=list(purposes), now=now,
        )
    )  # fmt: skip


async def mark(
    conn: Connection, channel: ChannelName, ids: Sequence[int], *, now: datetime, until: datetime
) -> tuple[int, set[int]]:
    """Mark for hand-over those of these rows that may leave, under one new attempt: its number, and which they are.

    This is the claim, and the last gate. A row that somebody is changing at this moment is left alone, so that a mark
    waits for nobody. What is still marked at `until` counts as uncertain.
    """
    cursor = await conn.execute(
        """
        WITH free AS (
            SELECT d.id FROM deliveries d WHERE d.id = ANY(%(ids)s) AND """ + _may_leave(channel) + """
            FOR UPDATE OF d SKIP LOCKED
        ), attempt AS (
            INSERT INTO attempts (id, channel, deliveries, lease_until)
            SELECT nextval('delivery_attempts'), %(channel)s, array_agg(free.id), %(until)s
            FROM free HAVING count(*) > 0
            RETURNING id, deliveries
        )
        UPDATE deliveries d SET state = 'marked', marked_at = %(now)s, attempt = attempt.id
        FROM attempt WHERE d.id = ANY(attempt.deliveries)
        RETURNING d.attempt, d.id
        """,
        {"ids": list(ids), "channel": channel, "now": now, "until": until},
        binary=True,
    )  # fmt: skip
    marked = await cursor.fetchall()
    return (marked[0][0] if marked else 0), {id for _, id in marked}


async def settle(conn: Connection, settlements: Sequence[Settlement], now: datetime) -> int:
    """Write outcomes, each only while its attempt is the row's latest; answer how many were written.

    A row that was taken for lost meanwhile (queued again, or unknown) and that nobody has marked since is written
    too: this is the better knowledge. One that a receipt, a recall or a later attempt has changed is left alone.
    """
    return await run(
        conn,
        """
        UPDATE deliveries d
        SET state = s.state, reason = s.reason, due_at = s.due_at, attempts = s.attempts, unconfirmed = s.unconfirmed,
            provider_id = CASE WHEN s.provider_id = '' THEN d.provider_id ELSE s.provider_id END,
            settled_at = CASE WHEN s.state = 'queued' THEN NULL ELSE %(now)s END
        FROM unnest(%(ids)s::bigint[], %(attempt)s::bigint[], %(states)s::delivery_state[], %(reasons)s::text[],
                    %(due)s::timestamptz[], %(attempts)s::smallint[], %(unconfirmed)s::smallint[],
                    %(provider_ids)s::text[])
            AS s (id, attempt, state, reason, due_at, attempts, unconfirmed, provider_id)
        WHERE d.id = s.id AND d.attempt = s.attempt AND d.state IN ('marked', 'queued', 'unknown')
        """,
        now=now, ids=[one.id for one in settlements], attempt=[one.attempt for one in settlements],
        states=[one.state for one in settlements], reasons=[one.reason for one in settlements],
        due=[one.due_at for one in settlements], attempts=[one.attempts for one in settlements],
        unconfirmed=[one.unconfirmed for one in settlements], provider_ids=[one.provider_id for one in settlements],
    )  # fmt: skip


async def forget_attempts(conn: Connection, attempts: Collection[int]) -> None:
    """All that these attempts had handed over is settled."""
    await run(conn, "DELETE FROM attempts WHERE id = ANY(%(ids)s)", ids=list(attempts))


async def renew(conn: Connection, attempts: Collection[int], until: datetime) -> None:
    """Whoever waits for the outcomes of these attempts is still there."""
    await run(
        conn, "UPDATE attempts SET lease_until = %(until)s WHERE id = ANY(%(ids)s)", ids=list(attempts), until=until
    )


async def release(conn: Connection, attempt: int, ids: Collection[int]) -> None:
    """Put back what this attempt is sure not to have handed over, as if it had not been marked."""
    await run(
        conn,
        """
        UPDATE deliveries SET state = 'queued', settled_at = NULL
        WHERE id = ANY(%(ids)s) AND attempt = %(attempt)s AND state IN ('marked', 'unknown')
        """,
        ids=list(ids), attempt=attempt,
    )  # fmt: skip


async def lapsed(conn: Connection, now: datetime) -> list[int]:
    """Up to a hundred attempts that nobody has been heard of any more, locked, the oldest first."""
    cursor = await conn.execute(
        """
        SELECT id FROM attempts WHERE lease_until <= %(now)s ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
        """,
        {"now": now},
    )
    return [attempt for (attempt,) in await cursor.fetchall()]


async def still_marked(conn: Connection, attempt: int) -> list[Due]:
    """What an attempt has left without an outcome, locked."""
    return await rows(
        conn,
        Due,
        "SELECT " + _DUE + """
        FROM attempts t JOIN deliveries d ON d.id = ANY(t.deliveries) AND d.attempt = t.id
        WHERE t.id = %(attempt)s AND d.state = 'marked' ORDER BY d.id FOR UPDATE OF d
        """,
        attempt=attempt,
    )  # fmt: skip
