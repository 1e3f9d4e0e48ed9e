"""The SQL of attempts: what became of what was marked, who still answers for it, and what a crash has left."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString

from sos.database import Connection, array, rows, run
from sos.ledger.delivery import DeliveryState, Due, Settlement

DUE: LiteralString = """
    d.id, d.purpose, d.about, d.kind, d.channel, d.language, d.urgency, d.discreet, d.due_at, d.expires_at, d.attempts,
    d.unconfirmed, d.marked_at
"""
# A row that was taken for lost meanwhile (queued again, or unknown) and that nobody has marked since is written too:
# its attempt knows better. One that a receipt, a recall or a later attempt has changed is left alone.
_STILL_OURS: LiteralString = "d.id = s.id AND d.attempt = s.attempt AND d.state IN ('marked', 'queued', 'unknown')"


# The outcome that nearly all have, in a third of the time.
ACCEPT: LiteralString = (
    """
    UPDATE deliveries d
    SET state = 'accepted', reason = '', attempts = s.attempts, unconfirmed = s.unconfirmed,
        provider_id = s.provider_id, settled_at = %(now)s
    FROM unnest(%(accepted_ids)s::bigint[], %(accepted_attempt)s::bigint[], %(accepted_attempts)s::smallint[],
                %(accepted_unconfirmed)s::smallint[], %(accepted_provider_ids)s::text[])
        AS s (id, attempt, attempts, unconfirmed, provider_id)
    WHERE """
    + _STILL_OURS
)


def accepting(settlements: Sequence[Settlement]) -> dict[str, str]:
    """What ACCEPT is told, besides `now`."""
    return {
        "accepted_ids": array([one.id for one in settlements]),
        "accepted_attempt": array([one.attempt for one in settlements]),
        "accepted_attempts": array([one.attempts for one in settlements]),
        "accepted_unconfirmed": array([one.unconfirmed for one in settlements]),
        "accepted_provider_ids": array([one.provider_id for one in settlements]),
    }


async def settle(conn: Connection, settlements: Sequence[Settlement], now: datetime) -> None:
    """Write outcomes, each only while its attempt is the row's latest."""
    accepted = [one for one in settlements if one.state is DeliveryState.ACCEPTED]
    others = [one for one in settlements if one.state is not DeliveryState.ACCEPTED]
    if accepted:
        await run(conn, ACCEPT, now=now, **accepting(accepted))
    if others:
        await _settle(conn, others, now)


async def _settle(conn: Connection, settlements: Sequence[Settlement], now: datetime) -> None:
    await run(
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
        WHERE """ + _STILL_OURS,
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
        SELECT id FROM attempts WHERE lease_until <= %(now)s ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED
        """,
        {"now": now},
    )
    return [attempt for (attempt,) in await cursor.fetchall()]


async def still_marked(conn: Connection, attempt: int) -> list[Due]:
    """What an attempt has left without an outcome, locked."""
    return await rows(
        conn,
        Due,
        "SELECT " + DUE + """
        FROM attempts t JOIN deliveries d ON d.id = ANY(t.deliveries) AND d.attempt = t.id
        WHERE t.id = %(attempt)s AND d.state = 'marked' ORDER BY d.id FOR UPDATE OF d
        """,
        attempt=attempt,
    )  # fmt: skip
