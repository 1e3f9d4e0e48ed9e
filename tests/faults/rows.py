"""What a row of the table is: a fault, how it is brought about, and in which measure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.oracle import Verdict
from tests.faults.servers import Servers


@dataclass(frozen=True, slots=True)
class Measure:
    """How many recipients, in how many seconds the sinks take them, and whether outages are as long as promised."""

    recipients: int
    seconds: float
    is_full: bool

    def lasting(self, full: float, short: float) -> float:
        """Seconds that an outage lasts: as the table says, or only as long as it takes to see the same."""
        return full if self.is_full else short


class NotHere(Exception):
    """This machine cannot bring about a fault; the message says why."""


Play = Callable[[Servers, Measure], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. Those that break their servers are `alone`: none is played beside another over the same.

    One that `waits` for long by its nature is begun early where several are played at once.
    """

    name: str
    fault: str
    play: Play
    alone: bool = False
    waits: bool = False
