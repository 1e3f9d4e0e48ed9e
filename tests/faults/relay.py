"""A mail server that takes everything at a pace, and misbehaves at the points where it is told to."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from tests.faults.oracle import Inbox

MESSAGE_ID = re.compile(rb"(?mi)^Message-ID:\s*(\S+)")
DRIP_SECONDS = 0.03


class Point(StrEnum):
    """Where a server can misbehave; END is after the final dot, when the mail has been kept."""

    BANNER = "banner"
    RCPT = "rcpt"
    END = "end"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens instead of the usual answer; a mail that is answered by `reply` has not been kept."""

    reply: str = ""
    stalls_seconds: float = 0.0
    drips: bool = False
    drops: bool = False


Rule = Callable[[str], Fault | None]


@dataclass
class Relay:
    """Listens on a free port of this machine as `async with Relay(inbox, per_second)`; `rules` are asked each time."""

    inbox: Inbox
    per_second: float
    rules: dict[Point, Rule] = field(default_factory=dict[Point, Rule])
    injected: dict[Point, int] = field(default_factory=dict[Point, int])
    connections: int = 0
    _next_at: float = 0.0
    _server: asyncio.Server | None = None
    _talks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def url(self) -> str:
        """As SOS_SMTP_URL."""
        assert self._server
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for talk in tuple(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def fault(self, point: Point, recipient: str = "") -> Fault:
        """What to do here; counted where it is anything."""
        rule = self.rules.get(point)
        found = rule(recipient) if rule else None
        if found:
            self.injected[point] = self.injected.get(point, 0) + 1
        return found or Fault()

    async def turn(self) -> None:
        """So many mails a second over all connections."""
        now = time.monotonic()
        self._next_at = max(now, self._next_at) + 1 / self.per_second
        await asyncio.sleep(self._next_at - now)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await _Talk(self, reader, writer).run()
        finally:
            self._talks.discard(task)
            writer.close()


class _Talk:
    """One connection."""

    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._recipient = ""

    async def run(self) -> None:
        goes_on = await self._answer(self._relay.fault(Point.BANNER), "220 relay.example ESMTP")
        while goes_on and (line := await self._reader.readline()):
            goes_on = await self._obey(line)

    async def _obey(self, line: bytes) -> bool:
        match line[:4].upper():
            case b"EHLO":
                return await self._answer(Fault(), "250-relay.example\r\n250-PIPELINING\r\n250 8BITMIME")
            case b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
                fault = self._relay.fault(Point.RCPT, recipient)
                self._recipient = "" if fault.reply else recipient
                return await self._answer(fault, "250 2.1.5 ok")
            case b"MAIL":
                self._recipient = ""
            case b"DATA" if self._recipient:
                return await self._take()
            case b"DATA":
                return await self._answer(Fault(), "503 5.5.1 no recipient")
            case b"QUIT":
                await self._answer(Fault(), "221 2.0.0 goodbye")
                return False
        return await self._answer(Fault(), "250 2.0.0 ok")

    async def _take(self) -> bool:
        await self._answer(Fault(), "354 go on")
        content = b"\r\n" + await self._reader.readuntil(b"\r\n.\r\n")
        recipient, self._recipient = self._recipient, ""
        await self._relay.turn()
        fault = self._relay.fault(Point.END, recipient)
        if not fault.reply:
            found = MESSAGE_ID.search(content)
            self._relay.inbox.take(recipient, found[1].decode() if found else "")
        return await self._answer(fault, "250 2.0.0 kept")

    async def _answer(self, fault: Fault, usual: str) -> bool:
        """Whether the conversation goes on."""
        await asyncio.sleep(fault.stalls_seconds)
        if fault.drops:
            self._writer.transport.abort()
            return False
        said = f"{fault.reply or usual}\r\n".encode()
        for part in [said[at : at + 1] for at in range(len(said))] if fault.drips else [said]:
            self._writer.write(part)
            await self._writer.drain()
            if fault.drips:
                await asyncio.sleep(DRIP_SECONDS)
        return not fault.reply.startswith("421")
