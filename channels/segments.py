"""What an SMS costs: how many segments a text takes, by the alphabet that it needs (3GPP TS 23.038)."""

from dataclasses import dataclass
from enum import StrEnum

_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_EXTENSION = frozenset("\f^{}\\[~]|€")


class Encoding(StrEnum):
    """The alphabet in which a text travels."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text travels, and as how many messages it is billed."""

    encoding: Encoding
    count: int


def segments(text: str) -> Segments:
    """How many segments a text takes: 160 characters or 153 each of several in GSM-7, 70 or 67 in UCS-2."""
    if _GSM_7.union(_GSM_7_EXTENSION).issuperset(text):
        return Segments(Encoding.GSM_7, _count([2 if letter in _GSM_7_EXTENSION else 1 for letter in text], 160, 153))
    return Segments(Encoding.UCS_2, _count([2 if letter > "\uffff" else 1 for letter in text], 70, 67))


def _count(widths: list[int], alone: int, each: int) -> int:
    """Pack whole letters: a letter of two units is never split between segments."""
    if sum(widths) <= alone:
        return 1 if widths else 0
    count, used = 1, 0
    for width in widths:
        if used + width > each:
            count, used = count + 1, 0
        used += width
    return count
