"""Whose turn it is to send: a connection of one's own, and for a channel with a pace the only turn there is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from channels.base import ChannelName
from sos.database import Connection, connect
from sos.ledger import turn_store
from workers.going import wait

ONE_SENDER = frozenset({ChannelName.TELEGRAM, ChannelName.SMS})  # the pace is a process's
POLL_SECONDS = 1.0


@asynccontextmanager
async def open_turn(
    database_url: str, channel: ChannelName, stop: asyncio.Event, settle: Callable[[Connection], Awaitable[None]]
) -> AsyncIterator[Connection]:
    """The connection by which a dispatcher looks, marks and settles, once it is its turn or we are asked to stop.

    What an earlier connection left unwritten is settled first, and while we wait.
    """
    async with connect(database_url) as conn:
        await conn.execute("SET statement_timeout = '10s'")
        await conn.execute("SET enable_sort = off")  # what leaves first is read by its index, whatever statistics say
        await settle(conn)
        while channel in ONE_SENDER and not stop.is_set():
            if await turn_store.take_turn(conn, channel):
                break
            await turn_store.end_silent(conn, channel)
            await settle(conn)
            await wait(stop, POLL_SECONDS)
        yield conn
