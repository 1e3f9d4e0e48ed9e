"""Sending: nobody is lost, nobody is written to twice, and a hold is the end of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from channels.base import Accepted, Busy, ChannelName, Message, Misconfigured, Refused, Result, Unconfirmed
from channels.email import EmailChannel
from sos.database import Connection, run, value
from sos.ledger import hold_store, steps, store
from sos.ledger.delivery import Due, HoldScope
from sos.runtime import Runtime
from tests.make import ACTION, make_runtime, plan_deliveries
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
from workers import dispatch
from workers.dispatch import LEASE, Dispatcher
from workers.going import DATABASE_LOST

SMS, TELEGRAM = ChannelName.SMS, ChannelName.TELEGRAM


async def test_two_workers_send_two_thousand_rows_exactly_once_each(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 2000)
    channels = KeepingChannel(), KeepingChannel()
    async with dispatching(*(dispatcher(runtime, channel) for channel in channels)):
        await until_states(conn, {"accepted": 2000})
    assert Counter(channels[0].sent + channels[1].sent) == Counter(planned)
    assert all(channel.sent for channel in channels)


async def test_a_recall_stops_everything_within_two_seconds_and_says_who_was_reached(
    runtime: Runtime, conn: Connection
) -> None:
    await plan_deliveries(conn, 600)
    channel = KeepingChannel(pause=0.005)

    async def is_under_way() -> bool:
        return len(channel.sent) > 100

    async with dispatching(dispatcher(runtime, channel)):
        await until(is_under_way)
        async with conn.transaction():
            await hold_store.place_hold(conn, HoldScope.ABOUT, str(ACTION), "recalled", runtime.clock())
            await store.end_queued(conn, ACTION, "recalled", runtime.clock())
        recalled_at = time.monotonic()
        left = len(channel.sent)

        async def is_settled() -> bool:
            return "marked" not in await states(conn)

        await until(is_settled)
        assert time.monotonic() - recalled_at < 2
        reached = len(channel.sent)
        await asyncio.sleep(1.2)  # longer than a poll
    assert len(channel.sent) == reached
    assert reached - left <= channel.in_flight
    assert await states(conn) == {"accepted": reached, "ended": 600 - reached}


async def test_life_overtakes_two_thousand_routine_rows_that_are_queued(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 2000)
    channel = KeepingChannel(pause=0.001)

    async def is_under_way() -> bool:
        return len(channel.sent) > 100

    sender = dispatcher(runtime, channel)
    async with dispatching(sender):
        await until(is_under_way)
        at = len(channel.sent)
        urgent = await plan_deliveries(conn, 300, urgency=0, about=uuid4())
        sender.wake.set()  # as the database's notification does

        async def has_left() -> bool:
            return set(urgent) <= set(channel.sent)

        await until(has_left)
        first, last = channel.sent.index(urgent[0]), max(channel.sent.index(each) for each in urgent)
    assert first - at <= 2 * channel.in_flight
    assert last - first < len(urgent) + 2 * channel.in_flight  # what was on the wire already, and what came next


async def test_nothing_leaves_by_a_channel_that_is_held_until_it_is_lifted(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 5)
    await hold_store.place_hold(conn, HoldScope.CHANNEL, "email", "paused", runtime.clock())
    channel = KeepingChannel()
    async with dispatching(dispatcher(runtime, channel)):
        await asyncio.sleep(0.3)
        assert channel.sent == []
        await hold_store.lift_hold(conn, HoldScope.CHANNEL, "email")
        await until_states(conn, {"accepted": 5})


async def test_our_own_fault_closes_the_channel_and_loses_nobody(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 300)
    broken = KeepingChannel(answer=lambda message: Misconfigured("wrong password"))
    async with dispatching(dispatcher(runtime, broken)):
        await until(lambda: _is_held(conn))
    assert len(broken.sent) <= broken.in_flight
    assert await states(conn) == {"queued": 300}
    await hold_store.lift_hold(conn, HoldScope.CHANNEL, "email")
    mended = KeepingChannel()
    async with dispatching(dispatcher(runtime, mended)):
        await until_states(conn, {"accepted": 300})


async def _is_held(conn: Connection) -> bool:
    return bool(await hold_store.holds(conn))


async def test_suppressed_addresses_are_not_written_to(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 10)
    await run(
        conn,
        """
        INSERT INTO suppressions SELECT a.channel, a.value_index, 'opted_out', now()
        FROM addresses a JOIN deliveries d ON d.address_id = a.id WHERE d.id = %(id)s
        """,
        id=planned[3],
    )
    channel = KeepingChannel()
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"accepted": 9, "queued": 1})
    assert sorted(channel.sent) == [each for each in planned if each != planned[3]]


async def test_a_row_that_cannot_be_rendered_is_refused_and_hurts_no_neighbour(
    runtime: Runtime, conn: Connection
) -> None:
    planned = await plan_deliveries(conn, 100)
    raises, is_missing = planned[7], planned[70]

    async def write(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
        if any(delivery.id == raises for delivery in deliveries):
            await conn.execute("SELECT 1 / 0")
        wanted = [delivery for delivery in deliveries if delivery.id != is_missing]
        return await write_plainly(runtime, conn, wanted)

    channel = KeepingChannel()
    async with dispatching(Dispatcher(runtime, channel, {"action": write}, asyncio.Event())):
        await until_states(conn, {"accepted": 98, "refused": 2})
    for each in (raises, is_missing):
        found = await store.find(conn, each)
        assert found
        assert found.reason == "unrenderable"
    assert sorted(channel.sent) == [each for each in planned if each not in (raises, is_missing)]


async def test_a_channel_that_breaks_leaves_what_it_had_not_answered_unconfirmed(
    runtime: Runtime, conn: Connection
) -> None:
    planned = await plan_deliveries(conn, 4)

    def answer(message: Message) -> Result:
        if message.delivery == planned[2]:
            raise RuntimeError("broken")
        return Accepted("x")

    channel = KeepingChannel(answer=answer)
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"accepted": 2, "queued": 2})
    found = await store.find(conn, planned[3])
    assert found
    assert (found.unconfirmed, found.reason) == (1, "no answer")


async def test_a_window_that_dies_between_mark_and_settlement_is_recovered_by_the_policy(
    runtime: Runtime, conn: Connection
) -> None:
    await plan_deliveries(conn, 200)
    dying = KeepingChannel(pause=0.01)
    killed = asyncio.create_task(dispatcher(runtime, dying).run())

    async def is_under_way() -> bool:
        return len(dying.sent) > 80

    await until(is_under_way)
    killed.cancel()
    with suppress(asyncio.CancelledError):
        await killed
    marked = (await states(conn))["marked"]
    assert 0 < marked <= dying.in_flight
    later = replace(runtime, clock=lambda: datetime.now(UTC) + LEASE)
    assert len(await steps.recover(conn, later.clock())) == marked
    await run(conn, "UPDATE deliveries SET due_at = now() WHERE state = 'queued'")
    heir = KeepingChannel()
    async with dispatching(dispatcher(later, heir)):
        await until_states(conn, {"accepted": 200})
    assert len(set(dying.sent + heir.sent)) == 200
    assert len(dying.sent) + len(heir.sent) - 200 <= marked


async def test_a_stop_finishes_the_slice_in_flight_and_gives_back_the_rest(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 300)
    channel = KeepingChannel(pause=0.01)

    async def is_under_way() -> bool:
        return len(channel.sent) > 10

    async with dispatching(dispatcher(runtime, channel)):
        await until(is_under_way)
    assert len(channel.sent) <= 10 + channel.in_flight
    assert await states(conn) == {"accepted": len(channel.sent), "queued": 300 - len(channel.sent)}
    assert await value(conn, "SELECT count(*) FROM attempts") == 0


async def test_a_stop_does_not_wait_for_a_provider_that_never_answers(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 3)
    channel = KeepingChannel(pause=3600)

    async def is_under_way() -> bool:
        return bool(channel.sent)

    async with dispatching(dispatcher(runtime, channel)):
        await until(is_under_way)
        asked_at = time.monotonic()
    assert time.monotonic() - asked_at < 6
    assert await states(conn) == {"queued": 3}
    assert await value(conn, "SELECT min(unconfirmed) FROM deliveries") == 1


async def test_paced_channels_have_one_sender_at_a_time_over_all_workers(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 600, channel=TELEGRAM)  # more than a block
    channel = KeepingChannel(TELEGRAM, in_flight=1, pause=0.0005)
    async with dispatching(*(dispatcher(runtime, channel) for _ in range(3))):
        await until_states(conn, {"accepted": 600})
    assert channel.most_at_once == 1
    assert sorted(channel.sent) == planned


async def test_a_sender_that_loses_its_turn_sends_no_more_and_another_goes_on(
    runtime: Runtime, conn: Connection
) -> None:
    planned = await plan_deliveries(conn, 100, channel=TELEGRAM)
    first, second = KeepingChannel(TELEGRAM, pause=0.005), KeepingChannel(TELEGRAM)

    async def is_under_way() -> bool:
        return len(first.sent) > 10

    loser = dispatcher(runtime, first)
    losing = asyncio.create_task(loser.run())
    await until(is_under_way)
    async with dispatching(dispatcher(runtime, second)):
        await run(conn, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with pytest.raises(psycopg.OperationalError):
            await asyncio.wait_for(losing, 10)
        marked = {*first.sent, *loser.flying}  # while it had its turn
        async with dispatching(loser):  # begun again, it writes what it knows and waits for its turn
            await until_states(conn, {"accepted": 100})
    assert marked.issuperset(first.sent)
    assert Counter(first.sent + second.sent) == Counter(planned)


async def test_an_sms_that_may_have_arrived_is_asked_about_before_it_is_sent_again(
    runtime: Runtime, conn: Connection
) -> None:
    arrived, lost = await plan_deliveries(conn, 2, channel=SMS)
    channel = KeepingChannel(SMS, answer=lambda message: Unconfirmed("no answer"), knows={arrived: "SM1"})
    async with dispatching(dispatcher(runtime, channel)):
        await until(lambda: _are_unconfirmed(conn, 2))
        channel.answer = lambda message: Accepted("SM2")
        await run(conn, "UPDATE deliveries SET due_at = now()")
        await until_states(conn, {"accepted": 2})
    assert channel.sent == [arrived, lost, lost]
    assert sorted(channel.asked) == [arrived, lost]
    assert [(await store.find(conn, each)).provider_id for each in (arrived, lost)] == ["SM1", "SM2"]  # type: ignore[union-attr] # None fails the test as well


async def _are_unconfirmed(conn: Connection, count: int) -> bool:
    return bool(await value(conn, "SELECT sum(unconfirmed) = %(count)s FROM deliveries", count=count))


async def test_what_was_sent_for_the_first_time_is_not_asked_about(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 3, channel=SMS)
    channel = KeepingChannel(SMS)
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"accepted": 3})
    assert channel.asked == []


async def test_a_provider_that_takes_nothing_just_now_is_not_tried_with_the_whole_queue(
    runtime: Runtime, conn: Connection
) -> None:
    await plan_deliveries(conn, 500)
    channel = KeepingChannel(answer=lambda message: Busy(timedelta(minutes=5), "421"))
    async with dispatching(dispatcher(runtime, channel)):
        await asyncio.sleep(0.5)
    assert len(channel.sent) <= channel.in_flight
    assert await states(conn) == {"queued": 500}


async def test_a_refusal_is_settled_and_its_neighbours_go_on(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 100)
    refused = set(planned[::10])
    channel = KeepingChannel(
        answer=lambda message: Refused("550 5.1.1 to RCPT") if message.delivery in refused else Accepted("x")
    )
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"accepted": 90, "refused": 10})
    assert await value(conn, "SELECT count(*) FROM suppressions WHERE reason = 'bounced'") == 10


async def test_one_half_flies_while_the_other_is_written(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 4.0)
    await plan_deliveries(conn, 500)
    channel = KeepingChannel(in_flight=64, pause=60)
    sender, most = dispatcher(runtime, channel), 0

    async def all_fly() -> bool:
        nonlocal most
        most = max(most, len(sender.flying))
        return most == 64 and bool(await value(conn, "SELECT count(*) = 64 FROM deliveries WHERE state = 'marked'"))

    async with dispatching(sender):
        async with asyncio.timeout(3):  # without waiting for the next poll
            await until(all_fly)
        await asyncio.sleep(0.3)
        assert len(sender.flying) == 64  # and no more: so many are uncertain after a crash
        assert await value(conn, "SELECT array_agg(cardinality(deliveries)) FROM attempts") == [32, 32]


async def test_an_attempt_is_not_forgotten_while_anything_of_it_is_unwritten(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would answer for what has landed since, and a crash at this moment would lose it."""
    await conn.execute(
        """
        CREATE FUNCTION is_answered_for() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM deliveries WHERE state = 'marked' AND attempt = OLD.id) THEN
                RAISE EXCEPTION 'marked, and nobody answers for it';
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER attempts_forgotten AFTER DELETE ON attempts DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION is_answered_for();
        """
    )
    await plan_deliveries(conn, 30)
    settle = steps.settle

    async def settle_slowly(*given: Any) -> None:
        await settle(*given)
        await asyncio.sleep(0.2)  # meanwhile the rest of the window lands

    monkeypatch.setattr(steps, "settle", settle_slowly)
    channel = KeepingChannel(in_flight=16, pause=0.01, answer=lambda message: Refused("552 5.3.4 to HANDED_OVER"))
    async with dispatching(dispatcher(runtime, channel)):
        await until_states(conn, {"refused": 30})
    assert await value(conn, "SELECT count(*) FROM attempts") == 0


async def test_whoever_judges_first_waves_is_told_when_all_is_settled(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 40)
    sender = dispatcher(runtime, KeepingChannel(pause=0.002))
    async with dispatching(sender), asyncio.timeout(10):
        await sender.through.wait()
        assert await states(conn) == {"accepted": 40}


@pytest.mark.parametrize("name", [ChannelName.EMAIL, TELEGRAM])
async def test_when_every_database_connection_is_lost_no_outcome_is(
    runtime: Runtime, conn: Connection, name: ChannelName
) -> None:
    planned = await plan_deliveries(conn, 300, channel=name)
    channel = KeepingChannel(name, pause=0.002)
    stop = asyncio.Event()
    sender = Dispatcher(runtime, channel, PLAINLY, stop)

    async def send_on() -> None:
        while not stop.is_set():
            with suppress(*DATABASE_LOST):
                await sender.run()

    sending = asyncio.create_task(send_on())
    for _ in range(4):
        await asyncio.sleep(0.15)
        await run(
            conn,
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """,
        )
    await until_states(conn, {"accepted": 300})
    stop.set()
    await sending
    assert Counter(channel.sent) == Counter(planned)


async def test_mails_really_leave_and_are_settled_by_what_the_server_said(
    database_url: str, redis_url: str, tmp_path: Path, conn: Connection
) -> None:
    async with MailSink() as sink, make_runtime(database_url, redis_url, tmp_path, smtp=sink.server) as runtime:
        await plan_deliveries(conn, 150)
        channel = EmailChannel(sink.server)
        sink.answer("RCPT", "550 5.1.1 no such mailbox", times=2)
        async with dispatching(Dispatcher(runtime, channel, PLAINLY, asyncio.Event())):
            await until_states(conn, {"accepted": 148, "refused": 2})
        await channel.close()
    assert len({mail.recipients for mail in sink.mails}) == len(sink.mails) == 148
