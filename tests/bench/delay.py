"""A TCP proxy that adds a round trip: every byte comes half of it later, in order, with the bandwidth untouched."""

import argparse
import asyncio
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvloop

from tests.bench.commands import free_port, running

Tasks = set[asyncio.Task[None]]


class _End(asyncio.Protocol):
    """One end of a proxied connection: what it receives leaves at the other end, `delay` seconds later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._waiting: deque[bytes] = deque()
        self._due = 0
        self._is_over = False
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None

    @property
    def open_transport(self) -> asyncio.Transport | None:
        """What can still be read from and written to."""
        return None if self._transport is None or self._transport.is_closing() else self._transport

    def join(self, other: "_End") -> None:
        """Make these two the ends of one connection; what has come to one of them before is not lost."""
        self._other, other._other = other, self
        self._let_out()
        other._let_out()

    def read(self, *, is_wanted: bool) -> None:
        """Go on reading, or pause until the other end has got rid of what it has."""
        if transport := self.open_transport:
            (transport.resume_reading if is_wanted else transport.pause_reading)()

    def close(self) -> None:
        """Nothing more comes from the other end."""
        if transport := self.open_transport:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no children of it

    def data_received(self, data: bytes) -> None:
        """One timer for each chunk, and each timer lets out the oldest one: the order is that of arrival."""
        self._waiting.append(data)
        asyncio.get_running_loop().call_later(self._delay, self._ripen)

    def connection_lost(self, error: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._end)

    def pause_writing(self) -> None:
        if self._other:
            self._other.read(is_wanted=False)

    def resume_writing(self) -> None:
        if self._other:
            self._other.read(is_wanted=True)

    def _ripen(self) -> None:
        self._due += 1
        self._let_out()

    def _end(self) -> None:
        self._is_over = True
        self._let_out()

    def _let_out(self) -> None:
        if self._other is None:
            return
        while self._due:
            self._due -= 1
            data = self._waiting.popleft()
            if transport := self._other.open_transport:
                transport.write(data)
        if self._is_over:
            self._other.close()


async def serve(port: int, host: str, to_port: int, round_trip: float) -> None:
    """Listen on this machine's loopback, and pass on to a server, until cancelled."""
    loop, joining = asyncio.get_running_loop(), Tasks()

    async def join(end: _End) -> None:
        try:
            _, other = await loop.create_connection(lambda: _End(round_trip / 2), host, to_port)
        except OSError:
            end.close()
        else:
            end.join(other)

    def take() -> _End:
        end = _End(round_trip / 2)
        task = loop.create_task(join(end))
        joining.add(task)
        task.add_done_callback(joining.discard)
        return end

    server = await loop.create_server(take, "127.0.0.1", port, backlog=256)
    async with server:
        await server.serve_forever()


@asynccontextmanager
async def open_delay(server: str, round_trip_ms: float) -> AsyncIterator[str]:
    """The proxy as a process of its own in front of a server; where it answers."""
    port = free_port()
    argv = (sys.executable, "-m", "tests.bench.delay", str(port), server, str(round_trip_ms))
    async with running(*argv, port=port) as address:
        yield address


async def _serve_until_stopped(port: int, server: str, round_trip: float) -> None:
    host, _, to_port = server.rpartition(":")
    serving = asyncio.create_task(serve(port, host, int(to_port), round_trip))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])


def main() -> None:
    """`python -m tests.bench.delay PORT HOST:PORT MILLISECONDS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("server")
    parser.add_argument("round_trip_ms", type=float)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_until_stopped(chosen.port, chosen.server, chosen.round_trip_ms / 1000))


if __name__ == "__main__":
    main()
