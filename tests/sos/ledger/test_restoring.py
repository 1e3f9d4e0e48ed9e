"""A copy from earlier, or of another installation, sends nothing by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from psycopg.sql import SQL, Identifier

from sos.database import Connection, connect, open_pool, run, value
from sos.embedded import EmbeddedPostgres
from sos.jobs import Record, RedisBell
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import pause, resume
from sos.ledger.restoring import doubt_everything, recognise
from sos.runtime import open_redis
from tests.make import found_network, plan_deliveries
from tests.story import Story

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)


async def known(story: Story, instance: str = "one") -> bool:
    return await recognise(story.runtime.record, instance, story.now)


async def queue(record: Record, count: int) -> None:
    async with record.step() as step:
        await plan_deliveries(step.conn, count)


async def test_the_database_that_we_know_goes_on(story: Story) -> None:
    await queue(story.runtime.record, 3)
    assert await known(story)
    assert await known(story)
    assert [one["state"] for one in await story.rows("SELECT DISTINCT state::text FROM deliveries")] == ["queued"]
    assert await story.count("holds") == 0


async def test_under_another_instance_everything_unsettled_is_unknown_and_two_people_let_it_go_on(
    story: Story, conn: Connection
) -> None:
    await queue(story.runtime.record, 3)
    await run(conn, "UPDATE deliveries SET state = 'accepted' WHERE id = (SELECT min(id) FROM deliveries)")
    await known(story)
    assert not await known(story, "two")
    found = await story.rows("SELECT state::text, reason FROM deliveries ORDER BY id")
    assert [(one["state"], one["reason"]) for one in found] == [("accepted", ""), *[("unknown", "restored")] * 2]
    [hold] = await hold_store.holds(conn)
    assert (hold.scope, hold.reason, hold.people_needed) == (HoldScope.EVERYTHING, "restored", 2)
    assert await known(story, "two")  # it is told once


async def test_a_copy_of_the_database_is_noticed_by_itself(postgres: EmbeddedPostgres, database_url: str) -> None:
    """As pg_restore makes one: the same rows in a database made anew. A restored cluster differs in more than that."""
    await found_network(database_url)
    async with recording(database_url) as record:
        await queue(record, 2)
        assert await recognise(record, "one", NOW)
    name = database_url.split("///")[1].split("?")[0]
    async with connect(postgres.url("postgres")) as conn:
        await conn.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(f"{name}_copy"), Identifier(name)))
    async with recording(postgres.url(f"{name}_copy")) as record:
        assert not await recognise(record, "one", NOW)
        async with record.reading() as conn:
            assert await value(conn, "SELECT array_agg(DISTINCT state::text) FROM deliveries") == ["unknown"]
            assert [hold.reason for hold in await hold_store.holds(conn)] == ["restored"]
    async with recording(database_url) as record:
        assert await recognise(record, "one", NOW)


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[Record]:
    """The record of a database, without any bell to hear."""
    redis, pool = open_redis("unix:///nowhere"), await open_pool(url, size=1)
    try:
        yield Record(pool, RedisBell(redis))
    finally:
        await pool.close()
        await redis.aclose()


async def test_what_was_said_of_an_earlier_pause_does_not_count_after_a_restore(story: Story) -> None:
    record = story.runtime.record
    await pause(record, story.editor, HoldScope.EVERYTHING, "", story.now)
    await resume(record, story.owner, HoldScope.EVERYTHING, "", story.now)
    async with record.step() as step:
        await doubt_everything(step.conn, story.now)
    said = [await resume(record, one, HoldScope.EVERYTHING, "", story.now) for one in (story.approver, story.owner)]
    assert [one.is_enough for one in said] == [False, True]
