"""What every part of the worker needs to go on: pauses, wakes, and beginning again after a failure."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

import psycopg
import structlog

from sos.database import Pool

DATABASE_LOST = (psycopg.OperationalError, psycopg.InterfaceError)
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
STEADY_SECONDS = 1.0  # whoever has worked for so long begins with a short pause again

log = structlog.get_logger()


def pauses(longest: float = LONGEST_PAUSE_SECONDS) -> Iterator[float]:
    """Seconds to wait before each further try, doubling, without end."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield min(pause, longest)
        pause = min(2 * pause, longest)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, but not longer than this."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def finish(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Let tasks end within so many seconds; whatever still runs then is cancelled, and has ended when this returns."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)


async def keep_going(name: str, part: Callable[[], Awaitable[None]], stop: asyncio.Event, pool: Pool) -> None:
    """Run a part of the worker until it ends; whenever it fails, begin it again, each time a little later.

    Where the database was lost, the pool's other connections are dead as well: each would fail once more.
    """
    waits = pauses()
    while not stop.is_set():
        began = time.monotonic()
        try:
            await part()
            return
        except DATABASE_LOST as lost:
            log.warning("database.lost", name=name, error=type(lost).__name__)
            await pool.check()
        except Exception:
            log.exception("part.failed", name=name)
        if time.monotonic() - began > STEADY_SECONDS:
            waits = pauses()
        await wait(stop, next(waits))
