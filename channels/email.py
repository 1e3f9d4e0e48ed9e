"""Email through one relay: a few kept connections, one mail in flight on each."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

from channels.base import Callback, ChannelName, Forged, Message, Outcome, Receipt, Refused, Result, SmtpServer
from channels.mime import Poisonous, build, read_sender
from channels.smtp import NoConnection, SmtpConnection

Outcomes = asyncio.Queue[Outcome | None]


class EmailChannel:
    """Sends mails, each attempted once; whoever stops reading the outcomes early closes the iterator."""

    name = ChannelName.EMAIL
    in_flight = 128

    def __init__(self, server: SmtpServer, *, connections: int = 4, within: timedelta = timedelta(seconds=60)) -> None:
        if server.security not in ("tls", "starttls", "none"):
            raise ValueError(f"unknown security of the mail server: {server.security!r}")
        if server.security == "none" and server.username:
            raise ValueError("a password is never sent to a mail server without TLS")
        self._server = server
        self._sender = read_sender(server.sender)
        self._connections = connections
        self._within = within
        self._idle: list[SmtpConnection] = []

    async def send(self, messages: Sequence[Message]) -> AsyncGenerator[Outcome, None]:
        """One attempt at each message; outcomes come as the server answers, not in the order of the messages."""
        waiting, outcomes = deque(messages), Outcomes()
        lanes = asyncio.create_task(self._run_lanes(waiting, outcomes))
        try:
            while (outcome := await outcomes.get()) is not None:
                yield outcome
            await lanes
        finally:
            lanes.cancel()
            await asyncio.wait([lanes])

    def receipts(self, callback: Callback) -> list[Receipt]:
        """A mail server calls nobody back: bounces come by mail; raises Forged."""
        raise Forged

    async def close(self) -> None:
        """Leave the mail server."""
        while self._idle:
            await self._idle.pop().close()

    async def _run_lanes(self, waiting: deque[Message], outcomes: Outcomes) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                count = min(self._connections, len(waiting))
                lanes = [group.create_task(self._lane(waiting, outcomes)) for _ in range(count)]
            failures = [result for lane in lanes if (result := lane.result())]
            for message in waiting:
                outcomes.put_nowait(Outcome(message, failures[-1]))
        finally:
            outcomes.put_nowait(None)

    async def _lane(self, waiting: deque[Message], outcomes: Outcomes) -> Result | None:
        """Send what waits over one connection at a time; gives why none could be had, leaving the rest waiting."""
        connection: SmtpConnection | None = None
        try:
            while waiting:
                message = waiting.popleft()
                try:
                    envelope = build(message, self._sender, datetime.now(UTC))
                    connection = await self._usable(connection)
                    outcomes.put_nowait(Outcome(message, await connection.deliver(envelope)))
                except Poisonous as poison:
                    outcomes.put_nowait(Outcome(message, Refused(str(poison))))
                except NoConnection as failure:
                    waiting.appendleft(message)
                    return failure.result
        finally:
            if connection and connection.is_open:
                self._idle.append(connection)
        return None

    async def _usable(self, connection: SmtpConnection | None) -> SmtpConnection:
        if connection and connection.is_open:
            return connection
        while self._idle:
            if await (kept := self._idle.pop()).is_alive():
                return kept
        return await SmtpConnection.open(self._server, self._sender.domain, self._within)
