"""Sending by one channel: claim a window, then in small slices settle, mark, send; nothing leaves unmarked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, runtime_checkable

import structlog

from channels.base import Accepted, Busy, Channel, ChannelName, Message, Refused, Result, Unconfirmed
from sos.database import Connection, connect, value
from sos.ledger import steps, store
from sos.ledger.delivery import LIFE, UNCONFIRMED, UNRENDERABLE, Delivery, Settlement, after
from sos.runtime import Runtime
from workers.going import DATABASE_LOST, finish, pauses, wait
from workers.rendering import Renderers, render

# What one commit lets out at most. The paced channels have small ones, so that a recall is felt within 2 s.
SLICES = {ChannelName.EMAIL: 64, ChannelName.TELEGRAM: 8, ChannelName.SMS: 2}
ONE_SENDER = {ChannelName.TELEGRAM: 7_305_011, ChannelName.SMS: 7_305_012}  # advisory locks: the pace is a process's
LEASE = timedelta(seconds=12)
RENEW_EVERY_SECONDS = 4.0
POLL_SECONDS = 1.0
LAST_WORDS_SECONDS = 4.0
LONGEST_WRITE_PAUSE_SECONDS = 1.0
ASK_AGAIN = timedelta(minutes=1)
CLOCK_SKEW = timedelta(minutes=1)

Transaction = Callable[[], AbstractAsyncContextManager[Connection]]

log = structlog.get_logger()


@runtime_checkable
class AnswersLater(Protocol):
    """A channel whose provider can be asked whether it has taken a message; raises if it cannot say."""

    async def look_up(self, message: Message, since: datetime) -> Accepted | None: ...


@dataclass(slots=True)
class Window:
    """What one attempt holds: rows that it has not handed over, and outcomes that are not written yet."""

    attempt: int
    kept: dict[int, Delivery]
    settled: list[Settlement] = field(default_factory=list[Settlement])
    is_moving: bool = True

    def settle(self, delivery: Delivery, result: Result, now: datetime) -> None:
        """Take the outcome of a delivery, to be written with the next commit."""
        self.kept.pop(delivery.id, None)
        self.settled.append(after(delivery, result, now))


@dataclass
class Dispatcher:
    """The loop of one channel in one worker. `wake` makes it look at once instead of at the next poll."""

    runtime: Runtime
    channel: Channel
    renderers: Renderers
    stop: asyncio.Event
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until asked to stop; a channel with a pace is sent by one worker at a time."""
        if self.channel.name not in ONE_SENDER:
            await self._send_all(self.runtime.record.pool.connection)
            return
        # Marks are written by the connection that holds the turn: when it is lost, nothing more can leave.
        async with connect(self.runtime.settings.database_url) as conn:
            await conn.execute("SET statement_timeout = '10s'")
            if await self._take_turn(conn):
                await self._send_all(partial(_transaction, conn))

    async def _take_turn(self, conn: Connection) -> bool:
        while not self.stop.is_set():
            if await value(conn, "SELECT pg_try_advisory_lock(%(lock)s)", lock=ONE_SENDER[self.channel.name]):
                return True
            await wait(self.stop, POLL_SECONDS)
        return False

    async def _send_all(self, transaction: Transaction) -> None:
        while not self.stop.is_set():
            self.wake.clear()
            if not await self._send_window(transaction):
                await wait(self.wake, POLL_SECONDS)

    async def _send_window(self, transaction: Transaction) -> bool:
        """Claim a window and send it; whether it is worth claiming another at once."""
        now = self.runtime.clock()
        async with transaction() as conn:
            claimed = await store.claim(
                conn, self.channel.name, purposes=self.renderers.keys(), now=now, until=now + LEASE
            )
        if not claimed:
            return False
        window = Window(claimed[0].attempt, {delivery.id: delivery for delivery in claimed})
        async with self._holding(window):
            try:
                await self._send_slices(transaction, window, claimed)
            except DATABASE_LOST:
                await self._put_down(window)
                raise
            await self._put_down(window)
        return window.is_moving

    async def _send_slices(self, transaction: Transaction, window: Window, claimed: Sequence[Delivery]) -> None:
        """Go through a window; what it does not reach stays in `kept`.

        It ends early when we are asked to stop, when nothing more may leave (a recall, a hold), when something more
        urgent waits, or when the provider takes nothing at all just now, so that the rest is not tried in vain.
        """
        size = SLICES[self.channel.name]
        for start in range(0, len(claimed), size):
            if self.stop.is_set():
                return
            messages = await self._prepare(window, claimed[start : start + size])
            marked = await self._mark(transaction, window, messages, is_first=start == 0)
            if not marked:
                return
            results = await self._send([messages[delivery] for delivery in marked])
            now = self.runtime.clock()
            for delivery, result in results.items():
                window.settle(window.kept[delivery], result, now)
            if all(isinstance(result, Busy) for result in results.values()):
                window.is_moving = False
                return

    async def _prepare(self, window: Window, deliveries: Sequence[Delivery]) -> dict[int, Message]:
        """Render a slice; what cannot be rendered, or has arrived already, is settled instead of sent."""
        messages = await render(self.runtime, self.renderers, deliveries)
        for delivery in deliveries:
            result = await self._known_result(delivery, messages.get(delivery.id))
            if result:
                messages.pop(delivery.id, None)
                window.settle(delivery, result, self.runtime.clock())
        return messages

    async def _known_result(self, delivery: Delivery, message: Message | None) -> Result | None:
        if message is None:
            log.error("delivery.unrenderable", delivery=delivery.id)
            return Refused(UNRENDERABLE)
        if not (delivery.unconfirmed and delivery.marked_at and isinstance(self.channel, AnswersLater)):
            return None
        try:
            return await self.channel.look_up(message, delivery.marked_at - CLOCK_SKEW)
        except Exception as error:  # whatever it is: what may have arrived is not sent again without an answer
            log.warning("delivery.not_looked_up", delivery=delivery.id, error=type(error).__name__)
            return Busy(ASK_AGAIN, UNCONFIRMED)

    async def _mark(
        self, transaction: Transaction, window: Window, messages: Mapping[int, Message], *, is_first: bool
    ) -> list[int]:
        """In one commit, write the outcomes of the slice before and mark this one; what was marked."""
        name, now = self.channel.name, self.runtime.clock()
        async with transaction() as conn:
            await steps.settle(conn, window.settled, name, now)
            marked: set[int] = set()
            if is_first or not await self._is_overtaken(conn, window, messages, now):
                marked = await store.mark(conn, name, window.attempt, list(messages), now=now, until=now + LEASE)
        window.settled = []
        return [delivery for delivery in messages if delivery in marked]

    async def _is_overtaken(
        self, conn: Connection, window: Window, messages: Mapping[int, Message], now: datetime
    ) -> bool:
        urgency = min((window.kept[delivery].urgency for delivery in messages), default=LIFE)
        return urgency > LIFE and await store.is_overtaken(
            conn, self.channel.name, urgency, purposes=self.renderers.keys(), now=now
        )

    async def _send(self, messages: Sequence[Message]) -> dict[int, Result]:
        """Hand over what was marked; what got no answer, also when we had to stop waiting, is unconfirmed."""
        results: dict[int, Result] = {message.delivery: Unconfirmed("no answer") for message in messages}
        sending = asyncio.create_task(self._collect(messages, results))
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await finish({sending}, LAST_WORDS_SECONDS)
        finally:
            sending.cancel()
            stopping.cancel()
        return results

    async def _collect(self, messages: Sequence[Message], results: dict[int, Result]) -> None:
        try:
            async for outcome in self.channel.send(messages):
                results[outcome.message.delivery] = outcome.result
        except Exception:
            log.exception("channel.failed", channel=self.channel.name)

    async def _put_down(self, window: Window) -> None:
        """Write the last outcomes and give back the rest, trying until it is written."""
        if not (window.settled or window.kept):
            return
        for pause in pauses(LONGEST_WRITE_PAUSE_SECONDS):
            try:
                async with self.runtime.record.pool.connection() as conn:
                    await steps.settle(conn, window.settled, self.channel.name, self.runtime.clock())
                    await store.release(conn, window.attempt, list(window.kept))
                return
            except DATABASE_LOST as lost:
                log.warning("outcomes.waiting", count=len(window.settled), error=type(lost).__name__)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def _holding(self, window: Window) -> AsyncIterator[None]:
        """Renew the lease while a window is being sent, however slow the provider is."""
        renewing = asyncio.create_task(self._renew(window.attempt, list(window.kept)))
        try:
            yield
        finally:
            await finish({renewing}, 0)

    async def _renew(self, attempt: int, ids: Sequence[int]) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_SECONDS)
            try:
                async with self.runtime.record.pool.connection() as conn:
                    await store.renew(conn, attempt, ids, self.runtime.clock() + LEASE)
            except DATABASE_LOST as lost:
                log.warning("lease.not_renewed", channel=self.channel.name, error=type(lost).__name__)


@asynccontextmanager
async def _transaction(conn: Connection) -> AsyncIterator[Connection]:
    async with conn.transaction():
        yield conn
