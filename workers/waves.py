"""Looking at first waves, as soon as one has left and five times a second: a life does not wait for a sweep."""

import asyncio

from sos.outreach.waves import judge_waves
from sos.runtime import Runtime
from workers.going import wait

EVERY_SECONDS = 0.2


async def watch_waves(runtime: Runtime, stop: asyncio.Event, through: asyncio.Event) -> None:
    """Judge the first waves of actions until asked to stop; at once when a channel is `through` with what it had."""
    while not stop.is_set():
        through.clear()
        await judge_waves(runtime.record, runtime.config.sending.first_wave, runtime.clock())
        await wait(through, EVERY_SECONDS)
