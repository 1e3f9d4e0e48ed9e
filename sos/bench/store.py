"""The SQL of measuring: how far a launch has come, and when its last delivery was settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, row, rows, value

LOOKED_AT = 100  # so many rows, evenly spread, say how far a fan-out has come without a look at all of them


@dataclass(frozen=True, slots=True)
class Span:
    """When the first message was let out, when the first of those behind the first wave, and the last outcome."""

    first_marked_at: datetime | None
    rest_marked_at: datetime | None
    last_settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Counted:
    state: str
    count: int


async def sample(conn: Connection, about: UUID) -> list[int]:
    """Deliveries of an action, evenly spread, the first and the last among them."""
    return await value(
        conn,
        """
        SELECT array_agg(DISTINCT low + (high - low) * n / %(looked_at)s)
        FROM (SELECT min(id) AS low, max(id) AS high FROM deliveries WHERE about = %(about)s) AS ends,
             generate_series(0, %(looked_at)s) AS n
        """,
        about=about, looked_at=LOOKED_AT,
    ) or []  # fmt: skip


async def settled_share(conn: Connection, sampled: list[int]) -> float:
    """Which part of these deliveries is settled; 1 where there is none."""
    return float(
        await value(
            conn,
            """
            SELECT coalesce(avg((state NOT IN ('queued', 'marked'))::int), 1)
            FROM deliveries WHERE id = ANY(%(ids)s)
            """,
            ids=sampled,
        )
    )


async def states(conn: Connection, about: UUID) -> Mapping[str, int]:
    """How many deliveries of an action stand in each state."""
    found = await rows(
        conn,
        _Counted,
        "SELECT state::text AS state, count(*) AS count FROM deliveries WHERE about = %(about)s GROUP BY 1",
        about=about,
    )
    return {one.state: one.count for one in found}


async def span(conn: Connection, about: UUID) -> Span:
    """When an action's sending began and ended."""
    found = await row(
        conn,
        Span,
        """
        SELECT min(marked_at) AS first_marked_at, max(settled_at) AS last_settled_at,
               min(marked_at) FILTER (WHERE NOT is_canary) AS rest_marked_at
        FROM deliveries WHERE about = %(about)s
        """,
        about=about,
    )
    assert found
    return found


async def server_version(conn: Connection) -> str:
    """Which PostgreSQL this is."""
    return str(await value(conn, "SHOW server_version"))
