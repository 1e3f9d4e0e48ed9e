"""An endorsement: who answers for whom, which answers are hers to give, and until when. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sos.actions.action import Kind, NamesShown, State


class Answer(StrEnum):
    """What somebody says to a letter."""

    SIGN = "sign"
    SIGN_INDIVIDUALLY = "sign_individually"
    DECLINE = "decline"


class Door(StrEnum):
    """By which way an answer came."""

    WEB = "web"
    TELEGRAM = "telegram"
    SMS = "sms"


class Became(StrEnum):
    """What an answer led to."""

    RECORDED = "recorded"
    ALREADY = "already"
    COLLEAGUE = "colleague"


class Ended(Exception):
    """The deadline has passed, or the action was stopped: nothing was signed."""


class NotHers(Exception):
    """She may not sign for the organisation; in her own name she may."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """One contact asked by one delivery: whom she answers for, and on what."""

    delivery: int
    channel: str
    language: str
    action_id: UUID
    kind: Kind
    state: State
    names_shown: NamesShown
    deadline_at: datetime
    contact_id: UUID
    contact_sealed: bytes
    member_id: UUID
    member_sealed: bytes
    country: str
    region: str
    may_sign: bool
    time_zone: str
    address_id: UUID
    address_sealed: bytes

    def is_running(self, now: datetime) -> bool:
        """Whether it is still going on."""
        return self.state is State.LAUNCHED and now < self.deadline_at

    def is_open(self, now: datetime) -> bool:
        """Whether an answer still counts."""
        return self.kind is Kind.LETTER and self.is_running(now)

    def require(self, answer: Answer, now: datetime) -> None:
        """Raises Ended, NotHers."""
        if not self.is_open(now):
            raise Ended
        if answer is Answer.SIGN and not self.may_sign:
            raise NotHers


@dataclass(frozen=True, slots=True)
class Given:
    """The answer that stands."""

    answer: Answer
    answered_at: datetime
    contact_id: UUID
