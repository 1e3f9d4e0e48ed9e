"""Later work: a row in the step's own transaction; the bell rings after the commit and may be lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from redis import Redis

from sos.database import Connection, Pool, open_pool, value
from sos.jobs import LEASE, Record, RedisBell, due_work, finish_work, put_back_work, take_work
from sos.runtime import open_redis

NOW = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)
SUBJECT = UUID(int=5)
SECOND = timedelta(seconds=1)


@dataclass
class KeptBell:
    """Remembers what rang, and how much of it was committed by then."""

    pool: Pool
    rung: list[int] = field(default_factory=list[int])
    committed: list[int] = field(default_factory=list[int])

    async def ring(self, work_ids: Sequence[int]) -> None:
        self.rung.extend(work_ids)
        async with self.pool.connection() as conn:
            self.committed.append(await value(conn, "SELECT count(*) FROM work WHERE id = ANY(%(ids)s)", ids=work_ids))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A few connections to a database of this test's own."""
    opened = await open_pool(database_url, size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    """One of them, each statement committed at once."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        yield connection
        await connection.set_autocommit(False)


@pytest.fixture
def bell(pool: Pool) -> KeptBell:
    """A bell that remembers."""
    return KeptBell(pool)


async def ask(pool: Pool, bell: KeptBell, due_at: datetime = NOW, name: str = "tell_duty") -> None:
    async with Record(pool, bell).step() as step:
        await step.ask(name, SUBJECT, due_at)


async def test_the_bell_rings_once_it_is_committed(pool: Pool, bell: KeptBell) -> None:
    async with Record(pool, bell).step() as step:
        await step.ask("tell_duty", SUBJECT, NOW)
        await step.ask("close_action", SUBJECT, NOW)
        assert bell.rung == []

    assert len(bell.rung) == 2
    assert bell.committed == [2]


async def test_a_step_that_fails_asks_nothing_and_rings_nothing(pool: Pool, bell: KeptBell, conn: Connection) -> None:
    async def fail() -> None:
        async with Record(pool, bell).step() as step:
            await step.ask("tell_duty", SUBJECT, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert bell.rung == []
    assert await value(conn, "SELECT count(*) FROM work") == 0


async def test_asking_twice_for_the_same_moment_is_asking_once(pool: Pool, bell: KeptBell, conn: Connection) -> None:
    await ask(pool, bell)
    await ask(pool, bell)
    await ask(pool, bell, NOW + SECOND)

    assert len(bell.rung) == 2
    assert await value(conn, "SELECT count(*) FROM work") == 2


async def test_only_what_is_due_and_in_nobodys_hands_is_found(pool: Pool, bell: KeptBell, conn: Connection) -> None:
    await ask(pool, bell, NOW)
    await ask(pool, bell, NOW + timedelta(hours=1))

    assert await due_work(conn, NOW - SECOND) == []
    assert await due_work(conn, NOW) == bell.rung[:1]
    assert await take_work(conn, bell.rung[0], NOW)
    assert await due_work(conn, NOW) == []


async def test_of_many_who_take_it_one_gets_it(pool: Pool, bell: KeptBell) -> None:
    await ask(pool, bell)

    async def take() -> bool:
        async with pool.connection() as conn:
            return await take_work(conn, bell.rung[0], NOW) is not None

    assert sorted(await asyncio.gather(*(take() for _ in range(8)))) == [False] * 7 + [True]


async def test_a_lease_that_is_over_frees_the_work(pool: Pool, bell: KeptBell, conn: Connection) -> None:
    await ask(pool, bell)
    (work_id,) = bell.rung
    await take_work(conn, work_id, NOW)

    assert await take_work(conn, work_id, NOW + LEASE) is None
    assert await take_work(conn, work_id, NOW + LEASE + SECOND)


async def test_what_is_done_is_never_taken_again(pool: Pool, bell: KeptBell, conn: Connection) -> None:
    await ask(pool, bell)
    (work_id,) = bell.rung
    await take_work(conn, work_id, NOW)
    await finish_work(conn, work_id, NOW)

    assert await take_work(conn, work_id, NOW + timedelta(days=1)) is None
    assert await due_work(conn, NOW + timedelta(days=1)) == []


async def test_what_failed_rests_twice_as_long_each_time_and_never_more_than_a_quarter_of_an_hour(
    pool: Pool, bell: KeptBell, conn: Connection
) -> None:
    await ask(pool, bell)
    (work_id,) = bell.rung
    now, rests = NOW, []
    for _ in range(13):
        assert await take_work(conn, work_id, now)
        await put_back_work(conn, work_id, now)
        free = await value(conn, "SELECT lease_until FROM work WHERE id = %(id)s", id=work_id)
        rests.append(int((free - now).total_seconds()))
        now = free + SECOND

    assert rests == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000, 1000]


async def test_a_bell_that_cannot_ring_does_no_harm(pool: Pool, conn: Connection) -> None:
    redis = open_redis("redis://127.0.0.1:1/0")
    async with Record(pool, RedisBell(redis)).step() as step:
        await step.ask("tell_duty", SUBJECT, NOW)
    await redis.aclose()

    assert len(await due_work(conn, NOW)) == 1


async def test_redis_is_told_a_number_and_nothing_else(pool: Pool, redis_url: str) -> None:
    subject = uuid4()
    redis = open_redis(redis_url)
    async with Record(pool, RedisBell(redis)).step() as step:
        await step.ask("tell_duty", subject, NOW)
    await redis.aclose()

    with Redis.from_url(redis_url) as client:
        stored = b" ".join(client.dump(key) or b"" for key in client.keys("*")) + b" ".join(client.keys("*"))
    assert str(step.asked[0]).encode() in stored
    assert subject.bytes not in stored
    assert str(subject).encode() not in stored
    assert b"tell_duty" not in stored
