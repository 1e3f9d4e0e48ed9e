"""The SQL of what was spent on messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sos.database import Connection, rows, value


@dataclass(frozen=True, slots=True)
class _Spent:
    before: Decimal
    after: Decimal


async def spend(
    conn: Connection, month: date, channel: str, segments: Mapping[int, int], *, prices: Mapping[str, Decimal],
    usual: Decimal,
) -> tuple[Decimal, Decimal]:  # fmt: skip
    """Add what so many segments of these deliveries cost; what was spent in this month before, and is now."""
    (spent,) = await rows(
        conn,
        _Spent,
        """
        WITH cost AS (
            SELECT coalesce(sum(s.segments * coalesce(p.usd, %(usual)s)), 0) AS usd
            FROM unnest(%(ids)s::bigint[], %(segments)s::integer[]) AS s (id, segments)
            JOIN deliveries d ON d.id = s.id
            JOIN addresses a ON a.id = d.address_id
            LEFT JOIN contacts c ON c.id = d.recipient_id
            LEFT JOIN members m ON m.id = c.member_id
            LEFT JOIN unnest(%(countries)s::text[], %(usd)s::numeric[]) AS p (country, usd)
                ON p.country = coalesce(a.country, m.country)
        )
        INSERT INTO spending AS so_far (month, channel, usd) SELECT %(month)s, %(channel)s, usd FROM cost
        ON CONFLICT (month, channel) DO UPDATE SET usd = so_far.usd + EXCLUDED.usd
        RETURNING usd - (SELECT usd FROM cost) AS before, usd AS after
        """,
        month=month, channel=channel, ids=list(segments), segments=list(segments.values()),
        countries=list(prices), usd=list(prices.values()), usual=usual,
    )  # fmt: skip
    return spent.before, spent.after


async def spent(conn: Connection, month: date, channel: str) -> Decimal:
    """What was spent in a month, in US dollars."""
    found: Decimal | None = await value(
        conn, "SELECT usd FROM spending WHERE month = %(month)s AND channel = %(channel)s", month=month, channel=channel
    )
    return found or Decimal(0)
