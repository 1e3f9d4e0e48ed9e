"""The clock of the worker: work that is due is rung for or done here, and the ledger is kept in order."""

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from channels.base import ChannelName
from sos.jobs import due_work
from sos.ledger import steps, store
from sos.ledger.money import begin_month
from sos.runtime import RecordClock, Runtime
from workers.going import DATABASE_LOST, LONGEST_PAUSE_SECONDS, finish, wait
from workers.jobs import Jobs, do_work

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 1.5  # how long a bell may go unheard
AT_ONCE = 8
TIDY_EVERY_SECONDS = 2.0
LAST_WORDS_SECONDS = 4.0
OTHERS_WRITE_SECONDS = 3 * LONGEST_PAUSE_SECONDS  # enough for all to find the database again

log = structlog.get_logger()


@dataclass
class Sweep:
    """Rings once for each piece of work that is due; one that is still due later is done right here."""

    runtime: Runtime
    jobs: Jobs
    stop: asyncio.Event
    _rung_at: dict[int, float] = field(default_factory=dict[int, float])
    _doing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        """Sweep every second until asked to stop, then finish what is being done here."""
        try:
            while not self.stop.is_set():
                await self._sweep()
                await wait(self.stop, EVERY_SECONDS)
        finally:
            await finish(self._doing, LAST_WORDS_SECONDS)

    async def _sweep(self) -> None:
        async with self.runtime.record.reading() as conn:
            due = await due_work(conn, self.runtime.clock())
        now = time.monotonic()
        self._rung_at = {work_id: at for work_id in due if (at := self._rung_at.get(work_id))}
        unheard = [work_id for work_id, at in self._rung_at.items() if now - at > PATIENCE_SECONDS]
        for work_id in unheard[: AT_ONCE - len(self._doing)]:
            self._do(work_id)
        new = [work_id for work_id in due if work_id not in self._rung_at]
        self._rung_at |= dict.fromkeys(new, now)
        if new:
            await self.runtime.record.bell.ring(new)

    def _do(self, work_id: int) -> None:
        doing = asyncio.create_task(self._do_here(work_id))
        self._doing.add(doing)
        doing.add_done_callback(self._doing.discard)

    async def _do_here(self, work_id: int) -> None:
        try:
            await do_work(self.runtime, self.jobs, work_id)
        except DATABASE_LOST as lost:
            log.warning("database.lost", work=work_id, error=type(lost).__name__)


async def tidy(runtime: Runtime, stop: asyncio.Event) -> None:
    """Every few seconds, settle what crashed workers left behind and end what is overdue.

    The former not at once: where the database has been away, those who were sending write first what they know.
    """
    began: float | None = None  # known once the database has answered: until then nobody could write
    while not stop.is_set():
        recovered: list[int] = []
        async with runtime.record.pool.connection() as conn:
            began = began or time.monotonic()
            if isinstance(runtime.clock, RecordClock):
                await runtime.clock.compare(conn)
            if time.monotonic() - began > OTHERS_WRITE_SECONDS:
                recovered = await steps.recover(conn, runtime.clock())
        async with runtime.record.pool.connection() as conn:
            expired = await store.expire(conn, runtime.clock())
            await begin_month(conn, runtime.config.sending, ChannelName.SMS, runtime.clock())
        for delivery in recovered:
            log.warning("delivery.unconfirmed", delivery=delivery)
        if expired:
            log.warning("deliveries.expired", count=expired)
        await wait(stop, TIDY_EVERY_SECONDS)
