"""What the tests of sending share: a channel that keeps what it is given, plain texts, and waiting for a condition."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from channels.base import Accepted, Callback, ChannelName, Forged, Message, Outcome, Receipt, Result
from channels.wording import Wording
from sos.database import Connection, rows
from sos.ledger.delivery import Due
from sos.runtime import Runtime
from tests.make import ACTION
from workers.dispatch import Dispatcher

LONGEST_WAIT_SECONDS = 20.0

Answer = Callable[[Message], Result]


@dataclass
class KeepingChannel:
    """Takes every message, one after another; `answer` says what becomes of it, `pause` how long each takes."""

    name: ChannelName = ChannelName.EMAIL
    in_flight: int = 64
    answer: Answer = lambda message: Accepted(f"id-{message.delivery}")
    pause: float = 0.0
    sent: list[int] = field(default_factory=list[int])
    asked: list[int] = field(default_factory=list[int])
    knows: Mapping[int, str] = field(default_factory=dict[int, str])
    at_once: int = 0
    most_at_once: int = 0

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[Outcome]:
        for message in messages:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.sent.append(message.delivery)
            await asyncio.sleep(self.pause)
            self.at_once -= 1
            yield Outcome(message, self.answer(message))

    async def look_up(self, message: Message, since: object) -> Accepted | None:
        self.asked.append(message.delivery)
        found = self.knows.get(message.delivery)
        return Accepted(found) if found else None

    def receipts(self, callback: Callback) -> list[Receipt]:
        raise Forged

    async def close(self) -> None: ...


async def write_plainly(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """A message for each delivery."""
    return {
        delivery.id: Message(
            delivery.id, f"c{delivery.id}@example.org", delivery.language,
            Wording("Someone is in danger.", "Alert"), message_id=f"<{delivery.id}@sos.example>",
        )
        for delivery in deliveries
    }  # fmt: skip


PLAINLY = {"action": write_plainly}


@asynccontextmanager
async def dispatching(*dispatchers: Dispatcher) -> AsyncIterator[None]:
    """Run loops until the block is left, then ask them to stop and see that they do."""
    tasks = [asyncio.create_task(dispatcher.run()) for dispatcher in dispatchers]
    try:
        yield
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop.set()
            dispatcher.wake.set()
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            await asyncio.gather(*tasks)


def dispatcher(runtime: Runtime, channel: KeepingChannel) -> Dispatcher:
    """A loop of its own over a channel."""
    return Dispatcher(runtime, channel, PLAINLY, asyncio.Event())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LONGEST_WAIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition lies in the database
            await asyncio.sleep(0.02)


async def states(conn: Connection, about: UUID = ACTION) -> dict[str, int]:
    """How many deliveries about something stand in each state."""
    found = await rows(
        conn,
        dict[str, str | int],
        "SELECT state::text, count(*) FROM deliveries WHERE about = %(about)s GROUP BY state",
        about=about,
    )
    return {str(one["state"]): int(one["count"]) for one in found}


async def until_states(conn: Connection, expected: dict[str, int], about: UUID = ACTION) -> None:
    """Wait until the deliveries stand exactly so."""

    async def is_so() -> bool:
        return await states(conn, about) == expected

    await until(is_so)
