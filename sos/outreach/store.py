"""The SQL of a launch: whom an action reaches, in which language, by which channel."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows, run
from sos.outreach.plan import Group

# Each contact in the first of her languages that is ready (else the original), on the first of her channels that
# works. Contacts who share an address get one message: the first who may sign gets it.
CHOSEN: LiteralString = """
    WITH audience AS (
        SELECT c.id, c.languages, c.channels, c.may_sign, c.joined_at, m.country, m.region
        FROM contacts c JOIN members m ON m.id = c.member_id
        WHERE NOT c.paused
          AND (cardinality(%(regions)s::text[]) = 0 OR m.region = ANY(%(regions)s))
          AND (cardinality(%(groups)s::text[]) = 0 OR m.groups && %(groups)s::text[])
    ), reached AS (
        SELECT a.*, first.address_id, first.channel, first.value_index,
               (SELECT l FROM unnest(a.languages) WITH ORDINALITY AS own (l, n)
                WHERE l = ANY(%(ready)s) ORDER BY n LIMIT 1) AS ready_language
        FROM audience a LEFT JOIN LATERAL (
            SELECT d.id AS address_id, d.channel, d.value_index FROM addresses d
            WHERE d.owner_kind = 'contact' AND d.owner_id = a.id
              AND NOT EXISTS (SELECT FROM suppressions s WHERE s.channel = d.channel AND s.value_index = d.value_index)
            ORDER BY array_position(a.channels, d.channel) NULLS LAST, d.channel LIMIT 1
        ) AS first ON true
    ), chosen AS (
        SELECT DISTINCT ON (coalesce(value_index, id::text::bytea))
               id, address_id, channel, coalesce(ready_language, %(original)s) AS language,
               ready_language IS NULL AS is_fallback, country, region
        FROM reached ORDER BY coalesce(value_index, id::text::bytea), may_sign DESC, joined_at, id
    )
"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is asked, and the languages that are ready, the original apart."""

    regions: list[str]
    groups: list[str]
    ready: list[str]
    original: str


async def preview(conn: Connection, audience: Audience) -> list[Group]:
    """Who would get what, counted by the very choice that a launch makes."""
    return await rows(
        conn,
        Group,
        CHOSEN
        + """
        SELECT channel, language, country, region, is_fallback, count(*) AS contacts
        FROM chosen GROUP BY channel, language, country, region, is_fallback
        ORDER BY channel, language, country
        """,
        regions=audience.regions, groups=audience.groups, ready=audience.ready, original=audience.original,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnreachedRow:
    """A contact whom no channel reaches, as she lies sealed."""

    contact_id: UUID
    contact_sealed: bytes
    member_id: UUID
    member_sealed: bytes


async def unreached(conn: Connection, audience: Audience) -> list[UnreachedRow]:
    """Contacts of the audience without a channel, by that same choice."""
    return await rows(
        conn,
        UnreachedRow,
        CHOSEN
        + """
        SELECT c.id AS contact_id, c.name_sealed AS contact_sealed, m.id AS member_id, m.names_sealed AS member_sealed
        FROM chosen JOIN contacts c ON c.id = chosen.id JOIN members m ON m.id = c.member_id
        WHERE chosen.channel IS NULL ORDER BY c.joined_at, c.id
        """,
        regions=audience.regions, groups=audience.groups, ready=audience.ready, original=audience.original,
    )  # fmt: skip


async def plan_deliveries(
    conn: Connection, audience: Audience, *, action_id: UUID, case_id: UUID, rank: int, now: datetime, until: datetime
) -> int:
    """Write the ledger of an action in one statement; answer how many messages that makes."""
    return await run(
        conn,
        CHOSEN
        + """
        INSERT INTO deliveries (purpose, about, case_id, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at)
        SELECT 'action', %(action)s, %(case)s, 'contact', id, channel, address_id, language, %(rank)s, %(now)s,
               %(until)s, %(now)s
        FROM chosen WHERE channel IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        regions=audience.regions, groups=audience.groups, ready=audience.ready, original=audience.original,
        action=action_id, case=case_id, rank=rank, now=now, until=until,
    )  # fmt: skip


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
    time_zone: str
    address_id: UUID
    address_sealed: bytes


async def recipients(conn: Connection, delivery_ids: list[int]) -> list[RecipientRow]:
    """Who is behind these deliveries."""
    return await rows(
        conn,
        RecipientRow,
        """
        SELECT d.id AS delivery, c.id AS contact_id, c.name_sealed AS contact_sealed, m.id AS member_id,
               m.names_sealed AS member_sealed, c.may_sign, c.discreet, c.time_zone, a.id AS address_id,
               a.value_sealed AS address_sealed
        FROM deliveries d
        JOIN contacts c ON c.id = d.recipient_id
        JOIN members m ON m.id = c.member_id
        JOIN addresses a ON a.id = d.address_id
        WHERE d.id = ANY(%(ids)s)
        """,
        ids=delivery_ids,
    )
