"""An email as bytes: what its headers may hold, and the whole of it read back before it may leave."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import Header, decode_header, make_header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.message import Message as ParsedMail
from email.policy import EmailPolicy, Policy
from email.utils import format_datetime, getaddresses, parseaddr
from functools import lru_cache

from channels.base import Attachment, Message
from channels.splice import Body, encode
from channels.wording import MARK, SLOTS, Wording, fill


class Poisonous(ValueError):
    """This message cannot be written as an email without changing who gets it or what it says; do not send it."""


@dataclass(slots=True)  # not frozen: thousands are made every second
class Envelope:
    """What a mail server is told about one mail, and the mail's bytes."""

    sender: str
    recipient: str
    message_id: str
    content: bytes
    may_have_dots: bool = True  # at the beginning of a line

    @property
    def payload(self) -> bytes:
        """The mail as it follows DATA (RFC 5321, 4.5.2), its last dot included."""
        return (self.content.replace(b"\r\n.", b"\r\n..") if self.may_have_dots else self.content) + b".\r\n"


class _WholeLine(UnstructuredHeader, BaseHeader):
    """A header that is never folded: the standard library would break a long address into encoded words."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Subject(UnstructuredHeader, BaseHeader):
    """A header that keeps its spaces: where it has to fold, the newer API loses those between encoded words."""

    def fold(self, *, policy: Policy) -> str:
        charset = "us-ascii" if str(self).isascii() else "utf-8"
        folded = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {folded}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _WholeLine)
_HEADERS.map_to_type("subject", _Subject)
_SEVEN_BIT = EmailPolicy(linesep="\r\n", cte_type="7bit", header_factory=_HEADERS)

Headers = dict[str, str | Address | datetime]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_HTTPS = re.compile(r"https?://[!-;=?-~]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
# What nearly all addresses look like (RFC 5322, dot-atom, and RFC 5321's lengths); others are looked at more slowly.
_USUAL = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)[\w!#$%&'*+/^`{|}~-]+(?:\.[\w!#$%&'*+/^`{|}~-]+)*@(?:[a-z\d-]{1,63}\.)*[a-z\d-]{1,63}",
    re.ASCII | re.IGNORECASE,
)
_PART_HEADERS = {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"}


def read_sender(sender: str) -> Address:
    """The mailbox that mail comes from, with its name; raises Poisonous."""
    name, address = parseaddr(_clean(sender))
    return _mailbox(address, name)


def write(message: Message, sender: Address, sent_at: datetime) -> Envelope:
    """The mail that carries a message; raises Poisonous for what a mail cannot carry safely.

    What many have in common is encoded and read back once.
    """
    if message.attachments:
        return build(message, sender, sent_at)
    recipient = _address(message.address)
    try:
        shared = _shared(message.wording, "" if message.is_discreet else sender.display_name, sender.addr_spec)
        return_path = _address(message.return_path) if message.return_path else shared.sender
        subject_line = _subject_line(message.subject) if shared.has_own_subject else shared.subject_line
        unsubscribe = "".join([f"{name}: {value}\r\n" for name, value in _unsubscribe(message)])
        head = (
            f"{shared.head}{subject_line}To: {recipient}\r\nDate: {_date(int(sent_at.timestamp()))}\r\n"
            f"Message-ID: {_exactly(_MESSAGE_ID, message.message_id)}\r\n{unsubscribe}"
        )
        content = head.encode("ascii") + shared.body.fill(message.words)
    except (UnicodeError, MessageError, LookupError) as error:
        raise Poisonous("the email package cannot write it") from error
    return Envelope(return_path, recipient, message.message_id, content, may_have_dots=False)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all mails of one wording have in common."""

    sender: str
    head: str
    subject_line: str
    has_own_subject: bool
    body: Body


@lru_cache(maxsize=256)
def _shared(wording: Wording, name: str, address: str) -> _Shared:
    """Raises Poisonous."""
    shown = Address(name, addr_spec=address)
    head = f"{_fold('From', shown)}Auto-Submitted: auto-generated\r\n"
    example: dict[str, str] = dict.fromkeys(SLOTS, "x")
    subject = fill(wording.subject, example).strip()
    shared = _Shared(address, head, _subject_line(subject), bool(MARK.search(wording.subject)), encode(wording))
    content = (head + shared.subject_line + "To: x@example.org\r\n").encode("ascii") + shared.body.fill(example)
    meant: Headers = {"From": shown, "To": "", "Subject": subject, "Auto-Submitted": ""}
    read_back(content, meant, shown, Address(addr_spec="x@example.org"))
    return shared


def _fold(name: str, value: str | Address) -> str:
    mail = EmailMessage(_SEVEN_BIT)
    mail[name] = value
    return str(_SEVEN_BIT.fold(name, mail[name]))


@lru_cache(maxsize=256)
def _subject_line(subject: str) -> str:
    return _fold("Subject", _clean(subject.strip()))


@lru_cache(maxsize=4)
def _date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _address(address: str) -> str:
    """An address as the envelope and the header have it. Raises Poisonous."""
    return address if _USUAL.fullmatch(address) else _mailbox(address).addr_spec


def build(message: Message, sender: Address, sent_at: datetime) -> Envelope:
    """The same by the standard library, which is ten times slower and can carry attachments."""
    recipient = _mailbox(message.address)
    return_path = _mailbox(message.return_path) if message.return_path else sender
    shown = Address(addr_spec=sender.addr_spec) if message.is_discreet else sender
    headers = _headers(message, shown, recipient, sent_at)
    try:
        content = _write(headers, message)
        read_back(content, headers, shown, recipient)
    except (UnicodeError, MessageError, LookupError) as error:
        raise Poisonous("the email package cannot write it") from error
    return Envelope(return_path.addr_spec, recipient.addr_spec, message.message_id, content)


def _headers(message: Message, sender: Address, recipient: Address, sent_at: datetime) -> Headers:
    return {
        "From": sender,
        "To": recipient,
        "Subject": _clean(message.subject.strip()),
        "Date": sent_at,
        "Message-ID": _exactly(_MESSAGE_ID, message.message_id),
        "Auto-Submitted": "auto-generated",
        **dict(_unsubscribe(message)),
    }


def _unsubscribe(message: Message) -> Iterator[tuple[str, str]]:
    """How this reader says stop (RFC 2369, and by one click RFC 8058)."""
    if message.unsubscribe_url:
        by_mail = f", <mailto:{_address(message.unsubscribe_mail)}>" if message.unsubscribe_mail else ""
        yield "List-Unsubscribe", f"<{_exactly(_HTTPS, message.unsubscribe_url)}>{by_mail}"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _write(headers: Headers, message: Message) -> bytes:
    mail = EmailMessage(_SEVEN_BIT)
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for attachment in message.attachments:
        _attach(mail, attachment)
    return re.sub(rb"\r\n|\r|\n", b"\r\n", mail.as_bytes())


def _attach(mail: EmailMessage, attachment: Attachment) -> None:
    main, _, sub = _exactly(_MEDIA_TYPE, attachment.media_type).partition("/")
    mail.add_attachment(attachment.content, maintype=main, subtype=sub, filename=_clean(attachment.filename))


def _clean(value: str) -> str:
    # CVE-2024-6923: the email package decodes `=?…?=` in a value and writes its line breaks as new headers.
    if "=?" in value or _CONTROL.search(value):
        raise Poisonous("a header holds control characters or '=?'")
    return value


def _exactly(pattern: re.Pattern[str], value: str) -> str:
    if "=?" in value or not pattern.fullmatch(value):
        raise Poisonous(f"not a valid {'Message-ID' if pattern is _MESSAGE_ID else 'header value'}")
    return value


def _mailbox(address: str, name: str = "") -> Address:
    user, _, domain = _clean(address).rpartition("@")
    try:
        mailbox = Address(_clean(name), user, domain.encode("idna").decode("ascii"))
        mailbox.addr_spec.encode("ascii")
    except (UnicodeError, HeaderParseError, ValueError) as error:
        raise Poisonous("not an address that every mail server takes") from error
    if not user or not domain or re.search(r"[\s<>()\[\]\",;:\\]", mailbox.addr_spec):
        raise Poisonous("not an address")
    return mailbox


def read_back(content: bytes, headers: Headers, sender: Address, recipient: Address) -> None:
    """The last gate: the finished bytes hold the intended headers, addresses and subject, and nothing else."""
    mail = message_from_bytes(content, policy=policy.compat32)
    if {*mail.keys()} - _PART_HEADERS != {*headers} or len({*mail.keys()}) != len(mail.keys()):
        raise Poisonous("the finished mail has other headers than intended")
    if _addresses(mail) != [sender.addr_spec, recipient.addr_spec]:
        raise Poisonous("the finished mail has other addresses than intended")
    if _unfolded(mail["Subject"]) != headers["Subject"]:
        raise Poisonous("the finished mail has another subject than intended")
    if any(not _PART_HEADERS.issuperset(part.keys()) for part in mail.walk() if part is not mail):
        raise Poisonous("a part of the finished mail has headers of its own")


def _addresses(mail: ParsedMail) -> list[str]:
    return [address for name in ("From", "To") for _, address in getaddresses(mail.get_all(name, []))]


def _unfolded(header: str) -> str:
    return str(make_header(decode_header(header.replace("\r\n", ""))))
