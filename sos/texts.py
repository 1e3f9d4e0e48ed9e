"""Languages, catalogues, pages and messages: everything that people read is rendered here."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from gettext import c2py
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_timezone_location
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).parent.parent / "templates"
# Nothing that is typed shows these, and a pasted text may hold them: controls, private use, and what turns lines round.
UNSEEN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
TAG = re.compile(r"<[^>]*>")
LINK = re.compile(r"(\ue000link\ue001|https?://[^\s<]+)")


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the network, by its own name."""

    code: str
    name: str
    direction: str
    comma: str = ", "


LANGUAGES: Mapping[str, Language] = {
    "en": Language("en", "English", "ltr"),
    "es": Language("es", "Español", "ltr"),
    "fr": Language("fr", "Français", "ltr"),
    "ar": Language("ar", "العربية", "rtl", "، "),
    "pt": Language("pt", "Português", "ltr"),
}


class Catalogue:
    """The interface's words: a key gives the sentence in one language. A missing key raises KeyError, never English."""

    def __init__(self, directory: Path = TEMPLATES / "locale") -> None:
        self._forms: dict[str, dict[str, tuple[str, ...]]] = {}
        self._plural: dict[str, Callable[[int], int]] = {}
        for code in LANGUAGES:
            catalog = _read_catalog(directory / f"{code}.po", code)
            self._forms[code] = dict(_entries(catalog))
            self._plural[code] = c2py(catalog.plural_expr)

    def say(self, language: str, key: str, /, **values: object) -> Markup:
        """The sentence for `key`, its values escaped (or kept, where they are Markup)."""
        return _fill(self._forms[language][key][0], values)

    def count(self, language: str, key: str, number: int, /, **values: object) -> Markup:
        """The form of a sentence that goes with a number, by the language's own plural rules."""
        form = self._forms[language][key][self._plural[language](number)]
        return _fill(form, {"number": format_decimal(number, locale=language), **values})

    def forms(self, language: str) -> Mapping[str, tuple[str, ...]]:
        """Every key with its sentence, or its sentence for each plural."""
        return self._forms[language]


def _read_catalog(path: Path, language: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def _entries(catalog: Catalog) -> Iterator[tuple[str, tuple[str, ...]]]:
    for message in catalog:
        if message.id and message.string:
            key = message.id if isinstance(message.id, str) else message.id[0]
            yield key, (message.string,) if isinstance(message.string, str) else tuple(message.string)


def _fill(text: str, values: Mapping[str, object]) -> Markup:
    return escape(text) % values if values else escape(text)


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says in one language: sentences, counts, numbers, money and times."""

    catalogue: Catalogue
    language: Language
    time_zone: ZoneInfo

    def say(self, key: str, /, **values: object) -> Markup:
        return self.catalogue.say(self.language.code, key, **values)

    def count(self, key: str, number: int, /, **values: object) -> Markup:
        return self.catalogue.count(self.language.code, key, number, **values)

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self.language.code)

    def money(self, dollars: float) -> str:
        return format_currency(dollars, "USD", locale=self.language.code)

    def country(self, code: str) -> str:
        """A country as the reader calls it."""
        return str(Locale(self.language.code).territories.get(code, code))

    def countries(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """Countries to choose from, by name."""
        return sorted(((code, self.country(code)) for code in codes), key=lambda one: fold_case(one[1]))

    def when(self, at: datetime) -> str:
        """A moment in the reader's own time zone, with its name."""
        return moment(at, self.time_zone, self.language.code)

    def until(self, at: datetime, now: datetime) -> str:
        """How far away a moment is: "in 3 hours", "2 days ago"."""
        return format_timedelta(at - now, add_direction=True, threshold=1.2, locale=self.language.code)


def fold_case(name: str) -> str:
    """A name without its accents, to be sorted by."""
    return unicodedata.normalize("NFKD", name).casefold()


@lru_cache(maxsize=4096)
def moment(at: datetime, time_zone: ZoneInfo, language: str) -> str:
    """A moment as people there write it, by the clock of a city that they know: "1 October 2026, 00:05 (Amman)"."""
    local = at.astimezone(time_zone)
    city = get_timezone_location(time_zone, locale=language, return_city=True).rpartition("/")[2]
    day, hour = format_date(local, "long", locale=language), format_time(local, "HH:mm", locale=language)
    return f"{day}{LANGUAGES[language].comma}{hour} ({city})"


def clean_text(text: str) -> str:
    """What somebody typed or pasted, in NFC, without characters that nobody sees and that could turn a line round."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(char for char in text if char in "\n\t" or _is_seen(char))


def _is_seen(char: str) -> bool:
    return not TURNING.match(char) and unicodedata.category(char) not in UNSEEN


def clean_line(text: str) -> str:
    """The same on one line, with single spaces."""
    return " ".join(clean_text(text.replace("\u2028", " ").replace("\u2029", " ")).split())


def bdi(text: str) -> Markup:
    """A name, isolated, so that its script does not turn the sentence around."""
    return Markup("<bdi>%s</bdi>") % text


def isolate(text: str) -> str:
    """The same for plain text: first strong isolate and its end (U+2068, U+2069), which nothing inside can undo."""
    return f"\u2068{TURNING.sub('', text)}\u2069"


def paragraphs(text: str) -> list[str]:
    """A plain text as its paragraphs (divided by blank lines)."""
    return [part.strip() for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


class Templates:
    """Pages, and the whole texts of messages, from templates/."""

    def __init__(self, directory: Path = TEMPLATES) -> None:
        self.catalogue = Catalogue(directory / "locale")
        self._pages = Environment(
            loader=FileSystemLoader(directory / "pages"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._pages.filters.update(bdi=bdi, paragraphs=paragraphs, links=show_links, plain=plain)
        self._pages.globals["languages"] = LANGUAGES
        self._messages = Environment(
            loader=FileSystemLoader(directory / "messages"), undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html",)), trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._messages.filters.update(paragraphs=paragraphs, links=show_links)
        self._rendered = lru_cache(maxsize=256)(self._render_message)  # many windows of a fan-out share a few texts

    def page(self, name: str, /, **values: object) -> str:
        """A page as HTML."""
        return self._pages.get_template(name).render(values)

    def message(self, what: str, language: str, part: str, /, **values: object) -> str:
        """One part (`sms.txt`, `email.txt`, …) of a whole text in one language."""
        return self._rendered(f"{what}/{language}/{part}", tuple(sorted(values.items()))).strip()

    def email_html(self, language: str, text: str) -> str:
        """The same paragraphs as the plain part, set as HTML."""
        return self._rendered("email.html", (("language", LANGUAGES[language]), ("text", text)))

    def _render_message(self, name: str, values: tuple[tuple[str, object], ...]) -> str:
        return self._messages.get_template(name).render(dict(values))


def show_links(text: str, attributes: str = "") -> Markup:
    """A text with its links (and marks that will become links) as links."""
    return Markup(LINK.sub(rf'<a href="\1"{attributes}>\1</a>', str(escape(text))))  # noqa: S704 - escaped above


def plain(html: str) -> str:
    """What a person reads of a little HTML, line by line."""
    return Markup(TAG.sub("", html)).unescape()  # noqa: S704 - only to take the tags away


def plain_digits(text: str) -> str:
    """Digits of every script as 0-9, everything else as it was."""
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)
