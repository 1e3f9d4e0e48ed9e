"""Email against another implementation of SMTP: Debian's postfix, by its smtp-sink, where it is installed."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from channels.base import Accepted, Busy, Message, Misconfigured, Result, SmtpServer, Unconfirmed
from channels.email import EmailChannel
from channels.wording import Wording

SMTP_SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/local/sbin:/usr/bin")

pytestmark = pytest.mark.skipif(SMTP_SINK is None, reason="postfix's smtp-sink is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def sink(*options: str) -> AsyncIterator[EmailChannel]:
    """A channel to an smtp-sink that treats commands as its options say."""
    port = free_port()
    as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()
    command = (SMTP_SINK or "", "-4", *as_nobody, *options, f"127.0.0.1:{port}", "64")
    process = await asyncio.create_subprocess_exec(*command)
    channel = EmailChannel(SmtpServer("127.0.0.1", port, "none", "Network <alerts@network.example>"))
    try:
        await listening(port)
        yield channel
    finally:
        await channel.close()
        process.terminate()
        await process.wait()


async def listening(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("smtp-sink does not listen")


async def results(channel: EmailChannel, count: int) -> list[Result]:
    messages = [
        Message(n, f"amina{n}@example.org", "en", Wording("Hello.", "Hello"), message_id=f"<{n}@network.example>")
        for n in range(count)
    ]
    return [outcome.result async for outcome in channel.send(messages)]


async def test_postfix_takes_every_mail() -> None:
    async with sink() as channel:
        assert [type(result) for result in await results(channel, 60)] == [Accepted] * 60


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-r", "rcpt"), Busy),
        (("-Q", "mail"), Busy),
        (("-q", "data"), Busy),
        (("-q", "."), Unconfirmed),
        (("-r", "."), Busy),
        (("-f", "rcpt"), Misconfigured),  # "500 5.3.0" says nothing of the recipient
    ],
)
async def test_postfix_refuses_at_each_step(options: tuple[str, str], expected: type[Result]) -> None:
    async with sink(*options) as channel:
        assert [type(result) for result in await results(channel, 3)] == [expected] * 3
