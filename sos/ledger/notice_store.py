"""The SQL of notices to the staff on duty: that there is something to look at, and never what."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, rows, run


async def plan_notices(
    conn: Connection, what: str, about: UUID, *, rank: int, now: datetime, until: datetime
) -> int:  # fmt: skip
    """One content-free notice (`what` names its text) to everybody on duty, on each of their channels; how many.

    About the same thing it goes once.
    """
    return await run(
        conn,
        """
        INSERT INTO deliveries (purpose, about, kind, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at)
        SELECT 'notice', %(about)s, %(what)s, 'staff', s.id, a.channel, a.id, s.language, %(rank)s, %(now)s, %(until)s,
               %(now)s
        FROM staff s JOIN addresses a ON a.owner_kind = 'staff' AND a.owner_id = s.id
        WHERE s.on_duty AND s.left_at IS NULL
        ON CONFLICT DO NOTHING
        """,
        what=what, about=about, rank=rank, now=now, until=until,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SealedAddress:
    """Where a delivery goes, sealed."""

    delivery: int
    address_id: UUID
    sealed: bytes


async def addresses(conn: Connection, delivery_ids: list[int]) -> list[SealedAddress]:
    """Where these deliveries go."""
    return await rows(
        conn,
        SealedAddress,
        """
        SELECT d.id AS delivery, a.id AS address_id, a.value_sealed AS sealed
        FROM deliveries d JOIN addresses a ON a.id = d.address_id WHERE d.id = ANY(%(ids)s)
        """,
        ids=delivery_ids,
    )
