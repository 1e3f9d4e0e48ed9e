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
    text = squeeze(letter.text)
    signed = (answers.organisations, answers.individuals, answers.countries)
    require(letter.signed == signed, f"the letter to {letter.to} counts {letter.signed}, and {signed} signed")
    missing = [one.name for one in answers.signed if not _stands_in(one.name, text)]
    require(not missing, f"the letter to {letter.to} lacks {missing}")


def squeeze(text: str) -> str:
    """A text without its spaces and invisible marks: how a PDF breaks lines says nothing."""
    return "".join(
        c for c in unicodedata.normalize("NFKC", text) if not c.isspace() and unicodedata.category(c) != "Cf"
    )


def _stands_in(name: str, squeezed: str) -> bool:
    """Whether a name stands there; of one that is read from the right, a PDF may give the words in another order."""
    is_from_the_right = any(unicodedata.bidirectional(char) in ("R", "AL") for char in name)
    return all(squeeze(part) in squeezed for part in (name.split() if is_from_the_right else [name]))
