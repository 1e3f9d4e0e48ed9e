"""Mails of one wording, encoded once: between the encoded pieces go each recipient's own words.

The text is quoted-printable (RFC 2045, 6.7), in which a line may be broken anywhere without being broken for the
reader; so a word is put in on lines of its own.
"""

import re
from binascii import b2a_qp
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from channels.wording import MARK, Wording

SOFT_BREAK = b"=\r\n"
BOUNDARY = "=_sos"  # no line of quoted-printable text can hold "=_"
_PART = b'Content-Type: text/%b; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
_LINE_END = re.compile(r"\r\n|\r|\n")

Slot = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Body:
    """The MIME headers and parts of a mail: encoded bytes, and slots (which word; whether in HTML) between them."""

    pieces: tuple[bytes | Slot, ...]
    slots: frozenset[Slot]

    def fill(self, words: Mapping[str, str]) -> bytes:
        """The body with a recipient's own words. Raises KeyError, UnicodeEncodeError."""
        encoded = {slot: _word(escape(words[slot[0]]) if slot[1] else words[slot[0]]) for slot in self.slots}
        return b"".join([piece if type(piece) is bytes else encoded[piece] for piece in self.pieces])  # type: ignore[index]


@lru_cache(maxsize=256)
def encode(wording: Wording) -> Body:
    """The body of every mail with this wording. Raises UnicodeEncodeError."""
    text = list(_pieces(wording.text, is_html=False))
    if not wording.html:
        return _body([b"MIME-Version: 1.0\r\n" + _PART % b"plain", *text, b"\r\n"])
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{BOUNDARY}"\r\n\r\n'.encode()
    line = f"--{BOUNDARY}\r\n".encode()
    html = list(_pieces(wording.html, is_html=True))
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    return _body([head + line + _PART % b"plain", *text, b"\r\n" + line + _PART % b"html", *html, end])


def _body(pieces: list[bytes | Slot]) -> Body:
    return Body(tuple(pieces), frozenset(one for one in pieces if not isinstance(one, bytes)))


def _pieces(text: str, *, is_html: bool) -> Iterator[bytes | Slot]:
    """The text in quoted-printable, divided where a recipient's own words go; those stand on lines of their own."""
    texts = MARK.split(_LINE_END.sub("\n", text).rstrip("\n"))  # text, slot, text, slot, …, text
    for number, part in enumerate(texts):
        if number % 2:
            yield part, is_html
            continue
        opens = SOFT_BREAK if number > 0 and not part.startswith("\n") and (part or number < len(texts) - 1) else b""
        closes = SOFT_BREAK if number < len(texts) - 1 and part and not part.endswith("\n") else b""
        yield opens + _quote(part) + closes


def _quote(text: str) -> bytes:
    return b2a_qp(text.encode(), istext=True).replace(b"\n", b"\r\n")


def _word(text: str) -> bytes:
    return b2a_qp(text.encode(), istext=False).replace(b"\n", b"\r\n")
