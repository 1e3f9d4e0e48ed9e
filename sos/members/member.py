"""Members, the people in them and their addresses; what a name may hold, and how it is shown.

Names and addresses stand here sealed, so that none of these objects can spill one; `sealed.py` opens them.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from channels.base import ChannelName

OWN_SCRIPT = ""  # the language key of the name that an organisation gives itself
NAME_LENGTH = 200
HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # bidi embeddings, overrides, isolates
VOWEL_KILLERS = 9  # combining classes up to here (nukta, virama) belong to the letter; accents come after

Spot = tuple[ChannelName, bytes]  # a channel, and the blind index of an address on it


class MemberKind(StrEnum):
    """What a member is."""

    NGO = "ngo"
    MOVEMENT = "movement"
    GRASSROOTS = "grassroots"
    INDIVIDUAL = "individual"


class Standing(StrEnum):
    """Members are the network; allies sign and receive, but are counted apart."""

    MEMBER = "member"
    ALLY = "ally"


class Gender(StrEnum):
    """As the contact gave it herself; often not given."""

    WOMAN = "woman"
    MAN = "man"
    OTHER = "other"


class OwnerKind(StrEnum):
    """Whose an address can be."""

    CONTACT = "contact"
    STAFF = "staff"
    TARGET = "target"


class StopReason(StrEnum):
    """Why an address is not written to any more."""

    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    BOUNCED = "bounced"
    WRONG_NUMBER = "wrong_number"


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation, movement or individual of the network, or an ally of it."""

    id: UUID
    reference: str
    kind: MemberKind
    standing: Standing
    country: str
    region: str
    groups: tuple[str, ...]
    names_sealed: bytes


@dataclass(frozen=True, slots=True)
class Contact:
    """A person inside a member; languages and channels stand in her order of preference.

    Her phone does not ring between `quiet_from` and `quiet_until` by the clock of her time zone, unless she `may_wake`.
    `discreet`: None leaves it to us.
    """

    id: UUID
    member_id: UUID
    name_sealed: bytes
    languages: tuple[str, ...]
    channels: tuple[ChannelName, ...]
    time_zone: str
    may_sign: bool = False
    discreet: bool | None = None
    paused: bool = False
    gender: Gender | None = None
    quiet_from: time = time(22)
    quiet_until: time = time(7)
    may_wake: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where one channel reaches somebody; found by its blind index, read only with the key file.

    `country` is that of a phone number, by its prefix.
    """

    id: UUID
    owner_kind: OwnerKind
    owner_id: UUID
    channel: ChannelName
    value_sealed: bytes
    value_index: bytes
    verified_at: datetime | None = None
    country: str | None = None


class Unacceptable(ValueError):
    """Ask for another value: `key` says what is wrong with this one, in words that are translated for people."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key)
        self.key = key
        self.facts = facts


def name_in(names: Mapping[str, str], language: str) -> str:
    """The organisation's name as it writes it in this language, else in its own script."""
    return names.get(language) or names[OWN_SCRIPT]


def clean_name(text: str) -> str:
    """A name as it is stored: NFC, single spaces, joiners and accents kept. Raises Unacceptable."""
    text = unicodedata.normalize("NFC", text.strip())
    name = " ".join(text.split())
    if not name or len(name) > NAME_LENGTH or any(map(_is_hidden, text)):
        raise Unacceptable("import.name.unusable")
    if name.startswith("=") or "=?" in name:  # a spreadsheet's formula, or the beginning of an encoded mail header
        raise Unacceptable("import.name.formula")
    return name


def _is_hidden(char: str) -> bool:
    return char in TURNING or unicodedata.category(char) in HIDDEN_CATEGORIES


def fold(text: str) -> str:
    """A text without case, accents, spaces and punctuation: a hint that two may be the same, never proof."""
    return "".join(filter(_counts, unicodedata.normalize("NFKD", text).casefold()))


def _counts(char: str) -> bool:
    if unicodedata.combining(char):
        return unicodedata.combining(char) <= VOWEL_KILLERS
    return char.isalnum() or unicodedata.category(char) in {"Mn", "Mc"}
