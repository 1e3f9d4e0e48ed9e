"""Messages: a whole text rendered once for a language and channel, then filled for each recipient."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from channels.base import Attachment, Button, ChannelName, Message
from channels.wording import MARKS, Wording, slots_in
from sos.settings import Settings
from sos.texts import Templates
from sos.vault import KeyFile

_MARKING = dict.fromkeys(map(ord, "\ue000\ue001\u202a\u202b\u202c\u202d\u202e"))
NAMES = ("name", "organisation")  # may be written in another direction than the text around them
# A name keeps its direction to itself; an SMS cannot afford the two characters, nor show them everywhere.
_ISOLATED = MARKS | {name: f"\u2068{MARKS[name]}\u2069" for name in NAMES}
# What each purpose of a signed link may be used for.
# The verbs of the buttons that stand under a first message; what each asks next is inbound's.
DISCREET = "discreet"  # the text that names nobody and nothing
FIRST_TAP, SEEN_TAP = "ask", "seen"
SIGN, TAP, UNSUBSCRIBE, RECEIPT = "sign", "tap", "unsubscribe", "receipt"
BOUNCE, UNSUBSCRIBE_MAIL = "bounce", "unsubscribe-mail"
_MAIL_PURPOSES = {"b": BOUNCE, "u": UNSUBSCRIBE_MAIL}


@dataclass(frozen=True, slots=True)
class Letterbox:
    """One delivery's number and where it goes."""

    delivery: int
    address: str


@dataclass(frozen=True, slots=True)
class Mold:
    """One text in one language for one channel, with marks where a recipient's own words go."""

    channel: ChannelName
    language: str
    wording: Wording
    needs: frozenset[str]
    is_discreet: bool = False

    def fill(
        self, box: Letterbox, own: dict[str, str], *, links: "Links", buttons: tuple[tuple[Button, ...], ...] = (),
        attachments: tuple[Attachment, ...] = (), may_unsubscribe: bool = True, replaces: str = "",
    ) -> Message:  # fmt: skip
        """The message to one recipient. Raises KeyError where the text has a mark for which she has no words."""
        if not self.needs <= own.keys():
            raise KeyError(*self.needs - own.keys())
        by_email = self.channel is ChannelName.EMAIL
        return Message(
            delivery=box.delivery,
            address=box.address,
            language=self.language,
            wording=self.wording,
            words=own,
            buttons=buttons,
            attachments=attachments,
            message_id=links.message_id(box.delivery) if by_email else "",
            return_path=links.return_path(box.delivery) if by_email else "",
            unsubscribe_url=links.unsubscribe(box.delivery) if by_email and may_unsubscribe else "",
            unsubscribe_mail=links.unsubscribe_mail(box.delivery) if by_email and may_unsubscribe else "",
            callback_url=links.callback(box.delivery) if self.channel is ChannelName.SMS else "",
            reference=own.get("reference", ""),
            replaces=replaces,
            is_discreet=self.is_discreet,
        )


def make_mold(templates: Templates, what: str, language: str, channel: ChannelName, **values: object) -> Mold:
    """Render `templates/messages/<what>/<language>/` for one channel; no value can bring a mark of its own.

    `can_link` and `can_reply` are what an SMS can do where it goes; `fallback` says that this is not her own language.
    """
    usual = {"fallback": "", "can_link": True, "can_reply": True}
    marks = MARKS if channel is ChannelName.SMS else _ISOLATED
    values = {**usual, **marks, **{name: value if name in MARKS else _inert(value) for name, value in values.items()}}

    def part(name: str) -> str:
        return templates.message(what, language, name, **values)

    if channel is ChannelName.SMS:
        wording = Wording(" ".join(part("sms.txt").split()))
    elif channel is ChannelName.TELEGRAM:
        wording = Wording(html=part("telegram.html"))
    else:
        text = part("email.txt")
        wording = Wording(text, _subject(part("subject.txt")), templates.email_html(language, text))
    return Mold(channel, language, wording, slots_in(wording), is_discreet=what == DISCREET)


def _inert(value: object) -> object:
    return value.translate(_MARKING) if isinstance(value, str) else value


def _subject(text: str) -> str:
    """On one line, and never the beginning of an encoded word, which no mail may hold as plain text."""
    return " ".join(text.split()).replace("=?", "= ?")


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of a delivery: each signed, good for one purpose."""

    keys: KeyFile
    settings: Settings

    def sign(self, delivery: int) -> str:
        return f"{self.settings.public_url}/s/{self.keys.link(SIGN, delivery)}"

    def unsubscribe(self, delivery: int) -> str:
        return f"{self.settings.public_url}/u/{self.keys.link(UNSUBSCRIBE, delivery)}"

    def return_path(self, delivery: int) -> str:
        """Where a bounce comes home to; empty where no domain takes them."""
        return self._mail_address("b", delivery)

    def unsubscribe_mail(self, delivery: int) -> str:
        """Where any mail says stop (RFC 8058); empty where no domain takes it."""
        return self._mail_address("u", delivery)

    def _mail_address(self, letter: str, delivery: int) -> str:
        domain = self.settings.bounce_domain
        return f"{letter}+{self.keys.mail_link(_MAIL_PURPOSES[letter], delivery)}@{domain}" if domain else ""

    def read_mail_address(self, address: str) -> tuple[str, int] | None:
        """The purpose and the delivery of one of these addresses, or None for one that we did not give out."""
        local, _, domain = address.lower().rpartition("@")
        letter, _, token = local.partition("+")
        if domain != self.settings.bounce_domain or letter not in _MAIL_PURPOSES:
            return None
        delivery = self.keys.read_mail_link(_MAIL_PURPOSES[letter], token)
        return None if delivery is None else (_MAIL_PURPOSES[letter], delivery)

    def callback(self, delivery: int) -> str:
        return f"{self.settings.public_url}/in/sms/{self.keys.link(RECEIPT, delivery)}"

    def tap(self, verb: str, delivery: int) -> str:
        """What a Telegram button carries: a verb and a signed number, 26 bytes of the 64 that are allowed."""
        return f"{verb}:{self.keys.link(TAP, delivery)}"

    def code(self, delivery: int) -> str:
        """Five digits to send back by SMS."""
        return self.keys.short_code("sms", delivery)

    def message_id(self, delivery: int) -> str:
        """The same for each attempt, so that a repeated email can be told as one."""
        return f"<{self.keys.link('message-id', delivery)}@{_host(self.settings.public_url)}>"


@lru_cache(maxsize=1)
def _host(url: str) -> str:
    return urlsplit(url).hostname or "localhost"
