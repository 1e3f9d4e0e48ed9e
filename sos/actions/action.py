"""An action: an alert or a sign-on letter, its texts, and what it takes to approve it. No I/O."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sos.members.member import fold
from sos.vault import digest

SUMMARY_WORDS = 40
SHORTEST_NAME = 4  # a shorter part of a name would be found in half of all texts


class Kind(StrEnum):
    """What the members are asked for."""

    ALERT = "alert"
    LETTER = "letter"


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
    """An action as its labels show it. Empty regions or groups mean all of them."""

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

    @classmethod
    def load(cls, clear: str) -> "Text":
        return cls(**json.loads(clear))


@dataclass(frozen=True, slots=True)
class Draft:
    """A text on its way, with who wrote and who reviewed it. `names_found` is None until somebody who may looks."""

    language: str
    is_original: bool
    state: TextState
    text: Text
    names_found: int | None
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


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word for exactly these texts, this audience and these addressees."""

    fingerprint: bytes
    approved_by: UUID
    approved_at: datetime


class NotOpenForChanges(Exception):
    """An action that was sent is not changed any more."""


class MayNotApprove(Exception):
    """Whoever drafted, wrote, translated or verified does not approve the same action."""


class NotReady(Exception):
    """Something is still missing; `missing` names all of it."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing


class OwnText(Exception):
    """A text is reviewed by somebody who did not write it."""


def ready_languages(drafts: Iterable[Draft]) -> tuple[str, ...]:
    """The languages that may be sent: those reviewed since the original last changed."""
    return tuple(draft.language for draft in drafts if draft.state is TextState.REVIEWED)


def fingerprint(action: Action, drafts: Sequence[Draft], targets: Sequence[Target]) -> bytes:
    """What an approval is bound to: every text that will be sent, the audience, the addressees and the deadline."""
    ready = [draft for draft in drafts if draft.state is TextState.REVIEWED]
    return digest(
        str(action.id), action.kind, action.urgency, action.names_shown, action.deadline_at.isoformat(),
        "regions", *sorted(action.regions), "groups", *sorted(action.groups),
        *(part for draft in ready for part in ("text", draft.language, draft.text.hash.hex())),
        *(part for one in targets for part in ("target", one.name, one.title, one.language, one.email)),
    )  # fmt: skip


def authors(action: Action, drafts: Iterable[Draft]) -> frozenset[UUID]:
    """Everybody who drafted the action or wrote one of its texts."""
    return frozenset({action.drafted_by, *(draft.written_by for draft in drafts)})


def missing_for_approval(
    action: Action, drafts: Sequence[Draft], targets: Sequence[Target], *, is_verified: bool, is_permitted: bool,
    now: datetime,
) -> tuple[str, ...]:  # fmt: skip
    """Everything that still stands between an action and its approval, all at once."""
    ready = ready_languages(drafts)
    sent = [draft for draft in drafts if draft.language in ready]
    checks = {
        "approve.missing.verified": is_verified,
        "approve.missing.consent": is_permitted,
        "approve.missing.reviewed": any(draft.is_original for draft in sent),
        "approve.missing.checked": all(draft.names_found is not None for draft in sent),
        "approve.missing.withheld": not any(draft.names_found for draft in sent),
        "approve.missing.addressed": action.kind is not Kind.LETTER or bool(targets),
        "approve.missing.languages": all(target.language in ready for target in targets),
        "approve.missing.deadline": action.deadline_at > now,
    }
    return tuple(key for key, is_done in checks.items() if not is_done)


def count_names(text: Text, names: Iterable[str]) -> int:
    """How many of these names stand in a text, whole or by one of their longer words, whatever the accents."""
    words = _words(" ".join((text.title, text.summary, text.body)))
    return sum(1 for name in names if _stands_in(_words(name), words))


def _words(text: str) -> list[str]:
    return [fold(word) for word in re.split(r"[\s\-–—/'’.]+", text)]


def _stands_in(name: list[str], words: list[str]) -> bool:
    longer = {part for part in name if len(part) >= SHORTEST_NAME}
    return f" {' '.join(name)} " in f" {' '.join(words)} " or not longer.isdisjoint(words)
