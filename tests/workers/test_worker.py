"""The worker process as a whole: later work and sending go on whatever happens to the doorbell, and it stops clean."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from channels.base import MACHINES, Button, ChannelName, Message
from channels.wording import Wording
from sos.database import Connection, row, run, value
from sos.jobs import RedisBell
from sos.reach import Channels, open_channels
from sos.runtime import Runtime, open_redis
from sos.vault import Place
from tests.make import make_runtime, make_settings, plan_deliveries
from tests.providers import MailSink
from tests.workers.sending import PLAINLY, KeepingChannel, until, until_states
from workers.bells import answer_bells
from workers.jobs import Jobs
from workers.main import work

SUBJECT = UUID("50000000-0000-4000-8000-000000000001")


@asynccontextmanager
async def working(runtime: Runtime, jobs: Jobs, channels: Channels | None = None) -> AsyncIterator[None]:
    """A whole worker inside this test, stopped at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(work(runtime, channels or {}, stop, jobs=jobs, renderers=PLAINLY))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


class Diary:
    """A job that writes down what it was asked to do, after failing as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.done: list[UUID] = []
        self.failures = failures

    async def __call__(self, runtime: Runtime, subject_id: UUID) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not this time")
        self.done.append(subject_id)

    async def is_written(self) -> bool:
        return bool(self.done)


async def ask(runtime: Runtime, *subjects: UUID) -> None:
    async with runtime.record.step() as step:
        for subject in subjects:
            await step.ask("write", subject, runtime.clock())


async def is_all_done(conn: Connection) -> bool:
    return bool(await value(conn, "SELECT bool_and(done_at IS NOT NULL) FROM work"))


async def test_work_that_is_asked_for_is_done_once(runtime: Runtime, conn: Connection) -> None:
    diary = Diary()
    subjects = [uuid4() for _ in range(30)]
    async with working(runtime, {"write": diary}), working(runtime, {"write": diary}):
        await ask(runtime, *subjects)
        await until(lambda: is_all_done(conn))
    assert sorted(diary.done) == sorted(subjects)


async def test_work_whose_bell_was_lost_is_done_all_the_same(runtime: Runtime, conn: Connection) -> None:
    await run(conn, "INSERT INTO work (name, subject_id, due_at) VALUES ('write', %(id)s, now())", id=SUBJECT)
    diary = Diary()
    async with working(runtime, {"write": diary}):
        await until(lambda: is_all_done(conn))
    assert diary.done == [SUBJECT]


async def test_work_that_fails_is_put_back_and_done_later(runtime: Runtime, conn: Connection) -> None:
    diary = Diary(failures=1)
    async with working(runtime, {"write": diary}):
        await ask(runtime, SUBJECT)
        await until(lambda: is_all_done(conn))
    assert diary.done == [SUBJECT]
    assert await value(conn, "SELECT attempts FROM work") == 2


async def test_work_of_an_unknown_name_is_kept(runtime: Runtime, conn: Connection) -> None:
    async def was_tried() -> bool:
        return bool(await value(conn, "SELECT attempts > 0 FROM work"))

    await ask(runtime, SUBJECT)
    async with working(runtime, {}):
        await until(was_tried)
    assert not await is_all_done(conn)


async def test_work_that_a_stop_interrupts_is_free_for_others_at_once(runtime: Runtime, conn: Connection) -> None:
    begun = asyncio.Event()

    async def never_ends(runtime: Runtime, subject_id: UUID) -> None:
        begun.set()
        await asyncio.sleep(3600)

    await ask(runtime, SUBJECT)
    async with working(runtime, {"write": never_ends}):
        await begun.wait()
    assert await value(conn, "SELECT done_at IS NULL AND lease_until < now() + interval '5 s' FROM work")


async def test_without_redis_work_is_done_and_deliveries_leave(
    runtime: Runtime, conn: Connection, dead_redis_url: str
) -> None:
    settings = replace(runtime.settings, redis_url=dead_redis_url)
    dead = open_redis(dead_redis_url)
    record = replace(runtime.record, bell=RedisBell(dead))
    without_redis = replace(runtime, settings=settings, redis=dead, record=record)
    diary, channel = Diary(), KeepingChannel()
    async with working(without_redis, {"write": diary}, {ChannelName.EMAIL: channel}):
        await ask(without_redis, SUBJECT)
        await plan_deliveries(conn, 100)
        await until_states(conn, {"accepted": 100})
        await until(diary.is_written)
    assert len(channel.sent) == 100


@pytest.fixture(params=["gone", "silent"])
def dead_redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A port where nobody listens, or where somebody does and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_bell_is_heard_also_by_a_worker_that_does_not_sweep(runtime: Runtime, conn: Connection) -> None:
    diary = Diary()
    async with answering(runtime, {"write": diary}):
        await ask(runtime, SUBJECT)
        await until(lambda: is_all_done(conn))
    assert diary.done == [SUBJECT]


async def test_bells_are_heard_once_redis_is_there(runtime: Runtime, conn: Connection, redis_url: str) -> None:
    diary = Diary()
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        settings = replace(runtime.settings, redis_url=f"redis://127.0.0.1:{door.getsockname()[1]}")
        async with answering(replace(runtime, settings=settings), {"write": diary}):
            await asyncio.sleep(0.3)
            await ask(runtime, SUBJECT)
            async with await asyncio.start_server(partial(_pass_on, urlsplit(redis_url).path), sock=door):
                await until(lambda: is_all_done(conn))
    assert diary.done == [SUBJECT]


async def _pass_on(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there_reader, there_writer = await asyncio.open_unix_connection(path)
    await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        while data := await reader.read(4096):
            writer.write(data)


@asynccontextmanager
async def answering(runtime: Runtime, jobs: Jobs) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(answer_bells(runtime, jobs, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


async def test_a_new_delivery_leaves_at_once_because_the_database_wakes_the_sender(
    runtime: Runtime, conn: Connection
) -> None:
    channel = KeepingChannel()

    async def has_left() -> bool:
        return bool(channel.sent)

    async with working(runtime, {}, {ChannelName.EMAIL: channel}):
        await asyncio.sleep(1.5)
        waits = []
        for _ in range(5):
            channel.sent.clear()
            began = time.monotonic()
            await plan_deliveries(conn)
            await until(has_left)
            waits.append(time.monotonic() - began)
    assert sorted(waits)[2] < 0.4  # a poll alone would take half a second on average


async def test_what_is_overdue_ends_by_itself(runtime: Runtime, conn: Connection) -> None:
    await plan_deliveries(conn, 3)
    await run(conn, "UPDATE deliveries SET expires_at = now()")
    async with working(runtime, {}):
        await until_states(conn, {"ended": 3})


async def test_a_practice_network_keeps_its_messages_on_this_machine(runtime: Runtime, conn: Connection) -> None:
    message = Message(
        7, "+12025550123", "es", Wording("Alguien está en peligro."), buttons=((Button("Firmar", tap="s"),),)
    )  # fmt: skip
    async with open_channels(runtime) as channels:
        assert set(channels) == set(MACHINES)
        [outcome] = [outcome async for outcome in channels[ChannelName.SMS].send([message])]
    assert outcome.message is message
    kept = await row(conn, dict[str, int | bytes], "SELECT id, sealed, address_index FROM practice_messages")
    assert kept
    assert kept["address_index"] == runtime.keys.index("sms", "+12025550123")
    assert isinstance(kept["sealed"], bytes)
    assert json.loads(runtime.keys.open(kept["sealed"], Place("practice_messages", "sealed", int(kept["id"])))) == {
        "channel": "sms", "address": "+12025550123", "subject": "", "text": "Alguien está en peligro.", "html": "",
        "language": "es", "buttons": [[{"label": "Firmar", "url": "", "tap": "s"}]],
    }  # fmt: skip


async def test_a_real_network_opens_what_is_configured_and_imports_nothing_else(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        MailSink() as sink,
        make_runtime(database_url, redis_url, tmp_path, smtp=sink.server) as runtime,
        open_channels(runtime) as channels,
    ):
        assert set(channels) == {ChannelName.EMAIL}
    check = "import sys, workers.main, channels.email; print({'twilio', 'telegram'} & set(sys.modules))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", check, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert said.strip() == b"set()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_within_seconds_and_leaves_nothing_claimed(
    runtime: Runtime, conn: Connection, redis_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    settings = make_settings(runtime.settings.database_url, redis_url, tmp_path)
    script = (
        "import os, workers.main; from sos.settings import read_settings; workers.main.run(read_settings(os.environ))"
    )
    environment = {
        "SOS_DATABASE_URL": settings.database_url,
        "SOS_REDIS_URL": redis_url,
        "SOS_KEY_FILE": str(settings.key_file),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )

    async def is_listening() -> bool:
        return bool(
            await value(
                conn,
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND query ILIKE 'listen%%'
                """,
            )
        )

    await until(is_listening)
    asked_at = time.monotonic()
    process.send_signal(number)
    _, said = await process.communicate()
    assert process.returncode == 0, said
    assert time.monotonic() - asked_at < 10  # the supervisor kills after ten
