"""Mails of one wording, encoded once: between the encoded pieces go each recipient's own words.

The text is quoted-printable (RFC 2045, 6.7), in which a line may be broken anywhere without being broken for the
reader; so a word is put in on lines of its own, and no line begins with a dot, which SMTP would have to double.
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
_DOTS = re.compile(rb"^\.+", re.MULTILINE)
_AS_IT_IS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,:/()_-]{0,70}[A-Za-z0-9)]")  # the same in plain text, HTML and mail

Slot = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Body:
    """The MIME headers and parts of a mail: encoded bytes, empty where slots (which word; whether in HTML) belong."""

    pieces: tuple[bytes, ...]
    places: tuple[tuple[int, Slot], ...]
    names: frozenset[str]

    def fill(self, words: Mapping[str, str]) -> bytes:
        """The body with a recipient's own words. Raises KeyError, UnicodeEncodeError."""
        encoded: dict[Slot, bytes] = {}
        for name in self.names:
            word = words[name]
            if _AS_IT_IS.fullmatch(word):
                encoded[name, False] = encoded[name, True] = word.encode()
            else:
                plain, marked_up = _word(word), escape(word)
                encoded[name, False] = plain
                encoded[name, True] = plain if marked_up == word else _word(marked_up)
        filled = [*self.pieces]
        for place, slot in self.places:
            filled[place] = encoded[slot]
        return b"".join(filled)


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
    places = tuple((place, one) for place, one in enumerate(pieces) if not isinstance(one, bytes))
    return Body(
        tuple(one if isinstance(one, bytes) else b"" for one in pieces),
        places,
        frozenset(slot[0] for _, slot in places),
    )


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
    return _lines(b2a_qp(text.encode(), istext=True))


def _word(text: str) -> bytes:
    return _lines(b2a_qp(text.encode(), istext=False))


def _lines(encoded: bytes) -> bytes:
    dotless = _DOTS.sub(lambda dots: b"=2E=\n" * len(dots[0]), encoded)
    return dotless.replace(b"\n", b"\r\n")
