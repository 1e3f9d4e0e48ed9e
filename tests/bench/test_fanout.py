"""`sos bench` runs the real path: everybody gets one mail of her own, and nothing is left behind."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from tests.bench.commands import ROOT, ending
from tests.bench.overtaking import URGENT, measure_overtaking
from tests.bench.sinks import open_counting_sink

RECIPIENTS = 200
LONGEST_SECONDS = 180.0  # other work on the machine may take most of it


async def sos_bench(directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command with this directory for its temporary files; its exit status, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sos.cli", "bench", *arguments, "--json", cwd=ROOT, stdout=PIPE, stderr=PIPE,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(directory)},
    )  # fmt: skip
    async with asyncio.timeout(LONGEST_SECONDS), ending(process):
        printed, said = await process.communicate()
    assert process.returncode is not None
    assert printed.count(b"\n") == 1, said.decode()
    return process.returncode, json.loads(printed)


async def test_everybody_gets_one_mail_of_her_own_and_it_is_counted(servers_directory: Path) -> None:
    directory = servers_directory / "bench"
    directory.mkdir(mode=0o711)
    async with open_counting_sink() as (sink, server):
        status, found = await sos_bench(
            directory, "fanout", "--recipients", str(RECIPIENTS), "--smtp", server, "--workers", "2", "--unsettled", "8"
        )  # fmt: skip

    assert status == 0
    assert (found["recipients"], found["accepted"], found["refused"], found["workers"]) == (
        RECIPIENTS,
        RECIPIENTS,
        0,
        2,
    )
    assert found["seconds"] > 0
    assert Counter(to for to, _ in sink.kept) == Counter(f"c{one}@bench.example.org" for one in range(RECIPIENTS))
    mails = [message_from_bytes(content, policy=default) for _, content in sink.kept]
    assert len({mail["Message-ID"] for mail in mails}) == RECIPIENTS
    assert len({mail["Subject"] for mail in mails}) == 5
    assert sum(not words_of(mail).isascii() for mail in mails) > RECIPIENTS / 2
    assert not list(directory.iterdir())


def words_of(mail: Any) -> str:
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content()).splitlines()[0]


async def test_a_launch_alone_writes_a_row_for_everybody_and_sends_nothing(servers_directory: Path) -> None:
    directory = servers_directory / "launch"
    directory.mkdir(mode=0o711)
    status, found = await sos_bench(directory, "launch", "--recipients", str(RECIPIENTS))

    assert (status, found["recipients"]) == (0, RECIPIENTS)
    assert found["rows_per_second"] > 0
    assert not list(directory.iterdir())


async def test_a_measurement_that_is_interrupted_leaves_nothing_behind(servers_directory: Path) -> None:
    directory = servers_directory / "interrupted"
    directory.mkdir(mode=0o711)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sos.cli", "bench", "fanout", "--recipients", "50", "--smtp", "127.0.0.1:9", cwd=ROOT,
        stdout=PIPE, stderr=PIPE, env={"PATH": "/usr/bin:/bin", "TMPDIR": str(directory)},
    )  # fmt: skip
    async with asyncio.timeout(LONGEST_SECONDS), ending(process):
        assert process.stderr
        assert b"PostgreSQL" in await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, said = await process.communicate()

    assert (process.returncode, printed) == (1, b"")
    assert b"Aborted" in said
    assert not list(directory.iterdir())


async def test_what_is_urgent_leaves_while_the_routine_waits() -> None:
    async with open_counting_sink() as (sink, server):
        found = await measure_overtaking(6000, server, under_way=100)
    assert found.waiting > 0
    assert found.seconds > 0
    assert sink.mails >= URGENT + 100
