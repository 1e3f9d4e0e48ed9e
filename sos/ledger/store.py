"""The SQL of the ledger's rows: found, counted, reported on, ended. What leaves is in leaving_store.py."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from sos.database import Connection, row, rows, run
from sos.ledger.delivery import Count, Delivery, DeliveryState

_COLUMNS: LiteralString = """
    d.id, d.purpose, d.about, d.case_id, d.kind, d.recipient_kind, d.recipient_id, d.channel, d.address_id, d.language,
    d.urgency, d.step, d.state, d.reason, d.due_at, d.expires_at, d.attempt, d.attempts, d.unconfirmed, d.provider_id,
    d.planned_at, d.marked_at, d.settled_at
"""


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
        UPDATE deliveries SET state = %(state)s, reason = %(reason)s, settled_at = %(now)s,
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


async def reached_languages(conn: Connection, about: UUID) -> frozenset[str]:
    """The languages in which something has perhaps reached somebody."""
    found = await rows(
        conn,
        dict[str, str],
        """
        SELECT DISTINCT language FROM deliveries
        WHERE about = %(about)s AND purpose = 'action'
          AND state IN ('marked', 'accepted', 'delivered', 'answered', 'unknown')
        """,
        about=about,
    )
    return frozenset(one["language"] for one in found)


async def awaited_languages(conn: Connection, about: UUID) -> dict[str, int]:
    """Languages for which somebody still waits, and how many messages wait for each."""
    cursor = await conn.execute(
        """
        SELECT awaits, count(*) FROM deliveries
        WHERE about = %(about)s AND awaits IS NOT NULL AND state = 'queued' GROUP BY awaits ORDER BY awaits
        """,
        {"about": about},
    )
    return dict(await cursor.fetchall())


async def release_language(conn: Connection, about: UUID, language: str, *, sooner: timedelta, now: datetime) -> int:
    """Whoever still waits for this language gets it, `sooner` than without it; what has begun to leave stays.

    So does a way that goes only if another fails. Nobody waits for this language any more.
    """
    released = await run(
        conn,
        """
        UPDATE deliveries SET language = awaits, awaits = NULL,
            due_at = CASE WHEN due_at < expires_at THEN due_at - %(sooner)s ELSE due_at END
        WHERE about = %(about)s AND awaits = %(language)s AND state = 'queued' AND attempt = 0 AND due_at > %(now)s
        """,
        about=about, language=language, sooner=sooner, now=now,
    )  # fmt: skip
    await run(
        conn,
        "UPDATE deliveries SET awaits = NULL WHERE about = %(about)s AND awaits = %(language)s AND state = 'queued'",
        about=about, language=language,
    )  # fmt: skip
    return released


async def expire(conn: Connection, now: datetime) -> int:
    """End what is queued and whose time is over: what may have arrived is unknown, a spare way was not needed."""
    return await run(
        conn,
        """
        UPDATE deliveries d
        SET state = (CASE WHEN d.unconfirmed > 0 THEN 'unknown' ELSE 'ended' END)::delivery_state,
            reason = CASE WHEN d.due_at >= d.expires_at THEN 'not_needed' ELSE 'expired' END, settled_at = %(now)s
        FROM (SELECT id FROM deliveries
              WHERE is_open AND state = 'queued' AND expires_at <= %(now)s FOR UPDATE SKIP LOCKED) AS over
        WHERE d.id = over.id
        """,
        now=now,
    )


async def end_queued(
    conn: Connection, about: UUID, reason: str, now: datetime, *, recipient_id: UUID | None = None
) -> int:
    """End what is still queued about something (for one recipient, where given).

    It waits for marks under way; what is marked may still leave, but neither that nor what has failed is tried again.
    """
    ended = await run(
        conn,
        """
        UPDATE deliveries SET state = (CASE WHEN unconfirmed > 0 THEN 'unknown' ELSE 'ended' END)::delivery_state,
            reason = %(reason)s, settled_at = %(now)s
        WHERE about = %(about)s AND state = 'queued'
          AND (%(recipient)s::uuid IS NULL OR recipient_id = %(recipient)s::uuid)
        """,
        about=about, reason=reason, now=now, recipient=recipient_id,
    )  # fmt: skip
    await run(
        conn,
        """
        UPDATE deliveries SET expires_at = least(expires_at, %(now)s)
        WHERE about = %(about)s AND state IN ('marked', 'failed', 'refused', 'unknown')
          AND (%(recipient)s::uuid IS NULL OR recipient_id = %(recipient)s::uuid)
        """,
        about=about, now=now, recipient=recipient_id,
    )  # fmt: skip
    return ended


async def end_other_ways(conn: Connection, delivery_id: int, now: datetime, *, later_only: bool) -> int:
    """End what is queued for the same recipient about the same thing: she has it, or has answered.

    What is marked may still leave, but is not tried again. What others share with her is theirs.
    """
    cursor = await conn.execute(
        """
        UPDATE deliveries o SET state = (CASE WHEN o.unconfirmed > 0 THEN 'unknown' ELSE 'ended' END)::delivery_state,
            reason = 'reached', settled_at = %(now)s
        FROM deliveries d
        WHERE d.id = %(id)s AND o.about = d.about AND o.purpose = d.purpose AND o.recipient_id = d.recipient_id
          AND o.id <> d.id AND o.state = 'queued' AND (NOT %(later_only)s OR o.step > d.step)
        RETURNING o.id, o.state
        """,
        {"id": delivery_id, "now": now, "later_only": later_only},
    )
    ended = await cursor.fetchall()
    await _leave_to_others(conn, [id for id, state in ended if state == DeliveryState.ENDED])
    await run(
        conn,
        """
        UPDATE deliveries o SET expires_at = least(o.expires_at, %(now)s)
        FROM deliveries d
        WHERE d.id = %(id)s AND o.about = d.about AND o.purpose = d.purpose AND o.recipient_id = d.recipient_id
          AND o.id <> d.id AND o.state = 'marked' AND (NOT %(later_only)s OR o.step > d.step)
        """,
        id=delivery_id, now=now, later_only=later_only,
    )  # fmt: skip
    return len(ended)


async def _leave_to_others(conn: Connection, ids: Collection[int]) -> None:
    """These were never sent: of those who share the address of one, the first who may sign gets hers instead."""
    await run(
        conn,
        """
        UPDATE deliveries s SET state = 'queued', settled_at = NULL, due_at = first.due_at
        FROM (
            SELECT DISTINCT ON (d.id) o.id, d.due_at
            FROM deliveries d JOIN addresses a ON a.id = d.address_id
            JOIN addresses b ON b.channel = a.channel AND b.value_index = a.value_index
            JOIN deliveries o ON o.recipient_id = b.owner_id AND o.address_id = b.id AND o.about = d.about
                AND o.purpose = d.purpose AND o.kind = d.kind AND o.state = 'shared'
            JOIN contacts c ON c.id = o.recipient_id
            WHERE d.id = ANY(%(ids)s) AND NOT EXISTS (
                SELECT FROM deliveries r
                WHERE r.recipient_id = o.recipient_id AND r.about = o.about AND r.purpose = o.purpose
                  AND r.state = 'answered'
            )
            ORDER BY d.id, c.may_sign DESC, c.joined_at, c.id
        ) AS first
        WHERE s.id = first.id AND s.state = 'shared'
        """,
        ids=list(ids),
    )  # fmt: skip


async def set_answered(conn: Connection, delivery_id: int, now: datetime) -> bool:
    """She has answered by this message; whether that is new. What stood for somebody else's message is not hers."""
    return await run(
        conn,
        """
        UPDATE deliveries SET state = 'answered', settled_at = coalesce(settled_at, %(now)s)
        WHERE id = %(id)s AND state NOT IN ('answered', 'shared')
        """,
        id=delivery_id, now=now,
    ) == 1  # fmt: skip


async def bring_next_forward(conn: Connection, ids: Collection[int], now: datetime) -> int:
    """These did not reach their recipients: the next way of each, if one waits, is taken at once.

    So is that of whoever shares the address. One that waits for her language is taken when the way before it was to be.
    """
    return await run(
        conn,
        """
        UPDATE deliveries n
        SET due_at = CASE WHEN n.awaits IS NULL THEN %(now)s ELSE least(n.due_at, greatest(d.due_at, %(now)s)) END
        FROM (
            SELECT d.* FROM deliveries d WHERE d.id = ANY(%(ids)s)
            UNION ALL
            SELECT s.* FROM deliveries d JOIN addresses a ON a.id = d.address_id
            JOIN addresses b ON b.channel = a.channel AND b.value_index = a.value_index
            JOIN deliveries s ON s.recipient_id = b.owner_id AND s.address_id = b.id AND s.about = d.about
                AND s.purpose = d.purpose AND s.kind = d.kind AND s.state = 'shared'
            WHERE d.id = ANY(%(ids)s)
        ) AS d
        WHERE n.about = d.about AND n.purpose = d.purpose AND n.kind = d.kind
          AND n.recipient_id = d.recipient_id AND n.state = 'queued' AND n.due_at > %(now)s
          AND n.step = (SELECT min(o.step) FROM deliveries o
                        WHERE o.about = d.about AND o.purpose = d.purpose AND o.kind = d.kind
                          AND o.recipient_id = d.recipient_id AND o.state = 'queued' AND o.step > d.step)
        """,
        ids=list(ids), now=now,
    )  # fmt: skip


async def end_suppressed(conn: Connection, channel: str, value_indexes: Collection[bytes], now: datetime) -> list[int]:
    """End what is queued for addresses that are written to no more; answer which. A stop is still confirmed."""
    cursor = await conn.execute(
        """
        UPDATE deliveries d SET state = 'suppressed', reason = s.reason, settled_at = %(now)s
        FROM addresses a JOIN suppressions s ON s.channel = a.channel AND s.value_index = a.value_index
        WHERE a.channel = %(channel)s AND a.value_index = ANY(%(indexes)s)
          AND d.recipient_id = a.owner_id AND d.address_id = a.id AND d.state = 'queued'
          AND NOT (d.purpose = 'reply' AND d.kind = 'stopped')
        RETURNING d.id
        """,
        {"channel": channel, "indexes": list(value_indexes), "now": now},
    )
    return [id for (id,) in await cursor.fetchall()]
