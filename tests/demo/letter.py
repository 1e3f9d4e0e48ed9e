"""The letter as it came to those it is addressed to: a PDF out of a mail, read again."""

import re
import unicodedata
from dataclasses import dataclass
from io import BytesIO

from pypdf import PdfReader

from tests.demo.desk import require
from tests.demo.signing import Answers
from tests.demo.sinks import Got

COUNT_LINES = {
    "es": re.compile(r"(\d+)organizaci(?:ón|ones)y(\d+)personas?atítuloindividual,de(\d+)pa"),
    "en": re.compile(r"(\d+)organisations?and(\d+)individuals?from(\d+)countr"),
}
FIRST_JOINING = "\u0590"  # Hebrew, Arabic, the scripts of India and South-East Asia, and all that follow


@dataclass(frozen=True)
class Letter:
    """One addressee's copy."""

    to: str
    language: str
    pages: int
    text: str

    @property
    def signed(self) -> tuple[int, ...]:
        """Organisations, individuals and countries, as the letter itself counts them; nothing where it does not."""
        found = COUNT_LINES[self.language].search(squeeze(self.text))
        return tuple(map(int, found.groups())) if found else ()


def read_letter(got: Got, language: str) -> Letter:
    """The PDF that is attached to a mail."""
    assert got.mail
    pdfs = [part for part in got.mail.mail.iter_attachments() if part.get_content_type() == "application/pdf"]
    require(len(pdfs) == 1, f"{len(pdfs)} letters are attached instead of one")
    reader = PdfReader(BytesIO(pdfs[0].get_content()))
    text = "\n".join(page.extract_text() for page in reader.pages)
    return Letter(got.address, language, len(reader.pages), text)


def require_signatures(letter: Letter, answers: Answers) -> None:
    """The line that counts, and every name, are what was signed. Raises StoryBroke."""
    signed = (answers.organisations, answers.individuals, answers.countries)
    require(letter.signed == signed, f"the letter to {letter.to} counts {letter.signed}, and {signed} signed")
    missing = [one.name for one in answers.signed if not _stands_in(one.name, letter.text)]
    require(not missing, f"the letter to {letter.to} lacks {missing}")


def squeeze(text: str) -> str:
    """A text without its spaces and invisible marks: how a PDF breaks lines says nothing."""
    return "".join(
        c for c in unicodedata.normalize("NFKC", text) if not c.isspace() and unicodedata.category(c) != "Cf"
    )


def _stands_in(name: str, text: str) -> bool:
    """Whether a name stands there: as it is, or as a line of just its letters.

    The order of letters that join or stack (Arabic, Tamil, Burmese) is lost on pypdf, which does not read ActualText
    (ISO 32000-1, 14.9.4).
    """
    letters = _joining(name)
    return squeeze(name) in squeeze(text) or (
        bool(letters) and any(_joining(line) == letters for line in text.splitlines())
    )


def _joining(text: str) -> set[str]:
    return {char for char in squeeze(text) if char > FIRST_JOINING}
