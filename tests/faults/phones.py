"""Twilio and Telegram that fail in every way of theirs, and callbacks as they really come."""

import asyncio
import random
import time

from aiohttp import web

from channels.base import ChannelName
from tests.faults.oracle import Inbox, Verdict, judge
from tests.faults.rows import Measure, Row
from tests.faults.servers import ON_DUTY, Servers, by_sms, by_telegram, everybody
from tests.faults.stage import Stage, end, kill, open_stage
from tests.faults.twilio import FaultyTwilio, twilio_settings
from tests.providers import TelegramStandIn
from tests.providers.standin import Fault

FIRST_WAVE = 20
DEATHS = 5
SMS_A_SECOND = 50
MOST_SMS, MOST_CHATS = 300, 240  # in short runs: a bot may send thirty messages a second, and no more
GOES_ON_SECONDS = 60.0
SEED = 7


class BadDay:
    """20 % too many requests, 5 % broken (half of them after accepting), a few that time out or hang."""

    def __init__(self, requests: int) -> None:
        self._left = requests
        self._dice = random.Random(SEED)
        self._posts = 0
        # Each holds up its sender for as long as we wait for an answer.
        self._silent = {30: Fault.SILENT_AFTER, 60: Fault.SILENT_BEFORE, 90: Fault.CUT_AFTER, 120: Fault.CUT_BEFORE}

    def __call__(self, method: str) -> Fault | None:
        self._left -= 1
        if self._left < 0:
            return None
        thrown = self._dice.random()
        if method == "POST":
            self._posts += 1
            if self._posts in self._silent:
                return self._silent[self._posts]
        limits = {0.2: Fault.BUSY, 0.225: Fault.BROKEN_BEFORE, 0.25: Fault.BROKEN_AFTER}
        return next((fault for limit, fault in limits.items() if thrown < limit), None)


async def twilio(servers: Servers, measure: Measure) -> Verdict:
    """A provider that takes a message and says that it has not, or says nothing."""
    recipients = measure.recipients if measure.is_full else min(measure.recipients, MOST_SMS)
    inbox = Inbox()
    async with FaultyTwilio(inbox) as provider:
        given = twilio_settings(servers.directory, provider, per_second=SMS_A_SECOND)
        async with open_stage(servers, "sms", recipients, inbox, given, reach=by_sms) as stage:
            await stage.start_workers()
            await stage.launch()
            await stage.until_arrived(FIRST_WAVE)
            provider.choose = BadDay(recipients if measure.is_full else recipients // 2)
            began = time.monotonic()
            await stage.until_over(300 + recipients)
    to_members = [one for one in inbox.arrivals if one.address != ON_DUTY]
    return judge(
        everybody(by_sms, recipients), to_members, complaints=provider.violations,
        went_on=inbox.longest_silence(began), within=GOES_ON_SECONDS,
    )  # fmt: skip


class FaultyTelegram(TelegramStandIn):
    """Goes wrong at the requests that `plan` names by their number, counted from when it is set."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(floods=True)
        self.inbox = inbox
        self.plan: dict[int, Fault] = {}
        self.silences = 0
        self._noted = 0

    async def accept(self, request: web.Request) -> web.Response:
        """Note every message under the chat that was first written to."""
        answer = await super().accept(request)
        before = {new: old for old, new in self.moved.items()}
        for one in self.messages[self._noted :]:
            self.inbox.take(str(before.get(one.chat, one.chat)), one.parameters["text"])
        self._noted = len(self.messages)
        return answer

    def busy(self) -> web.Response:
        self.silences += 1
        return super().busy()

    async def _receive(self, request: web.Request) -> web.Response:
        if fault := self.plan.pop(self.requests, None):
            self.fail(fault)
        return await super()._receive(request)


async def telegram(servers: Servers, measure: Measure) -> Verdict:
    """Asks for silence (and whoever was told dies), has blocked and moved chats, answers with nothing or rubbish."""
    recipients = measure.recipients if measure.is_full else min(measure.recipients, MOST_CHATS)
    inbox = Inbox()
    async with FaultyTelegram(inbox) as provider:
        provider.retry_after = 3
        given = _telegram_settings(servers, provider)
        async with open_stage(servers, "telegram", recipients, inbox, given, reach=by_telegram) as stage:
            chats = [int(chat) for chat in everybody(by_telegram, recipients)]
            provider.blocked = set(chats[25::100])
            provider.moved = {chat: -1_000_000_000_000 - chat for chat in chats[50::100]}
            await stage.start_workers()
            await stage.launch()
            await stage.until_arrived(FIRST_WAVE)
            now = provider.requests
            provider.plan = {now + 20: Fault.BUSY, now + 60: Fault.BUSY, now + 100: Fault.GARBLED_AFTER}
            provider.plan |= {now + 110: Fault.CUT_AFTER, now + 120: Fault.SILENT_AFTER, now + 130: Fault.BUSY}
            for number in range(2):
                await _die_in_silence(stage, provider, number)
            await stage.until_over(600)
    complaints = [*provider.violations]
    complaints += [f"{provider.inside_window} requests inside a silence"] if provider.inside_window else []
    reached = [str(chat) for chat in chats if chat not in provider.blocked]
    return judge(reached, inbox.arrivals, allowed=3, complaints=complaints)


async def _die_in_silence(stage: Stage, provider: FaultyTelegram, number: int) -> None:
    """Whoever was told to be silent cannot tell the others any more; one of the two workers is that one."""
    await stage.until(lambda: provider.silences > number)
    await asyncio.sleep(0.5)
    kill(stage.workers[number])
    await end(stage.workers[number])
    await stage.start_worker(number)


def _telegram_settings(servers: Servers, provider: TelegramStandIn) -> dict[str, str]:
    secrets = {"TOKEN": provider.bot.token, "SECRET": provider.bot.webhook_secret}
    files = {name: servers.directory / f"telegram-{name}" for name in secrets}
    for name, secret in secrets.items():
        files[name].write_text(secret)
    return {"SOS_TELEGRAM_URL": provider.bot.url} | {
        f"SOS_TELEGRAM_{name}_FILE": str(file) for name, file in files.items()
    }


async def deaths(servers: Servers, measure: Measure) -> Verdict:
    """SIGKILL of both workers, several times, while SMS and Telegram messages leave."""
    recipients = measure.recipients if measure.is_full else min(measure.recipients, MOST_CHATS)
    times, inbox = round(measure.lasting(DEATHS, 3)), Inbox()
    async with FaultyTwilio(inbox) as twilio, FaultyTelegram(inbox) as telegram:
        given = twilio_settings(servers.directory, twilio, per_second=SMS_A_SECOND)
        given |= _telegram_settings(servers, telegram)
        async with open_stage(servers, "phones", recipients, inbox, given, reach=_by_phone) as stage:
            await stage.start_workers()
            await stage.launch()
            await stage.until_arrived(2 * FIRST_WAVE)
            for _ in range(times):
                await stage.until_arrived(len(inbox) + recipients // 12)
                for worker in stage.workers.values():
                    kill(worker)
                await asyncio.gather(*map(end, stage.workers.values()))
                await stage.start_workers()
            await stage.until_over(600)
    return _judge_deaths(recipients, inbox, times)


def _by_phone(number: int) -> tuple[ChannelName, str]:
    return by_sms(number) if number % 2 else by_telegram(number)


def _judge_deaths(recipients: int, inbox: Inbox, times: int) -> Verdict:
    """Nobody can be asked about a Telegram message: one for each death may stay uncertain, or come twice."""
    chats = {_by_phone(number)[1] for number in range(0, recipients, 2)}
    uncertain = chats - inbox.addresses
    texts = [one.address for one in inbox.arrivals if one.address.startswith("+") and one.address != ON_DUTY]
    complaints = [f"{len(uncertain)} by Telegram are uncertain"] if len(uncertain) > times else []
    complaints += ["an SMS came twice"] if len(texts) > len(set(texts)) else []
    audience = [one for one in everybody(_by_phone, recipients) if one not in uncertain]
    to_members = [one for one in inbox.arrivals if one.address != ON_DUTY]
    return judge(audience, to_members, allowed=times, complaints=complaints)


ROWS = (
    Row("kill-phones", "SIGKILL of all workers, five times (SMS and Telegram)", deaths, waits=True),
    Row("twilio", "Twilio: 20 % 429, 5 % 5xx, timeouts after accepting, hangs", twilio, waits=True),
    Row("telegram", "Telegram: RetryAfter, 403, migrate, garbage, timeout after accepting", telegram, waits=True),
)
