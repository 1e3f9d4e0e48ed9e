"""A letter: the text and its signatories as they were frozen, and what it says of how many signed. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sos.letters.typeset import Signatory
from sos.vault import digest


class State(StrEnum):
    """How far a letter has come."""

    FROZEN = "frozen"
    RELEASED = "released"


class NobodySigned(Exception):
    """A letter without signatures is not sent."""


class Stopped(Exception):
    """Somebody has stopped this letter: it is not sent."""


class ConsentGone(Exception):
    """Somebody in danger has taken back a consent on which this letter leans: it is not sent."""


class NotTypeset(Exception):
    """The letter's pages are not ready yet, or a name in it cannot be set in any font that we have."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A frozen letter as its labels show it."""

    id: UUID
    action_id: UUID
    state: State
    signatories_hash: bytes
    organisations: int
    individuals: int
    countries: int
    frozen_at: datetime
    released_at: datetime | None

    @property
    def signatures(self) -> int:
        return self.organisations + self.individuals


def dump_signatories(signatories: Sequence[Signatory]) -> str:
    """Signatories as text, to be sealed."""
    return json.dumps([asdict(one) for one in signatories], ensure_ascii=False)


def load_signatories(clear: str) -> tuple[Signatory, ...]:
    """Signatories as they were frozen."""
    return tuple(Signatory(**one) for one in json.loads(clear))


def hash_of(letter_id: UUID, signatories: Sequence[Signatory]) -> bytes:
    """What tells one letter's list of signatories from every other, also from the same names under another letter."""
    parts = ((one.name, one.country, str(one.individual)) for one in signatories)
    return digest("signatories", str(letter_id), *(part for one in parts for part in one))
