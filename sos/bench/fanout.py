"""The measurement: a seeded network, an approved letter, the launch, and workers until everything is settled."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sos.bench import store
from sos.bench.action import Approved, prepare_action
from sos.bench.installation import Installation, open_installation
from sos.bench.network import Reach, Said, by_email, seed_network
from sos.bench.usage import family_cpu_seconds, peak_rss_mib
from sos.database import connect
from sos.outreach.steps import launch
from sos.runtime import Runtime, open_runtime, utc_now

NOWHERE = "127.0.0.1:9"  # a launch alone sends nothing
UNFINISHED = ("queued", "marked")
LOOK_EVERY_SECONDS = 0.2
SAY_EVERY_SECONDS = 10.0
LONGEST_STANDSTILL_SECONDS = 90.0
IDLE_SHARE = 0.2  # of one core: a worker that waits uses less
LONGEST_WARMING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    recipients: int
    smtp: str
    workers: int = 1
    unsettled: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The settings that this measurement adds."""
        return {"SOS_SMTP_URL": f"smtp://{self.smtp}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFigures:
    """What a launch alone took."""

    recipients: int
    launch_seconds: float
    rows_per_second: float
    postgres: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutFigures:
    """What a fan-out took, from the commit of the launch to the last outcome; None where this platform cannot say."""

    recipients: int
    workers: int
    unsettled: int | None
    accepted: int
    refused: int
    others: Mapping[str, int]
    launch_seconds: float
    first_wave_seconds: float
    seconds: float
    per_second: float
    cpu_seconds: float | None
    postgres_cpu_seconds: float | None
    peak_rss_mib: float | None
    postgres: str

    @property
    def is_whole(self) -> bool:
        """Whether every single message was accepted."""
        return self.accepted == self.recipients


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch that has been committed."""

    approved: Approved
    planned: int
    seconds: float
    at: datetime


@dataclass(slots=True)
class Usage:
    """The CPU time that processes had used when the measurement began."""

    pids: Sequence[int]
    before: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.before = family_cpu_seconds(self.pids)

    @property
    def cpu_seconds(self) -> float | None:
        """What they have used since."""
        now = family_cpu_seconds(self.pids)
        return None if now is None or self.before is None else round(now - self.before, 3)


async def measure_launch(recipients: int, say: Said) -> LaunchFigures:
    """Seed a network and launch to all of it; nothing is sent."""
    async with open_prepared(recipients, Plan(recipients, NOWHERE).environment, say) as (_, runtime, approved):
        launched = await launch_now(runtime, approved)
        async with runtime.record.reading() as conn:
            version = await store.server_version(conn)
    return LaunchFigures(
        recipients=launched.planned, launch_seconds=round(launched.seconds, 3),
        rows_per_second=round(launched.planned / launched.seconds, 1), postgres=version,
    )  # fmt: skip


async def measure_fanout(plan: Plan, say: Said) -> FanoutFigures:
    """Everything, from an empty directory to the last outcome. Raises BadSetting, CannotServe, ProcessFailed."""
    async with open_prepared(plan.recipients, plan.environment, say) as (installation, runtime, approved):
        await installation.start_workers(plan.workers, unsettled=plan.unsettled)
        pids = [worker.pid for worker in installation.workers]
        await wait_until_idle(pids)
        say(f"{plan.workers} worker(s) wait")
        workers, postgres = Usage(pids), Usage([installation.postgres.pid])
        launched = await launch_now(runtime, approved)
        say(f"{launched.planned:,} messages are planned, after {launched.seconds:.2f} s")
        await settle(installation, launched, say)
        used = {"cpu_seconds": workers.cpu_seconds, "postgres_cpu_seconds": postgres.cpu_seconds}
        return await _figures(installation, plan, launched, used | {"peak_rss_mib": _rounded(peak_rss_mib(pids))})


@asynccontextmanager
async def open_prepared(
    recipients: int, given: Mapping[str, str], say: Said, *, reach: Reach = by_email
) -> AsyncIterator[tuple[Installation, Runtime, Approved]]:
    """An installation with its network and an approved letter."""
    async with open_installation(given) as installation, open_runtime(installation.settings) as runtime:
        say("PostgreSQL and Valkey run, and a network is founded")
        async with connect(installation.settings.database_url) as conn:
            await seed_network(conn, runtime.keys, runtime.config, recipients, say=say, reach=reach)
        approved = await prepare_action(runtime, utc_now())
        say(f"{recipients:,} contacts are seeded, and a letter to all of them is approved")
        yield installation, runtime, approved


async def wait_until_idle(pids: Sequence[int]) -> None:
    """Until the workers have done what they do at their start."""
    until = time.monotonic() + LONGEST_WARMING_SECONDS
    while time.monotonic() < until:
        usage = Usage(pids)
        await asyncio.sleep(1)
        used = usage.cpu_seconds
        if used is None or used < IDLE_SHARE * len(pids):
            return


async def launch_now(runtime: Runtime, approved: Approved) -> Launched:
    """The real step, timed."""
    began = time.monotonic()
    planned = await launch(runtime, approved.sender, approved.action_id, utc_now())
    return Launched(approved, planned, time.monotonic() - began, utc_now())


async def settle(installation: Installation, launched: Launched, say: Said) -> None:
    """Wait until everything is settled, or until nothing has moved for long. Raises ProcessFailed."""
    about = launched.approved.action_id
    async with connect(installation.settings.database_url) as conn:
        sampled = await store.sample(conn, about)
        share, moved_at, said_at = 0.0, time.monotonic(), time.monotonic()
        while time.monotonic() - moved_at < LONGEST_STANDSTILL_SECONDS:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            for worker in installation.workers:
                worker.require_running()
            before, share = share, await store.settled_share(conn, sampled)
            if share == 1 and not _unfinished(await store.states(conn, about)):
                return
            if share != before:
                moved_at = time.monotonic()
            if time.monotonic() - said_at > SAY_EVERY_SECONDS:
                said_at = time.monotonic()
                say(f"{share:.0%} are settled")


def _unfinished(states: Mapping[str, int]) -> int:
    return sum(states.get(state, 0) for state in UNFINISHED)


async def _figures(
    installation: Installation, plan: Plan, launched: Launched, used: Mapping[str, float | None]
) -> FanoutFigures:
    about = launched.approved.action_id
    async with connect(installation.settings.database_url) as conn:
        states, span = await store.states(conn, about), await store.span(conn, about)
        version = await store.server_version(conn)
    began = min(launched.at, span.first_marked_at or launched.at)  # whichever the database saw first
    first_wave = (span.rest_marked_at or began) - began
    seconds = ((span.last_settled_at or utc_now()) - began).total_seconds()
    accepted = states.get("accepted", 0) + states.get("delivered", 0)
    return FanoutFigures(
        recipients=plan.recipients, workers=plan.workers, unsettled=plan.unsettled, accepted=accepted,
        refused=states.get("refused", 0),
        others={state: count for state, count in states.items() if state not in ("accepted", "delivered", "refused")},
        launch_seconds=round(launched.seconds, 3), first_wave_seconds=round(first_wave.total_seconds(), 3),
        seconds=round(seconds, 3),
        per_second=round(accepted / seconds, 1), postgres=version,
        cpu_seconds=used["cpu_seconds"], postgres_cpu_seconds=used["postgres_cpu_seconds"],
        peak_rss_mib=used["peak_rss_mib"],
    )  # fmt: skip


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
