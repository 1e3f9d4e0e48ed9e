"""What every channel promises, whatever stands behind it."""

import asyncio
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
import pytest

from channels.base import (
    Accepted,
    Busy,
    Callback,
    Channel,
    ChannelName,
    Forged,
    Message,
    Misconfigured,
    Refused,
    Result,
    Unconfirmed,
)
from channels.email import EmailChannel
from channels.preview import PreviewChannel
from channels.sms import SmsChannel
from channels.telegram import TelegramChannel
from channels.wording import Wording
from tests.make import alter
from tests.providers import Fault, MailSink, TelegramStandIn, TwilioStandIn

SHORT = timedelta(milliseconds=300)


class Rig(ABC):
    """A channel, the provider behind it, and the same misfortunes under the same names."""

    channel: Channel
    wrong_password: Channel

    @abstractmethod
    def message(self, number: int) -> Message: ...

    @abstractmethod
    def poison(self) -> Message: ...

    @abstractmethod
    def refuse(self, number: int) -> None: ...

    @abstractmethod
    def fail(self, fault: Fault) -> None: ...

    @abstractmethod
    def attempts(self) -> int: ...

    @abstractmethod
    def taken(self) -> list[str]: ...


@dataclass
class EmailRig(Rig):
    sink: MailSink
    channel: Channel
    wrong_password: Channel

    def message(self, number: int) -> Message:
        address = f"n{number}@a.example"
        return Message(number, address, "es", Wording("Hola", "Asunto"), message_id=f"<{number}@sos.example>")

    def poison(self) -> Message:
        return alter(self.message(99), subject="=?utf-8?q?x=0D=0ABcc:_n1=40a.example?=")

    def refuse(self, number: int) -> None:
        self.sink.answer("RCPT", "550 5.1.1 no such user", about=f"n{number}@")

    def fail(self, fault: Fault) -> None:
        steps: dict[Fault, Callable[[], None]] = {
            Fault.BUSY: lambda: self.sink.answer("RCPT", "451 4.3.0 later"),
            Fault.CUT_BEFORE: lambda: self.sink.hang_up("RCPT"),
            Fault.CUT_AFTER: lambda: self.sink.hang_up("END"),
            Fault.SILENT_AFTER: lambda: self.sink.stall("END"),
        }
        steps[fault]()

    def attempts(self) -> int:
        return sum(command.startswith("MAIL") for command in self.sink.commands)

    def taken(self) -> list[str]:
        return [mail.recipients[0] for mail in self.sink.mails]


@dataclass
class SmsRig(Rig):
    twilio: TwilioStandIn
    channel: Channel
    wrong_password: Channel

    def message(self, number: int) -> Message:
        return Message(number, f"+2547123456{number:02}", "es", Wording("Hola"))

    def poison(self) -> Message:
        return replace(self.message(99), address="+0 not a number")

    def refuse(self, number: int) -> None:
        self.twilio.opted_out.add(self.message(number).address)

    def fail(self, fault: Fault) -> None:
        self.twilio.fail(fault)

    def attempts(self) -> int:
        return self.twilio.requests

    def taken(self) -> list[str]:
        return [sms.to for sms in self.twilio.messages]


@dataclass
class TelegramRig(Rig):
    telegram: TelegramStandIn
    channel: Channel
    wrong_password: Channel

    def message(self, number: int) -> Message:
        return Message(number, str(number), "es", Wording("Hola"))

    def poison(self) -> Message:
        return alter(self.message(99), html="<b>never closed")

    def refuse(self, number: int) -> None:
        self.telegram.blocked.add(number)

    def fail(self, fault: Fault) -> None:
        self.telegram.fail(fault)

    def attempts(self) -> int:
        return self.telegram.requests

    def taken(self) -> list[str]:
        return [str(message.chat) for message in self.telegram.messages]


@asynccontextmanager
async def email_rig() -> AsyncIterator[Rig]:
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=1, within=SHORT)
        # Nobody listens with TLS here: what is configured cannot be had.
        wrong = EmailChannel(replace(sink.server, security="starttls"), within=SHORT)
        yield EmailRig(sink, channel, wrong)
        await channel.close()


@asynccontextmanager
async def sms_rig() -> AsyncIterator[Rig]:
    async with TwilioStandIn() as twilio, aiohttp.ClientSession() as session:
        channel = SmsChannel(twilio.account, session, per_second=1000, within=SHORT)
        wrong = SmsChannel(replace(twilio.account, token="wrong"), session, per_second=1000)
        yield SmsRig(twilio, channel, wrong)


@asynccontextmanager
async def telegram_rig() -> AsyncIterator[Rig]:
    async with TelegramStandIn() as telegram:
        channel = TelegramChannel(telegram.bot, per_second=1000, per_second_each=1000, within=SHORT)
        wrong = TelegramChannel(replace(telegram.bot, token="1:wrong"), per_second=1000, per_second_each=1000)
        yield TelegramRig(telegram, channel, wrong)
        await channel.close()
        await wrong.close()


Make = Callable[[], AbstractAsyncContextManager[Rig]]
every_channel = pytest.mark.parametrize("make", [email_rig, sms_rig, telegram_rig])


async def send(channel: Channel, *messages: Message) -> list[Result]:
    by_message = {id(outcome.message): outcome.result async for outcome in channel.send(messages)}
    return [by_message[id(message)] for message in messages]


def kinds(results: list[Result]) -> list[type[Result]]:
    return [type(result) for result in results]


@every_channel
async def test_an_accepted_message_has_the_providers_id(make: Make) -> None:
    async with make() as rig:
        results = await send(rig.channel, *map(rig.message, range(1, 6)))
        assert kinds(results) == [Accepted] * 5
        assert len({result.provider_id for result in results if isinstance(result, Accepted)}) == 5
        assert sorted(rig.taken()) == sorted(rig.message(number).address for number in range(1, 6))


@every_channel
async def test_a_refused_address_harms_no_neighbour(make: Make) -> None:
    async with make() as rig:
        rig.refuse(2)
        assert kinds(await send(rig.channel, *map(rig.message, range(1, 4)))) == [Accepted, Refused, Accepted]


@every_channel
async def test_a_poison_message_harms_no_neighbour(make: Make) -> None:
    async with make() as rig:
        results = await send(rig.channel, rig.message(1), rig.poison(), rig.message(3))
        assert kinds(results) == [Accepted, Refused, Accepted]
        assert rig.taken() == [rig.message(1).address, rig.message(3).address]


@every_channel
@pytest.mark.parametrize(
    ("fault", "expected", "taken"),
    [(Fault.BUSY, Busy, 0), (Fault.CUT_AFTER, Unconfirmed, 1), (Fault.SILENT_AFTER, Unconfirmed, 1)],
)
async def test_each_message_is_attempted_once(make: Make, fault: Fault, expected: type[Result], taken: int) -> None:
    async with make() as rig:
        rig.fail(fault)
        assert kinds(await send(rig.channel, rig.message(1))) == [expected]
        assert rig.attempts() == 1
        assert len(rig.taken()) == taken


@every_channel
async def test_what_we_configured_wrongly_is_nobody_elses_fault(make: Make) -> None:
    async with make() as rig:
        results = await send(rig.wrong_password, rig.message(1), rig.message(2))
        assert kinds(results) == [Misconfigured, Misconfigured]
        assert rig.taken() == []


@every_channel
async def test_after_a_cancelled_message_the_next_one_gets_its_own_answer(make: Make) -> None:
    async with make() as rig:
        rig.fail(Fault.SILENT_AFTER)
        sending = asyncio.create_task(send(rig.channel, rig.message(1)))
        while not rig.taken():  # noqa: ASYNC110 (the stand-ins have no event for it)
            await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        rig.refuse(2)
        assert kinds(await send(rig.channel, rig.message(2), rig.message(3))) == [Refused, Accepted]
        assert rig.attempts() == 3


@every_channel
async def test_nothing_to_send_is_no_request(make: Make) -> None:
    async with make() as rig:
        assert await send(rig.channel) == []
        assert rig.attempts() == 0


@every_channel
async def test_a_call_that_nobody_signed_is_forged(make: Make) -> None:
    async with make() as rig:
        with pytest.raises(Forged):
            rig.channel.receipts(Callback("https://sos.example/in", {}, {"MessageSid": "SM1"}, b"{}"))


async def test_a_preview_keeps_what_would_have_left() -> None:
    kept: list[tuple[ChannelName, Message]] = []

    async def keep(name: ChannelName, message: Message) -> None:
        kept.append((name, message))

    preview = PreviewChannel(ChannelName.SMS, keep)
    message = Message(7, "+254700000000", "sw", Wording("Habari"))
    assert await send(preview, message) == [Accepted("preview:sms:7")]
    assert kept == [(ChannelName.SMS, message)]
    with pytest.raises(Forged):
        preview.receipts(Callback("", {}, {}))


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("channels.base", ""),
        ("channels.segments", ""),
        ("channels.twilio_codes", ""),
        ("channels.preview", ""),
        ("channels.email", "aiosmtplib"),
        ("channels.sms", "twilio"),
        ("channels.telegram", "telegram"),
    ],
)
def test_a_channel_loads_no_other_providers_library(module: str, library: str) -> None:
    program = f"import sys, {module}; print(*{{'aiosmtplib', 'twilio', 'telegram'}} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == library
