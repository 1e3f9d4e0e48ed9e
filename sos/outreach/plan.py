"""What a launch would send, counted: channels, languages, money, and whom no machine reaches. No I/O."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from channels.base import ChannelName
from sos.config import FirstWave


class Fate(StrEnum):
    """What becomes of one way to one contact."""

    QUEUED = "queued"
    SHARED = "shared"  # somebody else at the same address gets it
    CAPPED = "capped"  # she was called often enough this week
    UNREACHED = "unreached"  # no channel reaches her


@dataclass(frozen=True, slots=True)
class Group:
    """Ways that are alike: by channel (None: nobody can reach them), language, country of the phone, and what is so.

    `is_first`: the way by which a contact is tried first; `is_later`: it leaves only if earlier ones bring no answer.
    `is_woken`: it rings in her night; `is_resting`: it waits for her morning.
    """

    channel: ChannelName | None
    language: str
    country: str
    region: str
    fate: Fate
    is_first: bool
    is_later: bool
    is_awaiting: bool
    is_fallback: bool
    is_woken: bool
    is_resting: bool
    discreet: bool
    count: int
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """Exactly who would get what. `segments` is how many an SMS takes at most, by language."""

    groups: tuple[Group, ...]
    segments: Mapping[str, int]

    def count(self, is_so: Callable[[Group], bool]) -> int:
        """How many ways are so."""
        return sum(group.count for group in self.groups if is_so(group))

    @property
    def contacts(self) -> int:
        """Everybody whom a channel reaches by a message of her own."""
        return self.count(lambda one: one.is_first and one.fate is Fate.QUEUED)

    @property
    def unreached(self) -> int:
        """Contacts without any channel."""
        return self.count(lambda one: one.fate is Fate.UNREACHED)

    @property
    def shared(self) -> int:
        """Contacts whose first way is somebody else's too, who gets the message there."""
        return self.count(lambda one: one.is_first and one.fate is Fate.SHARED)

    @property
    def capped(self) -> int:
        """Contacts who were called often enough this week."""
        return self.count(lambda one: one.is_first and one.fate is Fate.CAPPED)

    @property
    def later(self) -> int:
        """Messages that leave only to those who did not answer, or whom an earlier one did not reach."""
        return self.count(lambda one: one.is_later and one.fate is Fate.QUEUED)

    @property
    def awaiting(self) -> int:
        """Contacts who wait for their own language."""
        return self.count(lambda one: one.is_first and one.is_awaiting and one.fate is Fate.QUEUED)

    @property
    def woken(self) -> int:
        """Messages that ring in somebody's night."""
        return self.count(lambda one: one.is_woken and not one.is_later and one.fate is Fate.QUEUED)

    @property
    def resting(self) -> int:
        """Messages that wait for somebody's morning."""
        return self.count(lambda one: one.is_resting and not one.is_later and one.fate is Fate.QUEUED)

    @property
    def discreet(self) -> int:
        """Contacts whose phones show neutral words only."""
        return self.count(lambda one: one.is_first and one.discreet and one.fate is Fate.QUEUED)

    @property
    def fallbacks(self) -> int:
        """Contacts who get another language than their first."""
        return self.count(
            lambda one: one.is_first and one.is_fallback and not one.is_awaiting and one.fate is Fate.QUEUED
        )

    @property
    def by_channel(self) -> dict[str, dict[str, int]]:
        """Messages that leave without waiting for anything but a morning or a translation, by channel and language."""
        table: dict[str, dict[str, int]] = {}
        for group in self.groups:
            if group.channel and group.fate is Fate.QUEUED and not group.is_later:
                languages = table.setdefault(group.channel, {})
                languages[group.language] = languages.get(group.language, 0) + group.count
        return table

    @property
    def by_region(self) -> Counter[str]:
        """Contacts whom a channel reaches, by region."""
        counted: Counter[str] = Counter()
        for group in self.groups:
            counted[group.region] += group.count if group.is_first and group.fate is Fate.QUEUED else 0
        return counted

    @property
    def sms_segments(self) -> int:
        """What all SMS together take, if every later one leaves too."""
        return sum(self.segments[one.language] * one.count for one in self._by_sms)

    @property
    def sms_usd(self) -> Decimal:
        """What they cost at most."""
        return sum((one.usd for one in self._by_sms), start=Decimal(0))

    @property
    def sms_countries(self) -> frozenset[str]:
        """Where SMS go to."""
        return frozenset(one.country for one in self._by_sms)

    @property
    def _by_sms(self) -> list[Group]:
        return [one for one in self.groups if one.channel is ChannelName.SMS and one.fate is Fate.QUEUED]


class Verdict(StrEnum):
    """What a first wave says of the rest."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Wave:
    """How a first wave stands: how many went first, how many of these are settled, and were refused."""

    size: int
    settled: int
    refused: int
    seconds: float


def judge(wave: Wave, rules: FirstWave, urgency: str) -> Verdict:
    """Too many refusals stop the rest; when all is settled, or patience ends, it goes.

    With nothing settled there is nothing to judge by, and the rest waits.
    """
    if wave.refused > rules.most_refused * wave.size:
        return Verdict.STOP
    if wave.settled >= wave.size:
        return Verdict.GO
    is_patient = wave.seconds < rules.patience_seconds[urgency] or not wave.settled
    if is_patient:
        return Verdict.WAIT
    return Verdict.STOP if wave.refused > rules.most_refused * wave.settled else Verdict.GO
