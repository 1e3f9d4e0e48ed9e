"""Mail servers that take everything: Debian's smtp-sink for measuring, and one of ours that counts bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.bench.commands import as_nobody, find_program, free_port, running

KEPT = 1000
END = b"\r\n.\r\n"


@asynccontextmanager
async def open_smtp_sink(*options: str) -> AsyncIterator[str]:
    """Debian's smtp-sink; where it answers. Raises Skipped."""
    program, port = find_program("smtp-sink"), free_port()
    async with running(program, *as_nobody(), *options, f"127.0.0.1:{port}", "256", port=port) as address:
        yield address


@dataclass
class CountingSink:
    """Takes every mail, pipelined or not, counts bytes, and keeps the first thousand with their recipients."""

    mails: int = 0
    total_bytes: int = 0
    kept: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    @property
    def mean_bytes(self) -> int:
        """The mean size of a mail, with its headers."""
        return round(self.total_bytes / self.mails) if self.mails else 0

    def take(self, recipient: str, content: bytes) -> None:
        """A mail has arrived."""
        self.mails += 1
        self.total_bytes += len(content)
        if len(self.kept) < KEPT:
            self.kept.append((recipient, content))


@asynccontextmanager
async def open_counting_sink() -> AsyncIterator[tuple[CountingSink, str]]:
    """A counting sink in this process, and where it answers."""
    sink = CountingSink()
    server = await asyncio.get_running_loop().create_server(lambda: _Talk(sink), "127.0.0.1", 0)
    async with server:
        yield sink, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


class _Talk(asyncio.Protocol):
    """One connection: what it cannot read yet waits in a buffer, which begins with the end of the line before."""

    def __init__(self, sink: CountingSink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._is_body = False
        self._recipient = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._read_body() if self._is_body else self._read_command():
            pass

    def _read_body(self) -> bool:
        end = self._buffer.find(END)
        if end < 0:
            return False
        content = bytes(self._buffer[2 : end + 2])
        del self._buffer[: end + len(END)]
        self._is_body = False
        self._sink.take(self._recipient, content.replace(b"\r\n..", b"\r\n."))
        self._transport.write(b"250 2.0.0 kept\r\n")
        return True

    def _read_command(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._transport.write(self._answer(line))
        return True

    def _answer(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
            case b"RCPT":
                self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            case b"DATA":
                self._is_body = True
                self._buffer[:0] = b"\r\n"
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 2.0.0 goodbye\r\n"
        return b"250 2.0.0 ok\r\n"
