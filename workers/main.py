"""The worker process: opens everything, runs its parts side by side, and leaves nothing half done when it stops."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import uvloop

from sos.ledger.restoring import recognise
from sos.reach import Channels, open_channels
from sos.runtime import Runtime, open_runtime
from sos.settings import Settings
from workers.bells import answer_bells
from workers.dispatch import Dispatcher
from workers.going import finish, keep_going
from workers.jobs import JOBS, Jobs
from workers.listen import listen
from workers.renderers import RENDERERS
from workers.rendering import Renderers
from workers.sweep import Sweep, tidy
from workers.waves import watch_waves

LONGEST_STOP_SECONDS = 8.0  # the supervisor kills after ten
SIGNALS = (signal.SIGTERM, signal.SIGINT)

Part = Callable[[], Awaitable[None]]

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run a worker on the fast event loop, until SIGTERM or SIGINT."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_worker(settings))


async def run_worker(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises BadSetting, SchemaBehind, BadKeyFile."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        async with open_runtime(settings) as runtime, open_channels(runtime) as channels:
            await recognise(runtime.record, settings.instance, runtime.clock())
            await work(runtime, channels, stop)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def work(
    runtime: Runtime, channels: Channels, stop: asyncio.Event, *, jobs: Jobs = JOBS, renderers: Renderers = RENDERERS
) -> None:
    """Run every part until asked to stop; then each has a few seconds to finish what it holds."""
    through = asyncio.Event()
    dispatchers = [Dispatcher(runtime, channel, renderers, stop, through=through) for channel in channels.values()]
    wakes = [dispatcher.wake for dispatcher in dispatchers]
    parts: dict[str, Part] = {
        "bells": partial(answer_bells, runtime, jobs, stop),
        "sweep": Sweep(runtime, jobs, stop).run,
        "tidy": partial(tidy, runtime, stop),
        "waves": partial(watch_waves, runtime, stop, through),
        "listen": partial(listen, runtime.settings.database_url, wakes, stop),
        **{dispatcher.channel.name: dispatcher.run for dispatcher in dispatchers},
    }
    pool = runtime.record.pool
    tasks = [asyncio.create_task(keep_going(name, part, stop, pool), name=name) for name, part in parts.items()]
    log.info("worker.started", count=len(tasks))
    try:
        await stop.wait()
        for wake in wakes:
            wake.set()
    finally:
        await finish(tasks, LONGEST_STOP_SECONDS if stop.is_set() else 0)
    log.info("worker.stopped")
