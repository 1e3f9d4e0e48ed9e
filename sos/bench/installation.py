"""An installation for one measurement: its own durable PostgreSQL, Valkey, key file and workers, gone afterwards."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sos.bench.processes import Process, start, wait_until_ready
from sos.database import migrate, open_pool
from sos.embedded import EmbeddedPostgres, EmbeddedValkey
from sos.jobs import Record, RedisBell
from sos.network import found_network
from sos.runtime import open_redis, utc_now
from sos.settings import Settings, read_settings
from sos.supervisor import Child
from sos.vault import KeyFile

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_URL = "https://sos.bench.example.org"
SENDER = "System of Solidarity <alerts@bench.example.org>"
STARTED = "worker.started"


@dataclass(frozen=True, slots=True)
class Installation:
    """A founded, real and still empty network with its servers."""

    directory: Path
    environment: Mapping[str, str]
    postgres: Process
    workers: list[Process] = field(default_factory=list[Process])

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)

    async def start_workers(self, count: int, *, unsettled: int | None = None) -> None:
        """Start real worker processes side by side, and wait until every one has opened what it needs.

        Of each so many mails may be `unsettled`, where another bound than the product's is to be measured.
        """
        self.workers.extend(start(self._worker(number, unsettled)) for number in range(count))
        for worker in self.workers:
            await wait_until_ready(worker)

    async def stop_workers(self) -> None:
        """End every worker."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    def _worker(self, number: int, unsettled: int | None) -> Child:
        log = self.directory / f"worker{number}.log"

        async def has_started() -> bool:
            return STARTED in log.read_text("utf-8", "replace")

        program = ("sos.bench.worker", str(unsettled)) if unsettled else ("sos.cli", "worker")
        command = (sys.executable, "-m", *program)
        return Child(
            name=f"worker {number}", argv=command, env=self.environment, cwd=ROOT, log=log, ready=has_started
        )  # fmt: skip


@asynccontextmanager
async def open_installation(given: Mapping[str, str]) -> AsyncIterator[Installation]:
    """Servers, key file, schema and a founded real network, with the given settings besides our own.

    Raises BadSetting, CannotServe, ProcessFailed.
    """
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(_temporary_directory())
        postgres, valkey = (
            EmbeddedPostgres(directory / "postgres", shelter=directory),
            EmbeddedValkey(directory / "valkey"),
        )
        servers = [await _open_server(server, stack) for server in (postgres, valkey)]
        environment = _environment(directory, postgres.url(), valkey.url()) | dict(given)
        installation = Installation(directory, environment, servers[0])
        await _found(installation.settings)
        stack.push_async_callback(installation.stop_workers)
        yield installation


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="sos-bench-"))
    directory.chmod(0o711)  # root's PostgreSQL runs as nobody, who has to pass through
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _open_server(server: EmbeddedPostgres | EmbeddedValkey, stack: AsyncExitStack) -> Process:
    stack.callback(server.close)
    process = start(server.prepare())
    stack.push_async_callback(process.stop)
    await wait_until_ready(process)
    return process


def _environment(directory: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """Our own settings; whatever the terminal has set for another installation is emptied."""
    others = {name: "" for name in os.environ if name.startswith("SOS_")}
    return others | {
        "SOS_DATABASE_URL": database_url,
        "SOS_REDIS_URL": redis_url,
        "SOS_KEY_FILE": str(directory / "keys"),
        "SOS_PUBLIC_URL": PUBLIC_URL,
        "SOS_MAIL_FROM": SENDER,
    }


async def _found(settings: Settings) -> None:
    KeyFile.create(settings.key_file)
    await migrate(settings.database_url)
    pool, redis = await open_pool(settings.database_url, size=1), open_redis(settings.redis_url)
    try:
        await found_network(Record(pool, RedisBell(redis)), "real", utc_now())
    finally:
        await redis.aclose()
        await pool.close()
