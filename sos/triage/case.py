"""A case: who has it, its clocks, when it is verified, and what those in danger allow. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sos.intake.report import Urgency

MOST_PEOPLE = 10_000_000


class State(StrEnum):
    """How far a case has come. Waiting: the next word is the reporter's."""

    OPEN = "open"
    WAITING = "waiting"
    VERIFIED = "verified"
    CLOSED = "closed"


MOVES: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.WAITING, State.VERIFIED, State.CLOSED}),
    State.WAITING: frozenset({State.OPEN, State.CLOSED}),
    State.VERIFIED: frozenset({State.OPEN, State.CLOSED}),
    State.CLOSED: frozenset(),
}


class SubjectKind(StrEnum):
    """Who is in danger."""

    PERSON = "person"
    GROUP = "group"
    ORGANISATION = "organisation"
    COMMUNITY = "community"


class Source(StrEnum):
    """Where a corroboration comes from."""

    MEMBER_NEAR = "member_near"
    MEMBER = "member"
    PARTNER = "partner"
    DOCUMENT = "document"
    PRESS = "press"
    OTHER = "other"


class Mandate(StrEnum):
    """Whether this is the network's to do."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Reliability(StrEnum):
    """How far the source can be trusted."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"


class Validity(StrEnum):
    """How far the information itself can be trusted, whoever brought it."""

    CONFIRMED = "1"
    PROBABLE = "2"
    POSSIBLE = "3"
    DOUBTFUL = "4"
    IMPROBABLE = "5"
    UNKNOWN = "6"


class Ending(StrEnum):
    """What was decided when a case was closed."""

    ACTED = "acted"
    REFERRED = "referred"
    PRIVATE = "private"
    OUTSIDE = "outside"
    UNCONFIRMED = "unconfirmed"
    UNSAFE = "unsafe"


class NoteKind(StrEnum):
    """Which decision a note gives the reason for."""

    CONTACT = "contact"
    WAITING = "waiting"
    MANDATE = "mandate"
    RISK_ACT = "risk_act"
    RISK_WAIT = "risk_wait"
    EXCEPTION = "exception"
    HANDOVER = "handover"
    TAKEN_OVER = "taken_over"
    RESUMED = "resumed"
    CLOSED = "closed"


class ConsentValue(StrEnum):
    """An answer to one scope of consent, the most generous first; no answer is a no."""

    YES = "yes"
    ANONYMISED = "anonymised"
    NOT_ASKED = "not_asked"
    NO = "no"
    WITHDRAWN = "withdrawn"


class AlreadyACase(Exception):
    """Somebody else was faster: this report is a case already; look there."""

    def __init__(self, case_id: UUID) -> None:
        self.case_id = case_id


class NoSuchCase(Exception):
    """There is no such report or case."""


class CaseMoved(Exception):
    """The case is in a state in which this cannot be done: look at it again."""


class NotYours(Exception):
    """A colleague has this case: ask her to do it, or take the case over."""


class NotAColleague(Exception):
    """A case is handed to another triager of the secretariat: choose one."""


class NotVerifiable(Exception):
    """What verification still needs, all of it at once."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing


class StillActing(Exception):
    """An action still runs that may lean on a consent taken back: stop it, or ask her again."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as its labels show it; names, notes and reasons are elsewhere, sealed. `country` is where it happens."""

    id: UUID
    report_id: UUID
    number: int
    urgency: Urgency
    owner_id: UUID
    handed_to: UUID | None
    working_group: str
    state: State
    opened_at: datetime
    first_contact_due_at: datetime
    decision_due_at: datetime
    first_contact_at: datetime | None
    waiting_since: datetime | None
    decided_at: datetime | None
    mandate: Mandate | None
    ending: Ending | None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise that runs: `what` is 'first_contact' or 'decision'."""

    what: str
    due_at: datetime

    def is_late(self, now: datetime) -> bool:
        return now > self.due_at


@dataclass(frozen=True, slots=True)
class Findings:
    """What verification looks at."""

    mandate: Mandate | None = None
    sources: tuple[Source, ...] = ()
    has_exception: bool = False
    is_graded: bool = False
    risk_act: bool = False
    risk_wait: bool = False


def require_move(case: Case, to: State) -> None:
    """Raises CaseMoved."""
    if to not in MOVES[case.state]:
        raise CaseMoved


def require_alive(case: Case) -> None:
    """Raises CaseMoved."""
    if case.state is State.CLOSED:
        raise CaseMoved


def require_owner(case: Case, person_id: UUID) -> None:
    """Raises NotYours."""
    if case.owner_id != person_id:
        raise NotYours


def next_clock(case: Case) -> Clock | None:
    """The promise that runs out next. Waiting for the reporter rests the decision, never the first contact."""
    if case.state is State.CLOSED:
        return None
    running = []
    if case.first_contact_at is None:
        running.append(Clock("first_contact", case.first_contact_due_at))
    if case.decided_at is None and case.state is not State.WAITING:
        running.append(Clock("decision", case.decision_due_at))
    return min(running, key=lambda clock: clock.due_at, default=None)


def time_waited(case: Case, now: datetime) -> timedelta:
    """By how much the decision's clock moves when a case goes on."""
    return now - case.waiting_since if case.waiting_since else timedelta()


def state_after_mandate(case: Case, mandate: Mandate) -> State:
    """What is outside the mandate is not verified any more."""
    return State.OPEN if case.state is State.VERIFIED and mandate is Mandate.OUTSIDE else case.state


def missing_for_verification(found: Findings) -> tuple[str, ...]:
    """Everything that verification still needs, by key: all of it at once."""
    corroborated = len(found.sources) >= 2 or Source.MEMBER_NEAR in found.sources or found.has_exception
    needed = {
        "mandate": found.mandate is not None,
        "inside": found.mandate is not Mandate.OUTSIDE,
        "corroborations": corroborated,
        "grades": found.is_graded,
        "risk_act": found.risk_act,
        "risk_wait": found.risk_wait,
    }
    return tuple(name for name, is_there in needed.items() if not is_there)


def strictest(values: Iterable[ConsentValue]) -> ConsentValue:
    """The answer that holds for several at once; that of nobody is a no."""
    order = tuple(ConsentValue)
    return max(values, key=order.index, default=ConsentValue.NO)


def permits(values: Iterable[ConsentValue]) -> bool:
    """Whether everybody in danger said yes, or anonymised only. Give it one scope's answer of every subject."""
    return strictest(values) in {ConsentValue.YES, ConsentValue.ANONYMISED}


def is_taken_back(history: Sequence[ConsentValue], *, plainly: bool) -> bool:
    """Whether one subject's answers to a scope that actions lean on, oldest first, stop what is being sent.

    They do if the last one withdraws, or falls behind an earlier one. `plainly`: only a plain yes was enough.
    """
    enough = {ConsentValue.YES} if plainly else {ConsentValue.YES, ConsentValue.ANONYMISED}
    last = history[-1] if history else ConsentValue.NO
    return last is ConsentValue.WITHDRAWN or (last not in enough and bool(enough & set(history)))
