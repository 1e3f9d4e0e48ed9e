"""What really arrived: the mails, SMS and Telegram messages that the providers were handed."""

import html
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.demo.counting import Arrival
from tests.providers import ChatMessage, KeptMail, MailSink, TelegramStandIn, TwilioStandIn

LINK = re.compile(r"https?://[^\s\"<>]+")

# What a message to a phone that others may read says, in each language (it holds no title to know it by).
DISCREET = {
    "en": "There is something new for you",
    "es": "Hay algo nuevo para usted",
    "fr": "Il y a du nouveau pour vous",
    "ar": "هناك جديد لكم",
    "pt": "Chegou uma novidade",
}


@dataclass(frozen=True)
class Mark:
    """How far each sink had come at one moment."""

    mails: int = 0
    sms: int = 0
    telegram: int = 0


@dataclass(frozen=True)
class Got:
    """One message as its recipient has it."""

    channel: str
    address: str
    text: str
    links: tuple[str, ...] = ()
    subject: str = ""
    mail: KeptMail | None = None
    chat_message: ChatMessage | None = None

    def arrival(self, titles: Mapping[str, str]) -> Arrival:
        """Who got it and in which language, known by the title of the text or by the words for discreet phones."""
        heard = f"{self.subject} {self.text}"
        languages = [one for one in titles if titles[one] in heard or DISCREET[one] in heard]
        return Arrival(self.channel, self.address, languages[0] if len(languages) == 1 else "?")


@dataclass
class Sinks:
    """A mail server and two stand-ins, which keep what they are given."""

    mail: MailSink
    twilio: TwilioStandIn
    telegram: TelegramStandIn

    def mark(self) -> Mark:
        """This moment."""
        return Mark(len(self.mail.mails), len(self.twilio.messages), len(self.telegram.messages))

    def count_since(self, mark: Mark) -> int:
        """How many messages have arrived since then."""
        now = self.mark()
        return now.mails - mark.mails + now.sms - mark.sms + now.telegram - mark.telegram

    def since(self, mark: Mark) -> list[Got]:
        """Every message that has arrived since then, one for each recipient."""
        mails = [_of_mail(kept, to) for kept in self.mail.mails[mark.mails :] for to in kept.recipients]
        sms = [Got("sms", one.to, one.body, tuple(LINK.findall(one.body))) for one in self.twilio.messages[mark.sms :]]
        return [*mails, *sms, *map(_of_chat, self.telegram.messages[mark.telegram :])]

    @property
    def violations(self) -> Sequence[str]:
        """Whatever broke a provider's published contract."""
        return (*self.twilio.violations, *self.telegram.violations)


def _of_mail(kept: KeptMail, to: str) -> Got:
    mail = kept.mail
    body = mail.get_body(("plain",))
    text = str(body.get_content()) if body else ""
    links = LINK.findall(f"{text} {mail.get('List-Unsubscribe', '')}")
    return Got("email", to.lower(), text, tuple(links), subject=str(mail["Subject"]), mail=kept)


def _of_chat(message: ChatMessage) -> Got:
    hidden = html.unescape(message.parameters["text"])
    buttons = [button.get("url", "") for row in message.buttons for button in row]
    links = dict.fromkeys([*LINK.findall(hidden), *filter(None, buttons)])
    return Got("telegram", str(message.chat), message.text, tuple(links), chat_message=message)


@asynccontextmanager
async def open_sinks(public_url: str) -> AsyncIterator[Sinks]:
    """The providers of one installation, on this machine; SMS are reported as delivered at once."""
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(MailSink())
        twilio = TwilioStandIn(webhook_url=f"{public_url}/in/sms", delivers_at_once=True)
        telegram = TelegramStandIn(webhook_url=f"{public_url}/in/telegram")
        await stack.enter_async_context(twilio)
        await stack.enter_async_context(telegram)
        yield Sinks(mail, twilio, telegram)
