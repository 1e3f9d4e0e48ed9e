"""The SQL of who is behind a delivery, and of how first waves stand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, plain_rows, row, rows
from sos.outreach.plan import Wave


@dataclass(frozen=True, slots=True)
class AddressRow:
    """Where a delivery went."""

    owner_id: UUID
    channel: ChannelName
    value_index: bytes
    language: str


async def find_address(conn: Connection, delivery_id: int) -> AddressRow | None:
    return await row(
        conn,
        AddressRow,
        """
        SELECT a.owner_id, a.channel, a.value_index, d.language
        FROM deliveries d JOIN addresses a ON a.id = d.address_id WHERE d.id = %(id)s
        """,
        id=delivery_id,
    )


@dataclass(slots=True)  # not frozen: thousands are made every second
class RecipientRow:
    """Somebody who is written to, as she lies sealed; ids as text, as the seals name them."""

    delivery: int
    contact_id: str
    contact_sealed: bytes
    member_id: str
    member_sealed: bytes
    may_sign: bool
    discreet: bool
    first_language: str
    time_zone: str
    country: str
    address_id: str
    address_sealed: bytes


async def recipients(conn: Connection, delivery_ids: list[int]) -> list[RecipientRow]:
    """Who is behind these deliveries."""
    return await plain_rows(
        conn,
        RecipientRow,
        """
        SELECT d.id, c.id::text, c.name_sealed, m.id::text, m.names_sealed, c.may_sign, coalesce(c.discreet, false),
               c.languages[1], c.time_zone, coalesce(a.country, m.country), a.id::text, a.value_sealed
        FROM deliveries d
        JOIN contacts c ON c.id = d.recipient_id
        JOIN members m ON m.id = c.member_id
        JOIN addresses a ON a.id = d.address_id
        WHERE d.id = ANY(%(ids)s)
        """,
        ids=delivery_ids,
    )


@dataclass(frozen=True, slots=True)
class _Replaced:
    delivery: int
    provider_id: str


async def replaced_messages(conn: Connection, delivery_ids: list[int]) -> dict[int, str]:
    """For deliveries of corrections: the provider's id of the message that each takes the place of, if there is one."""
    found = await rows(
        conn,
        _Replaced,
        """
        SELECT d.id AS delivery, o.provider_id FROM deliveries d
        JOIN actions x ON x.id = d.about
        JOIN deliveries o ON o.about = x.corrects AND o.purpose = d.purpose AND o.recipient_id = d.recipient_id
            AND o.channel = d.channel
        WHERE d.id = ANY(%(ids)s) AND d.channel = 'telegram' AND o.provider_id <> ''
        """,
        ids=delivery_ids,
    )
    return {one.delivery: one.provider_id for one in found}


@dataclass(frozen=True, slots=True)
class WaveRow:
    """An action whose rest waits for its first wave."""

    action_id: UUID
    urgency: str
    size: int
    settled: int
    refused: int
    seconds: float

    @property
    def wave(self) -> Wave:
        return Wave(self.size, self.settled, self.refused, self.seconds)


async def first_waves(conn: Connection, now: datetime) -> list[WaveRow]:
    """How the first waves stand for which the rest of their actions waits."""
    return await rows(
        conn,
        WaveRow,
        """
        SELECT x.id AS action_id, x.urgency, count(*) AS size,
               count(*) FILTER (WHERE d.state NOT IN ('queued', 'marked')) AS settled,
               count(*) FILTER (WHERE d.state IN ('refused', 'failed', 'suppressed')) AS refused,
               extract(epoch FROM %(now)s - h.placed_at)::double precision AS seconds
        FROM holds h JOIN actions x ON x.id = h.target::uuid JOIN deliveries d ON d.about = x.id AND d.is_canary
        WHERE h.scope = 'wave' GROUP BY x.id, h.placed_at
        """,
        now=now,
    )
