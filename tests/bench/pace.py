"""Whether SMS and Telegram keep their provider's rate for a minute while two workers could send."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.base import ChannelName
from sos.bench import store
from sos.bench.fanout import launch_now, open_prepared, settle, wait_until_idle
from sos.database import connect
from tests.bench.comparison import say, temporary_directory
from tests.bench.machine import describe_machine
from tests.bench.sinks import open_counting_sink
from tests.providers import TelegramStandIn, TwilioStandIn

SMS_A_SECOND = 10
TELEGRAM_A_SECOND = 30  # core.telegram.org/bots/faq: about thirty messages a second
SECONDS = 60
WORKERS = 2
MOST_OFF = 0.05
TOO_MANY = 429


class TimedTwilio(TwilioStandIn):
    """Knows when each request came."""

    def __init__(self) -> None:
        super().__init__()
        self.came_at: list[float] = []

    async def accept(self, request: web.Request) -> web.Response:
        self.came_at.append(time.monotonic())
        return await super().accept(request)


class TimedTelegram(TelegramStandIn):
    """Knows when each request came, and limits as Telegram does."""

    def __init__(self) -> None:
        super().__init__(floods=True)
        self.came_at: list[float] = []
        self.refused = 0

    async def accept(self, request: web.Request) -> web.Response:
        self.came_at.append(time.monotonic())
        answer = await super().accept(request)
        self.refused += answer.status == TOO_MANY
        return answer


@dataclass(frozen=True)
class Pace:
    """When a provider was asked, and how often a second it may be."""

    name: str
    may: int
    came_at: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests a second, from the first to the last."""
        return (len(self.came_at) - 1) / (self.came_at[-1] - self.came_at[0])

    @property
    def most_in_a_second(self) -> int:
        """The most requests within any one second."""
        first, most = 0, 0
        for last, at in enumerate(self.came_at):
            while at - self.came_at[first] >= 1:
                first += 1
            most = max(most, last - first + 1)
        return most

    def line(self) -> str:
        """As it is printed."""
        off = abs(self.rate / self.may - 1)
        return (
            f"{self.name:<9} {len(self.came_at):>6,} requests, {self.rate:6.2f} a second of {self.may},"
            f" at most {self.most_in_a_second} within any second   within {MOST_OFF:.0%}:"
            f" {'yes' if off <= MOST_OFF else 'NO'}"
        )


def by_phone(number: int) -> tuple[ChannelName, str]:
    """As many contacts by SMS and by Telegram as a minute has room for."""
    if number % (SMS_A_SECOND + TELEGRAM_A_SECOND) < SMS_A_SECOND:
        return ChannelName.SMS, f"+2547{number:08}"
    return ChannelName.TELEGRAM, str(70_000_000 + number)


async def keep_pace(seconds: int = SECONDS) -> list[str]:
    """A minute of both, as lines to print."""
    contacts = (SMS_A_SECOND + TELEGRAM_A_SECOND) * seconds
    async with open_providers() as providers:
        say(f"{contacts:,} contacts by SMS and Telegram, two workers, about {seconds} seconds")
        async with open_prepared(contacts, providers.environment, say, reach=by_phone) as (
            installation, runtime, approved,
        ):  # fmt: skip
            await installation.start_workers(WORKERS)
            await wait_until_idle([worker.pid for worker in installation.workers])
            launched = await launch_now(runtime, approved)
            await settle(installation, launched, say)
            async with connect(installation.settings.database_url) as conn:
                states, version = await store.states(conn, approved.action_id), await store.server_version(conn)
    return [*describe_machine(version), "", *providers.lines(), f"states: {dict(states)}"]


@dataclass(frozen=True)
class Providers:
    """The two stand-ins, and the settings by which workers reach them."""

    twilio: TimedTwilio
    telegram: TimedTelegram
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def lines(self) -> list[str]:
        """What they saw."""
        paces = (
            Pace("SMS", SMS_A_SECOND, self.twilio.came_at),
            Pace("Telegram", TELEGRAM_A_SECOND, self.telegram.came_at),
        )
        broken = [*self.twilio.violations, *self.telegram.violations]
        return [
            *(pace.line() for pace in paces),
            f"requests that Telegram refused as too many: {self.telegram.refused}",
            f"requests that broke a published contract: {len(broken)}",
        ]


@asynccontextmanager
async def open_providers() -> AsyncIterator[Providers]:
    """Twilio, Telegram and a mail server on this machine."""
    async with TimedTwilio() as twilio, TimedTelegram() as telegram, open_counting_sink() as (_, server):
        with temporary_directory() as directory:
            environment: dict[str, Any] = {
                "SOS_SMTP_URL": f"smtp://{server}",
                "SOS_SMS_PER_SECOND": str(SMS_A_SECOND),
                "SOS_TWILIO_URL": twilio.account.url,
                "SOS_TWILIO_SID": twilio.account.sid,
                "SOS_TWILIO_FROM": twilio.account.sender,
                "SOS_TELEGRAM_URL": telegram.bot.url,
            }
            secrets = {
                "SOS_TWILIO_TOKEN_FILE": twilio.account.token,
                "SOS_TELEGRAM_TOKEN_FILE": telegram.bot.token,
                "SOS_TELEGRAM_SECRET_FILE": telegram.bot.webhook_secret,
            }
            for name, secret in secrets.items():
                (directory / name).write_text(secret)
            files = {name: str(directory / name) for name in secrets}
            yield Providers(twilio, telegram, environment | files)
