"""Which rows of a list are people whom we know already, and what their rows would change."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from channels.base import ChannelName
from sos.members.cells import phone_country
from sos.members.importing import ContactRow, MemberRow, Row
from sos.members.member import Address, Contact, Member, OwnerKind, Spot
from sos.members.sealed import open_names, open_person, seal_address, seal_names, seal_person
from sos.members.table import Problem
from sos.vault import KeyFile


@dataclass(frozen=True, slots=True)
class Known:
    """What the record holds about the members, people and addresses in a list."""

    members: Mapping[str, Member]
    contacts: Mapping[UUID, Sequence[Contact]]
    addresses: Mapping[UUID, Sequence[Address]]
    owners: Mapping[Spot, Collection[UUID]]
    suppressed: frozenset[Spot]


@dataclass(slots=True)
class Plan:
    """What an import would write."""

    added_members: list[Member] = field(default_factory=list[Member])
    changed_members: list[Member] = field(default_factory=list[Member])
    added_contacts: list[Contact] = field(default_factory=list[Contact])
    changed_contacts: list[Contact] = field(default_factory=list[Contact])
    addresses: list[Address] = field(default_factory=list[Address])
    unchanged: int = 0
    remarks: list[Problem] = field(default_factory=list[Problem])


def spots_of(keys: KeyFile, contact: ContactRow) -> dict[ChannelName, Spot]:
    """Where each of a row's addresses would be found."""
    return {channel: (channel, keys.index(channel, value)) for channel, value in contact.addresses.items()}


def plan_import(keys: KeyFile, known: Known, rows: Sequence[Row]) -> Plan:
    """What these rows would add and change; an address that is somebody else's too is shared, which is remarked on."""
    matching = _Matching(keys, known, rows)
    for row in rows:
        matching.place(row)
    return matching.plan


class _Matching:
    """Goes through the rows of one list."""

    def __init__(self, keys: KeyFile, known: Known, rows: Sequence[Row]) -> None:
        self._keys = keys
        self._known = known
        self._members = dict(known.members)
        self._seen: set[str] = set()
        self._names = self._known_names()
        self._named = {id for row in rows if (id := self._names.get((row.member.reference, row.contact.name)))}
        self.plan = Plan()

    def _known_names(self) -> dict[tuple[str, str], UUID]:
        """Who bears which name in which member."""
        return {
            (member.reference, open_person(self._keys, contact.id, contact.name_sealed)): contact.id
            for member in self._known.members.values()
            for contact in self._known.contacts.get(member.id, ())
        }

    def place(self, row: Row) -> None:
        """Find the row's contact, or make her, and note what changes."""
        spots = spots_of(self._keys, row.contact)
        found = self._find(row, spots)
        shared = [channel for channel, spot in spots.items() if set(self._known.owners.get(spot, ())) - {found}]
        self.plan.remarks += [Problem(row.line, channel, "import.address.shared") for channel in shared]
        member = self._place_member(row.member)
        old = next((one for one in self._known.contacts.get(member.id, ()) if one.id == found), None)
        contact = _describe_contact(self._keys, old, row.contact, member.id)
        addresses = self._new_addresses(row, contact, spots)
        self.plan.addresses += addresses
        if old is None:
            self.plan.added_contacts.append(contact)
        elif addresses or contact != old:
            self.plan.changed_contacts.append(contact)
        else:
            self.plan.unchanged += 1

    def _find(self, row: Row, spots: Mapping[ChannelName, Spot]) -> UUID | None:
        """The contact of this member with the same name, else the only one whom one of the addresses reaches.

        Each stands for one row: two who share an address are not made into one.
        """
        named = self._names.get((row.member.reference, row.contact.name))
        if named:
            return named
        member = self._members.get(row.member.reference)
        people = {one.id for one in self._known.contacts.get(member.id, ())} if member else set[UUID]()
        reached = (people.intersection(self._known.owners.get(spot, ())) - self._named for spot in spots.values())
        found = next((one.pop() for one in reached if len(one) == 1), None)
        self._named |= {found} if found else set()
        return found

    def _place_member(self, row: MemberRow) -> Member:
        old = self._members.get(row.reference)
        if row.reference in self._seen and old:
            return old
        member = _describe_member(self._keys, old, row)
        self._seen.add(row.reference)
        self._members[row.reference] = member
        if old is None:
            self.plan.added_members.append(member)
        elif member != old:
            self.plan.changed_members.append(member)
        return member

    def _new_addresses(self, row: Row, contact: Contact, spots: Mapping[ChannelName, Spot]) -> list[Address]:
        """The addresses that are not there yet; one whose holder said stop stays out."""
        before = {old.channel: old for old in self._known.addresses.get(contact.id, ())}
        owner = (OwnerKind.CONTACT, contact.id)
        new: list[Address] = []
        for channel, spot in spots.items():
            old = before.get(channel)
            if spot in self._known.suppressed:
                self.plan.remarks.append(Problem(row.line, channel, "import.address.said_stop"))
                continue
            value = row.contact.addresses[channel]
            country = phone_country(value) if channel is ChannelName.SMS else None
            if old is None or old.value_index != spot[1]:
                new.append(seal_address(self._keys, owner, channel, value, id=old.id if old else None, country=country))
            elif old.country != country:
                new.append(replace(old, country=country))
        return new


def _describe_member(keys: KeyFile, old: Member | None, row: MemberRow) -> Member:
    """The member as the row has it; what the row leaves out stays as it was, and so do equal names."""
    id = old.id if old else uuid4()
    before = open_names(keys, old.id, old.names_sealed) if old else {}
    names = {**before, **row.names}
    return Member(
        id=id,
        reference=row.reference,
        kind=row.kind,
        standing=row.standing,
        country=row.country,
        region=row.region,
        groups=row.groups or (old.groups if old else ()),
        names_sealed=old.names_sealed if old and names == before else seal_names(keys, id, names),
    )


def _describe_contact(keys: KeyFile, old: Contact | None, row: ContactRow, member_id: UUID) -> Contact:
    """The contact as the row has her; what the row leaves out stays as it was, and so does an equal name."""
    base = old or _new_contact(keys, row, member_id)
    quiet_from, quiet_until = row.quiet_hours or (base.quiet_from, base.quiet_until)
    same_name = open_person(keys, base.id, base.name_sealed) == row.name
    return replace(
        base,
        name_sealed=base.name_sealed if same_name else seal_person(keys, base.id, row.name),
        languages=row.languages,
        channels=tuple(dict.fromkeys([*row.channels, *base.channels])),
        time_zone=row.time_zone or base.time_zone,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
        may_wake=base.may_wake if row.may_wake is None else row.may_wake,
        may_sign=base.may_sign if row.may_sign is None else row.may_sign,
        discreet=base.discreet if row.discreet is None else row.discreet,
        gender=row.gender or base.gender,
    )


def _new_contact(keys: KeyFile, row: ContactRow, member_id: UUID) -> Contact:
    id = uuid4()
    return Contact(id, member_id, seal_person(keys, id, row.name), row.languages, row.channels, row.usual_time_zone)
