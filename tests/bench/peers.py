"""Those whom we are measured beside, on the same wire: smtp-source, nodemailer, and one arq job for each message."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.constants import default_queue_name

from sos.bench.processes import Process, start, wait_until_ready
from sos.bench.usage import family_cpu_seconds
from sos.embedded import EmbeddedValkey
from sos.supervisor import Child
from tests.bench.commands import ROOT, Broke, Skipped, find_program, run_program
from tests.bench.ours import MICROSECONDS
from tests.bench.peer_worker import LETTERS, REDIS, SERVER
from tests.bench.sinks import open_counting_sink

NODEMAILER = "10.6.1"
CONNECTIONS = 10
SESSIONS = 20
LONGEST_PEER_SECONDS = 300.0


@dataclass(frozen=True)
class Measured:
    """One run of anybody: mails a second, and the CPU time that the sending side takes for one, if known."""

    per_second: float
    cpu_us: float | None = None


class SmtpSource:
    """Postfix's generator: it builds nothing, so that it shows what the wire and the sink can take."""

    def __init__(self, mail_bytes: int) -> None:
        self._mail_bytes = mail_bytes
        self._header_bytes: int | None = None

    async def run(self, count: int, server: str) -> Measured:
        """Kept-alive sessions side by side. Raises Skipped."""
        if self._header_bytes is None:
            self._header_bytes = await _header_bytes()
        ran = await _generate(count, self._mail_bytes - self._header_bytes, server)
        return Measured(count / ran[0], ran[1] / count * MICROSECONDS)


async def _header_bytes() -> int:
    """What it adds to the length that it is asked for, so that its mails become exactly as long as ours."""
    asked = 1000
    async with open_counting_sink() as (sink, server):
        await _generate(1, asked, server)
    return sink.total_bytes - asked


async def _generate(count: int, length: int, server: str) -> tuple[float, float]:
    options = ("-d", "-s", str(min(SESSIONS, count)), "-l", str(length), "-m", str(count))
    ran = await run_program(find_program("smtp-source"), *options, server)
    return ran.seconds, ran.cpu_seconds


async def install_nodemailer(directory: Path) -> None:
    """Into a directory that is removed afterwards. Raises Skipped."""
    npm, _ = find_program("npm"), find_program("node")
    options = ("--prefix", str(directory), "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--no-save")
    try:
        await run_program(npm, "install", *options, f"nodemailer@{NODEMAILER}")
    except Broke as broke:
        raise Skipped(f"npm could not install nodemailer {NODEMAILER}") from broke


async def run_nodemailer(count: int, server: str, directory: Path, letters: Path) -> Measured:
    """Pooled, building each message from its text and HTML. Raises Skipped."""
    script = str(Path(__file__).with_name("nodemailer.cjs"))
    ran = await run_program(
        find_program("node"), script, str(directory), str(letters), server, str(CONNECTIONS), str(count)
    )  # fmt: skip
    took = json.loads(ran.printed)
    return Measured(count / took["seconds"], took["cpu_seconds"] / count * MICROSECONDS)


@dataclass(frozen=True)
class ArqPeer:
    """A queue, and one worker process that takes a job for each message from it."""

    redis: ArqRedis
    worker: Process

    async def run(self, count: int) -> Measured:
        """From the first job that is enqueued to the last one that is done."""
        before, began = family_cpu_seconds([self.worker.pid]), time.monotonic()
        for number in range(count):
            await self.redis.enqueue_job("send_one", number)
        async with asyncio.timeout(LONGEST_PEER_SECONDS):
            while await self.redis.zcard(default_queue_name):
                self.worker.require_running()
                await asyncio.sleep(0.02)
        seconds, after = time.monotonic() - began, family_cpu_seconds([self.worker.pid])
        used = None if after is None or before is None else (after - before) / count * MICROSECONDS
        return Measured(count / seconds, used)


@asynccontextmanager
async def open_arq_peer(directory: Path, server: str, letters: Path) -> AsyncIterator[ArqPeer]:
    """A Valkey of its own and a worker that has connected to the mail server."""
    async with AsyncExitStack() as stack:
        valkey = EmbeddedValkey(directory / "peer")
        stack.callback(valkey.close)
        process = start(valkey.prepare())
        stack.push_async_callback(process.stop)
        await wait_until_ready(process)
        path = valkey.url().removeprefix("unix://").partition("?")[0]
        redis = await create_pool(RedisSettings(unix_socket_path=path))
        stack.push_async_callback(redis.aclose)
        environment = {LETTERS: str(letters), SERVER: server, REDIS: valkey.url()}
        child = Child(
            name="the arq peer", argv=(sys.executable, "-m", "tests.bench.peer_worker"), env=environment, cwd=ROOT,
            log=directory / "peer.log",
        )  # fmt: skip
        worker = start(child)
        stack.push_async_callback(worker.stop)
        peer = ArqPeer(redis, worker)
        await peer.run(1)  # warm: it has started, connected and sent
        yield peer
