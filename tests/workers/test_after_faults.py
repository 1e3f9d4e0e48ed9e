"""After a fault: what is known is written first, whoever still waits keeps what it sent, and silence is kept by all."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from channels.base import Accepted, Busy, ChannelName, Message, Unconfirmed
from channels.email import EmailChannel
from sos.database import Connection, connect, run, value
from sos.ledger import leaving_store, turn_store
from sos.ledger.delivery import Due, new_attempt
from sos.runtime import Runtime
from tests.make import plan_deliveries
from tests.providers import MailSink
from tests.workers.sending import (
    PLAINLY,
    KeepingChannel,
    dispatcher,
    dispatching,
    states,
    until,
    until_states,
    write_plainly,
)
from workers import dispatch, preparing, sweep
from workers.dispatch import Dispatcher
from workers.going import keep_going
from workers.preparing import prepare
from workers.rendering import render

SMS, TELEGRAM = ChannelName.SMS, ChannelName.TELEGRAM


async def look(conn: Connection, runtime: Runtime, channel: ChannelName) -> list[Due]:
    found = await leaving_store.look(conn, channel, purposes=["action"], now=runtime.clock())
    assert found
    await leaving_store.look_away(conn, channel, found[0])
    return found[1]


async def test_an_sms_is_looked_for_from_when_it_first_left_however_often_nobody_answered(
    runtime: Runtime, conn: Connection
) -> None:
    (planned,) = await plan_deliveries(conn, 1, channel=SMS)
    channel = KeepingChannel(SMS, answer=lambda message: Unconfirmed("no answer"))
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"queued": 1})
        await until(lambda: _has_been_sent(channel))
    left_at = await value(conn, "SELECT marked_at FROM deliveries")
    for later in (timedelta(hours=1), timedelta(hours=2)):  # its provider could not be asked, and it was put off
        now = left_at + later
        await run(conn, "UPDATE deliveries SET state = 'queued', due_at = %(now)s, expires_at = 'infinity'", now=now)
        await leaving_store.mark(conn, SMS, new_attempt(), [planned], now=now, until=now + dispatch.LEASE)
        assert await value(conn, "SELECT marked_at FROM deliveries") == left_at


async def _has_been_sent(channel: KeepingChannel) -> bool:
    return bool(channel.sent)


@pytest.mark.parametrize(("takes_seconds", "asked"), [(0.1, 1), (0.0, 10)])
async def test_a_provider_that_is_silent_is_not_asked_about_all_the_others(
    takes_seconds: float, asked: int, runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "SILENT_SECONDS", 0.05)
    await plan_deliveries(conn, 20, channel=SMS)
    await run(conn, "UPDATE deliveries SET unconfirmed = 1, marked_at = now() WHERE mod(id, 2) = 0")
    due = await look(conn, runtime, SMS)

    class Silent(KeepingChannel):
        async def look_up(self, message: Message, since: object) -> Accepted | None:
            self.asked.append(message.delivery)
            await asyncio.sleep(takes_seconds)
            raise TimeoutError

    channel = Silent(SMS)
    prepared = await prepare(runtime, channel, PLAINLY, due)
    assert len(channel.asked) == asked
    assert [one.due.id for one in prepared] == [one.id for one in due]
    for one in prepared:
        assert isinstance(one.result, Busy) == bool(one.due.unconfirmed)
        assert bool(one.message) == (not one.due.unconfirmed)


async def test_a_row_that_cannot_be_rendered_is_found_by_halves(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 256)
    due = await look(conn, runtime, ChannelName.EMAIL)
    poison, calls = due[77].id, 0

    async def write(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
        nonlocal calls
        calls += 1
        if any(one.id == poison for one in deliveries):
            raise ValueError
        return await write_plainly(runtime, conn, deliveries)

    rendered = await render(runtime, {"action": write}, due)
    assert set(rendered) == {one.id for one in due} - {poison}
    assert calls < 20


async def test_whoever_finds_the_database_again_still_answers_for_what_flies(
    runtime: Runtime, conn: Connection
) -> None:
    """Also while somebody else has the turn: a request that hangs must not be repeated by others meanwhile."""
    await plan_deliveries(conn, 1, channel=SMS)
    channel = KeepingChannel(SMS, pause=3600)
    sender = dispatcher(runtime, channel)
    losing = asyncio.create_task(sender.run())
    await until(lambda: _has_been_sent(channel))
    await run(conn, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(losing, 10)
    await run(conn, "UPDATE attempts SET lease_until = now()")

    async def is_answered_for() -> bool:
        return bool(await value(conn, "SELECT bool_and(lease_until > now() + interval '5 s') FROM attempts"))

    async with connect(runtime.settings.database_url) as other:
        assert await turn_store.take_turn(other, SMS)
        waiting = asyncio.create_task(sender.run())
        async with asyncio.timeout(turn_store.SILENT_SECONDS / 2):  # before the other falls silent itself
            await until(is_answered_for)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    assert len(channel.sent) == 1


async def test_what_was_marked_by_a_process_that_was_then_stopped_for_long_does_not_leave(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plan_deliveries(conn, 100)
    channel, real, marks = KeepingChannel(), leaving_store.mark, list[set[int]]()

    async def mark_and_be_stopped(*given: Any, **named: Any) -> set[int]:
        marked = await real(*given, **named)
        marks.append(marked)
        monkeypatch.setattr(dispatch, "LEASE", timedelta() if len(marks) == 1 else lease)
        return marked

    lease = dispatch.LEASE
    monkeypatch.setattr(leaving_store, "mark", mark_and_be_stopped)
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"accepted": 100})
    assert len(channel.sent) == len(set(channel.sent)) == 100
    assert marks[0] <= set.union(*marks[1:])  # given back, and marked anew


@pytest.mark.parametrize("name", [ChannelName.EMAIL, TELEGRAM])
async def test_marks_whose_answer_was_lost_are_taken_back_as_if_they_had_not_been(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch, name: ChannelName
) -> None:
    planned = await plan_deliveries(conn, 20, channel=name)
    channel, real, lost = KeepingChannel(name), leaving_store.mark, list[set[int]]()

    async def mark_and_lose_the_answer(*given: Any, **named: Any) -> set[int]:
        marked = await real(*given, **named)
        if marked and not lost:
            lost.append(marked)
            raise psycopg.OperationalError
        return marked

    monkeypatch.setattr(leaving_store, "mark", mark_and_lose_the_answer)
    sender = dispatcher(runtime, channel)
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(sender.run(), 10)
    assert lost == [set(planned)]
    assert await states(conn) == {"marked": 20}
    async with dispatching(sender):
        await until_states(conn, {"accepted": 20})
    assert channel.sent == planned
    assert await value(conn, "SELECT max(unconfirmed) FROM deliveries") == 0
    assert await value(conn, "SELECT count(*) FROM attempts") == 0


async def test_a_stop_gives_back_every_mail_that_has_not_begun_to_leave(runtime: Runtime, conn: Connection) -> None:
    """However slow the server is: what a stop leaves in doubt is sent again."""
    await plan_deliveries(conn, 60)
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=2)
        for _ in range(2):
            sink.stall("RCPT")
        sender = Dispatcher(runtime, channel, PLAINLY, asyncio.Event())

        async def is_slow() -> bool:
            return sink.connections == 2 and len(sender.flying) == 60 and sink.stalled.is_set()

        async def is_given_back() -> bool:
            return len(sender.flying) == 2

        async with dispatching(sender):
            await until(is_slow)
            sender.stop.set()
            await until(is_given_back)
            sink.released.set()
        await channel.close()
    assert await states(conn) == {"accepted": len(sink.mails), "queued": 60 - len(sink.mails)}
    assert len(sink.mails) == 2
    assert await value(conn, "SELECT max(unconfirmed) + max(attempts) FROM deliveries WHERE state = 'queued'") == 0
    assert await value(conn, "SELECT count(*) FROM attempts") == 0


async def test_silence_that_a_provider_asked_for_is_kept_by_whoever_sends_next(
    runtime: Runtime, conn: Connection
) -> None:
    await plan_deliveries(conn, 5, channel=TELEGRAM)
    told = KeepingChannel(
        TELEGRAM, in_flight=1, answer=lambda message: Busy(timedelta(seconds=3), "wait", wants_silence=True)
    )
    async with dispatching(dispatcher(runtime, told)):
        await until(lambda: _is_silent(conn))
    asked_at = time.monotonic()
    heir = KeepingChannel(TELEGRAM, in_flight=1)
    await run(conn, "UPDATE deliveries SET due_at = now()")
    async with dispatching(dispatcher(runtime, heir)):
        await until_states(conn, {"accepted": 5})
    assert len(told.sent) == 1
    assert time.monotonic() - asked_at > 2


async def _is_silent(conn: Connection) -> bool:
    return bool(await value(conn, "SELECT count(*) FROM silences"))


async def test_after_an_outage_nobody_takes_up_what_others_may_still_write(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep's patience begins when the database answers, not when it began to wait for it."""
    await plan_deliveries(conn, 3)
    due = await look(conn, runtime, ChannelName.EMAIL)
    long_ago = runtime.clock() - timedelta(minutes=1)
    ids = [one.id for one in due]
    await leaving_store.mark(conn, ChannelName.EMAIL, new_attempt(), ids, now=runtime.clock(), until=long_ago)
    monkeypatch.setattr(sweep, "OTHERS_WRITE_SECONDS", 1.0)
    monkeypatch.setattr(sweep, "TIDY_EVERY_SECONDS", 0.2)
    taken = [await runtime.record.pool.getconn() for _ in range(runtime.record.pool.max_size)]
    stop = asyncio.Event()
    tidying = asyncio.create_task(sweep.tidy(runtime, stop))
    await asyncio.sleep(1.5)  # nobody gets a connection
    for one in taken:
        await runtime.record.pool.putconn(one)
    answered_at = time.monotonic()

    async def is_taken_up() -> bool:
        return await states(conn) == {"queued": 3}

    await until(is_taken_up)
    assert time.monotonic() - answered_at > 0.9
    stop.set()
    await tidying


async def test_after_a_loss_a_part_begins_again_with_connections_that_live(runtime: Runtime, conn: Connection) -> None:
    pool, stop = runtime.record.pool, asyncio.Event()
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(runtime.record.reading())
    await run(
        conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'sos'"
    )
    begun = 0

    async def look_often() -> None:
        nonlocal begun
        begun += 1
        for _ in range(6):
            async with runtime.record.reading() as reading:
                await value(reading, "SELECT 1")

    async with asyncio.timeout(20):
        await keep_going("looking", look_often, stop, pool)
    assert begun == 2  # the first of the dead ones is met, and none of the others


async def test_a_full_disk_pauses_the_sending_and_loses_no_outcome(runtime: Runtime, conn: Connection) -> None:
    """What PostgreSQL says then is an OperationalError as well: kept in memory, written when there is room again."""
    planned = await plan_deliveries(conn, 300)
    channel = KeepingChannel(pause=0.001)
    await run(
        conn,
        """
        CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$
        """,
    )
    full = "CREATE TRIGGER full_disk BEFORE UPDATE ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION fill()"
    sender, stop = Dispatcher(runtime, channel, PLAINLY, asyncio.Event()), asyncio.Event()

    async def send_on() -> None:
        while not stop.is_set():
            with suppress(psycopg.OperationalError):
                await sender.run()
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send_on())
    await until(lambda: _has_been_sent(channel))
    await conn.execute(full)
    await asyncio.sleep(0.5)
    sent = len(channel.sent)
    await asyncio.sleep(0.3)
    assert len(channel.sent) == sent  # nothing leaves that cannot be written down
    await conn.execute("DROP TRIGGER full_disk ON deliveries")
    await until_states(conn, {"accepted": 300})
    stop.set()
    sender.stop.set()
    sender.wake.set()
    await sending
    assert sorted(channel.sent) == planned
