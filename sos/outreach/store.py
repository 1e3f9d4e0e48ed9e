"""The SQL of who is behind a delivery."""

from dataclasses import dataclass
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows


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


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """Somebody who is written to, as she lies sealed."""

    delivery: int
    contact_id: UUID
    contact_sealed: bytes
    member_id: UUID
    member_sealed: bytes
    may_sign: bool
    discreet: bool
    first_language: str
    time_zone: str
    country: str
    address_id: UUID
    address_sealed: bytes


async def recipients(conn: Connection, delivery_ids: list[int]) -> list[RecipientRow]:
    """Who is behind these deliveries."""
    return await rows(
        conn,
        RecipientRow,
        """
        SELECT d.id AS delivery, c.id AS contact_id, c.name_sealed AS contact_sealed, m.id AS member_id,
               m.names_sealed AS member_sealed, c.may_sign, coalesce(c.discreet, false) AS discreet,
               c.languages[1] AS first_language, c.time_zone, coalesce(a.country, m.country) AS country,
               a.id AS address_id, a.value_sealed AS address_sealed
        FROM deliveries d
        JOIN contacts c ON c.id = d.recipient_id
        JOIN members m ON m.id = c.member_id
        JOIN addresses a ON a.id = d.address_id
        WHERE d.id = ANY(%(ids)s)
        """,
        ids=delivery_ids,
    )
