"""The contract that every channel keeps: what goes in, what comes out, what comes home."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from channels.wording import Wording, fill


class ChannelName(StrEnum):
    """The channels by which a message can reach somebody."""

    EMAIL = "email"
    SMS = "sms"
    TELEGRAM = "telegram"
    BY_HAND = "by_hand"  # a call, a visit, a message from somebody's own phone: a person delivers it


MACHINES = (ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM)


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message: either a link or an opaque tap of at most 64 bytes (Telegram's callback_data)."""

    label: str
    url: str = ""
    tap: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with an email."""

    filename: str
    media_type: str
    content: bytes


@dataclass(slots=True)  # not frozen: thousands are made every second
class Message:
    """One message to one address, ready to leave: a wording that many share, and this recipient's own words in it.

    `reference` is a short code that stands in the text, by which a provider can be asked whether it already has
    the message. `callback_url` is where the provider reports; empty where it cannot. `replaces` is the provider's id of
    an earlier message to the same address that is taken back first, where that is possible. What is `is_discreet` shows
    nobody's name on a lock screen, not even ours.
    """

    delivery: int
    address: str
    language: str
    wording: Wording
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    buttons: tuple[tuple[Button, ...], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    message_id: str = ""
    return_path: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mail: str = ""
    callback_url: str = ""
    reference: str = ""
    replaces: str = ""
    is_discreet: bool = False

    @property
    def text(self) -> str:
        """The plain text as she reads it."""
        return fill(self.wording.text, self.words)

    @property
    def subject(self) -> str:
        """The subject line of an email."""
        return fill(self.wording.subject, self.words)

    @property
    def html(self) -> str:
        """The formatted text (an email's second part, or Telegram's few tags)."""
        return fill(self.wording.html, self.words, is_html=True)


@dataclass(slots=True)  # not frozen: thousands are made every second
class Accepted:
    """The provider has taken the message and vouches for it from here; `provider_id` is kept, and holds no address."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never here again: this address does not take our messages; try the next channel."""

    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Not now: the same message may be tried again after this long.

    `wants_silence` says that the provider asked us for fewer requests: until then it is asked nothing at all.
    """

    after: timedelta
    reason: str = ""
    wants_silence: bool = False


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Handed over, but the answer was lost: it may or may not have arrived."""

    reason: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Our fault: close the channel and tell a person; it counts as no attempt."""

    reason: str


Result = Accepted | Refused | Busy | Unconfirmed | Misconfigured


@dataclass(slots=True)  # not frozen: thousands are made every second
class Outcome:
    """What became of one attempt at one message."""

    message: Message
    result: Result


class ReceiptState(StrEnum):
    """How far a provider says that a message has come."""

    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """Receipts repeat and overtake each other: only a higher rank replaces what is known."""
        return (ReceiptState.SENT, ReceiptState.FAILED, ReceiptState.DELIVERED).index(self)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's later word about a message that it accepted."""

    provider_id: str
    state: ReceiptState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a person sent us: a text, or a tap on a button, with the provider's id of it (unique, for replays).

    `answer_to` is what a provider wants answered at once; `about` is the provider id of the message that was tapped.
    """

    provider_id: str
    sender: str
    text: str = ""
    tap: str = ""
    answer_to: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Callback:
    """An HTTP request by a provider, as it came in; `url` is the public one of our settings, never the Host header."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes = b""


class Forged(Exception):
    """This callback does not bear the provider's signature; it is answered 403 and changes nothing."""


class Channel(Protocol):
    """One way to reach people. It sends several messages at a time, one attempt each, and never retries.

    `send` may be called again while earlier calls still run; `in_flight` is how many messages it may have at a time.
    Each outcome comes as soon as it is known. A message that has not begun when its iterator is closed does not leave.
    """

    name: ChannelName
    in_flight: int

    def send(self, messages: Sequence[Message]) -> AsyncIterator[Outcome]: ...

    def receipts(self, callback: Callback) -> list[Receipt]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail relay. `security` is 'tls', 'starttls' or 'none'; it is never lowered."""

    host: str
    port: int
    security: str
    sender: str
    username: str = ""
    password: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """A Twilio account and its REST address (settings move it to a stand-in in tests).

    `per_second` is what the sender may send: one a second for a long code (twilio.com/docs, "Message throughput").
    """

    url: str
    sid: str
    token: str
    sender: str
    per_second: int = 1


@dataclass(frozen=True, slots=True)
class TelegramBot:
    """A Telegram bot, its API address, and the secret that Telegram repeats in each webhook call."""

    url: str
    token: str
    webhook_secret: str
