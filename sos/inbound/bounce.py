"""What a mail to one of our own addresses says of a delivery: a status notification (RFC 3464), or nothing. No I/O."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import Policy, compat32
from enum import IntEnum
from itertools import count
from typing import Any

from channels.base import Receipt, ReceiptState

POLICY_BOUNCES = 10  # from so many recipients within `POLICY_TIME`: what we send is not wanted, and the channel stops
POLICY_TIME = timedelta(hours=1)
LARGEST_READ_BYTES = 256 * 1024  # further down stands the mail that came back
LONGEST_HEADER = 1000  # the email package takes seconds over a long one
MOST_PARTS = 20
MOST_RECIPIENTS = 100

_REPORT = "multipart/report"
_NOTIFICATIONS = ("enclosed/delivery-status", "enclosed/global-delivery-status")  # RFC 3464 and RFC 6533
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_CODE = re.compile(r"([245]\d\d[-/])?(?P<status>[245]\.\d{1,3}\.\d{1,3})")
_REPLY = re.compile(r"(?<![\d.])[245]\d\d(?![\d.])")
_NAME = re.compile(r"[@.]\w")  # in an address, a host or a link: its words are names
_POLICY = re.compile(
    r"\b(policy|spf|dkim|dmarc|spam\w*|unsolicited|black ?list\w*|block ?list\w*|blocked|banned|reputation|rbl|dnsbl"
    r"|relaying|sender (address )?(rejected|denied|refused|verif\w+))\b",
    re.I,
)
_NOBODY = re.compile(
    r"\b(unknown (user|recipient|mailbox)|(user|recipient|mailbox) (unknown|not found)"
    r"|(no such|non-?existent) (user|recipient|mailbox))\b",
    re.I,
)


class Fate(IntEnum):
    """What became of a mail, the best first: one that had several recipients fared as the luckiest of them did."""

    DELIVERED = 1
    UNDECIDED = 2
    FAILED = 3
    OUR_FAULT = 4
    NOBODY_THERE = 5


@dataclass(frozen=True, slots=True)
class News:
    """A mail's fate, and the status code (RFC 3463) that says so."""

    fate: Fate
    status: str = ""

    @property
    def receipt(self) -> Receipt | None:
        """What the ledger is told; nothing of what is not decided."""
        match self.fate:
            case Fate.UNDECIDED:
                return None
            case Fate.DELIVERED:
                return Receipt("", ReceiptState.DELIVERED)
            case Fate.OUR_FAULT:
                return Receipt("", ReceiptState.FAILED, f"policy {self.status}")
            case Fate.FAILED | Fate.NOBODY_THERE:
                return Receipt("", ReceiptState.FAILED, self.status)


@dataclass(frozen=True, slots=True)
class Mail:
    """What counts of a mail: a mark to know it again by, whether it is a report of any kind, and its news if any."""

    mark: str
    is_report: bool = False
    news: News | None = None


def read_mail(raw: bytes) -> Mail:
    """Read any mail, or anything else; what cannot be read says nothing."""
    mark = hashlib.sha256(raw).hexdigest()
    try:
        return _read(BytesParser(_parts(), policy=compat32).parsebytes(raw[:LARGEST_READ_BYTES]), mark)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Mail(mark)


class _TooManyParts(ValueError):
    """No notification has so many parts; taking them apart would only cost time."""


class _Part(Message):
    """A part of a mail. What it encloses (`message/…`) stays a text: nothing in it is said by the mail itself."""

    def get_content_type(self) -> str:
        return super().get_content_type().replace("message/", "enclosed/", 1)

    def get_boundary(self, failobj: Any = None) -> Any:
        """Only where it is found quickly."""
        is_short = len(str(self.get("Content-Type", ""))) <= LONGEST_HEADER
        return super().get_boundary(failobj) if is_short else failobj


def _parts() -> Callable[..., _Part]:
    """What makes the parts of one mail."""
    made = count()

    def make(policy: Policy = compat32) -> _Part:
        if next(made) > MOST_PARTS:
            raise _TooManyParts
        return _Part(policy)

    return make


def _read(mail: Message, mark: str) -> Mail:
    known = str(mail.get("Message-ID", "")).strip()[:LONGEST_HEADER]
    statuses = [part for part in mail.walk() if part.get_content_type() in _NOTIFICATIONS]
    news = [_news_of(fields) for part in statuses for fields in _recipients(part)]
    is_report = bool(statuses) or mail.get_content_type() == _REPORT
    return Mail(known or mark, is_report, min(news, key=lambda one: one.fate, default=None))


def _recipients(part: Message) -> Iterator[Message]:
    """The fields about each recipient; some servers write them in the same block as those about the mail."""
    raw = part.get_payload(decode=True)
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
    blocks = re.split(r"\n[ \t]*\n", re.sub(r"\r\n?", "\n", text))
    for block in blocks[:MOST_RECIPIENTS]:
        fields = HeaderParser(policy=compat32).parsestr(block.strip())
        if fields.get_all("Action"):
            yield fields


def _news_of(fields: Message) -> News:
    """The news of one recipient: only what is said to have failed has failed; class 4 means that a relay gave up."""
    actions = {_words(action).partition(" ")[0].lower() for action in fields.get_all("Action", [])}
    said, told = _words(fields.get("Status", "")), _words(fields.get("Diagnostic-Code", ""))
    status = _STATUS.match(said)
    kind = status[0][0] if status else _kind_of(told)
    if actions == {"delivered"} and kind == "2":
        return News(Fate.DELIVERED)
    if actions == {"failed"} and kind == "4":
        return News(Fate.FAILED, status[0] if status else "4.0.0")
    if actions == {"failed"} and kind == "5":
        return _failure(status[0] if status else "5.0.0", f"{said} {told}")
    return News(Fate.UNDECIDED)


def _kind_of(told: str) -> str:
    """Temporary or for good, where only the words of the other server are left."""
    reply = _REPLY.search(_plain(told))
    found = [*_codes(told), reply[0] if reply else ""]
    return found[0][:1]


def _failure(status: str, told: str) -> News:
    """Whose fault a failure is. A policy is always ours; only what is said of the address condemns it (RFC 3463)."""
    codes = [status, *(code for code in _codes(told) if code[0] == "5")]
    if ours := next((code for code in codes if _is_about_us(code)), None):
        return News(Fate.OUR_FAULT, ours)
    exact = next((code for code in codes if not code.endswith(".0")), None)
    if exact:
        return News(Fate.NOBODY_THERE if _is_about_her(exact) else Fate.FAILED, exact)
    return _from_words(next((code for code in codes if _is_about_her(code)), status), _plain(told))


def _from_words(status: str, words: str) -> News:
    """For a code that leaves it open."""
    if _POLICY.search(words):
        return News(Fate.OUR_FAULT, status)
    if _is_about_her(status):
        return News(Fate.NOBODY_THERE, status)
    if _NOBODY.search(words):
        return News(Fate.NOBODY_THERE, "5.1.1 in words")
    reply = _REPLY.search(words)
    return News(Fate.OUR_FAULT if reply and reply[0] == "554" else Fate.FAILED, status)


def _is_about_us(code: str) -> bool:
    return code.startswith("5.7.") or code in ("5.1.7", "5.1.8")  # the last two: the sender's address


def _is_about_her(code: str) -> bool:
    return code.startswith("5.1.") or code == "5.2.1"


def _words(value: object) -> str:
    return " ".join(str(value).split())[:LONGEST_HEADER]


def _codes(words: str) -> list[str]:
    """The status codes in a text; one in an address, a host or a link is none."""
    found = (_CODE.fullmatch(word.strip("#()[]<>'\":,.")) for word in words.replace(";", " ").split())
    return [code["status"] for code in found if code]


def _plain(words: str) -> str:
    """Without addresses, hosts and links."""
    return " ".join(word for word in words.split() if not _NAME.search(word))
