"""Email through one relay: a few kept connections, over which mails leave one after another."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from channels.base import (
    Busy,
    Callback,
    ChannelName,
    Forged,
    Message,
    Misconfigured,
    Outcome,
    Receipt,
    Refused,
    Result,
    SmtpServer,
)
from channels.lane import Lane, Mail
from channels.mime import Poisonous, read_sender, write
from channels.smtp import NoConnection, connect


class EmailChannel:
    """Sends mails, each attempted once; whoever stops reading the outcomes early closes the iterator."""

    name = ChannelName.EMAIL
    in_flight = 128

    def __init__(self, server: SmtpServer, *, connections: int = 10, within: timedelta = timedelta(seconds=60)) -> None:
        if server.security not in ("tls", "starttls", "none"):
            raise ValueError(f"unknown security of the mail server: {server.security!r}")
        if server.security == "none" and server.username:
            raise ValueError("a password is never sent to a mail server without TLS")
        self._server = server
        self._sender = read_sender(server.sender)
        self._connections = connections
        self._within = within
        self._waiting: deque[tuple[Message, _Sending]] = deque()
        self._put_back: deque[Mail] = deque()
        self._lanes: list[Lane] = []
        self._opening: set[asyncio.Task[None]] = set()

    async def send(self, messages: Sequence[Message]) -> AsyncGenerator[Outcome, None]:
        """One attempt at each message; outcomes come as the server answers, not in the order of the messages."""
        sending = _Sending(len(messages))
        self._waiting.extend((message, sending) for message in messages)
        self._employ()
        try:
            while sending.left:
                for outcome in await sending.more():
                    yield outcome
        finally:
            self._withdraw(sending)

    def give_back(self) -> list[int]:
        """Let go of all that has not begun to leave, and now will not: the deliveries; no outcome comes of them."""
        given = [*self._waiting, *((mail.message, mail.sender) for mail in self._put_back)]
        self._waiting.clear()
        self._put_back.clear()
        for _, sending in given:
            sending.let_go()
        return [message.delivery for message, _ in given]

    def receipts(self, callback: Callback) -> list[Receipt]:
        """A mail server calls nobody back: bounces come by mail; raises Forged."""
        raise Forged

    async def close(self) -> None:
        """Leave the mail server."""
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for lane in list(self._lanes):
            lane.say_goodbye()

    # What lanes ask for

    def take(self) -> Mail | None:
        """The next mail that somebody waits for; what no mail can carry is refused here."""
        while self._put_back:
            if not (mail := self._put_back.popleft()).sender.has_left:
                return mail
        while self._waiting:
            message, sending = self._waiting.popleft()
            if sending.has_left:
                continue
            try:
                return Mail(message, write(message, self._sender, datetime.now(UTC)), sending)
            except Poisonous as poison:
                sending.settle(message, Refused(str(poison)))
        return None

    def put_back(self, mail: Mail) -> None:
        """Of this mail nothing has left, and that was not its fault: the next lane takes it."""
        self._put_back.append(mail)

    def has_ended(self, lane: Lane) -> None:
        """A connection is gone; others take over what waits."""
        self._lanes.remove(lane)
        self._employ()

    # Lanes come and go

    def _employ(self) -> None:
        """Let idle lanes work, and open as many more as there is work for."""
        for lane in list(self._lanes):
            if lane.is_idle:
                lane.go_on()
        room = self._connections - len(self._lanes) - len(self._opening)
        for _ in range(min(room, len(self._waiting) + len(self._put_back) - len(self._opening))):
            task = asyncio.create_task(self._open_lane())
            self._opening.add(task)

    async def _open_lane(self) -> None:
        try:
            connection = await connect(self._server, self._sender.domain, self._within)
        except NoConnection as failure:
            if not self._lanes and len(self._opening) == 1:  # this was the last hope
                self._give_up(failure.result)
            return
        finally:
            self._opening.discard(cast(asyncio.Task[None], asyncio.current_task()))
        lane = Lane(connection, self, self._within.total_seconds())
        self._lanes.append(lane)
        lane.go_on()

    def _give_up(self, result: Busy | Misconfigured) -> None:
        """Everything that waits shares the fate of the connection that could not be had."""
        while self._put_back:
            self._put_back.popleft().settle(result)
        while self._waiting:
            message, sending = self._waiting.popleft()
            sending.settle(message, result)

    def _withdraw(self, sending: "_Sending") -> None:
        """Nobody waits for these any more: what has not begun does not leave."""
        sending.has_left = True
        if sending.left:
            self._waiting = deque(one for one in self._waiting if one[1] is not sending)
            for lane in list(self._lanes):
                lane.drop_what_was_left()


class _Sending:
    """One call of `send`: what has come of its messages, and how many are still to come."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.has_left = False
        self._outcomes: list[Outcome] = []
        self._news: asyncio.Future[None] | None = None

    def settle(self, message: Message, result: Result) -> None:
        """Take an outcome."""
        self._outcomes.append(Outcome(message, result))
        if self._news and not self._news.done():
            self._news.set_result(None)

    def let_go(self) -> None:
        """One outcome less is to come."""
        self.left -= 1
        if self._news and not self._news.done():
            self._news.set_result(None)

    async def more(self) -> list[Outcome]:
        """The outcomes that have come since: at least one, unless none is to come any more."""
        if not self._outcomes:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        came, self._outcomes = self._outcomes, []
        self.left -= len(came)
        return came
