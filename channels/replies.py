"""What a mail server's answers mean."""

import re
from datetime import timedelta
from enum import IntEnum

from channels.base import Busy, Misconfigured, Refused

TRY_AGAIN = timedelta(seconds=10)  # at the least; whoever keeps the record waits twice as long each time
LONGEST_LINE, MOST_LINES = 8192, 100
SHUTTING_DOWN = 421

_ENHANCED = re.compile(r"[245]\.(\d{1,3})\.(\d{1,3})\b")


class Step(IntEnum):
    """How far a mail has come: up to DATA nothing has left, once HANDED_OVER nobody but the server knows."""

    MAIL = 1
    RCPT = 2
    DATA = 3
    HANDED_OVER = 4


class Unreadable(Exception):
    """This is no answer of a mail server: the connection cannot be trusted any more."""


class ReplyReader:
    """Puts answers together from whatever pieces they come in."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> list[tuple[int, str]]:
        """The answers that are complete now: code and text, several lines joined by line breaks. Raises Unreadable."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE or len(self._lines) > MOST_LINES:
            raise Unreadable
        replies: list[tuple[int, str]] = []
        for line in lines:
            if len(line) > LONGEST_LINE or not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b"", b"\r"):
                raise Unreadable
            self._lines.append(line[4:].rstrip(b"\r"))
            if line[3:4] != b"-":
                replies.append((int(line[:3]), b"\n".join(self._lines).decode("ascii", "replace")))
                self._lines.clear()
        return replies


def what_it_means(code: int, text: str, step: Step) -> Busy | Refused | Misconfigured:
    """What a server's refusal asks of us, by reply code (RFC 5321) and enhanced code (RFC 3463).

    Only what is said about the recipient or this one mail condemns the address. A refusal whose reason begins with
    "policy" is about us, and said of one mail; whoever keeps the record counts these.
    """
    enhanced = _ENHANCED.match(text)
    reason = f"{code} {enhanced[0] if enhanced else ''} to {step.name}".replace("  ", " ")
    subject = enhanced[1] if enhanced else "0"
    if 400 <= code <= 499:
        return Busy(TRY_AGAIN, reason)
    is_unusable = code == 501 and step is Step.RCPT and subject == "1"
    if step is Step.MAIL or not (550 <= code <= 559 or is_unusable) or subject == "5":
        return Misconfigured(reason)
    if enhanced and subject != "0":
        is_about_us = subject == "7" or enhanced[0] in ("5.1.7", "5.1.8")
    else:
        is_about_us = code == 554 or (step is not Step.RCPT and code != 552)
    return Refused(f"policy {reason}" if is_about_us else reason)
