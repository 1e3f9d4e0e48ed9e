"""An action: an alert or a sign-on letter, its texts, and what it takes to approve it. No I/O."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sos.actions.naming import count_names
from sos.vault import digest

SUMMARY_WORDS = 40


class Kind(StrEnum):
    """What the members are asked for."""

    ALERT = "alert"
    LETTER = "letter"
    CORRECTION = "correction"


class State(StrEnum):
    """How far an action has come."""

    DRAFT = "draft"
    APPROVED = "approved"
    LAUNCHED = "launched"
    STOPPED = "stopped"
    CLOSED = "closed"


class TextState(StrEnum):
    """How far a text in one language has come."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    OUTDATED = "outdated"


class NamesShown(StrEnum):
    """Who will see the signatories' names."""

    TARGET = "target"
    PUBLIC = "public"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Action:
    """An action as its labels show it. Empty regions or groups mean all of them.

    Whoever's language is not ready waits for it until `waits_until`, or without one gets the next of hers at once.
    A correction `corrects` an action that was stopped.
    """

    id: UUID
    case_id: UUID
    kind: Kind
    urgency: str
    state: State
    names_shown: NamesShown
    regions: tuple[str, ...]
    groups: tuple[str, ...]
    deadline_at: datetime
    drafted_by: UUID
    drafted_at: datetime
    launched_at: datetime | None = None
    stopped_at: datetime | None = None
    waits_until: datetime | None = None
    corrects: UUID | None = None

    @property
    def is_open_for_changes(self) -> bool:
        return self.state in (State.DRAFT, State.APPROVED)


@dataclass(frozen=True, slots=True)
class Text:
    """One exact text in one language."""

    title: str
    summary: str
    body: str

    @property
    def hash(self) -> bytes:
        """What a signature belongs to."""
        return digest("text", self.title, self.summary, self.body)

    def dump(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    def count_names(self, names: Iterable[str]) -> int:
        """How many of these names stand in it."""
        return count_names("\n".join((self.title, self.summary, self.body)), names)

    @classmethod
    def load(cls, clear: str) -> "Text":
        return cls(**json.loads(clear))


@dataclass(frozen=True, slots=True)
class Draft:
    """A text on its way, with who wrote and who reviewed it.

    `names_found` is None until somebody who may looks; `names_looked_for` says whose names she looked for.
    """

    language: str
    is_original: bool
    state: TextState
    text: Text
    names_found: int | None
    names_looked_for: frozenset[UUID]
    written_by: UUID
    written_at: datetime
    reviewed_by: UUID | None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a letter is addressed to."""

    id: UUID
    name: str
    title: str
    language: str
    email: str
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word for exactly these texts, this audience and these addressees."""

    fingerprint: bytes
    approved_by: UUID
    approved_at: datetime


class NotOpenForChanges(Exception):
    """An action that was sent is not changed any more; only a language for which somebody waits may still come."""


class NotStopped(Exception):
    """What is still being sent is stopped first, and then put right."""


class AlreadyCorrected(Exception):
    """Somebody has begun to put this right: go on there."""

    def __init__(self, correction_id: UUID) -> None:
        self.correction_id = correction_id


class MayNotApprove(Exception):
    """Whoever drafted, wrote, translated, addressed or verified does not approve the same action."""


class NotReady(Exception):
    """Something is still missing; `missing` names all of it."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing


class OwnText(Exception):
    """A text is reviewed by somebody who did not write it."""


class TextMoved(Exception):
    """This is not the text that stands there now, or it is out of date: look at it again."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The names that may not stand in a text, and whose they are."""

    names: tuple[str, ...]
    subjects: frozenset[UUID]


def ready_languages(drafts: Iterable[Draft]) -> tuple[str, ...]:
    """The languages that may be sent: those reviewed since the original last changed."""
    return tuple(draft.language for draft in drafts if draft.state is TextState.REVIEWED)


def fingerprint(action: Action, drafts: Sequence[Draft], targets: Sequence[Target]) -> bytes:
    """What an approval is bound to: every text that will be sent, the audience, the addressees and the deadline."""
    ready = sorted((draft.language, draft.text.hash.hex()) for draft in drafts if draft.state is TextState.REVIEWED)
    return digest(
        str(action.id), action.kind, action.urgency, action.names_shown, action.deadline_at.astimezone(UTC).isoformat(),
        action.waits_until.astimezone(UTC).isoformat() if action.waits_until else "", str(action.corrects or ""),
        _part("regions", sorted(set(action.regions))),
        _part("groups", sorted(set(action.groups))),
        _part("texts", [part for text in ready for part in text]),
        _part("targets", [
            part for one in targets for part in (one.name, one.title, one.language, one.email, one.country or "")
        ]),
    )  # fmt: skip


def _part(name: str, values: Iterable[str]) -> str:
    """One part of a fingerprint, closed in itself, so that no two lists run together."""
    return digest(name, *values).hex()


def missing_for_approval(
    action: Action, drafts: Sequence[Draft], targets: Sequence[Target], *, is_verified: bool, is_permitted: bool,
    withheld: frozenset[UUID], reached: Collection[str], now: datetime,
) -> tuple[str, ...]:  # fmt: skip
    """Everything that still stands between an action and its approval, all at once.

    `withheld` are those in danger whose names no text may hold, `reached` the languages of what a correction puts
    right; a correction may take back what nobody has verified.
    """
    ready = ready_languages(drafts)
    sent = [draft for draft in drafts if draft.language in ready]
    checks = {
        "approve.missing.verified": is_verified or action.kind is Kind.CORRECTION,
        "approve.missing.consent": is_permitted,
        "approve.missing.reviewed": any(draft.is_original for draft in sent),
        "approve.missing.checked": all(is_checked(draft, withheld) for draft in sent),
        "approve.missing.withheld": not any(draft.names_found for draft in sent),
        "approve.missing.addressed": action.kind is not Kind.LETTER or bool(targets),
        "approve.missing.languages": all(target.language in ready for target in targets),
        "approve.missing.reached": all(language in ready for language in reached),
        "approve.missing.deadline": action.deadline_at > now,
    }
    return tuple(key for key, is_done in checks.items() if not is_done)


def is_checked(draft: Draft, withheld: frozenset[UUID]) -> bool:
    """Whether exactly this text was searched for the names of everybody whose name is withheld now."""
    return draft.names_found is not None and withheld <= draft.names_looked_for
