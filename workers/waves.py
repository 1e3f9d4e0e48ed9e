"""Looking at first waves, five times a second: a life does not wait for a sweep."""

import asyncio

from sos.outreach.waves import judge_waves
from sos.runtime import Runtime
from workers.going import wait

EVERY_SECONDS = 0.2


async def watch_waves(runtime: Runtime, stop: asyncio.Event) -> None:
    """Judge the first waves of actions until asked to stop."""
    while not stop.is_set():
        await judge_waves(runtime.record, runtime.config.sending.first_wave, runtime.clock())
        await wait(stop, EVERY_SECONDS)
