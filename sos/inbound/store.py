"""The SQL of what comes in: each thing is taken once."""

from datetime import datetime
from uuid import UUID

from sos.database import Connection, run, value


async def take_once(conn: Connection, provider: str, provider_id: str, now: datetime) -> bool:
    """Whether this is the first time that a provider brings it."""
    return await run(
        conn,
        """
        INSERT INTO incoming (provider, provider_id, came_at) VALUES (%(provider)s, %(id)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        provider=provider, id=provider_id, now=now,
    ) == 1  # fmt: skip


async def is_taken(conn: Connection, provider: str, provider_id: str) -> bool:
    """Whether a provider has brought it before."""
    return bool(
        await value(
            conn,
            "SELECT EXISTS (SELECT FROM incoming WHERE provider = %(provider)s AND provider_id = %(id)s)",
            provider=provider, id=provider_id,
        )
    )  # fmt: skip


async def plan_reply(
    conn: Connection, *, about: UUID, kind: str, contact_id: UUID, address_id: UUID, channel: str, language: str,
    now: datetime, until: datetime,
) -> None:  # fmt: skip
    """A short answer by the way in which somebody wrote to us; the same answer about the same thing goes once.

    A discreet phone is told nothing but that we have stopped: that text says nothing to whoever reads it too.
    """
    await run(
        conn,
        """
        INSERT INTO deliveries (purpose, about, kind, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at)
        SELECT 'reply', %(about)s, %(kind)s, 'contact', c.id, %(channel)s, %(address)s, %(language)s, 0, %(now)s,
               %(until)s, %(now)s
        FROM contacts c
        WHERE c.id = %(contact)s AND (%(kind)s = 'stopped' OR NOT coalesce(c.discreet, false) AND NOT EXISTS (
            SELECT FROM deliveries d WHERE d.about = %(about)s AND d.recipient_id = c.id AND d.discreet
        ))
        ON CONFLICT DO NOTHING
        """,
        about=about, kind=kind, contact=contact_id, channel=channel, address=address_id, language=language, now=now,
        until=until,
    )  # fmt: skip


async def count_policy_bounce(conn: Connection, delivery_id: int, now: datetime, *, since: datetime) -> int:
    """Keep a bounce that is our fault; how many recipients such bounces have come from since then.

    Each recipient counts once, so that no single server can close the channel; whoever counts waits for the others.
    """
    await run(conn, "LOCK TABLE policy_bounces IN SHARE ROW EXCLUSIVE MODE")
    await run(
        conn,
        """
        INSERT INTO policy_bounces (delivery_id, came_at) VALUES (%(id)s, %(now)s) ON CONFLICT DO NOTHING
        """,
        id=delivery_id, now=now,
    )  # fmt: skip
    return int(
        await value(
            conn,
            """
            SELECT count(DISTINCT d.recipient_id) FROM policy_bounces b JOIN deliveries d ON d.id = b.delivery_id
            WHERE b.came_at > %(since)s
            """,
            since=since,
        )
    )
