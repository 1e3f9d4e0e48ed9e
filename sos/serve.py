"""The web process: open everything, serve until told to stop."""

import asyncio
import signal

from aiohttp import web

from sos.app import create_app
from sos.reach import open_channels
from sos.runtime import open_runtime
from sos.settings import Settings


async def serve_until_stopped(settings: Settings) -> None:
    """Serve until INT or TERM. Nothing is logged of a request: a path may hold a link's token."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_runtime(settings) as runtime, open_channels(runtime) as channels:
        runner = web.AppRunner(create_app(runtime, channels), access_log=None, shutdown_timeout=2)
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port, reuse_port=True).start()
        try:
            await stop.wait()
        finally:
            await runner.cleanup()
