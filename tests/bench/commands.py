"""Running the programs that are measured, one at a time, and ending them by their ids."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
LONGEST_START_SECONDS = 10.0
LAST_WORDS = 800


class Skipped(Exception):
    """A peer that cannot be measured here; the message says why."""


class Broke(Exception):
    """A program that was measured did not do its work; the message holds its last words."""


@dataclass(frozen=True)
class Ran:
    """What a program printed, and what it took."""

    printed: str
    seconds: float
    cpu_seconds: float


def find_program(name: str) -> str:
    """Where a program is. Raises Skipped."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise Skipped(f"{name} is not installed")
    return found


async def run_program(*argv: str, shows_progress: bool = False) -> Ran:
    """Run it to its end; what it says on standard error is shown at once, or only if it fails. Raises Broke."""
    before, began = _cpu_of_children(), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=ROOT, stdout=PIPE, stderr=None if shows_progress else PIPE
    )
    async with ending(process):
        printed, said = await process.communicate()
    if process.returncode:
        words = (printed + (said or b"")).decode("utf-8", "replace")[-LAST_WORDS:]
        raise Broke(f"{Path(argv[0]).name} ended with {process.returncode}: {words}")
    return Ran(printed.decode(), time.monotonic() - began, _cpu_of_children() - before)


@asynccontextmanager
async def ending(process: Process) -> AsyncIterator[Process]:
    """Whatever happens, this process has ended when the block is left."""
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()


@asynccontextmanager
async def running(*argv: str, port: int) -> AsyncIterator[str]:
    """A server, from when it answers at a port of this machine until the block is left; where it answers."""
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT)
    async with ending(process):
        await until_it_answers(process, port)
        yield f"127.0.0.1:{port}"


async def until_it_answers(process: Process, port: int) -> None:
    """Raises Broke for a server that ends, or says nothing for long."""
    until = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < until and process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise Broke(f"nothing answers at port {port}")


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def as_nobody() -> Sequence[str]:
    """What smtp-sink asks for where root starts it."""
    return ("-u", "nobody") if os.geteuid() == 0 else ()


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
