"""Our own fan-out, as anybody would run it: the `sos bench` command, whose JSON line is read."""

import json
import sys
from dataclasses import dataclass, fields

from tests.bench.commands import Broke, run_program

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Fanout:
    """The figures of one run; None for what this platform does not count."""

    recipients: int
    accepted: int
    launch_seconds: float
    seconds: float
    per_second: float
    postgres: str
    first_wave_seconds: float = 0.0
    cpu_seconds: float | None = None
    postgres_cpu_seconds: float | None = None
    peak_rss_mib: float | None = None

    @property
    def cpu_us(self) -> float | None:
        """The workers' CPU time for one mail."""
        return None if self.cpu_seconds is None else self.cpu_seconds / self.recipients * MICROSECONDS

    @property
    def postgres_cpu_us(self) -> float | None:
        """PostgreSQL's CPU time for one mail, the launch included."""
        return None if self.postgres_cpu_seconds is None else self.postgres_cpu_seconds / self.recipients * MICROSECONDS


def read_figures(printed: str) -> Fanout:
    """The figures in what the command printed: one JSON line, whatever other names stand in it. Raises Broke."""
    lines = [line for line in printed.splitlines() if line.strip()]
    if len(lines) != 1:
        raise Broke(f"sos bench printed {len(lines)} lines where one was expected")
    try:
        found = json.loads(lines[0])
        figures = Fanout(**{part.name: found[part.name] for part in fields(Fanout) if part.name in found})
    except (ValueError, TypeError, AttributeError) as wrong:
        raise Broke(f"sos bench printed no figures: {lines[0]}") from wrong
    if figures.accepted != figures.recipients:
        raise Broke(f"{figures.accepted} of {figures.recipients} were accepted: {lines[0]}")
    return figures


async def run_ours(
    recipients: int, server: str, *, workers: int = 1, unsettled: int | None = None, shows_progress: bool = False
) -> Fanout:
    """One run in an installation of its own. Raises Broke where not everything was accepted."""
    options = ["--recipients", str(recipients), "--smtp", server, "--workers", str(workers), "--json"]
    options += ["--unsettled", str(unsettled)] if unsettled else []
    ran = await run_program(sys.executable, "-m", "sos.cli", "bench", "fanout", *options, shows_progress=shows_progress)
    return read_figures(ran.printed)
