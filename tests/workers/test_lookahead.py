"""Looking ahead: made ready meanwhile, not too early, and nothing that fails there is passed over."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import psycopg
import pytest

from channels.base import Accepted, Busy, Message
from sos.database import Connection
from sos.ledger.delivery import Due
from sos.runtime import Runtime
from tests.make import plan_deliveries
from tests.workers.sending import KeepingChannel, dispatching, until, until_states, write_plainly
from workers import lookahead
from workers.dispatch import Dispatcher


class Watched:
    """Writes plainly; `rendered` says what was asked for, in which order, `failures` how often it fails first."""

    def __init__(self, failures: int = 0) -> None:
        self.rendered: list[int] = []
        self.failures = failures
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def __call__(self, runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
        if self.failures:
            self.failures -= 1
            raise psycopg.OperationalError
        if self.rendered:
            await self.goes_on.wait()
        self.rendered += [one.id for one in deliveries]
        return await write_plainly(runtime, conn, deliveries)


def sender(runtime: Runtime, channel: KeepingChannel, watched: Watched) -> Dispatcher:
    return Dispatcher(runtime, channel, {"action": watched}, asyncio.Event())


async def test_the_next_block_is_made_ready_while_the_first_is_still_being_sent(
    runtime: Runtime, conn: Connection
) -> None:
    planned = await plan_deliveries(conn, 1500)
    channel, watched = KeepingChannel(pause=0.002), Watched()

    async def is_ahead() -> bool:
        return 0 < len(channel.sent) < 400 and set(planned[:600]) <= set(watched.rendered)

    async with dispatching(sender(runtime, channel, watched)):
        await until(is_ahead)
        assert set(planned[1024:]).isdisjoint(watched.rendered)  # and no further


async def test_whoever_waits_for_the_first_of_many_does_not_wait_for_all_of_them(
    runtime: Runtime, conn: Connection
) -> None:
    planned = await plan_deliveries(conn, 300)
    channel, watched = KeepingChannel(), Watched()
    watched.goes_on.clear()
    async with dispatching(sender(runtime, channel, watched)):
        await until_states(conn, {"accepted": lookahead.FIRST_PART, "queued": 300 - lookahead.FIRST_PART})
        assert sorted(channel.sent) == planned[: lookahead.FIRST_PART]  # two windows fly side by side
        watched.goes_on.set()
        await until_states(conn, {"accepted": 300})
    assert watched.rendered == planned


async def test_each_is_made_ready_once_and_leaves_in_order(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 600)
    channel, watched = KeepingChannel(in_flight=1), Watched()
    async with dispatching(sender(runtime, channel, watched)):
        await until_states(conn, {"accepted": 600})
    assert watched.rendered == planned
    assert channel.sent == planned


async def test_what_has_lain_ready_for_long_is_looked_at_anew(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookahead, "FRESH_SECONDS", 0.2)
    planned = await plan_deliveries(conn, 40)
    channel, watched = KeepingChannel(in_flight=1, pause=0.02), Watched()
    async with dispatching(sender(runtime, channel, watched)):
        await until_states(conn, {"accepted": 40})
    assert channel.sent == planned
    assert watched.rendered.count(planned[-1]) > 1
    assert watched.rendered.count(planned[0]) == 1


async def test_what_lay_ready_while_the_provider_wanted_rest_is_looked_at_anew(
    runtime: Runtime, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookahead, "FRESH_SECONDS", 0.2)
    planned = await plan_deliveries(conn, 4)
    answers = {planned[0]: Busy(timedelta(seconds=1.5), wants_silence=True)}
    channel = KeepingChannel(in_flight=1, answer=lambda one: answers.pop(one.delivery, Accepted("x")))
    watched = Watched()
    async with dispatching(sender(runtime, channel, watched)):
        await until_states(conn, {"accepted": 4})
    assert [watched.rendered.count(one) for one in planned[1:]] == [2, 2, 2]


async def test_a_database_that_is_lost_meanwhile_is_told_of(runtime: Runtime, conn: Connection) -> None:
    planned = await plan_deliveries(conn, 3)
    channel, watched = KeepingChannel(), Watched(failures=1)
    dispatcher = sender(runtime, channel, watched)
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(dispatcher.run(), 10)
    async with dispatching(dispatcher):
        await until_states(conn, {"accepted": 3})
    assert channel.sent == planned


async def test_something_urgent_among_the_very_rows_that_lie_ready_goes_first(
    runtime: Runtime, conn: Connection
) -> None:
    routine = await plan_deliveries(conn, 200)
    channel, watched = KeepingChannel(in_flight=2, pause=0.01), Watched()
    dispatcher = sender(runtime, channel, watched)

    async def is_under_way() -> bool:
        return len(channel.sent) > 3

    async with dispatching(dispatcher):
        await until(is_under_way)
        urgent = await plan_deliveries(conn, 3, urgency=0)
        dispatcher.wake.set()
        await until_states(conn, {"accepted": 203})
    assert channel.sent.index(urgent[-1]) < 60
    assert sorted(channel.sent) == sorted(routine + urgent)
