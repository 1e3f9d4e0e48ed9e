"""One row's installation: a network of its own, real worker processes over it, a launch, and waiting for the end."""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from sos.bench import store
from sos.bench.fanout import launch_now
from sos.bench.network import Reach
from sos.bench.processes import Process, start, wait_until_ready
from sos.database import connect
from sos.runtime import open_runtime
from sos.settings import read_settings
from sos.supervisor import Child
from tests.faults.oracle import Inbox
from tests.faults.relay import Relay
from tests.faults.servers import Alter, Network, Servers, by_email

ROOT = Path(__file__).resolve().parents[2]
WORKER = ("-m", "sos.cli", "worker")
WEB = ("-m", "sos.cli", "web")
WEB_NUMBER = -1
STARTED = "worker.started"
UNFINISHED = ("queued", "marked")
LOOK_EVERY_SECONDS = 0.5
LAST_WORDS_SECONDS = 1.0


class TookTooLong(Exception):
    """A row has not come to its end in its time; the message says where it stood."""


@dataclass
class Stage:
    """An installation over one database, with what its sinks have got."""

    servers: Servers
    network: Network
    environment: Mapping[str, str]
    directory: Path
    inbox: Inbox
    workers: dict[int, Process] = field(default_factory=dict[int, Process])

    async def start_worker(
        self, number: int, entry: Sequence[str] = WORKER, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a worker process under this number, in the place of an earlier one; it has opened what it needs."""
        log = self.directory / f"worker{number}-{time.monotonic_ns()}.log"
        process = start(
            Child(
                name=f"worker {number}", argv=(sys.executable, *entry), env={**self.environment, **(env or {})},
                cwd=ROOT, log=log, ready=lambda: _says(log, STARTED), ready_within_seconds=60,
            )
        )  # fmt: skip
        self.workers[number] = process
        await wait_until_ready(process)
        return process

    async def start_workers(self, count: int = 2) -> None:
        """As many side by side."""
        await asyncio.gather(*(self.start_worker(number) for number in range(count)))

    async def start_web(self) -> None:
        """Start a web process at SOS_PORT of its settings; providers call it back."""
        log = self.directory / "web.log"
        process = start(
            Child(
                name="web", argv=(sys.executable, *WEB), env=self.environment, cwd=ROOT, log=log,
                ready=lambda: _listens(int(self.environment["SOS_PORT"])), ready_within_seconds=60,
            )
        )  # fmt: skip
        self.workers[WEB_NUMBER] = process
        await wait_until_ready(process)

    async def launch(self) -> None:
        """Send the approved action to everybody: the real step, in a process that is none of the workers."""
        async with open_runtime(read_settings(self.environment)) as runtime:
            await launch_now(runtime, self.network.approved)

    async def until(self, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for something at the sinks. Raises TookTooLong."""
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                raise TookTooLong(f"only {len(self.inbox)} messages had arrived after {seconds:g} seconds")
            await asyncio.sleep(0.01)

    async def until_arrived(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        await self.until(lambda: len(self.inbox) >= count)

    async def until_over(self, seconds: float = 120.0, *, but: int = 0) -> None:
        """Wait until the service has nothing more to send (`but` so many that stay); who got what is not asked here.

        The ledger is read so that nobody stops looking too early, and never for the verdict. Raises TookTooLong.
        """
        until = time.monotonic() + seconds
        states: Mapping[str, int] = {}
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            try:
                async with connect(self.environment["SOS_DATABASE_URL"]) as conn:
                    states = await store.states(conn, self.network.approved.action_id)
            except psycopg.OperationalError:
                continue
            if sum(states.get(state, 0) for state in UNFINISHED) <= but:
                await asyncio.sleep(LAST_WORDS_SECONDS)
                return
        raise TookTooLong(f"{dict(states)} after {seconds:g} seconds, {len(self.inbox)} arrived")

    async def close(self) -> None:
        """End every worker, also one that is stopped."""
        for worker in self.workers.values():
            if worker.popen.poll() is None:
                worker.popen.send_signal(signal.SIGCONT)
        await asyncio.gather(*(worker.stop() for worker in self.workers.values()))


def kill(worker: Process, number: signal.Signals = signal.SIGKILL) -> None:
    """A signal to one worker, by its own id."""
    worker.popen.send_signal(number)


async def end(worker: Process) -> None:
    """Wait until a worker that was told to end has ended."""
    await asyncio.to_thread(worker.popen.wait, 30)


async def _says(log: Path, word: str) -> bool:
    return word in log.read_text("utf-8", "replace")  # noqa: ASYNC240 - a few lines


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def open_stage(
    servers: Servers, kind: str, recipients: int, inbox: Inbox, given: Mapping[str, str], *, reach: Reach = by_email,
    alter: Alter | None = None,
) -> AsyncIterator[Stage]:  # fmt: skip
    """A network of this kind for one row, with these settings; its workers are ended and its database is dropped."""
    network = await servers.copy(kind, recipients, reach, alter)
    with temporary_directory(servers.directory) as directory:
        stage = Stage(servers, network, servers.environment(network.database, given), directory, inbox)
        try:
            yield stage
        finally:
            await stage.close()
            if servers.postgres.runs:
                await servers.drop(network.database)


@asynccontextmanager
async def mailing(
    servers: Servers, recipients: int, seconds: float, *, workers: int = 2
) -> AsyncIterator[tuple[Stage, Relay]]:
    """The usual row: everybody by email, through a relay that takes them all within so many seconds."""
    inbox = Inbox()
    async with Relay(inbox, recipients / seconds) as relay:
        given = {"SOS_SMTP_URL": relay.url}
        async with open_stage(servers, "mail", recipients, inbox, given) as stage:
            await stage.start_workers(workers)
            yield stage, relay


@contextmanager
def temporary_directory(within: Path | None = None) -> Iterator[Path]:
    """A directory through which root's PostgreSQL can pass as nobody; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="sos-faults-", dir=within))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
