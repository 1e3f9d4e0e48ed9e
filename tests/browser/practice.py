"""A practice network that really runs inside a test: seeded, with its web application and a worker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from sos.app import create_app
from sos.reach import Channels, open_channels
from sos.runtime import Runtime, open_runtime
from sos.up import prepare_practice
from tests.make import make_settings
from workers.main import work


@asynccontextmanager
async def open_practice(database_url: str, redis_url: str, directory: Path) -> AsyncIterator[str]:
    """Seed a practice network and run it at a port of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        settings = make_settings(database_url, redis_url, directory)
        settings = replace(settings, port=port, public_url=f"http://localhost:{port}")
        await prepare_practice(settings)
        async with (
            open_runtime(settings) as runtime,
            open_channels(runtime) as channels,
            _serving(runtime, channels, listener),
            _working(runtime, channels),
        ):
            yield settings.public_url


@asynccontextmanager
async def _serving(runtime: Runtime, channels: Channels, listener: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(create_app(runtime, channels), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _working(runtime: Runtime, channels: Channels) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(work(runtime, channels, stop))
    try:
        yield
    finally:
        stop.set()
        await worker
