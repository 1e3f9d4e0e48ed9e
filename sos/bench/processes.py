"""The processes of an installation that is measured: started, watched and ended by their ids."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass

from sos.supervisor import Child, spawn

PROBE_EVERY_SECONDS = 0.05


class ProcessFailed(Exception):
    """A process of the measured installation did not start, or has ended; the message names it."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, in a session of its own."""

    child: Child
    popen: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.popen.pid

    def require_running(self) -> None:
        """Raises ProcessFailed."""
        if self.popen.poll() is not None:
            raise ProcessFailed(f"{self.child.name} has ended with {self.popen.returncode}{_last_line(self.child)}")

    async def stop(self) -> None:
        """Ask it to end; what does not end in time is killed with its own group."""
        self.popen.send_signal(self.child.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.popen.wait, self.child.grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        await asyncio.to_thread(self.popen.wait)


def start(child: Child) -> Process:
    """Start a process; its output goes to its log."""
    assert child.log
    with child.log.open("ab") as log:
        return Process(child, spawn(child, log.fileno()))


async def wait_until_ready(process: Process) -> None:
    """Raises ProcessFailed for one that ends or is not ready in its time."""
    child = process.child
    until = time.monotonic() + child.ready_within_seconds
    while child.ready and not await child.ready():
        process.require_running()
        if time.monotonic() > until:
            raise ProcessFailed(f"{child.name} was not ready after {child.ready_within_seconds:g} seconds")
        await asyncio.sleep(PROBE_EVERY_SECONDS)


def _last_line(child: Child) -> str:
    lines = child.log.read_text("utf-8", "replace").splitlines() if child.log and child.log.exists() else []
    return f": {lines[-1]}" if lines else ""
