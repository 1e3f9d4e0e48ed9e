"""Figures as a table: medians with their range, and ratios within one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.peers import Measured

Results = Mapping[str, Sequence[Measured]]


@dataclass(frozen=True)
class Ratio:
    """What is divided by what, and the least that it should be, where something was promised."""

    name: str
    above: str
    below: str
    bar: float | None = None


def figures(results: Results, counts: Mapping[str, int]) -> list[str]:
    """One line for each that was measured."""
    width = max(map(len, results), default=0)
    head = f"{'':<{width}} {'mails':>8} {'a second':>10} {'(least–most)':>17} {'CPU µs':>8}"
    return [head, *(_line(name, width, counts[name], runs) for name, runs in results.items() if runs)]


def _line(name: str, width: int, count: int, runs: Sequence[Measured]) -> str:
    rates = [run.per_second for run in runs]
    used = [run.cpu_us for run in runs if run.cpu_us is not None]
    spread = f"({min(rates):,.0f}–{max(rates):,.0f})"
    cpu = f"{median(used):,.0f}" if used else "?"
    return f"{name:<{width}} {count:>8,} {median(rates):>10,.0f} {spread:>17} {cpu:>8}"


def ratios(results: Results, wanted: Sequence[Ratio]) -> list[str]:
    """One line for each ratio of which both sides were measured."""
    known = [one for one in wanted if results.get(one.above) and results.get(one.below)]
    width = max((len(one.name) for one in known), default=0)
    return [_ratio_line(one, width, ratio(results, one)) for one in known]


def ratio(results: Results, wanted: Ratio) -> float:
    """The quotient of two medians."""
    above, below = (median(run.per_second for run in results[name]) for name in (wanted.above, wanted.below))
    return above / below


def _ratio_line(wanted: Ratio, width: int, found: float) -> str:
    promised = "" if wanted.bar is None else f"   at least {wanted.bar:g}: {'yes' if found >= wanted.bar else 'NO'}"
    return f"{wanted.name:<{width}} {found:>8.2f}{promised}"
