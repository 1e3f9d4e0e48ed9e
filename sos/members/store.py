"""Members, contacts, addresses and those who said stop, in SQL; names and addresses come and go sealed."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows, run, value
from sos.members.member import Address, Contact, Member, Spot, StopReason


@dataclass(frozen=True, slots=True)
class _Sealed:
    id: UUID
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Spot:
    channel: ChannelName
    value_index: bytes


async def one_import_at_a_time(conn: Connection) -> None:
    """Wait until nobody else is adding members; readers are not held up."""
    await conn.execute("LOCK TABLE members IN SHARE ROW EXCLUSIVE MODE")


async def save_member(conn: Connection, member: Member) -> None:
    """Add a member, or bring it up to date."""
    await run(
        conn,
        """
        INSERT INTO members (id, reference, kind, standing, country, region, groups, names_sealed)
        VALUES (%(id)s, %(reference)s, %(kind)s, %(standing)s, %(country)s, %(region)s, %(groups)s, %(names_sealed)s)
        ON CONFLICT (id) DO UPDATE SET
            kind = EXCLUDED.kind, standing = EXCLUDED.standing, country = EXCLUDED.country,
            region = EXCLUDED.region, groups = EXCLUDED.groups, names_sealed = EXCLUDED.names_sealed
        """,
        **asdict(member) | {"groups": list(member.groups)},
    )


async def save_contact(conn: Connection, contact: Contact) -> None:
    """Add a contact, or bring her up to date."""
    await run(
        conn,
        """
        INSERT INTO contacts
            (id, member_id, name_sealed, languages, channels, time_zone, may_sign, discreet, paused, gender,
             quiet_from, quiet_until, may_wake)
        VALUES
            (%(id)s, %(member_id)s, %(name_sealed)s, %(languages)s, %(channels)s, %(time_zone)s,
             %(may_sign)s, %(discreet)s, %(paused)s, %(gender)s, %(quiet_from)s, %(quiet_until)s, %(may_wake)s)
        ON CONFLICT (id) DO UPDATE SET
            name_sealed = EXCLUDED.name_sealed, languages = EXCLUDED.languages, channels = EXCLUDED.channels,
            time_zone = EXCLUDED.time_zone, may_sign = EXCLUDED.may_sign, discreet = EXCLUDED.discreet,
            paused = EXCLUDED.paused, gender = EXCLUDED.gender, quiet_from = EXCLUDED.quiet_from,
            quiet_until = EXCLUDED.quiet_until, may_wake = EXCLUDED.may_wake
        """,
        **asdict(contact) | {"languages": list(contact.languages), "channels": list(contact.channels)},
    )


async def save_address(conn: Connection, address: Address) -> None:
    """Add an address, or change what it holds."""
    await run(
        conn,
        """
        INSERT INTO addresses (id, owner_kind, owner_id, channel, value_sealed, value_index, verified_at, country)
        VALUES
            (%(id)s, %(owner_kind)s, %(owner_id)s, %(channel)s, %(value_sealed)s, %(value_index)s, %(verified_at)s,
             %(country)s)
        ON CONFLICT (id) DO UPDATE SET
            value_sealed = EXCLUDED.value_sealed, value_index = EXCLUDED.value_index,
            verified_at = EXCLUDED.verified_at, country = EXCLUDED.country
        """,
        **asdict(address),
    )


async def find_member(conn: Connection, member_id: UUID) -> Member | None:
    """A member by id."""
    return await row(
        conn,
        Member,
        """
        SELECT id, reference, kind, standing, country, region, groups, names_sealed
        FROM members WHERE id = %(id)s
        """,
        id=member_id,
    )


async def members_by_reference(conn: Connection, references: Collection[str]) -> list[Member]:
    """Those of these members that are here already."""
    return await rows(
        conn,
        Member,
        """
        SELECT id, reference, kind, standing, country, region, groups, names_sealed
        FROM members WHERE reference = ANY(%(references)s)
        """,
        references=list(references),
    )


async def find_contact(conn: Connection, contact_id: UUID) -> Contact | None:
    """A contact by id."""
    return await row(
        conn,
        Contact,
        """
        SELECT id, member_id, name_sealed, languages, channels, time_zone, may_sign, discreet, paused, gender,
               quiet_from, quiet_until, may_wake
        FROM contacts WHERE id = %(id)s
        """,
        id=contact_id,
    )


async def contact_at(conn: Connection, channel: ChannelName, value_index: bytes) -> Contact | None:
    """The contact whom this address reaches (`KeyFile.index(channel, address)`)."""
    return await row(
        conn,
        Contact,
        """
        SELECT c.id, c.member_id, c.name_sealed, c.languages, c.channels, c.time_zone,
               c.may_sign, c.discreet, c.paused, c.gender, c.quiet_from, c.quiet_until, c.may_wake
        FROM contacts c JOIN addresses a ON a.owner_kind = 'contact' AND a.owner_id = c.id
        WHERE a.channel = %(channel)s AND a.value_index = %(index)s
        """,
        channel=channel, index=value_index,
    )  # fmt: skip


async def contacts_of(conn: Connection, member_ids: Collection[UUID]) -> list[Contact]:
    """The people in these members, those who came first before the others."""
    return await rows(
        conn,
        Contact,
        """
        SELECT id, member_id, name_sealed, languages, channels, time_zone, may_sign, discreet, paused, gender,
               quiet_from, quiet_until, may_wake
        FROM contacts WHERE member_id = ANY(%(members)s) ORDER BY joined_at, id
        """,
        members=list(member_ids),
    )


async def addresses_of(conn: Connection, owner_ids: Collection[UUID]) -> list[Address]:
    """Every address of these contacts, staff or targets."""
    return await rows(
        conn,
        Address,
        """
        SELECT id, owner_kind, owner_id, channel, value_sealed, value_index, verified_at, country
        FROM addresses WHERE owner_id = ANY(%(owners)s)
        """,
        owners=list(owner_ids),
    )


async def contact_addresses_at(conn: Connection, spots: Collection[Spot]) -> list[Address]:
    """Those contact addresses that stand at one of these spots."""
    return await rows(
        conn,
        Address,
        """
        SELECT a.id, a.owner_kind, a.owner_id, a.channel, a.value_sealed, a.value_index, a.verified_at, a.country
        FROM addresses a
        JOIN unnest(%(channels)s::text[], %(indexes)s::bytea[]) AS spot (channel, value_index)
            ON a.channel = spot.channel AND a.value_index = spot.value_index
        WHERE a.owner_kind = 'contact'
        """,
        channels=[channel for channel, _ in spots], indexes=[index for _, index in spots],
    )  # fmt: skip


async def member_names(conn: Connection, member_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """The sealed names of members, for `open_names`."""
    found = await rows(
        conn,
        _Sealed,
        "SELECT id, names_sealed AS sealed FROM members WHERE id = ANY(%(ids)s)",
        ids=list(member_ids),
    )
    return {one.id: one.sealed for one in found}


async def contact_names(conn: Connection, contact_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """The sealed names of contacts, for `open_person`."""
    found = await rows(
        conn,
        _Sealed,
        "SELECT id, name_sealed AS sealed FROM contacts WHERE id = ANY(%(ids)s)",
        ids=list(contact_ids),
    )
    return {one.id: one.sealed for one in found}


async def suppress(
    conn: Connection, channel: ChannelName, value_index: bytes, reason: StopReason, now: datetime
) -> None:
    """Write to this address no more; that somebody said stop is never replaced by a lesser reason."""
    await run(
        conn,
        """
        INSERT INTO suppressions (channel, value_index, reason, since)
        VALUES (%(channel)s, %(index)s, %(reason)s, %(now)s)
        ON CONFLICT (channel, value_index) DO UPDATE SET reason = EXCLUDED.reason, since = EXCLUDED.since
            WHERE suppressions.reason <> 'opted_out'
        """,
        channel=channel, index=value_index, reason=reason, now=now,
    )  # fmt: skip


async def is_suppressed(conn: Connection, channel: ChannelName, value_index: bytes) -> bool:
    """Whether this address is written to no more."""
    return bool(
        await value(
            conn,
            """
            SELECT EXISTS (
                SELECT FROM suppressions WHERE channel = %(channel)s AND value_index = %(index)s
            )
            """,
            channel=channel, index=value_index,
        )
    )  # fmt: skip


async def suppressed(conn: Connection, spots: Collection[Spot]) -> set[Spot]:
    """Which of these addresses are written to no more."""
    found = await rows(
        conn,
        _Spot,
        """
        SELECT s.channel, s.value_index FROM suppressions s
        JOIN unnest(%(channels)s::text[], %(indexes)s::bytea[]) AS spot (channel, value_index)
            ON s.channel = spot.channel AND s.value_index = spot.value_index
        """,
        channels=[channel for channel, _ in spots], indexes=[index for _, index in spots],
    )  # fmt: skip
    return {(one.channel, one.value_index) for one in found}
