"""One connection, byte by byte: whatever breaks, nobody is lost in silence and nobody gets a mail twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from channels.base import Accepted, Busy, Message, Outcome, Refused, SmtpServer, Unconfirmed
from channels.email import EmailChannel
from channels.wording import Wording

WITHIN = timedelta(seconds=2)


def mail(number: int) -> Message:
    return Message(
        number, f"c{number}@a.example", "en", Wording("It is urgent.\n.\n", "Sign", "<p>It is urgent.</p>"),
        message_id=f"<{number}@sos.example>",
    )  # fmt: skip


@dataclass
class Script:
    """A mail server by hand. `cut_in` and `cut_out` end a connection after so many bytes from us or to us."""

    can_pipeline: bool = True
    invites_all: bool = False
    cut_in: int | None = None
    cut_out: int | None = None
    refuses: str = ""
    drips: bool = False
    kept: list[str] = field(default_factory=list)
    empty: int = 0
    resets: int = 0
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = _Talk(self, reader, writer, is_first=self.connections == 1)
        try:
            await talk.run()
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@dataclass
class _Talk:
    script: Script
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_first: bool
    heard: int = 0
    said: int = 0
    recipient: str = ""

    async def run(self) -> None:
        await self.say("220 here")
        while line := (await self.hear()).decode():
            verb = line[:4].upper().strip()
            match verb:
                case "EHLO":
                    await self.say("250-here\r\n250 PIPELINING" if self.script.can_pipeline else "250 here")
                case "MAIL" | "RSET":
                    self.script.resets += verb == "RSET"
                    self.recipient = ""
                    await self.say("250 2.0.0 ok")
                case "RCPT":
                    await self.rcpt(line)
                case "DATA" if self.recipient or self.script.invites_all:
                    await self.take()
                case "DATA":
                    await self.say("503 5.5.1 no recipient")
                case _:
                    await self.say("221 bye")
                    return

    async def rcpt(self, line: str) -> None:
        if self.script.refuses and self.script.refuses in line:
            await self.say("550 5.1.1 nobody here")
            return
        self.recipient = line.partition("<")[2].partition(">")[0]
        await self.say("250 2.1.5 ok")

    async def take(self) -> None:
        await self.say("354 go on")
        lines = 0
        while (await self.hear()) != b".\r\n":
            lines += 1
        if not self.recipient:
            self.script.empty += 1
            await self.say("554 5.5.1 no valid recipients")
            return
        assert lines > 10
        self.script.kept.append(self.recipient)
        self.recipient = ""
        await self.say("250 2.0.0 kept")

    async def hear(self) -> bytes:
        """A line, unless the connection is cut within it."""
        line = await self.reader.readuntil(b"\n")
        self.heard += len(line)
        if self.is_first and self.script.cut_in is not None and self.heard > self.script.cut_in:
            raise EOFError
        return line

    async def say(self, text: str) -> None:
        words = f"{text}\r\n".encode()
        cut = self.script.cut_out if self.is_first else None
        if cut is not None and self.said + len(words) > cut:
            self.writer.write(words[: cut - self.said])
            await self.writer.drain()
            raise EOFError
        self.said += len(words)
        if not self.script.drips:
            self.writer.write(words)
            return
        for byte in words:
            self.writer.write(bytes([byte]))
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[SmtpServer]:
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    async with server:
        yield SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], "none", "SOS <sos@sos.example>")


async def send(script: Script, messages: Sequence[Message], *, within: timedelta = WITHIN) -> list[Outcome]:
    async with serving(script) as server:
        channel = EmailChannel(server, connections=1, within=within)
        outcomes = [one async for one in channel.send(messages)]
        await channel.close()
    assert sorted(one.message.delivery for one in outcomes) == [one.delivery for one in messages]
    return outcomes


def check(script: Script, outcomes: Sequence[Outcome]) -> None:
    """What is reported is what has happened, or says that nobody knows."""
    for outcome in outcomes:
        taken = script.kept.count(outcome.message.address)
        match outcome.result:
            case Accepted():
                assert taken == 1
            case Busy() | Refused():
                assert taken == 0
            case Unconfirmed():
                assert taken in (0, 1)
            case _:
                raise AssertionError(outcome.result)
    assert sum(isinstance(one.result, Unconfirmed) for one in outcomes) <= 1


async def talked(can_pipeline: bool) -> tuple[int, int]:
    """How many bytes go each way for two mails."""
    script = Script(can_pipeline)
    talks: list[_Talk] = []
    run = _Talk.run

    async def watched(talk: _Talk) -> None:
        talks.append(talk)
        await run(talk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Talk, "run", watched)
        await send(script, [mail(1), mail(2)])
    return talks[0].heard, talks[0].said


@pytest.mark.parametrize("can_pipeline", [True, False], ids=["pipelining", "step by step"])
async def test_a_connection_that_is_cut_at_any_byte_of_its_answers_loses_and_doubles_nobody(
    can_pipeline: bool,
) -> None:
    _, said = await talked(can_pipeline)
    assert said > 100
    for cut in range(said):
        script = Script(can_pipeline, cut_out=cut)
        check(script, await send(script, [mail(1), mail(2), mail(3)]))


@pytest.mark.parametrize("can_pipeline", [True, False], ids=["pipelining", "step by step"])
async def test_a_connection_that_is_cut_anywhere_in_what_we_say_loses_and_doubles_nobody(can_pipeline: bool) -> None:
    heard, _ = await talked(can_pipeline)
    for cut in range(0, heard, 7):
        script = Script(can_pipeline, cut_in=cut)
        outcomes = await send(script, [mail(1), mail(2), mail(3)])
        check(script, outcomes)


@pytest.mark.parametrize("can_pipeline", [True, False], ids=["pipelining", "step by step"])
@pytest.mark.parametrize("invites_all", [True, False])
@pytest.mark.parametrize("refused", [1, 2, 3])
async def test_a_refused_recipient_in_the_middle_of_a_burst_is_the_only_one(
    can_pipeline: bool, invites_all: bool, refused: int
) -> None:
    script = Script(can_pipeline, invites_all, refuses=f"c{refused}@")
    outcomes = await send(script, [mail(1), mail(2), mail(3)])
    assert [one.message.delivery for one in outcomes if isinstance(one.result, Refused)] == [refused]
    assert script.kept == [f"c{n}@a.example" for n in (1, 2, 3) if n != refused]
    if refused < 3:  # after the last one nobody waits for the answer to the empty mail
        assert script.empty == (1 if invites_all and can_pipeline else 0)
    assert script.connections == 1


async def test_what_was_not_to_blame_goes_over_another_connection() -> None:
    _, said = await talked(can_pipeline=True)
    script = Script(cut_out=said - 10)  # within the answer to the second mail
    outcomes = {one.message.delivery: one.result for one in await send(script, [mail(n) for n in range(1, 6)])}
    assert isinstance(outcomes.pop(2), Unconfirmed)
    assert all(isinstance(result, Accepted) for result in outcomes.values())
    assert script.connections == 2


async def test_a_server_that_drips_its_answers_does_not_hold_us_longer_than_one_that_is_silent() -> None:
    began = asyncio.get_running_loop().time()
    outcomes = await send(Script(drips=True), [mail(1)], within=timedelta(seconds=0.4))
    assert isinstance(outcomes[0].result, Busy)
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_whoever_goes_on_is_not_hurt_by_whoever_leaves() -> None:
    script = Script()
    async with serving(script) as server:
        channel = EmailChannel(server, connections=2, within=WITHIN)
        left = channel.send([mail(n) for n in range(1, 40)])
        await anext(left)

        async def stay() -> list[Outcome]:
            return [one async for one in channel.send([mail(n) for n in range(100, 140)])]

        staying = asyncio.create_task(stay())
        await asyncio.sleep(0)
        await left.aclose()
        outcomes = await staying
        await channel.close()
    check(script, outcomes)
    assert all(isinstance(one.result, Accepted) for one in outcomes)
    assert len(script.kept) == len(set(script.kept))


async def test_a_kept_connection_is_asked_after_a_pause_whether_it_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("channels.lane.IDLE_SECONDS", 0.05)
    script = Script()
    async with serving(script) as server:
        channel = EmailChannel(server, connections=1, within=WITHIN)
        for number in (1, 2):
            [outcome] = [one async for one in channel.send([mail(number)])]
            assert isinstance(outcome.result, Accepted)
            await asyncio.sleep(0.1)
        await channel.close()
    assert (script.connections, script.resets) == (1, 1)


@pytest.mark.parametrize("answer", ["what?", "2x0 ok", "250-" + "x" * 9000])
async def test_an_answer_that_is_none_ends_the_connection(answer: str) -> None:
    class Garbled(Script):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 here\r\n")
            await reader.readuntil(b"\n")
            writer.write(b"250-here\r\n250 PIPELINING\r\n")
            await reader.readuntil(b"DATA\r\n")
            writer.write(answer.encode() + b"\r\n")
            await reader.read()
            writer.close()

    [outcome] = await send(Garbled(), [mail(1)])
    assert isinstance(outcome.result, Busy)
