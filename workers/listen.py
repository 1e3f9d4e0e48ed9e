"""Being woken by PostgreSQL when deliveries are planned; missing a wake costs a second, the interval of the poll."""

import asyncio
from collections.abc import Collection

from sos.database import connect

LOOK_UP_SECONDS = 1.0


async def listen(database_url: str, wakes: Collection[asyncio.Event], stop: asyncio.Event) -> None:
    """Set every wake at each notification until asked to stop; raises what a lost database raises."""
    async with connect(database_url) as conn:
        await conn.execute("LISTEN deliveries")
        while not stop.is_set():
            async for _ in conn.notifies(timeout=LOOK_UP_SECONDS, stop_after=1):
                for wake in wakes:
                    wake.set()
