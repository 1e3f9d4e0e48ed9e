"""Counting what arrived against who should have got it: nothing here has ever seen the database."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LANGUAGES = {"en": "English", "es": "Español", "fr": "Français", "ar": "Arabic", "pt": "Português"}
CHANNELS = {"email": "Email", "sms": "SMS", "telegram": "Telegram"}


@dataclass(frozen=True)
class Wanted:
    """Somebody who should get one message: by which channel and in which language."""

    who: str
    channel: str
    language: str
    addresses: Mapping[str, str]


@dataclass(frozen=True)
class Arrival:
    """One message that arrived; a language that cannot be told is `?`."""

    channel: str
    address: str
    language: str


@dataclass(frozen=True)
class Count:
    """What became of one sending."""

    wanted: int
    delivered: Counter[tuple[str, str]]
    lost: tuple[str, ...]
    duplicates: tuple[str, ...]
    misdirected: tuple[str, ...]

    @property
    def arrived(self) -> int:
        """How many were reached as they should be, each counted once."""
        return self.delivered.total()

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicates or self.misdirected)


def count(wanted: Sequence[Wanted], arrivals: Iterable[Arrival]) -> Count:
    """Each wanted message should arrive once, as wanted, and nothing else should."""
    owners = {(channel, address): one for one in wanted for channel, address in one.addresses.items()}
    got: dict[str, list[Arrival]] = {one.who: [] for one in wanted}
    misdirected: list[str] = []
    for arrival in arrivals:
        owner = owners.get((arrival.channel, arrival.address))
        if owner is None:
            misdirected.append(f"somebody unasked, by {arrival.channel}")
            continue
        got[owner.who].append(arrival)
        if (arrival.channel, arrival.language) != (owner.channel, owner.language):
            misdirected.append(f"{owner.who}, by {arrival.channel} in {arrival.language}")
    return Count(
        wanted=len(wanted),
        delivered=Counter((one.channel, one.language) for one in wanted if _as_wanted(one) in got[one.who]),
        lost=tuple(who for who, some in got.items() if not some),
        duplicates=tuple(who for who, some in got.items() for _ in some[1:]),
        misdirected=tuple(misdirected),
    )


def _as_wanted(one: Wanted) -> Arrival:
    return Arrival(one.channel, one.addresses[one.channel], one.language)


def by_channel_and_language(counted: Count) -> list[str]:
    """The lines of a table of what was delivered."""
    lines = [_row("", [*LANGUAGES.values(), "all"])]
    for channel, name in CHANNELS.items():
        numbers = [counted.delivered[channel, language] for language in LANGUAGES]
        lines.append(_row(name, [*numbers, sum(numbers)]))
    columns = [sum(counted.delivered[channel, language] for channel in CHANNELS) for language in LANGUAGES]
    lines.append(_row("all", [*columns, sum(columns)]))
    return lines


def _row(name: str, cells: Sequence[object]) -> str:
    return f"  {name:<12}" + "".join(f"{cell:>11}" for cell in cells)
