"""What a message says, written once for all who get it, with marks where a recipient's own words go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

SLOTS = ("name", "organisation", "link", "code", "deadline")
MARKS = {slot: f"\ue000{slot}\ue001" for slot in SLOTS}
MARK = re.compile(f"\ue000({'|'.join(SLOTS)})\ue001")


@dataclass(frozen=True, slots=True)
class Wording:
    """The parts that a channel may need; each may hold MARKS. Many messages share one."""

    text: str = ""
    subject: str = ""
    html: str = ""


def fill(text: str, words: Mapping[str, str], *, is_html: bool = False) -> str:
    """Every mark at once, so that a name which looks like a mark stays a name."""
    return MARK.sub(lambda mark: escape(words[mark[1]]) if is_html else words[mark[1]], text)


def slots_in(wording: Wording) -> frozenset[str]:
    """Whose words it needs."""
    return frozenset(MARK.findall("".join((wording.text, wording.subject, wording.html))))
