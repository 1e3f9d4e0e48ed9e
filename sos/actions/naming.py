"""Names in a text: found whatever their case, accents and script, whole or by one of their longer words. No I/O."""

import unicodedata
from collections.abc import Iterable, Sequence

from sos.members.member import fold

SHORTEST_NAME = 4  # a shorter part of a name would be found in half of all texts
SHORTEST_RUN = 8  # so long a name is also looked for where spaces are missing, as in a hashtag
# Letters that are another letter with a stroke, or that people type for one another.
ALIKE = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
                       "ـ": "", "ى": "ي", "ی": "ي", "ة": "ه", "ک": "ك"})  # fmt: skip
# And, so, in, like, for, the: Arabic writes them together with the word that follows.
ARABIC_PREFIXES = frozenset("و ف ب ك ل ال وال فال بال كال لل ولل فلل وب ول وك فب فل وبال".split())
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "BOPOMOFO")


def count_names(text: str, names: Iterable[str]) -> int:
    """How many of these names stand in a text."""
    words = _words(text)
    return sum(_stands_in(name, words) for name in names)


def _words(text: str) -> list[str]:
    """The words of a text, folded; whatever is no letter, mark or digit divides them."""
    spaced = "".join(char if _is_of_a_word(char) else " " for char in unicodedata.normalize("NFKC", text))
    return [word for word in (fold(part).translate(ALIKE) for part in spaced.split()) if word]


def _is_of_a_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" or unicodedata.category(char) == "Cf"


def _stands_in(name: str, words: Sequence[str]) -> bool:
    parts = _words(name)
    run = "".join(parts)
    if not run:
        return False
    longer = [part for part in parts if len(part) >= SHORTEST_NAME]
    return (
        _stand_in_order(parts, words)
        or any(_is_word(word, part) for word in words for part in longer)
        or ((len(run) >= SHORTEST_RUN or _is_unspaced(run)) and run in "".join(words))
    )


def _stand_in_order(parts: Sequence[str], words: Sequence[str]) -> bool:
    starts = range(len(words) - len(parts) + 1)
    return any(all(map(_is_word, words[start : start + len(parts)], parts)) for start in starts)


def _is_word(word: str, part: str) -> bool:
    return word == part or (word.endswith(part) and word.removesuffix(part) in ARABIC_PREFIXES)


def _is_unspaced(run: str) -> bool:
    """Whether a name is written in a script that puts no spaces between words."""
    return len(run) > 1 and all(unicodedata.name(char, "").startswith(UNSPACED) for char in run)
