"""Sending by one channel: look ahead, then in one commit write what became of messages and mark those that leave next.

Nothing leaves unmarked. What is marked and not settled when a process dies is what a crash leaves uncertain: at most
`channel.in_flight`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import structlog

from channels.base import Busy, Channel, ChannelName, Message, Refused, Result, Unconfirmed
from channels.segments import segments
from sos.database import Connection
from sos.ledger import leaving_store, settling_store, steps, turn_store
from sos.ledger.delivery import POLICY, REMEMBERED, DeliveryState, Due, Settlement, after, closes_channel, new_attempt
from sos.ledger.money import spend
from sos.runtime import Runtime
from workers.going import finish, wait
from workers.lookahead import LookAhead
from workers.preparing import Prepared
from workers.rendering import Renderers
from workers.turns import open_turn

LEASE = timedelta(seconds=8)
RENEW_EVERY_SECONDS = 2.5
POLL_SECONDS = 1.0
GATHER_SECONDS = 0.05  # how long an outcome waits for others to be written with it
REST_SECONDS = 30.0  # at most, after a provider that takes nothing just now
LAST_WORDS_SECONDS = 4.0

log = structlog.get_logger()


@dataclass(slots=True)  # not frozen: thousands are made every second
class Handed:
    """A delivery that was marked under an attempt."""

    due: Due
    attempt: int


@runtime_checkable
class GivesBack(Protocol):
    """A channel that can let go of what has not begun to leave; no outcome comes of these deliveries."""

    def give_back(self) -> Collection[int]: ...


@dataclass
class Dispatcher:
    """The loop of one channel in one worker. `wake` makes it look at once instead of at the next poll.

    `through` is set whenever all that it had sent is settled.

    What is flying, and what has landed and is not written yet, outlives a lost connection to the database.
    """

    runtime: Runtime
    channel: Channel
    renderers: Renderers
    stop: asyncio.Event
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    through: asyncio.Event = field(default_factory=asyncio.Event)
    flying: dict[int, Handed] = field(default_factory=dict[int, Handed])
    landed: list[Settlement] = field(default_factory=list[Settlement])
    doubtful: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _ahead: LookAhead = field(init=False)
    _by_policy: deque[bool] = field(default_factory=lambda: deque[bool](maxlen=REMEMBERED))
    _writing: int = 0  # so many of what has landed are in the commit that is under way
    _busy: int = 0  # so many in a row were put off
    _rest: float = 0.0
    _rests_until: float = 0.0
    _renewed_at: float = 0.0
    _silence: datetime | None = None

    def __post_init__(self) -> None:
        self._ahead = LookAhead(self.runtime, self.channel, self.renderers, self._news)

    async def run(self) -> None:
        """Send until asked to stop; a channel with a pace is sent by one worker at a time.

        Marks are written by the connection that holds the turn: when it is lost, nothing more can leave.
        """
        try:
            async with open_turn(
                self.runtime.settings.database_url, self.channel.name, self.stop, self._settle
            ) as conn:
                await self._hear_of_silence(conn)
                while not self.stop.is_set():
                    if self.wake.is_set():
                        await self._look(conn)  # first: something more urgent may have come
                    await self._turn_over(conn)
                    await self._look(conn)  # what was handed over is on the wire meanwhile
                    await self._wait()
                await self._last_words(conn)
        except asyncio.CancelledError:
            await finish(set(self._sending), 0)
            raise
        finally:
            await self._ahead.forget()

    async def _look(self, conn: Connection) -> None:
        """Look ahead, at once where somebody says that there is something new."""
        is_nudged = self.wake.is_set()
        self.wake.clear()
        if not self._is_resting:
            await self._ahead.look(conn, is_nudged=is_nudged)

    async def _hear_of_silence(self, conn: Connection) -> None:
        """Whoever sent before us may have been asked to be silent."""
        left = await turn_store.silence_left(conn, self.channel.name, self.runtime.clock())
        self._rests_until = max(self._rests_until, time.monotonic() + left.total_seconds())

    @property
    def _size(self) -> int:
        """How many one commit lets out: half of what may be uncertain, so that some fly while others are written."""
        return max(1, self.channel.in_flight // 2)

    async def _turn_over(self, conn: Connection) -> None:
        """Write what has landed and mark what leaves next, in one commit; then hand it over."""
        await self._renew(conn)
        self._news.clear()
        began = time.monotonic()
        room = 0 if self._is_resting else min(self._size, self.channel.in_flight - len(self.flying))
        ours = self.flying.keys() | {one.id for one in self.landed}
        chosen = [one for one in self._ahead.take(room) if one.due.id not in ours]
        if not (chosen or self.landed):
            return
        attempt = new_attempt()
        marked = await self._exchange(conn, chosen, attempt)
        if chosen and not marked:
            await self._ahead.start_over(conn)  # a hold, a recall, or others were faster
        if time.monotonic() - began > LEASE.total_seconds():
            self.doubtful[attempt] = marked  # this process was stopped, and others have taken it up by now
            await self._settle(conn)
            return
        self._hand_over([one for one in chosen if one.due.id in marked], attempt)
        if not (self.flying or self.landed):
            self.through.set()

    async def _exchange(self, conn: Connection, chosen: Sequence[Prepared], attempt: int) -> set[int]:
        """Write what has landed and mark what was chosen, nearly always in one statement; answer what may leave."""
        written, ids, now = list(self.landed), [one.due.id for one in chosen], self.runtime.clock()
        over = self._over()
        accepted = [one for one in written if one.state is DeliveryState.ACCEPTED]
        others = [one for one in written if one.state is not DeliveryState.ACCEPTED]
        is_alone = not others and self.channel.name is not ChannelName.SMS  # a statement is a commit of its own
        self._writing = len(written)
        try:
            async with nullcontext() if is_alone else conn.transaction():
                await self._write(conn, others)
                marked = await leaving_store.mark(
                    conn, self.channel.name, attempt, ids, now=now, until=now + LEASE, accepted=accepted, over=over
                )
                await self._spend(conn, [one for one in chosen if one.due.id in marked])
        except BaseException:
            self.doubtful[attempt] = set(ids)  # the commit may have been lost, or only its answer
            raise
        finally:
            self._writing = 0
        self.landed = self.landed[len(written) :]
        return marked

    async def _spend(self, conn: Connection, leaving: Sequence[Prepared]) -> None:
        if self.channel.name is not ChannelName.SMS:
            return
        costs = {one.due.id: segments(one.message.text).count for one in leaving if one.message}
        if costs:
            await spend(conn, self.runtime.config, self.channel.name, costs, self.runtime.clock())

    async def _settle(self, conn: Connection) -> None:
        """Write what is known, without sending anything; and put back what was perhaps marked and did not leave.

        What still flies is answered for: the connection may have been away for nearly as long as a lease.
        """
        written, over = list(self.landed), self._over()
        await self._renew(conn, at_once=True)
        async with conn.transaction():
            await self._write(conn, written)
            await settling_store.forget_attempts(conn, over)
            for attempt, ids in self.doubtful.items():
                await settling_store.release(conn, attempt, ids)
            await settling_store.forget_attempts(conn, self.doubtful.keys())
        self.landed = self.landed[len(written) :]
        self.doubtful.clear()

    async def _write(self, conn: Connection, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        await steps.settle(conn, settlements, self.channel.name, self.runtime.clock())
        if self._silence:
            await turn_store.keep_silence(conn, self.channel.name, self._silence)
            self._silence = None

    def _over(self) -> set[int]:
        """The attempts of which all has landed by now: asked before anything is waited for, while more may land."""
        return {one.attempt for one in self.landed} - {handed.attempt for handed in self.flying.values()}

    async def _renew(self, conn: Connection, *, at_once: bool = False) -> None:
        """Say that we are there, and still wait however slow the provider is."""
        now = time.monotonic()
        if at_once or now - self._renewed_at > RENEW_EVERY_SECONDS:
            self._renewed_at = now
            attempts = {one.attempt for one in self.flying.values()} | {one.attempt for one in self.landed}
            await settling_store.renew(conn, attempts, self.runtime.clock() + LEASE)

    def _hand_over(self, prepared: Sequence[Prepared], attempt: int) -> None:
        """Send what was marked; what is known already is settled instead."""
        messages: list[Message] = []
        for one in prepared:
            self.flying[one.due.id] = Handed(one.due, attempt)
            if one.result:
                self._land(one.due.id, one.result)
            elif one.message:
                messages.append(one.message)
        if messages:
            sending = asyncio.create_task(self._send(messages))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self, messages: Sequence[Message]) -> None:
        """One attempt at each; what got no answer, also when we had to stop waiting, is unconfirmed."""
        try:
            async for outcome in self.channel.send(messages):
                self._land(outcome.message.delivery, outcome.result)
        except Exception:
            log.exception("channel.failed", channel=self.channel.name)
        finally:
            for message in messages:
                if message.delivery in self.flying:
                    self._land(message.delivery, Unconfirmed("no answer"))

    def _land(self, delivery: int, result: Result) -> None:
        """Take the outcome of a delivery, to be written with the next commit."""
        handed = self.flying.pop(delivery)
        settled = after(handed.due, handed.attempt, result, self.runtime.clock())
        self._by_policy.append(isinstance(result, Refused) and result.reason.startswith(POLICY))
        if self._by_policy[-1] and closes_channel(self._by_policy):
            settled = replace(settled, closes_channel=True)
            self._by_policy.clear()
        self.landed.append(settled)
        self._mind_the_provider(result)
        if len(self.landed) - self._writing >= self._size or not self.flying:
            self._news.set()

    def _mind_the_provider(self, result: Result) -> None:
        """A provider that takes nothing at all just now is not tried with the whole queue."""
        if isinstance(result, Busy) and result.wants_silence:
            self._silence = self.runtime.clock() + result.after
            self._rests_until = max(self._rests_until, time.monotonic() + result.after.total_seconds())
            return
        self._busy = self._busy + 1 if isinstance(result, Busy) else 0
        if not self._busy:
            self._rest = 0.0
        elif (self._busy >= self._size or not self.flying) and not self._is_resting:
            self._rest = min(max(1.0, 2 * self._rest), REST_SECONDS)
            self._rests_until = time.monotonic() + self._rest

    @property
    def _is_resting(self) -> bool:
        return time.monotonic() < self._rests_until

    async def _wait(self) -> None:
        """Until there is something to write or to send."""
        if self._is_resting and not (self.flying or self.landed):
            await wait(self.stop, POLL_SECONDS)
        elif self._ahead.is_empty and not (self.flying or self.landed):
            await wait(self.wake, POLL_SECONDS)
        elif self.channel.in_flight - len(self.flying) < self._size or not self._ahead.is_ready:
            await wait(self._news, GATHER_SECONDS if self.landed else POLL_SECONDS)

    async def _last_words(self, conn: Connection) -> None:
        """Let what has begun to leave land, write it, and put back the rest, as if it had never been marked."""
        if isinstance(self.channel, GivesBack):
            for delivery in self.channel.give_back():
                if handed := self.flying.pop(delivery, None):
                    self.doubtful.setdefault(handed.attempt, set()).add(delivery)
        await finish(set(self._sending), LAST_WORDS_SECONDS)
        await self._settle(conn)
