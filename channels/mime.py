"""An email, built once as bytes and read back before it may leave."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import Header, decode_header, make_header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.message import Message as ParsedMail
from email.policy import EmailPolicy, Policy
from email.utils import getaddresses, parseaddr

from channels.base import Attachment, Message


class Poisonous(ValueError):
    """This message cannot be written as an email without changing who gets it or what it says; do not send it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a mail server is told about one mail, and the mail's bytes."""

    sender: str
    recipient: str
    message_id: str
    content: bytes


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
_PART_HEADERS = {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"}


def read_sender(sender: str) -> Address:
    """The mailbox that mail comes from, with its name; raises Poisonous."""
    name, address = parseaddr(_clean(sender))
    return _mailbox(address, name)


def build(message: Message, sender: Address, sent_at: datetime) -> Envelope:
    """The mail that carries a message; raises Poisonous for what a mail cannot carry safely."""
    recipient = _mailbox(message.address)
    return_path = _mailbox(message.return_path) if message.return_path else sender
    headers = _headers(message, sender, recipient, sent_at)
    try:
        content = _write(headers, message)
        read_back(content, headers, sender, recipient)
    except (UnicodeError, MessageError, LookupError) as error:
        raise Poisonous("the email package cannot write it") from error
    return Envelope(return_path.addr_spec, recipient.addr_spec, message.message_id, content)


def _headers(message: Message, sender: Address, recipient: Address, sent_at: datetime) -> Headers:
    headers: Headers = {
        "From": sender,
        "To": recipient,
        "Subject": _clean(message.subject.strip()),
        "Date": sent_at,
        "Message-ID": _exactly(_MESSAGE_ID, message.message_id),
        "Auto-Submitted": "auto-generated",
    }
    if message.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{_exactly(_HTTPS, message.unsubscribe_url)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


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
    if not pattern.fullmatch(_clean(value)):
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
