"""The SQL of the ledger. What may leave is decided here, in the conditions of the claim and of the mark."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows, run, value
from sos.ledger.delivery import Count, Delivery, DeliveryState, Hold, HoldScope, Settlement
from sos.members.member import StopReason

WINDOW = 512

_COLUMNS: LiteralString = """
    d.id, d.purpose, d.about, d.case_id, d.kind, d.recipient_kind, d.recipient_id, d.channel, d.address_id, d.language,
    d.urgency, d.state, d.reason, d.due_at, d.expires_at, d.attempt, d.attempts, d.unconfirmed, d.provider_id,
    d.planned_at, d.marked_at, d.settled_at
"""

# Neither held nor addressed to somebody who is not to be written to. The first part is asked once, not for each row.
_MAY_LEAVE: LiteralString = """
    NOT EXISTS (SELECT FROM holds WHERE (scope, target) IN (('everything', ''), ('channel', %(channel)s)))
    AND NOT EXISTS (SELECT FROM holds h WHERE h.scope = 'about' AND h.target = d.about::text)
    AND NOT EXISTS (SELECT FROM holds h WHERE h.scope = 'case' AND h.target = d.case_id::text)
    AND NOT EXISTS (SELECT FROM holds h WHERE h.scope = 'recipient' AND h.target = d.recipient_id::text)
    AND NOT EXISTS (
        SELECT FROM addresses a JOIN suppressions s ON s.channel = a.channel AND s.value_index = a.value_index
        WHERE a.id = d.address_id
          AND NOT (d.purpose = 'reply' AND d.kind = 'stopped' AND s.reason = 'opted_out')  -- a stop is confirmed once
    )
"""

_DUE: LiteralString = """
    d.state = 'queued' AND d.channel = %(channel)s AND d.purpose = ANY(%(purposes)s)
    AND d.due_at <= %(now)s AND d.expires_at > %(now)s AND (d.lease_until IS NULL OR d.lease_until <= %(now)s)
    AND """


async def claim(
    conn: Connection, channel: ChannelName, *, purposes: Collection[str], now: datetime, until: datetime,
    limit: int = WINDOW,
) -> list[Delivery]:  # fmt: skip
    """Hold a window of what is due until `until`, under one attempt number, the most urgent first."""
    claimed = await rows(
        conn,
        Delivery,
        """
        WITH due AS (
            SELECT d.id FROM deliveries d WHERE """ + _DUE + _MAY_LEAVE + """
            ORDER BY d.urgency, d.due_at, d.id LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
        ), fence AS MATERIALIZED (
            SELECT nextval('delivery_attempts') AS attempt
        )
        UPDATE deliveries d SET attempt = fence.attempt, lease_until = %(until)s
        FROM due, fence WHERE d.id = due.id
        RETURNING """ + _COLUMNS,
        channel=channel, purposes=list(purposes), now=now, until=until, limit=limit,
    )  # fmt: skip
    return sorted(claimed, key=lambda delivery: (delivery.urgency, delivery.due_at, delivery.id))


async def is_overtaken(
    conn: Connection, channel: ChannelName, urgency: int, *, purposes: Collection[str], now: datetime
) -> bool:
    """Whether something more urgent than `urgency` could be claimed now."""
    return bool(
        await value(
            conn,
            "SELECT EXISTS (SELECT FROM deliveries d WHERE d.urgency < %(urgency)s AND " + _DUE + _MAY_LEAVE + ")",
            channel=channel, urgency=urgency, purposes=list(purposes), now=now,
        )
    )  # fmt: skip


async def mark(
    conn: Connection, channel: ChannelName, attempt: int, ids: Sequence[int], *, now: datetime, until: datetime
) -> set[int]:
    """Mark for hand-over those of a claimed window that still may leave: the last gate.

    A row that somebody is changing at this moment is left alone, so that a mark waits for nobody.
    """
    cursor = await conn.execute(
        """
        WITH free AS (
            SELECT d.id FROM deliveries d
            WHERE d.id = ANY(%(ids)s) AND d.state = 'queued' AND d.attempt = %(attempt)s AND d.expires_at > %(now)s
              AND """ + _MAY_LEAVE + """
            FOR UPDATE OF d SKIP LOCKED
        )
        UPDATE deliveries d SET state = 'marked', marked_at = %(now)s, lease_until = %(until)s
        FROM free WHERE d.id = free.id RETURNING d.id
        """,
        {"ids": list(ids), "channel": channel, "attempt": attempt, "now": now, "until": until},
    )  # fmt: skip
    return {found[0] for found in await cursor.fetchall()}


async def settle(conn: Connection, settlements: Sequence[Settlement], now: datetime) -> int:
    """Write outcomes, each only while its attempt is the row's latest; answer how many were written.

    A row that was taken for lost meanwhile (queued again, or unknown) and that nobody has claimed since is written
    too: this is the better knowledge. One that a receipt, a recall or a later attempt has changed is left alone.
    """
    return await run(
        conn,
        """
        UPDATE deliveries d
        SET state = s.state, reason = s.reason, due_at = s.due_at, attempts = s.attempts, unconfirmed = s.unconfirmed,
            provider_id = CASE WHEN s.provider_id = '' THEN d.provider_id ELSE s.provider_id END,
            settled_at = CASE WHEN s.state = 'queued' THEN NULL ELSE %(now)s END, lease_until = NULL
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


async def suppress_addresses(conn: Connection, reasons: dict[int, StopReason], now: datetime) -> None:
    """Write no more to the addresses of these deliveries; what is known of an address already stays."""
    await run(
        conn,
        """
        INSERT INTO suppressions (channel, value_index, reason, since)
        SELECT DISTINCT ON (a.channel, a.value_index) a.channel, a.value_index, s.reason, %(now)s
        FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS s (id, reason)
        JOIN deliveries d ON d.id = s.id JOIN addresses a ON a.id = d.address_id
        ON CONFLICT DO NOTHING
        """,
        ids=list(reasons), reasons=list(reasons.values()), now=now,
    )  # fmt: skip


async def renew(conn: Connection, attempt: int, ids: Sequence[int], until: datetime) -> None:
    """Go on holding what is left of a window."""
    await run(
        conn,
        """
        UPDATE deliveries d SET lease_until = %(until)s
        FROM (SELECT id FROM deliveries
              WHERE id = ANY(%(ids)s) AND attempt = %(attempt)s AND lease_until IS NOT NULL
              FOR UPDATE SKIP LOCKED) AS ours
        WHERE d.id = ours.id
        """,
        attempt=attempt, ids=list(ids), until=until,
    )  # fmt: skip


async def release(conn: Connection, attempt: int, ids: Sequence[int]) -> None:
    """Give back what this attempt is sure not to have handed over, marked or not, for anybody to claim at once."""
    await run(
        conn,
        """
        UPDATE deliveries SET state = 'queued', lease_until = NULL, settled_at = NULL
        WHERE id = ANY(%(ids)s) AND attempt = %(attempt)s AND state IN ('queued', 'marked', 'unknown')
        """,
        attempt=attempt, ids=list(ids),
    )  # fmt: skip


async def lapsed(conn: Connection, now: datetime) -> list[Delivery]:
    """Up to a window of what was marked by somebody who has not been heard of since, locked."""
    return await rows(
        conn,
        Delivery,
        "SELECT " + _COLUMNS + """
        FROM deliveries d WHERE d.state = 'marked' AND d.lease_until <= %(now)s
        ORDER BY d.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        """,
        now=now, limit=WINDOW,
    )  # fmt: skip


async def expire(conn: Connection, now: datetime) -> int:
    """End what nobody holds and whose time is over; what may have arrived is unknown instead."""
    return await run(
        conn,
        """
        UPDATE deliveries d SET state = (CASE WHEN d.unconfirmed > 0 THEN 'unknown' ELSE 'ended' END)::delivery_state,
            reason = 'expired', settled_at = %(now)s, lease_until = NULL
        FROM (SELECT id FROM deliveries
              WHERE state = 'queued' AND expires_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)
              FOR UPDATE SKIP LOCKED) AS over
        WHERE d.id = over.id
        """,
        now=now,
    )


async def end_queued(
    conn: Connection, about: UUID, reason: str, now: datetime, *, recipient_id: UUID | None = None
) -> int:
    """End what is still queued about something (for one recipient, where given), claimed or not.

    It waits for marks under way: what is marked afterwards is only what was marked before.
    """
    return await run(
        conn,
        """
        UPDATE deliveries SET state = (CASE WHEN unconfirmed > 0 THEN 'unknown' ELSE 'ended' END)::delivery_state,
            reason = %(reason)s, settled_at = %(now)s, lease_until = NULL
        WHERE about = %(about)s AND state = 'queued'
          AND (%(recipient)s::uuid IS NULL OR recipient_id = %(recipient)s::uuid)
        """,
        about=about, reason=reason, now=now, recipient=recipient_id,
    )  # fmt: skip


async def place_hold(
    conn: Connection, scope: HoldScope, target: str, reason: str, now: datetime, *, placed_by: UUID | None = None
) -> bool:
    """Stop what the scope names (an id as text, a channel; '' for everything).

    Whoever was first stays in the record, but a person's hold takes the place of the service's own.
    """
    return await run(
        conn,
        """
        INSERT INTO holds (scope, target, reason, placed_by, placed_at)
        VALUES (%(scope)s, %(target)s, %(reason)s, %(by)s, %(now)s)
        ON CONFLICT (scope, target) DO UPDATE
            SET reason = EXCLUDED.reason, placed_by = EXCLUDED.placed_by, placed_at = EXCLUDED.placed_at
            WHERE holds.placed_by IS NULL AND EXCLUDED.placed_by IS NOT NULL
        """,
        scope=scope, target=target, reason=reason, by=placed_by, now=now,
    ) == 1  # fmt: skip


async def lift_hold(conn: Connection, scope: HoldScope, target: str) -> bool:
    """Let go on; whoever sends is woken."""
    return await run(
        conn, "DELETE FROM holds WHERE scope = %(scope)s AND target = %(target)s", scope=scope, target=target
    ) == 1  # fmt: skip


async def holds(conn: Connection) -> list[Hold]:
    """Everything that stops deliveries, the latest first."""
    return await rows(
        conn, Hold, "SELECT scope, target, reason, placed_by, placed_at FROM holds ORDER BY placed_at DESC, target"
    )


async def find(conn: Connection, delivery_id: int) -> Delivery | None:
    """A delivery by id."""
    return await row(
        conn, Delivery, "SELECT " + _COLUMNS + " FROM deliveries d WHERE d.id = %(id)s", id=delivery_id
    )  # fmt: skip


async def lock(conn: Connection, delivery_id: int) -> Delivery | None:
    """A delivery by id, locked so that receipts are taken one after another."""
    return await row(
        conn, Delivery, "SELECT " + _COLUMNS + " FROM deliveries d WHERE d.id = %(id)s FOR UPDATE", id=delivery_id
    )  # fmt: skip


async def set_reported(
    conn: Connection, delivery_id: int, state: DeliveryState, reason: str, provider_id: str, now: datetime
) -> None:
    """Write what a provider reported; the provider's id is kept if there was one."""
    await run(
        conn,
        """
        UPDATE deliveries SET state = %(state)s, reason = %(reason)s, settled_at = %(now)s, lease_until = NULL,
            provider_id = CASE WHEN provider_id = '' THEN %(provider_id)s ELSE provider_id END
        WHERE id = %(id)s
        """,
        id=delivery_id, state=state, reason=reason, provider_id=provider_id, now=now,
    )  # fmt: skip


async def counts(conn: Connection, purpose: str, about: UUID) -> list[Count]:
    """How many deliveries about something stand where, by channel and language."""
    return await rows(
        conn,
        Count,
        """
        SELECT channel, language, state, count(*) AS count FROM deliveries
        WHERE about = %(about)s AND purpose = %(purpose)s
        GROUP BY channel, language, state ORDER BY channel, language, state
        """,
        purpose=purpose, about=about,
    )  # fmt: skip
