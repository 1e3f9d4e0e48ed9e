"""Typesetting: a sign-on letter as an accessible PDF (PDF/UA-1), in every language and script of the network."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst
import yaml
from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

LETTERS = Path(__file__).parents[2] / "templates" / "letters"

# Packages that hold fonts; those that are not installed are passed over.
FONT_PACKAGES = ("fontpkg_noto_sans", "fontpkg_amiri", "manimgx_fonts", "manimgx_fonts_cjk")

# Where a language counts a marked letter as one of its own, the order that it has there.
LETTER_ORDER: Mapping[str, Mapping[str, str]] = {"es": {"ñ": "n~"}}


class SpellOtherwise(Exception):
    """A text holds characters that no installed font has: spell it in another script, or install a font for it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the letter addresses."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Signatory:
    """One public signature; `country` is ISO 3166 alpha-2, `individual` one who signs in their own name."""

    name: str
    country: str
    region: str
    individual: bool


@dataclass(frozen=True, slots=True)
class LetterPage:
    """All that a letter shows. `body` is plain text, its paragraphs divided by blank lines; `notice` heads each page.

    `confidential_count` organisations signed besides `signatories`, without being named; without `lists_names` all
    are counted and nobody is named.
    """

    language: str
    title: str
    date: date
    targets: tuple[Target, ...]
    body: str
    signatories: tuple[Signatory, ...]
    confidential_count: int
    text_hash: str
    verify_url: str
    notice: str = ""
    lists_names: bool = True


def typeset(letter: LetterPage) -> bytes:
    """The letter as PDF, the same bytes for the same letter. Raises SpellOtherwise where a character has no font."""
    try:
        return _compile("letter.typ", _content(letter))
    except typst.TypstError as error:
        if "could not be displayed" in error.message:
            raise SpellOtherwise from error
        raise


def uncovered(names: Iterable[str]) -> tuple[str, ...]:
    """Those names that hold a character which no installed font covers."""
    names = tuple(names)
    if not names or _are_covered(names):
        return ()
    if len(names) == 1:
        return names
    half = len(names) // 2
    return uncovered(names[:half]) + uncovered(names[half:])


def _are_covered(names: tuple[str, ...]) -> bool:
    try:
        _compile("coverage.typ", names)
    except typst.TypstError:
        return False
    return True


def _compile(template: str, data: object) -> bytes:
    return typst.compile(
        LETTERS / template,
        root=LETTERS,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards="ua-1",
        sys_inputs={"data": json.dumps(data)},
    )


@cache
def _fonts() -> typst.Fonts:
    specs = (find_spec(package) for package in FONT_PACKAGES)
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


@cache
def _words(language: str) -> Mapping[str, Any]:
    words: Mapping[str, Any] = yaml.safe_load((LETTERS / "words.yaml").read_text("utf-8"))[language]
    return words


def _content(letter: LetterPage) -> dict[str, Any]:
    words = _words(letter.language)
    return {
        "language": letter.language,
        "issued": {"year": letter.date.year, "month": letter.date.month, "day": letter.date.day},
        "date": format_date(letter.date, words["date"], locale=letter.language),
        "notice": letter.notice,
        "targets": [asdict(target) for target in letter.targets],
        "title": letter.title,
        "paragraphs": _paragraphs(letter.body),
        "count": _count_line(letter),
        "groups": list(_groups(letter)) if letter.lists_names else [],
        "text_hash": letter.text_hash,
        "verify_url": letter.verify_url,
        "words": words,
    }


def _paragraphs(text: str) -> list[str]:
    """Parted by blank lines; each keeps its own line ends."""
    lines = (line.replace("\t", " ").strip(" ") for line in text.splitlines())
    return [found for found in re.split(r"\n{2,}", "\n".join(lines).strip("\n")) if found]


def _count_line(letter: LetterPage) -> str:
    """How many are named and from how many countries, then how many are not named."""
    individuals = sum(signatory.individual for signatory in letter.signatories)
    kinds = {"organisations": len(letter.signatories) - individuals, "individuals": individuals}
    signed = [_plural(letter.language, kind, number) for kind, number in kinds.items() if number]
    hidden = letter.confidential_count
    if not signed:
        return _plural(letter.language, "unnamed", hidden) if hidden else ""
    countries = len({signatory.country for signatory in letter.signatories})
    named = _plural(letter.language, "countries", countries, signed=format_list(signed, locale=letter.language))
    return _plural(letter.language, "further", hidden, named=named) if hidden else named


def _plural(language: str, key: str, number: int, **values: str) -> str:
    forms: Mapping[str, str] = _words(language)["count"][key]
    form = forms.get(Locale(language).plural_form(number), forms["other"])
    return form.format(number=format_decimal(number, locale=language), **values)


def _groups(letter: LetterPage) -> Iterator[dict[str, Any]]:
    """Organisations by region, then those who signed in their own name: each group with its rows, in order."""
    words = _words(letter.language)
    organisations = [one for one in letter.signatories if not one.individual]
    individuals = [one for one in letter.signatories if one.individual]
    for region in sorted({one.region for one in organisations}, key=list(words["regions"]).index):
        rows = _rows([one for one in organisations if one.region == region], letter.language)
        yield {"name": words["regions"][region], "rows": rows}
    if individuals:
        yield {"name": words["individuals"], "rows": _rows(individuals, letter.language)}


def _rows(signatories: list[Signatory], language: str) -> list[tuple[str, str]]:
    own = _words(language)["countries"]
    names = Locale(language).territories
    rows = [(one.name, own.get(one.country) or names[one.country]) for one in signatories]
    return sorted(rows, key=lambda row: (_order(row[0], language), row))


def _order(name: str, language: str) -> tuple[bool, str]:
    """Where a name stands in the alphabet: the language's own script first, marks and punctuation set aside."""
    folded = name.casefold()
    for letter, place in LETTER_ORDER.get(language, {}).items():
        folded = folded.replace(letter, place)
    plain = "".join(one for one in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(one))
    text = re.sub(r"^\W+", "", plain)
    return language == "ar" and not "\u0600" <= text[:1] <= "\u06ff", text
