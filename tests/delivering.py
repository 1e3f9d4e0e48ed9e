"""A story whose messages really leave: to a mail server, and to stand-ins that hold us to the providers' contracts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from channels.base import ChannelName
from channels.email import EmailChannel
from channels.sms import SmsChannel
from channels.telegram import TelegramChannel
from sos.reach import Channels
from tests.make import make_settings
from tests.providers import MailSink, TelegramStandIn, TwilioStandIn
from tests.providers.telegram import ChatMessage
from tests.story import Reached, Story, open_story
from tests.workers.sending import dispatching, until
from workers.dispatch import Dispatcher
from workers.renderers import RENDERERS

PUBLIC = "http://sos.example:8080"
FAST = 1000.0


@dataclass
class Delivering:
    """A story with its providers, whose webhooks are served under a public address that is not where they listen."""

    story: Story
    mail: MailSink
    twilio: TwilioStandIn
    telegram: TelegramStandIn
    channels: Channels

    async def send(self) -> None:
        """Let a worker send whatever may leave now."""
        senders = [Dispatcher(self.story.runtime, one, RENDERERS, asyncio.Event()) for one in self.channels.values()]
        async with dispatching(*senders):
            await until(self._is_sent)

    async def _is_sent(self) -> bool:
        return not await self.story.rows(
            """
            SELECT FROM deliveries d WHERE d.state = 'marked' OR d.state = 'queued' AND d.due_at <= %(now)s
              AND NOT EXISTS (SELECT FROM holds h WHERE h.target IN (d.about::text, d.case_id::text))
              AND (d.kind = 'stopped' OR NOT EXISTS (
                  SELECT FROM suppressions s JOIN addresses a USING (channel, value_index) WHERE a.id = d.address_id))
            """,
            now=self.story.now,
        )

    def sms_to(self, contact: Reached) -> list[str]:
        """What her phone has got, the oldest first."""
        return [one.body for one in self.twilio.messages if one.to == contact.addresses[ChannelName.SMS]]

    def chat_of(self, contact: Reached) -> list[ChatMessage]:
        """What stands in her chat with the bot."""
        return [one for one in self.telegram.messages if str(one.chat) == contact.addresses[ChannelName.TELEGRAM]]

    def mails_to(self, address: str) -> list[str]:
        """The plain texts that came to an address."""
        kept = [one.mail for one in self.mail.mails if one.recipients == (address,)]
        bodies = [mail.get_body(("plain",)) for mail in kept]
        return [body.get_content() for body in bodies if body]


@asynccontextmanager
async def open_delivering(
    database_url: str, redis_url: str, directory: Path, *, bounce_domain: str = ""
) -> AsyncIterator[Delivering]:
    """A real network with every provider."""
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(MailSink())
        twilio = await stack.enter_async_context(TwilioStandIn(webhook_url=f"{PUBLIC}/in/sms"))
        telegram = await stack.enter_async_context(TelegramStandIn(webhook_url=f"{PUBLIC}/in/telegram"))
        settings = replace(
            make_settings(database_url, redis_url, directory, smtp=mail.server), public_url=PUBLIC,
            twilio=twilio.account, telegram=telegram.bot, bounce_domain=bounce_domain,
        )  # fmt: skip
        session = await stack.enter_async_context(aiohttp.ClientSession())
        channels: Channels = {
            ChannelName.EMAIL: EmailChannel(mail.server),
            ChannelName.SMS: SmsChannel(twilio.account, session, per_second=FAST),
            ChannelName.TELEGRAM: TelegramChannel(telegram.bot, per_second=FAST, per_second_each=FAST),
        }
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        story = await stack.enter_async_context(open_story(database_url, redis_url, directory, settings=settings))
        server = await story.serve(channels)
        twilio.reached_at = telegram.reached_at = str(server.make_url("")).rstrip("/")
        yield Delivering(story, mail, twilio, telegram, channels)
        assert twilio.violations == telegram.violations == []
