"""A report: what somebody says of a danger, and the receipt that lets her come back. No I/O."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

CODE_DIGITS = 20
SHOWN_AGAIN = timedelta(minutes=10)  # a lost answer on a weak signal; later the code is hers alone
FREE_GUESSES = 3
LONGEST_WAIT = timedelta(hours=6)


class Urgency(StrEnum):
    """How soon somebody may be harmed."""

    LIFE = "life"
    SERIOUS = "serious"
    ROUTINE = "routine"


class Stage(StrEnum):
    """How far her report has come, as she is told."""

    RECEIVED = "received"
    OPENED = "opened"
    CHECKING = "checking"
    ACTING = "acting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Told:
    """Her words. They exist in clear only while a request holds them."""

    what: str
    whom: str
    where: str
    reach: str

    def dump(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def load(cls, clear: bytes) -> "Told":
        return cls(**json.loads(clear))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What she keeps: a number that names her report and a code that opens it."""

    number: int
    code: str

    @property
    def groups(self) -> list[str]:
        """The code in fives, to read and to copy."""
        return [self.code[at : at + 5] for at in range(0, CODE_DIGITS, 5)]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as its labels show it; its words are elsewhere, sealed."""

    id: UUID
    number: int
    language: str
    urgency: Urgency
    stage: Stage
    filed_at: datetime
    opened_by: UUID | None
    opened_at: datetime | None


class AlreadyFiled(Exception):
    """This form was sent before, and its receipt was shown: the report is here, once."""

    def __init__(self, number: int) -> None:
        self.number = number


class FiledOtherwise(Exception):
    """This form was sent before with other words: those are stored, these are not."""

    def __init__(self, number: int) -> None:
        self.number = number


class WrongReceipt(Exception):
    """No report opens with this number and code."""


class ReceiptLocked(Exception):
    """Too many wrong codes for this number: wait until `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until


def new_form_secret() -> str:
    """What makes one form different from every other; the page holds it, the database never."""
    return secrets.token_urlsafe(24)


def code_of(form_secret: str) -> str:
    """The receipt code that belongs to a form: 20 digits, the same if the form is sent again."""
    number = int.from_bytes(hashlib.sha256(b"sos/receipt/" + form_secret.encode()).digest(), "big")
    return str(number % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def wait_after(wrong_codes: int, now: datetime) -> datetime | None:
    """Until when a number rests after so many wrong codes: nothing for three, then from a minute to six hours."""
    over = wrong_codes - FREE_GUESSES
    return now + min(timedelta(minutes=1) * 2 ** min(over, 9), LONGEST_WAIT) if over >= 0 else None
