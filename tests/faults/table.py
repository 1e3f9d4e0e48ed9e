"""The table of faults: all rows, playing them, and how they are printed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter

from sos.bench.processes import ProcessFailed
from tests.faults import callbacks, deaths, oddities, outages, phones, relays
from tests.faults.oracle import Verdict
from tests.faults.rows import Measure, NotHere, Row
from tests.faults.servers import Servers, open_servers
from tests.faults.stage import TookTooLong, temporary_directory

ROWS: tuple[Row, ...] = (*deaths.ROWS, *outages.ROWS, *relays.ROWS, *phones.ROWS, *callbacks.ROWS, *oddities.ROWS)
A_SECOND = 400  # mails that the relay takes, so that a fault falls into the middle
LEAST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Played:
    """A row, and what came of it: a verdict, or why there is none."""

    row: Row
    verdict: Verdict | None
    why: str = ""
    was_skipped: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the promise."""
        return self.was_skipped or (self.verdict is not None and self.verdict.holds)

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Fault, lost, repeated (allowed), went on within, verdict."""
        one = self.verdict
        if one is None:
            return self.row.fault, "", "", "", f"skipped: {self.why}" if self.was_skipped else f"MISSED: {self.why}"
        went_on = "never" if one.went_on is None else f"{one.went_on:.1f} s"
        said = f"{went_on} (≤ {one.within:g} s)" if one.within is not None else "–"
        why = f": {'; '.join(one.complaints)}" if one.complaints else ""
        return (
            self.row.fault, str(one.lost), f"{one.repeated} (≤ {one.allowed})", said,
            ("holds" if one.holds else "MISSED") + why,
        )  # fmt: skip

    @property
    def line(self) -> str:
        """One line of progress."""
        return " | ".join(self.cells)


async def play_rows(
    rows: Sequence[Row], recipients: int, *, is_full: bool, at_once: int, tell: Callable[[Played], None]
) -> list[Played]:
    """Play rows, so many side by side, in their order; a row that breaks is told like one that misses."""
    measure = Measure(recipients, max(LEAST_SECONDS, recipients / A_SECOND), is_full)
    free = asyncio.Semaphore(at_once)
    played: list[Played] = []

    async def play(row: Row, servers: Servers) -> None:
        async with free:
            one = await _play(row, servers, measure)
        tell(one)
        played.append(one)

    together = [row for row in rows if not row.alone]

    async def play_together() -> None:
        async with _servers() as servers:
            await asyncio.gather(
                *(play(row, servers) for row in sorted(together, key=attrgetter("waits"), reverse=True))
            )

    async def play_one_by_one() -> None:
        async with _servers() as servers:
            for row in rows:
                if row.alone:
                    await play(row, servers)

    groups = [group for group, is_alone in ((play_one_by_one, True), (play_together, False)) if _any(rows, is_alone)]
    await asyncio.gather(*(group() for group in groups))
    return sorted(played, key=lambda one: rows.index(one.row))


def _any(rows: Sequence[Row], is_alone: bool) -> bool:
    return any(row.alone == is_alone for row in rows)


@asynccontextmanager
async def _servers() -> AsyncIterator[Servers]:
    with temporary_directory() as directory:
        async with open_servers(directory) as servers:
            yield servers


async def _play(row: Row, servers: Servers, measure: Measure) -> Played:
    try:
        return Played(row, await row.play(servers, measure))
    except NotHere as why:
        return Played(row, None, str(why), was_skipped=True)
    except (TookTooLong, ProcessFailed) as why:
        return Played(row, None, str(why))


def table(played: Sequence[Played]) -> list[str]:
    """As Markdown."""
    head = ("fault in mid fan-out", "lost", "repeated (allowed)", "went on within", "verdict")
    return [_line(head), _line(("---",) * len(head)), *(_line(one.cells) for one in played)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
