"""Who works in the secretariat, what each role may do, and when a sign-in is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sos.actor import Actor
from sos.vault import PrivateKey

SESSION_LENGTH = timedelta(hours=12)
FREE_TRIES = 5
LONGEST_LOCK = timedelta(hours=1)
SHORTEST_PASSPHRASE = 14
TOTP_SECONDS = 30


class Role(StrEnum):
    """What somebody does in the secretariat. One person may hold several."""

    TRIAGE = "triage"
    VERIFIER = "verifier"
    EDITOR = "editor"
    TRANSLATOR = "translator"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What an address asks of whoever opens it. Every route names one."""

    ANYONE = "anyone"
    LINK = "link"  # the handler checks a signed link
    PROVIDER = "provider"  # the handler checks a provider's signature
    PRACTICE = "practice"  # a practice network, on this machine only
    SIGNED_IN = "signed_in"
    READ_REPORTS = "read_reports"
    WORK_CASES = "work_cases"
    READ_CASES = "read_cases"
    VERIFY = "verify"
    READ_ACTIONS = "read_actions"
    READ_CONTACTS = "read_contacts"
    CALL = "call"
    DRAFT = "draft"
    TRANSLATE = "translate"
    APPROVE = "approve"
    SEND = "send"
    STOP = "stop"
    RELEASE = "release"
    GRANT = "grant"
    MANAGE_STAFF = "manage_staff"


R = Role
EVERYBODY = frozenset(Role)
ROLES: dict[Permission, frozenset[Role]] = {
    Permission.SIGNED_IN: EVERYBODY,
    Permission.READ_REPORTS: frozenset({R.TRIAGE, R.VERIFIER}),
    Permission.WORK_CASES: frozenset({R.TRIAGE}),
    Permission.READ_CASES: frozenset({R.TRIAGE, R.VERIFIER, R.EDITOR}),
    Permission.VERIFY: frozenset({R.TRIAGE, R.VERIFIER}),
    Permission.READ_ACTIONS: EVERYBODY - {R.ADMINISTRATOR},
    Permission.READ_CONTACTS: frozenset({R.TRIAGE, R.EDITOR, R.APPROVER}),
    Permission.CALL: frozenset({R.TRIAGE, R.EDITOR, R.TRANSLATOR, R.APPROVER}),
    Permission.DRAFT: frozenset({R.EDITOR}),
    Permission.TRANSLATE: frozenset({R.EDITOR, R.TRANSLATOR}),
    Permission.APPROVE: frozenset({R.APPROVER}),
    Permission.SEND: frozenset({R.EDITOR, R.APPROVER}),
    Permission.STOP: EVERYBODY,
    Permission.RELEASE: frozenset({R.APPROVER}),
    Permission.GRANT: frozenset({R.TRIAGE, R.VERIFIER}),
    Permission.MANAGE_STAFF: frozenset({R.ADMINISTRATOR}),
}

# Whose work needs which kind of key. An administrator's needs none.
KEY_READERS: dict[str, frozenset[Role]] = {
    "report": frozenset({R.TRIAGE, R.VERIFIER}),
    "case": frozenset({R.TRIAGE, R.VERIFIER, R.EDITOR}),
}


class WrongSignIn(Exception):
    """Login, passphrase or code is wrong; which one is not said."""


class SignInLocked(Exception):
    """Too many wrong tries: wait until `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until


class NotGranted(Exception):
    """Nobody has given this person the key of this report or case yet."""


class TooShort(Exception):
    """A passphrase needs at least 14 characters."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in, with her own key, for as long as a request lasts."""

    id: UUID
    name: str
    roles: frozenset[Role]
    language: str
    time_zone: str
    key: PrivateKey
    session: str

    def may(self, permission: Permission) -> bool:
        """Whether one of her roles carries this permission."""
        return bool(self.roles & ROLES.get(permission, frozenset()))

    @property
    def actor(self) -> Actor:
        return Actor("staff", self.id)


@dataclass(frozen=True, slots=True)
class Colleague:
    """One member of the secretariat as others see her."""

    id: UUID
    name: str
    roles: frozenset[Role]
    language: str
    time_zone: str
    on_duty: bool


def lock_after(wrong_tries: int, now: datetime) -> datetime | None:
    """Until when sign-in rests after so many wrong tries: nothing for five, then doubling from 30 s to an hour."""
    over = wrong_tries - FREE_TRIES
    return now + min(timedelta(seconds=30) * 2 ** min(over, 10), LONGEST_LOCK) if over >= 0 else None
