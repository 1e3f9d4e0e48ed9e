"""The proxy adds its round trip to each answer, keeps the order, and holds nothing back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.delay import open_delay

ROUND_TRIP_MS = 40
ROUND_TRIP_SECONDS = ROUND_TRIP_MS / 1000
EARLY_SECONDS = 0.003  # timers count in milliseconds
LONGEST_SECONDS = 20.0


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """A server that answers with what it gets; where it answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.partition(":")
    return await asyncio.open_connection(host, int(port))


async def test_an_answer_comes_a_round_trip_later() -> None:
    async with asyncio.timeout(LONGEST_SECONDS), echo() as server, open_delay(server, ROUND_TRIP_MS) as proxy:
        reader, writer = await connect(proxy)
        waited: list[float] = []
        for _ in range(5):
            began = time.monotonic()
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            waited.append(time.monotonic() - began)
        writer.close()

    assert min(waited) >= ROUND_TRIP_SECONDS - 2 * EARLY_SECONDS
    assert min(waited) < 10 * ROUND_TRIP_SECONDS


async def test_what_is_sent_at_once_comes_at_once_and_in_order() -> None:
    """Ten megabytes take a round trip and not one for each piece, and no byte changes its place."""
    sent = b"".join(number.to_bytes(4, "big") for number in range(2_500_000))
    async with asyncio.timeout(LONGEST_SECONDS), echo() as server, open_delay(server, ROUND_TRIP_MS) as proxy:
        reader, writer = await connect(proxy)
        reading = asyncio.create_task(reader.readexactly(len(sent)))
        writer.write(sent)
        await writer.drain()

        assert await reading == sent
        writer.close()


async def test_an_end_comes_through_after_what_was_said_before_it() -> None:
    async def say_and_leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"goodbye")
        writer.close()

    server = await asyncio.start_server(say_and_leave, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(LONGEST_SECONDS), server, open_delay(address, ROUND_TRIP_MS) as proxy:
        reader, writer = await connect(proxy)

        assert await reader.read() == b"goodbye"
        writer.close()
