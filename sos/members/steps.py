"""Bringing members into the network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sos.actor import Actor
from sos.database import Connection
from sos.jobs import Record
from sos.journal import note
from sos.members import store
from sos.members.importing import Parsed, Row
from sos.members.matching import Known, Plan, plan_import, spots_of
from sos.members.member import Address, Spot
from sos.members.table import Problem
from sos.vault import KeyFile

Thing = TypeVar("Thing")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do (`is_written` says which), and what it could not take."""

    members_added: int
    members_changed: int
    contacts_added: int
    contacts_changed: int
    contacts_unchanged: int
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...]
    is_written: bool


async def preview_import(record: Record, keys: KeyFile, parsed: Parsed) -> ImportResult:
    """What importing these rows would do; nothing is written."""
    async with record.reading() as conn:
        return _result(parsed, await _plan(conn, keys, parsed.rows), is_written=False)


async def import_members(
    record: Record, keys: KeyFile, parsed: Parsed, actor: Actor, now: datetime, *, partial: bool
) -> ImportResult:
    """Add and update members and contacts in one transaction; nothing at all if a row is bad and not `partial`."""
    async with record.step() as step:
        await store.one_import_at_a_time(step.conn)
        plan = await _plan(step.conn, keys, parsed.rows)
        result = _result(parsed, plan, is_written=partial or not parsed.problems)
        if result.is_written:
            await _write(step.conn, plan, actor, now)
        return result


async def _plan(conn: Connection, keys: KeyFile, rows: Sequence[Row]) -> Plan:
    spots = [spot for row in rows for spot in spots_of(keys, row.contact).values()]
    members = await store.members_by_reference(conn, {row.member.reference for row in rows})
    contacts = await store.contacts_of(conn, [member.id for member in members])
    addresses = await store.addresses_of(conn, [contact.id for contact in contacts])
    at_spots = await store.contact_addresses_at(conn, spots)
    known = Known(
        members={member.reference: member for member in members},
        contacts=_grouped(contacts, lambda contact: contact.member_id),
        addresses=_grouped(addresses, lambda address: address.owner_id),
        owners={spot: {one.owner_id for one in found} for spot, found in _grouped(at_spots, _spot).items()},
        suppressed=frozenset(await store.suppressed(conn, spots)),
    )
    return plan_import(keys, known, rows)


def _grouped(things: Iterable[Thing], key: Callable[[Thing], Key]) -> dict[Key, list[Thing]]:
    groups: dict[Key, list[Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def _spot(address: Address) -> Spot:
    return address.channel, address.value_index


def _result(parsed: Parsed, plan: Plan, *, is_written: bool) -> ImportResult:
    return ImportResult(
        members_added=len(plan.added_members),
        members_changed=len(plan.changed_members),
        contacts_added=len(plan.added_contacts),
        contacts_changed=len(plan.changed_contacts),
        contacts_unchanged=plan.unchanged,
        problems=parsed.problems,
        remarks=tuple(sorted((*parsed.remarks, *plan.remarks), key=lambda problem: problem.line)),
        is_written=is_written,
    )


async def _write(conn: Connection, plan: Plan, actor: Actor, now: datetime) -> None:
    for did, members in {"member.added": plan.added_members, "member.changed": plan.changed_members}.items():
        for member in members:
            await store.save_member(conn, member)
            await note(conn, did, actor, member.id, now)
    channels = _grouped(plan.addresses, lambda address: address.owner_id)
    for did, contacts in {"contact.added": plan.added_contacts, "contact.changed": plan.changed_contacts}.items():
        for contact in contacts:
            await store.save_contact(conn, contact)
            new = [address.channel for address in channels.get(contact.id, ())]
            await note(conn, did, actor, contact.id, now, new_addresses=new)
    for address in plan.addresses:
        await store.save_address(conn, address)
