"""The letters that peers have to build: the words of mails that we sent, with places for a name and a link."""

import html
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

NAME, LINK = "{name}", "{link}"
ISOLATED = re.compile("\u2068(.+?)\u2069")
OWN_LINK = re.compile(r"https?://\S+/s/[\w-]+")


@dataclass(frozen=True)
class Letter:
    """One language's words."""

    subject: str
    text: str
    html: str


def read_letters(mails: Iterable[bytes]) -> list[Letter]:
    """One letter for each subject among these mails."""
    found: dict[str, Letter] = {}
    for raw in mails:
        mail = message_from_bytes(raw, policy=default)
        assert isinstance(mail, EmailMessage)
        if str(mail["Subject"]) not in found:
            found[str(mail["Subject"])] = _read(mail)
    return list(found.values())


def write_letters(letters: Iterable[Letter], path: Path) -> None:
    """For the peers, as JSON."""
    path.write_text(json.dumps([asdict(letter) for letter in letters], ensure_ascii=False), "utf-8")


def load_letters(path: Path) -> list[Letter]:
    """As a peer reads them."""
    return [Letter(**one) for one in json.loads(path.read_text("utf-8"))]


def _read(mail: EmailMessage) -> Letter:
    text, formatted = _part(mail, "plain"), _part(mail, "html")
    name = ISOLATED.search(text)
    assert name
    text, formatted = text.replace(name[1], NAME), formatted.replace(html.escape(name[1]), NAME)
    return Letter(str(mail["Subject"]), OWN_LINK.sub(LINK, text), OWN_LINK.sub(LINK, formatted))


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body
    return str(body.get_content())
