"""A page as a person's browser reads it: its words, links, tables and forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

SILENT = {"script", "style", "title"}


class NotOffered(Exception):
    """A page does not offer this: the story asks for something that nobody could do."""


@dataclass
class Form:
    """A form as it stands: what would be sent untouched, and what may be chosen."""

    action: str
    filled: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    fields: set[str] = field(default_factory=set[str])
    choices: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def fill(self, values: dict[str, str | list[str]]) -> list[tuple[str, str]]:
        """What a browser would send. Raises NotOffered for a field or a choice that is not there."""
        for name, value in values.items():
            several = [value] if isinstance(value, str) else value
            offered = self.choices.get(name)
            if name not in self.fields or (offered is not None and not set(several) <= set(offered)):
                raise NotOffered(f"{self.action}: {name}")
        kept = [(name, value) for name, value in self.filled if name not in values]
        typed = [
            (name, one) for name, value in values.items() for one in ([value] if isinstance(value, str) else value)
        ]
        return kept + typed


@dataclass
class Page:
    """What came back: a status, an address, and everything that can be read and done there."""

    status: int
    path: str
    html: str
    words: str = ""
    language: str = ""
    links: list[str] = field(default_factory=list[str])
    forms: list[Form] = field(default_factory=list[Form])
    tables: list[list[list[str]]] = field(default_factory=list[list[list[str]]])
    codes: list[str] = field(default_factory=list[str])

    def form(self, ending: str) -> Form:
        """The form whose address ends so. Raises NotOffered."""
        found = [form for form in self.forms if form.action.endswith(ending)]
        if not found:
            raise NotOffered(f"{self.path} ({self.status}) has no form …{ending}")
        return found[0]

    def link(self, beginning: str) -> str:
        """The first link to such an address. Raises NotOffered."""
        found = [link for link in self.links if link.startswith(beginning)]
        if not found:
            raise NotOffered(f"{self.path} ({self.status}) has no link to {beginning}…")
        return found[0]


def read_page(status: int, path: str, html: str) -> Page:
    """Read a page."""
    page = Page(status, path, html)
    reader = _Reader(page)
    reader.feed(html)
    reader.close()
    page.words = " ".join(" ".join(reader.heard).split())
    return page


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.heard: list[str] = []
        self._page = page
        self._open: list[str] = []
        self._form: Form | None = None
        self._writing: list[str] | None = None  # a cell, a code or a text field that is being read
        self._area = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open.append(tag)
        if tag == "html":
            self._page.language = given.get("lang", "")
        elif tag == "a":
            self._page.links.append(given.get("href", ""))
        elif tag == "form":
            self._form = Form(given.get("action", self._page.path))
            self._page.forms.append(self._form)
        elif tag == "table":
            self._page.tables.append([])
        elif tag == "tr":
            self._page.tables[-1].append([])
        elif tag in ("td", "th") or given.get("class") == "code":
            self._writing = []
        elif self._form:
            self._read_control(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._writing or []).split())
        if tag in ("td", "th") and self._writing is not None:
            self._page.tables[-1][-1].append(text)
            self._writing = None
        elif tag == "p" and self._writing is not None:
            self._page.codes.append(text)
            self._writing = None
        elif tag == "textarea" and self._form:
            self._form.filled.append((self._area, "".join(self._writing or [])))
            self._writing = None
        elif tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if self._writing is not None:
            self._writing.append(data)
        if not (self._open and self._open[-1] in SILENT):
            self.heard.append(data)
        if self._open and self._open[-1] in SILENT:
            self._open.pop()

    def _read_control(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "option":
            form.choices.setdefault(self._select, []).append(value)
            if "selected" in given or len(form.choices[self._select]) == 1:
                form.filled = [pair for pair in form.filled if pair[0] != self._select] + [(self._select, value)]
            return
        if not name or tag not in ("input", "textarea", "select", "button"):
            return
        form.fields.add(name)
        if tag == "textarea":
            self._area, self._writing = name, []
        elif tag == "select":
            self._select = name
        elif tag == "button" or given.get("type") in ("radio", "checkbox"):
            form.choices.setdefault(name, []).append(value)
            if "checked" in given:
                form.filled.append((name, value))
        else:
            form.filled.append((name, value))
