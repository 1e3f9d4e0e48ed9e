"""Servers that go away: the doorbell, the record, and the disk under it."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from redis import Redis

from sos.bench.processes import ProcessFailed
from sos.database import connect
from tests.faults.oracle import Verdict, judge
from tests.faults.rows import Measure, NotHere, Row
from tests.faults.servers import Servers, by_email, everybody, open_servers
from tests.faults.stage import mailing, temporary_directory

WINDOW = 128
NEVER_STOPS_SECONDS = 2.0
BACK_SECONDS = 10.0
SPACE_SECONDS = 30.0
DISK = "256m"


async def doorbell(servers: Servers, measure: Measure) -> Verdict:
    """Valkey is emptied, killed and started again, and then takes connections without ever answering."""
    lasts = measure.lasting(60, 3)
    async with mailing(servers, measure.recipients, 3 * lasts) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 10)
        began = time.monotonic()
        with Redis.from_url(servers.redis_url) as redis:
            redis.flushall()
        await servers.valkey.kill(signal.SIGKILL)
        await asyncio.sleep(lasts)
        await servers.valkey.begin_again()
        servers.valkey.process.popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(lasts)
        silence = stage.inbox.longest_silence(began)
        servers.valkey.process.popen.send_signal(signal.SIGCONT)
        await stage.until_over(lasts * 4 + 60)
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, went_on=silence, within=NEVER_STOPS_SECONDS
    )


async def record(servers: Servers, measure: Measure) -> Verdict:
    """PostgreSQL is stopped with `immediate`, stays away for a while, and recovers."""
    async with mailing(servers, measure.recipients, measure.seconds) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 4)
        await servers.postgres.kill(signal.SIGQUIT)
        await asyncio.sleep(measure.lasting(20, 4))
        await servers.postgres.begin_again()
        accepts_at = time.monotonic()
        await stage.until_over()
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=WINDOW * len(stage.workers),
        went_on=stage.inbox.first_after(accepts_at), within=BACK_SECONDS,
    )  # fmt: skip


async def backends(servers: Servers, measure: Measure) -> Verdict:
    """Every connection to the database is ended, every two seconds."""
    times = round(measure.lasting(10, 4))
    async with mailing(servers, measure.recipients, max(measure.seconds, 2.0 * times)) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 10)
        began = time.monotonic()
        for _ in range(times):
            await _end_backends(servers, stage.network.database)
            await asyncio.sleep(2)
        await stage.until_over()
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=WINDOW * times,
        went_on=stage.inbox.longest_silence(began), within=BACK_SECONDS,
    )  # fmt: skip


async def _end_backends(servers: Servers, database: str) -> None:
    async with connect(servers.database_url("postgres")) as conn:
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])


async def disk(_: Servers, measure: Measure) -> Verdict:
    """Somebody else fills the disk of PostgreSQL (a small one in memory), and makes room again after a while."""
    with temporary_directory() as directory, _small_disk(directory) as small:
        async with (
            open_servers(directory, postgres_in=small / "postgres") as servers,
            mailing(servers, measure.recipients, measure.seconds) as (stage, _relay),
        ):
            await stage.launch()
            await stage.until_arrived(measure.recipients // 4)
            ballast = small / "ballast"
            await asyncio.to_thread(_fill, ballast)
            is_full = await _is_full(servers)
            await asyncio.sleep(measure.lasting(20, 5))
            ballast.unlink()
            space_at = time.monotonic()
            await _see_that_it_runs(servers)
            await stage.until_over()
        return judge(
            everybody(by_email, measure.recipients), stage.inbox.arrivals,
            went_on=stage.inbox.first_after(space_at), within=SPACE_SECONDS,
            complaints=[] if is_full else ["the disk was never full"],
        )  # fmt: skip


async def _is_full(servers: Servers) -> bool:
    """Whether PostgreSQL has noticed: it refuses a large table, or has given up altogether."""
    try:
        async with connect(servers.database_url("postgres")) as conn:
            await conn.execute("CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
    except psycopg.OperationalError:
        return True
    return False


@contextmanager
def _small_disk(directory: Path) -> Iterator[Path]:
    """A disk of its own. Raises NotHere."""
    program = shutil.which("mount")
    if os.geteuid() != 0 or program is None:
        raise NotHere("a small disk can only be mounted by root")
    place = directory / "disk"
    place.mkdir(mode=0o711)
    mounted = subprocess.run(
        [program, "-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        raise NotHere("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _fill(ballast: Path) -> None:
    """Write until there is no room."""
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


async def _see_that_it_runs(servers: Servers) -> None:
    """PostgreSQL gives up where even its log finds no room; whoever runs it starts it again."""
    until = time.monotonic() + SPACE_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        if servers.postgres.runs:
            with suppress(psycopg.OperationalError):
                async with connect(servers.database_url("postgres")):
                    return
        else:
            with suppress(ProcessFailed):
                await servers.postgres.begin_again()


ROWS = (
    Row("doorbell", "Valkey flushed, killed, black-holed", doorbell, alone=True),
    Row("record", "PostgreSQL stopped with immediate, and back", record, alone=True),
    Row("backends", "database connections ended every 2 s", backends),
    Row("disk", "disk full under PostgreSQL", disk, waits=True),
)
