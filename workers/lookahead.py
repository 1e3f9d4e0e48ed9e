"""Looking ahead: what leaves next is made ready while other messages are on the wire."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from channels.base import Channel
from sos.database import Connection
from sos.ledger import leaving_store
from sos.ledger.delivery import LIFE, Due
from sos.runtime import Runtime
from workers.preparing import Prepared, prepare
from workers.rendering import Renderers

AT_HAND = 2  # blocks: one that is being sent and one that is being made ready
FIRST_PART = 64  # of a block for which the sender waits already
FRESH_SECONDS = 10.0  # for so long a message may lie ready: names and addresses are corrected meanwhile
LOOK_AROUND_SECONDS = 0.5  # how long something new may go unseen when no notification came


@dataclass(eq=False)
class Block:
    """Rows of one urgency that were looked at together, and the messages that are made of them, part by part."""

    number: int
    urgency: int
    ready: deque[Prepared] = field(default_factory=deque[Prepared])
    preparing: asyncio.Task[None] | None = None
    is_prepared: bool = False  # all of it, or it has failed
    prepared_at: float = 0.0

    @property
    def is_stale(self) -> bool:
        return self.is_prepared and time.monotonic() - self.prepared_at > FRESH_SECONDS


@dataclass
class LookAhead:
    """What one channel sends next. `news` is set whenever something has been made ready."""

    runtime: Runtime
    channel: Channel
    renderers: Renderers
    news: asyncio.Event
    _blocks: deque[Block] = field(default_factory=deque[Block])
    _spent: list[int] = field(default_factory=list[int])
    _looked_around_at: float = 0.0
    _found_nothing_at: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is at hand, not even in the making."""
        return not self._blocks

    @property
    def is_ready(self) -> bool:
        """Whether there is something to take, or a failure to be told of."""
        return bool(self._blocks) and (self._blocks[0].is_prepared or bool(self._blocks[0].ready))

    async def look(self, conn: Connection, *, is_nudged: bool) -> None:
        """Begin to make ready what leaves next; nudged, at once, otherwise as often as is reasonable."""
        await self._leave_spent(conn)
        now = time.monotonic()
        if self._blocks and (self._blocks[0].is_stale or await self._is_overtaken(conn, now, is_nudged=is_nudged)):
            await self.start_over(conn)
        is_patient = self._blocks and (not self.is_ready or now - self._found_nothing_at < LOOK_AROUND_SECONDS)
        if len(self._blocks) < AT_HAND and (is_nudged or not is_patient):
            await self._look_further(conn, now)

    def take(self, most: int) -> list[Prepared]:
        """So many of those that are ready, in their order. Raises whatever has kept them from being made ready."""
        taken: list[Prepared] = []
        while self.is_ready and len(taken) < most:
            block = self._blocks[0]
            if block.preparing and block.preparing.done():
                block.preparing.result()
            if block.is_stale:  # nobody has looked meanwhile, as where the provider wanted rest
                break
            while block.ready and len(taken) < most:
                taken.append(block.ready.popleft())
            if block.is_prepared and not block.ready:
                self._spent.append(self._blocks.popleft().number)
        return taken

    async def start_over(self, conn: Connection) -> None:
        """Look anew at what was looked at and has not been taken."""
        self._spent += [block.number for block in self._blocks]
        await self.forget()
        await self._leave_spent(conn)

    async def forget(self) -> None:
        """Drop all that is at hand, as where the connection is gone that looked at it."""
        making = [block.preparing for block in self._blocks if block.preparing]
        self._blocks.clear()
        self._found_nothing_at = 0.0
        for one in making:
            one.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _is_overtaken(self, conn: Connection, now: float, *, is_nudged: bool) -> bool:
        if not is_nudged and now - self._looked_around_at < LOOK_AROUND_SECONDS:
            return False
        self._looked_around_at = now
        urgency = min(block.urgency for block in self._blocks)
        return urgency > LIFE and await leaving_store.is_overtaken(
            conn, self.channel.name, urgency, purposes=self.renderers.keys(), now=self.runtime.clock()
        )

    async def _look_further(self, conn: Connection, now: float) -> None:
        found = await leaving_store.look(
            conn, self.channel.name, purposes=self.renderers.keys(), now=self.runtime.clock(),
            busy=[block.number for block in self._blocks],
        )  # fmt: skip
        if not found:
            self._found_nothing_at = now
            return
        self._found_nothing_at = 0.0
        number, due = found
        if not due:  # somebody was faster, between two looks
            self._spent.append(number)
            return
        block = Block(number, due[0].urgency)
        parts = [due] if self._blocks else [due[:FIRST_PART], due[FIRST_PART:]]
        block.preparing = asyncio.create_task(self._prepare(block, parts))
        self._blocks.append(block)

    async def _prepare(self, block: Block, parts: Sequence[Sequence[Due]]) -> None:
        try:
            for part in parts:
                block.ready.extend(await prepare(self.runtime, self.channel, self.renderers, part))
                self.news.set()
        finally:
            block.is_prepared, block.prepared_at = True, time.monotonic()
            self.news.set()

    async def _leave_spent(self, conn: Connection) -> None:
        """Leave to others the blocks of which everything has been taken."""
        while self._spent:
            await leaving_store.look_away(conn, self.channel.name, self._spent.pop())
