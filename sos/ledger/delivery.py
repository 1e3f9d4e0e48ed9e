"""A delivery: one message to one recipient by one channel, its states, and what each outcome asks for."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from channels.base import (
    Accepted,
    Busy,
    ChannelName,
    Misconfigured,
    ReceiptState,
    Refused,
    Result,
    Unconfirmed,
)
from sos.members.member import OwnerKind, StopReason

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=15)
POLICY = "policy "  # how a refusal begins that is about us and not about the recipient
POLICY_PAUSE = timedelta(minutes=15)
POLICY_TRIES = 4
REMEMBERED = 200  # outcomes of a channel that are looked back at
MOST_BY_POLICY = 10  # of these: 5 %
INTERRUPTED = "interrupted"
LIFE = 0  # the urgency that leaves before all others
EXPIRED = "expired"
MISCONFIGURED = "misconfigured"
UNCONFIRMED = "unconfirmed"
UNRENDERABLE = "unrenderable"
ATTEMPT_BITS = 62


class Purpose(StrEnum):
    """What a delivery is about, and so which stage renders it."""

    ACTION = "action"
    LETTER = "letter"
    THANKS = "thanks"
    NOTICE = "notice"
    REPLY = "reply"


class DeliveryState(StrEnum):
    """Where a delivery stands; *accepted*, *delivered* and *answered* are three different things."""

    QUEUED = "queued"
    MARKED = "marked"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    SHARED = "shared"
    ENDED = "ended"


@dataclass(slots=True)  # not frozen: thousands are made every second
class Due:
    """A delivery that may leave now: as much of it as sending it needs."""

    id: int
    purpose: Purpose
    about: UUID
    kind: str
    channel: ChannelName
    language: str
    urgency: int
    discreet: bool
    due_at: datetime
    expires_at: datetime
    attempts: int
    unconfirmed: int
    marked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the ledger. `attempt` is the fence of whoever marked it, `attempts` how many outcomes it has had."""

    id: int
    purpose: Purpose
    about: UUID
    case_id: UUID | None
    kind: str
    recipient_kind: OwnerKind
    recipient_id: UUID
    channel: ChannelName
    address_id: UUID
    language: str
    urgency: int
    step: int
    state: DeliveryState
    reason: str
    due_at: datetime
    expires_at: datetime
    attempt: int
    attempts: int
    unconfirmed: int
    provider_id: str
    planned_at: datetime
    marked_at: datetime | None
    settled_at: datetime | None


@dataclass(slots=True)  # not frozen: thousands are made every second
class Settlement:
    """What to write after an attempt. All values are absolute, so that writing it twice is writing it once."""

    id: int
    attempt: int
    state: DeliveryState
    reason: str
    due_at: datetime
    attempts: int
    unconfirmed: int
    provider_id: str = ""
    stops: StopReason | None = None
    closes_channel: bool = False


def new_attempt() -> int:
    """The number of an attempt, drawn by whoever makes it: so it is known also where the database's answer is lost."""
    return secrets.randbits(ATTEMPT_BITS)


class HoldScope(StrEnum):
    """What a hold can stop."""

    EVERYTHING = "everything"
    CHANNEL = "channel"
    ABOUT = "about"
    CASE = "case"
    RECIPIENT = "recipient"
    WAVE = "wave"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Hold:
    """Stops every delivery that it names until it is lifted; without `placed_by` it was placed by the service.

    `wave` spares the first wave of what it names, `budget` what is about a life.
    """

    scope: HoldScope
    target: str
    reason: str
    placed_by: UUID | None
    placed_at: datetime
    people_needed: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many deliveries of one channel and language stand in one state."""

    channel: ChannelName
    language: str
    state: DeliveryState
    count: int


def after(due: Due, attempt: int, result: Result, now: datetime) -> Settlement:
    """The one retry policy: what an outcome (also the silence that a crash leaves) makes of a delivery."""
    tried = Settlement(
        due.id, attempt, DeliveryState.QUEUED, "", due.due_at, due.attempts + 1, due.unconfirmed
    )  # fmt: skip
    match result:
        case Accepted(provider_id):
            tried.state, tried.provider_id = (
                DeliveryState.ACCEPTED,
                provider_id,
            )  # not a copy: the outcome of nearly all
            return tried
        case Refused(reason) if reason.startswith(POLICY) and tried.attempts < POLICY_TRIES:
            return _queue_again(due, replace(tried, reason=reason, due_at=now + POLICY_PAUSE))
        case Refused(reason):
            return replace(tried, state=DeliveryState.REFUSED, reason=reason, stops=why_stop(due.channel, reason))
        case Busy(wait, reason) if result.wants_silence or reason == UNCONFIRMED:
            # Said of us, or only asked: no attempt at this message, which need not wait longer each time.
            return _queue_again(due, replace(tried, reason=reason, attempts=due.attempts, due_at=now + wait))
        case Busy(wait, reason):
            due_at = now + max(wait, back_off(tried.attempts))
            return _queue_again(due, replace(tried, reason=reason, due_at=due_at))
        case Unconfirmed(reason):
            return _after_silence(due, replace(tried, reason=reason, unconfirmed=tried.unconfirmed + 1), now)
        case Misconfigured(reason):
            return replace(tried, reason=reason or MISCONFIGURED, attempts=due.attempts, closes_channel=True)


def closes_channel(by_policy: Collection[bool]) -> bool:
    """Whether so many of a channel's last outcomes were refusals by policy that the fault must be ours."""
    return sum(by_policy) >= MOST_BY_POLICY


def back_off(attempts: int) -> timedelta:
    """10 seconds after the first attempt, twice as long after each further one, up to a quarter of an hour."""
    doubled: int = 1 << min(attempts - 1, 10)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


def later_state(current: DeliveryState, receipt: ReceiptState) -> DeliveryState:
    """What a receipt makes of a state: never back, whether it comes late, twice, or before our own settlement."""
    reported = {
        ReceiptState.SENT: DeliveryState.ACCEPTED,
        ReceiptState.FAILED: DeliveryState.FAILED,
        ReceiptState.DELIVERED: DeliveryState.DELIVERED,
    }[receipt]
    return max(current, reported, key=_rank)


def why_stop(channel: ChannelName, reason: str) -> StopReason | None:
    """Why an address must not be written to again, where a refusal says so of the address itself."""
    found = (stop for at, pattern, stop in _SAYS_STOP if at == channel and re.match(pattern, reason))
    return next(found, None)


# The reasons as channels/ word them: reply and enhanced codes (RFC 5321, 3463), Twilio's codes, Telegram's errors.
_SAYS_STOP = (
    (ChannelName.EMAIL, r"(55\d )?5\.(1\.|2\.1\b)|55[013] to RCPT", StopReason.BOUNCED),
    (ChannelName.SMS, r"(Twilio )?21610$", StopReason.OPTED_OUT),
    (ChannelName.SMS, r"(Twilio )?(21211|21214|21217|21614|30005|30006)$", StopReason.WRONG_NUMBER),
    (ChannelName.TELEGRAM, r"Forbidden", StopReason.BLOCKED),
    (ChannelName.TELEGRAM, r"BadRequest: Chat not found", StopReason.WRONG_NUMBER),
    (ChannelName.BY_HAND, r"wrong_number$", StopReason.WRONG_NUMBER),
    (ChannelName.BY_HAND, r"opted_out$", StopReason.OPTED_OUT),
)

_RANKS = {
    DeliveryState.ACCEPTED: 1,
    DeliveryState.FAILED: 2,
    DeliveryState.DELIVERED: 3,
    DeliveryState.ANSWERED: 4,
}


def _rank(state: DeliveryState) -> int:
    return _RANKS.get(state, 0)


def _after_silence(due: Due, tried: Settlement, now: datetime) -> Settlement:
    if not _may_repeat(due, tried.unconfirmed):
        return replace(tried, state=DeliveryState.UNKNOWN)
    reason = UNCONFIRMED if due.channel is ChannelName.SMS else tried.reason
    # After a crash of ours nobody needs a rest.
    pause = timedelta() if tried.reason == INTERRUPTED else back_off(tried.attempts)
    return _queue_again(due, replace(tried, reason=reason, due_at=now + pause))


def _may_repeat(due: Due, unconfirmed: int) -> bool:
    """An email carries the same Message-ID, and of an SMS the provider is asked first; Telegram has neither."""
    match due.channel:
        case ChannelName.EMAIL:
            return unconfirmed <= 3
        case ChannelName.SMS:
            return True
        case ChannelName.TELEGRAM:
            return due.urgency == LIFE and unconfirmed <= 1
        case ChannelName.BY_HAND:
            return False


def _queue_again(due: Due, tried: Settlement) -> Settlement:
    if tried.due_at < due.expires_at:
        return tried
    # What may have arrived has not simply expired.
    state = DeliveryState.UNKNOWN if tried.unconfirmed else DeliveryState.ENDED
    return replace(tried, state=state, reason=EXPIRED)
