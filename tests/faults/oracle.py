"""The judge: compares the audience with what the sinks got. It knows neither the service nor its database."""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that a sink has taken: for whom, what tells it from others (a Message-ID, a text), and when."""

    address: str
    identity: str
    at: float


@dataclass
class Inbox:
    """Everything that has arrived, in its order."""

    arrivals: list[Arrival] = field(default_factory=list[Arrival])

    def take(self, address: str, identity: str) -> None:
        """A message has arrived just now."""
        self.arrivals.append(Arrival(address, identity, time.monotonic()))

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def addresses(self) -> set[str]:
        """Everybody who has got something."""
        return {one.address for one in self.arrivals}

    def first_after(self, moment: float) -> float | None:
        """Seconds from a moment to the next arrival; None where nothing came any more."""
        return next((one.at - moment for one in self.arrivals if one.at > moment), None)

    def longest_silence(self, since: float) -> float:
        """The longest time without an arrival from a moment until everybody had hers for the first time."""
        seen: set[str] = set()
        last_needed = since
        for one in self.arrivals:
            if one.address not in seen:
                seen.add(one.address)
                last_needed = max(last_needed, one.at)
        moments = [since, *(one.at for one in self.arrivals if since < one.at <= last_needed)]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fault did: who got nothing, how many messages came again, and how soon it went on.

    `allowed` bounds the repetitions, `within` the seconds; None where the table sets no time. `complaints` are
    whatever else was promised and did not happen.
    """

    lost: int
    repeated: int
    allowed: int
    went_on: float | None
    within: float | None
    complaints: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        is_in_time = self.within is None or (self.went_on is not None and self.went_on <= self.within)
        return not self.lost and self.repeated <= self.allowed and is_in_time and not self.complaints


def judge(
    audience: Collection[str], arrivals: Sequence[Arrival], *, allowed: int = 0, went_on: float | None = None,
    within: float | None = None, complaints: Sequence[str] = (),
) -> Verdict:  # fmt: skip
    """Everybody exactly once, but for the repetitions that are allowed, each of which is the very same message."""
    got: defaultdict[str, list[str]] = defaultdict(list)
    for one in arrivals:
        got[one.address].append(one.identity)
    lost = [address for address in audience if address not in got]
    repeated = sum(len(identities) - 1 for identities in got.values())
    found = list(complaints)
    if others := len(got.keys() - set(audience)):
        found.append(f"{others} got something that was not for them")
    if changed := sum(len(set(identities)) > 1 for identities in got.values()):
        found.append(f"{changed} got two different messages")
    return Verdict(len(lost), repeated, allowed, went_on, within, tuple(found))
