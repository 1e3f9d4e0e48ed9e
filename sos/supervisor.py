"""Runs the processes of `make up`: starts them in order, keeps them running, stops them in reverse order."""

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0
PROBE_EVERY_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
TERMINAL = 1


class ChildFailed(Exception):
    """A process that the others need has ended, or did not become ready."""


class StopAsked(Exception):
    """A signal has asked for the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process: what to run, when it is ready, and how it is stopped.

    `env` is added to ours. `owner` is the user and group id to become. Without `log`, output goes to the terminal.
    `keep_open` lists descriptors that it inherits. `before` is awaited once, ahead of its first start. When an
    `essential` child dies everything stops; another is started again. `death_signal` is what it gets when the
    supervisor itself is killed (Linux only).
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path | None = None
    owner: tuple[int, int] | None = None
    log: Path | None = None
    keep_open: tuple[int, ...] = ()
    before: Callable[[], Coroutine[object, object, object]] | None = None
    ready: Callable[[], Coroutine[object, object, bool]] | None = None
    ready_within_seconds: float = 30.0
    essential: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL


def supervise(children: Sequence[Child], *, on_ready: Callable[[], None] = lambda: None) -> int:
    """Run the children until INT, TERM or HUP (0) or until one that is needed fails (1); nothing is left running."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(_supervise(children, on_ready))


def spawn(child: Child, output: int) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, its output to a descriptor; on Linux it dies with the calling thread."""
    user, group = child.owner or (None, None)
    return subprocess.Popen(  # noqa: S603 - the command comes from our own code
        child.argv,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
        cwd=child.cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        user=user,
        group=group,
        extra_groups=[] if child.owner else None,
        pass_fds=child.keep_open,
        start_new_session=True,
        preexec_fn=_dying_with(os.getpid(), child.death_signal),
    )


def _dying_with(parent: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child does before it executes; Popen has changed its user by then, which would undo PDEATHSIG."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def bind_to_parent() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)

    return bind_to_parent


async def _supervise(children: Sequence[Child], on_ready: Callable[[], None]) -> int:
    asked, child_ended = _listen_for_signals()
    exit_code = 0
    async with contextlib.AsyncExitStack() as stopping:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_raise_when(asked))
                for child in children:
                    running = _Running(child, child_ended)
                    stopping.push_async_callback(running.stop)
                    await running.start()
                    tasks.create_task(running.keep())
                on_ready()
        except* StopAsked:
            _tell("stopping")
        except* ChildFailed as failures:
            exit_code = 1
            for failure in failures.exceptions:
                _tell(f"{failure}. Stopping everything")
    return exit_code


def _listen_for_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Two events: somebody asks us to stop, and some child has ended (a pulse: it wakes whoever waits just then)."""
    loop = asyncio.get_running_loop()
    asked, child_ended = asyncio.Event(), asyncio.Event()

    def pulse() -> None:
        child_ended.set()
        child_ended.clear()

    loop.add_signal_handler(signal.SIGCHLD, pulse)
    loop.add_signal_handler(signal.SIGINT, asked.set)
    loop.add_signal_handler(signal.SIGTERM, asked.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks us to outlive the terminal
        loop.add_signal_handler(signal.SIGHUP, asked.set)
    return asked, child_ended


async def _raise_when(asked: asyncio.Event) -> None:
    await asked.wait()
    raise StopAsked


class _Running:
    """A child and the process that it is at the moment."""

    def __init__(self, child: Child, child_ended: asyncio.Event) -> None:
        self._child = child
        self._child_ended = child_ended
        self._output: _Output | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready; raises ChildFailed."""
        if self._child.before:
            await self._child.before()
        self._output = _Output(self._child)
        self._process = spawn(self._child, self._output.descriptor)
        try:
            async with asyncio.timeout(self._child.ready_within_seconds):
                await self._become_ready(self._process)
        except TimeoutError:
            raise self._failure(f"was not ready after {self._child.ready_within_seconds:g} seconds") from None

    async def keep(self) -> None:
        """Start it again whenever it ends, each time a little later; raises ChildFailed if it is essential."""
        assert self._process
        assert self._output
        pause = FIRST_PAUSE_SECONDS
        while True:
            started_at = time.monotonic()
            status = await self._end_of(self._process)
            _kill_group(self._process)
            if self._child.essential:
                raise self._failure(f"has ended ({_reason(status)})")
            if time.monotonic() - started_at > SETTLED_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _tell(f"{self._child.name} has ended ({_reason(status)}); starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._process = spawn(self._child, self._output.descriptor)

    async def stop(self) -> None:
        """Ask it to stop, then kill it and whatever it has left behind."""
        if self._process:
            self._process.send_signal(self._child.stop_signal)
            with contextlib.suppress(TimeoutError):  # asyncio.timeout fails after a task group was aborted (3.11.2)
                await asyncio.wait_for(self._end_of(self._process), self._child.grace_seconds)
            _kill_group(self._process)
            status = await self._end_of(self._process)
            _tell(f"{self._child.name} has stopped ({_reason(status)})")
        if self._output:
            self._output.close()

    async def _become_ready(self, process: subprocess.Popen[bytes]) -> None:
        while self._child.ready and not await self._child.ready():
            if process.poll() is not None:
                raise self._failure(f"did not start ({_reason(process.returncode)})")
            await asyncio.sleep(PROBE_EVERY_SECONDS)

    async def _end_of(self, process: subprocess.Popen[bytes]) -> int:
        while (status := process.poll()) is None:
            await self._child_ended.wait()
        return status

    def _failure(self, what: str) -> ChildFailed:
        where = f"; its log is {self._child.log}" if self._child.log else ""
        return ChildFailed(f"{self._child.name} {what}{where}")


class _Output:
    """Where a child writes: its log file, or a pipe whose lines a thread carries to the terminal under its name.

    A thread, because a terminal that has stopped reading must not keep the supervisor from its signals; a pipe,
    because a terminal that has gone must not break a child that is finishing its work.
    """

    def __init__(self, child: Child) -> None:
        self._thread: threading.Thread | None = None
        if child.log:
            self.descriptor = os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            return
        source, self.descriptor = os.pipe()
        self._thread = threading.Thread(target=_carry, args=(child.name, source), daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self.descriptor)
        if self._thread:
            self._thread.join(timeout=1)


def _carry(name: str, source: int) -> None:
    with open(source, "rb") as lines:
        for line in lines:
            _write(name, line)


def _tell(line: str) -> None:
    _, writable, _ = select.select([], [TERMINAL], [], 0)
    if writable:  # else it has stopped reading, and we must not wait for it
        _write("sos", f"{line}\n".encode())


def _write(name: str, line: bytes) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(TERMINAL, f"{name:<10} | ".encode() + line)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


def _reason(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
