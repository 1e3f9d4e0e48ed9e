"""The comparison: everybody in turn, three times, at the same sink and with mails of the same size."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.commands import Skipped
from tests.bench.delay import open_delay
from tests.bench.letters import read_letters, write_letters
from tests.bench.machine import describe_machine
from tests.bench.ours import Fanout, run_ours
from tests.bench.peers import Measured, SmtpSource, install_nodemailer, open_arq_peer, run_nodemailer
from tests.bench.sinks import open_counting_sink, open_smtp_sink
from tests.bench.tables import Ratio, figures, ratios

REHEARSED = 400  # more than the people whose names are used, so that the mean size is that of any larger run
ROUND_TRIP_MS = 20

OURS, TWO, STEPS = "ours", "ours, two workers", "ours, step by step"
FAR, FAR_TWO, FAR_STEPS = (f"{name}, {ROUND_TRIP_MS} ms away" for name in (OURS, TWO, STEPS))
SOURCE, NODEMAILER, ARQ = "smtp-source", "nodemailer", "one arq job a message"

# How many mails a run has, as parts of our own: so that each takes about the same few seconds.
PARTS = {
    SOURCE: 1.0, OURS: 1.0, TWO: 1.0, STEPS: 0.15, NODEMAILER: 0.1, ARQ: 0.04, FAR: 0.13, FAR_TWO: 0.13,
    FAR_STEPS: 0.02,
}  # fmt: skip

RATIOS = (
    Ratio("ours ÷ smtp-source", OURS, SOURCE, 0.7),
    Ratio("ours ÷ nodemailer", OURS, NODEMAILER, 10),
    Ratio("ours ÷ one arq job a message", OURS, ARQ),
    Ratio("ours ÷ ours step by step", OURS, STEPS),
    Ratio("two workers ÷ one", TWO, OURS, 0.8),
    Ratio(f"two workers ÷ one, {ROUND_TRIP_MS} ms away", FAR_TWO, FAR, 1.6),
    Ratio(f"ours ÷ ours step by step, {ROUND_TRIP_MS} ms away", FAR, FAR_STEPS, 3.5),
)

Run = Callable[[int], Awaitable[Measured]]


def say(line: str) -> None:
    """Progress, beside the table."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """For what the peers need; removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="sos-bench-peers-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class Rehearsal:
    """What a first small run tells of us: the mails themselves, and the database's version."""

    mails: Sequence[bytes]
    mean_bytes: int
    figures: Fanout


async def rehearse() -> Rehearsal:
    """Send to a sink that counts bytes, and warm this machine's caches."""
    async with open_counting_sink() as (sink, server):
        found = await run_ours(REHEARSED, server)
    return Rehearsal([content for _, content in sink.kept], sink.mean_bytes, found)


async def measure_ours(server: str, workers: int, count: int) -> Measured:
    """Our own fan-out as one of many."""
    found = await run_ours(count, server, workers=workers)
    return Measured(found.per_second, found.cpu_us)


async def compare(recipients: int, rounds: int) -> list[str]:
    """The whole comparison, as lines to print."""
    say("rehearsal: a first small run, for the size of a mail")
    rehearsal = await rehearse()
    machine = describe_machine(rehearsal.figures.postgres)
    counts = {name: max(20, round(recipients * part)) for name, part in PARTS.items()}
    async with open_contestants(rehearsal) as contestants:
        results = await take_turns(contestants, counts, rounds)
    return [
        *machine,
        f"mail        {rehearsal.mean_bytes:,} bytes, the mean of ours",
        "",
        *figures(results, counts),
        "",
        *ratios(results, RATIOS),
    ]


@asynccontextmanager
async def open_contestants(rehearsal: Rehearsal) -> AsyncIterator[Mapping[str, Run]]:
    """Everybody who can be measured here; of whoever cannot, one line says why."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory())
        letters = directory / "letters.json"
        write_letters(read_letters(rehearsal.mails), letters)
        near, plain = [await stack.enter_async_context(open_smtp_sink(*one)) for one in ((), ("-p",))]
        far, far_plain = [await stack.enter_async_context(open_delay(one, ROUND_TRIP_MS)) for one in (near, plain)]
        yield {
            SOURCE: partial(measure_source, SmtpSource(rehearsal.mean_bytes), near),
            OURS: partial(measure_ours, near, 1),
            TWO: partial(measure_ours, near, 2),
            STEPS: partial(measure_ours, plain, 1),
            **await _nodemailer(near, directory, letters),
            **await _arq(stack, near, directory, letters),
            FAR: partial(measure_ours, far, 1),
            FAR_TWO: partial(measure_ours, far, 2),
            FAR_STEPS: partial(measure_ours, far_plain, 1),
        }


async def measure_source(source: SmtpSource, server: str, count: int) -> Measured:
    """Postfix's generator as one of many. Raises Skipped."""
    return await source.run(count, server)


async def _nodemailer(server: str, directory: Path, letters: Path) -> Mapping[str, Run]:
    try:
        await install_nodemailer(directory)
    except Skipped as skipped:
        say(f"skipped: {NODEMAILER}: {skipped}")
        return {}
    return {NODEMAILER: lambda count: run_nodemailer(count, server, directory, letters)}


async def _arq(stack: AsyncExitStack, server: str, directory: Path, letters: Path) -> Mapping[str, Run]:
    peer = await stack.enter_async_context(open_arq_peer(directory, server, letters))
    return {ARQ: peer.run}


async def take_turns(
    contestants: Mapping[str, Run], counts: Mapping[str, int], rounds: int
) -> dict[str, list[Measured]]:
    """Every contestant once in each round, so that whatever else the machine does falls on all of them."""
    results: dict[str, list[Measured]] = {name: [] for name in contestants}
    for number in range(1, rounds + 1):
        for name, run in contestants.items():
            try:
                measured = await run(counts[name])
            except Skipped as skipped:
                say(f"skipped: {name}: {skipped}")
                continue
            results[name].append(measured)
            say(f"round {number} of {rounds}: {name}: {measured.per_second:,.0f} a second")
    return results
