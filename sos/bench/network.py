"""A network of any size: the people of the practice list again and again, each sealed and reached for herself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import time
from uuid import uuid4

from psycopg.sql import SQL, Identifier

from channels.base import ChannelName
from sos.config import Config
from sos.database import Connection
from sos.members.importing import Row, parse_members
from sos.members.member import Address, Contact, Member, OwnerKind
from sos.members.sealed import seal_address, seal_names, seal_person
from sos.practice.seed import MEMBERS
from sos.vault import KeyFile

CONTACTS_OF_A_MEMBER = 3
BATCH = 1000 * CONTACTS_OF_A_MEMBER  # so much is in memory at once
PARTS_SAID = 5
NEVER_QUIET = {"quiet_from": time(), "quiet_until": time()}  # equal ends: the same is measured at every hour

Reach = Callable[[int], tuple[ChannelName, str]]
Said = Callable[[str], None]


def by_email(number: int) -> tuple[ChannelName, str]:
    """Where the contact of this number is reached."""
    return ChannelName.EMAIL, f"c{number}@bench.example.org"


async def seed_network(
    conn: Connection, keys: KeyFile, config: Config, count: int, *, say: Said, reach: Reach = by_email
) -> None:
    """Write so many contacts and their members by COPY, and let PostgreSQL know what it holds (autocommit needed)."""
    people = parse_members(MEMBERS.read_bytes(), config).rows
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        async with conn.transaction():
            await _seed_batch(conn, keys, people, numbers, reach)
        if start * PARTS_SAID // count != numbers.stop * PARTS_SAID // count:
            say(f"{numbers.stop:,} of {count:,} contacts are sealed and written")
    await conn.execute("VACUUM (ANALYZE) members, contacts, addresses")
    await conn.execute("CHECKPOINT")


async def _seed_batch(conn: Connection, keys: KeyFile, people: Sequence[Row], numbers: range, reach: Reach) -> None:
    like = {number: people[number % len(people)] for number in numbers}
    members = [_member(keys, like[number], number) for number in numbers[::CONTACTS_OF_A_MEMBER]]
    contacts: list[Contact] = []
    addresses: list[Address] = []
    for place, number in enumerate(numbers):
        contact, address = _contact(keys, like[number], members[place // CONTACTS_OF_A_MEMBER], reach(number))
        contacts.append(contact)
        addresses.append(address)
    await _copy(conn, "members", map(_parts, members))
    await _copy(conn, "contacts", (_parts(contact) | NEVER_QUIET for contact in contacts))
    await _copy(conn, "addresses", map(_parts, addresses))


def _member(keys: KeyFile, like: Row, number: int) -> Member:
    row, member_id = like.member, uuid4()
    return Member(
        member_id, f"B-{number}", row.kind, row.standing, row.country, row.region, row.groups,
        seal_names(keys, member_id, row.names),
    )  # fmt: skip


def _contact(keys: KeyFile, like: Row, member: Member, at: tuple[ChannelName, str]) -> tuple[Contact, Address]:
    row, contact_id, (channel, address) = like.contact, uuid4(), at
    contact = Contact(
        contact_id, member.id, seal_person(keys, contact_id, row.name), row.languages, (channel,),
        row.time_zone or row.usual_time_zone, may_sign=True, gender=row.gender,
    )  # fmt: skip
    return contact, seal_address(keys, (OwnerKind.CONTACT, contact_id), channel, address)


def _parts(thing: Member | Contact | Address) -> dict[str, object]:
    """What is stored of it; the columns are named as its parts are."""
    return {part.name: getattr(thing, part.name) for part in fields(thing)}


async def _copy(conn: Connection, table: str, things: Iterable[Mapping[str, object]]) -> None:
    first, *others = things
    columns = SQL(", ").join(map(Identifier, first))
    query = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), columns)
    async with conn.cursor() as cursor, cursor.copy(query) as copy:
        for thing in (first, *others):
            await copy.write_row([list(part) if isinstance(part, tuple) else part for part in thing.values()])
