"""How seconds and memory grow with the number of recipients, and what the bound on unsettled mails costs."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from tests.bench.comparison import SOURCE, measure_source, rehearse, say, take_turns
from tests.bench.machine import describe_machine
from tests.bench.ours import Fanout, run_ours
from tests.bench.peers import Measured, SmtpSource
from tests.bench.sinks import open_smtp_sink
from tests.bench.tables import Ratio, figures, ratios

SIZES = (10_000, 100_000, 1_000_000)
BOUNDS = (64, 128, 256, 512)
MOST_MIB = 120
MOST_GROWTH = 1.3
WIDTHS = {
    "mails": 10,
    "seconds": 9,
    "a second": 9,
    "launch s": 9,
    "rows a s": 9,
    "wave s": 7,
    "MiB": 6,
    "CPU µs": 7,
    "PG µs": 6,
}
HEAD = " ".join(f"{name:>{width}}" for name, width in WIDTHS.items())


async def scale(most: int) -> list[str]:
    """One run of each size up to the most, as lines to print."""
    runs: list[Fanout] = []
    async with open_smtp_sink() as server:
        for size in (one for one in SIZES if one <= most):
            say(f"{size:,} recipients")
            runs.append(await run_ours(size, server, shows_progress=True))
    machine = describe_machine(runs[0].postgres) if runs else []
    return [*machine, "", HEAD, *map(size_line, runs), "", *growth(runs), *_memory(runs)]


def growth(runs: Sequence[Fanout]) -> list[str]:
    """How many times the seconds that each size would take at the rate of the one before."""
    lines: list[str] = []
    for less, more in pairwise(runs):
        found = more.seconds / (less.seconds * more.recipients / less.recipients)
        met = "yes" if found <= MOST_GROWTH else "NO"
        lines.append(
            f"{more.recipients:,} take {found:.2f} × what {less.recipients:,} let expect   at most {MOST_GROWTH}: {met}"
        )
    return lines


def size_line(run: Fanout) -> str:
    """One size's figures under HEAD."""
    cells = (
        f"{run.recipients:,}", f"{run.seconds:.1f}", _known(run.per_second), f"{run.launch_seconds:.2f}",
        _known(run.recipients / run.launch_seconds), f"{run.first_wave_seconds:.2f}", _known(run.peak_rss_mib),
        _known(run.cpu_us), _known(run.postgres_cpu_us),
    )  # fmt: skip
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS.values(), strict=True))


def _memory(runs: Sequence[Fanout]) -> list[str]:
    peaks = [run.peak_rss_mib for run in runs if run.peak_rss_mib is not None]
    if not peaks:
        return []
    return [f"a worker held {max(peaks):.0f} MiB   at most {MOST_MIB}: {'yes' if max(peaks) <= MOST_MIB else 'NO'}"]


def _known(number: float | None) -> str:
    return "?" if number is None else f"{number:,.0f}"


async def draw_curve(recipients: int, rounds: int) -> list[str]:
    """How the rate depends on how many mails a worker may have marked and not settled, as lines to print."""
    rehearsal = await rehearse()
    machine = describe_machine(rehearsal.figures.postgres)
    names = {bound: f"ours, at most {bound} unsettled" for bound in BOUNDS}
    async with open_smtp_sink() as server:
        contestants = {names[bound]: partial(_measure_bound, server, bound) for bound in BOUNDS}
        source = partial(measure_source, SmtpSource(rehearsal.mean_bytes), server)
        everybody = {SOURCE: source, **contestants}
        counts = dict.fromkeys(everybody, recipients)
        results = await take_turns(everybody, counts, rounds)
    wanted = [Ratio(f"{name} ÷ smtp-source", name, SOURCE) for name in names.values()]
    return [*machine, "", *figures(results, counts), "", *ratios(results, wanted)]


async def _measure_bound(server: str, bound: int, count: int) -> Measured:
    found = await run_ours(count, server, unsettled=bound)
    return Measured(found.per_second, found.cpu_us)
