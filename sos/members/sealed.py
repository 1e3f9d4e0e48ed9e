"""Names and addresses on their way into the record, and out of it again."""

import json
from collections.abc import Mapping
from typing import cast
from uuid import UUID, uuid4

from pydantic_core import from_json

from channels.base import ChannelName
from sos.members.member import Address, OwnerKind
from sos.vault import KeyFile, Place


def seal_names(keys: KeyFile, member_id: UUID, names: Mapping[str, str]) -> bytes:
    """A member's names by language ("": in its own script), for `members.names_sealed`."""
    return keys.seal(json.dumps(dict(names), ensure_ascii=False), Place("members", "names_sealed", member_id))


def open_names(keys: KeyFile, member_id: UUID | str, sealed: bytes) -> dict[str, str]:
    """A member's names by language. Raises CannotOpen."""
    return cast(dict[str, str], from_json(keys.open_bytes(sealed, Place("members", "names_sealed", member_id))))


def seal_person(keys: KeyFile, contact_id: UUID, name: str) -> bytes:
    """A contact's name, for `contacts.name_sealed`."""
    return keys.seal(name, Place("contacts", "name_sealed", contact_id))


def open_person(keys: KeyFile, contact_id: UUID | str, sealed: bytes) -> str:
    """A contact's name. Raises CannotOpen."""
    return keys.open(sealed, Place("contacts", "name_sealed", contact_id))


def seal_address(
    keys: KeyFile, owner: tuple[OwnerKind, UUID], channel: ChannelName, value: str, *, id: UUID | None = None,
    country: str | None = None,
) -> Address:  # fmt: skip
    """An address of somebody, not verified yet; `id` where it takes the place of an earlier one."""
    address_id = id or uuid4()
    sealed = keys.seal(value, Place("addresses", "value_sealed", address_id))
    return Address(address_id, *owner, channel, sealed, keys.index(channel, value), country=country)


def open_address(keys: KeyFile, address_id: UUID | str, sealed: bytes) -> str:
    """An address as the channel needs it. Raises CannotOpen."""
    return keys.open(sealed, Place("addresses", "value_sealed", address_id))
