"""Later work: a row in the step's own transaction, and after the commit a bell that may be lost without harm."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from sos.database import Connection, Pool, row, rows, run, value

LEASE = timedelta(minutes=2)
BELL = "ring"  # the one arq job: "this work is due"

log = structlog.get_logger()


class Bell(Protocol):
    """Tells a worker that work is due. Nothing depends on its being heard."""

    async def ring(self, work_ids: Sequence[int]) -> None: ...


class RedisBell:
    """Rings through arq. The job carries the number of a row, never content."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def ring(self, work_ids: Sequence[int]) -> None:
        """Enqueue one job for each number; a bell that cannot ring is logged, the sweep will find the work."""
        try:
            for work_id in work_ids:
                await self._redis.enqueue_job(BELL, work_id, _job_id=f"work:{work_id}")
        except (RedisError, OSError):
            log.warning("bell.lost", count=len(work_ids))


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do later: the name of a job, and what it is about."""

    id: int
    name: str
    subject_id: UUID


@dataclass(slots=True)
class Step:
    """One transaction of the journey, and the work that it asked for."""

    conn: Connection
    asked: list[int] = field(default_factory=list[int])

    async def ask(self, name: str, subject_id: UUID, due_at: datetime) -> None:
        """Insert later work with this step; asking twice for the same moment is asking once."""
        work_id = await value(
            self.conn,
            """
            INSERT INTO work (name, subject_id, due_at) VALUES (%(name)s, %(subject)s, %(due)s)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            name=name, subject=subject_id, due=due_at,
        )  # fmt: skip
        if work_id is not None:
            self.asked.append(work_id)


@dataclass(frozen=True, slots=True)
class Record:
    """The record and its doorbell: what every step of the journey needs."""

    pool: Pool
    bell: Bell

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Step]:
        """A transaction; once it is committed, and only then, the bell rings for what it asked."""
        async with self.pool.connection() as conn, conn.transaction():
            step = Step(conn)
            yield step
        if step.asked:
            await self.bell.ring(step.asked)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection for looking only."""
        async with self.pool.connection() as conn:
            yield conn


async def due_work(conn: Connection, now: datetime) -> list[int]:
    """Work whose time has come and which nobody holds, oldest first, at most 200."""
    found = await rows(
        conn,
        Work,
        """
        SELECT id, name, subject_id FROM work
        WHERE done_at IS NULL AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until < %(now)s)
        ORDER BY due_at LIMIT 200
        """,
        now=now,
    )
    return [work.id for work in found]


async def take_work(conn: Connection, work_id: int, now: datetime) -> Work | None:
    """Hold one piece of work under a lease, or None if it is done, not due yet, or somebody else's."""
    return await row(
        conn,
        Work,
        """
        UPDATE work SET lease_until = %(until)s, attempts = attempts + 1
        WHERE id = %(id)s AND done_at IS NULL AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until < %(now)s)
        RETURNING id, name, subject_id
        """,
        id=work_id, now=now, until=now + LEASE,
    )  # fmt: skip


async def finish_work(conn: Connection, work_id: int, now: datetime) -> None:
    """Mark work as done."""
    await run(conn, "UPDATE work SET done_at = %(now)s, lease_until = NULL WHERE id = %(id)s", id=work_id, now=now)


async def put_back_work(conn: Connection, work_id: int, now: datetime) -> None:
    """After a failure: hold it back for a while that doubles with each attempt, up to about a quarter of an hour."""
    await run(
        conn,
        """
        UPDATE work SET lease_until = %(now)s + interval '1 second' * least(1000, 2 ^ least(attempts, 10))
        WHERE id = %(id)s
        """,
        id=work_id, now=now,
    )  # fmt: skip
