"""The interface's words: every language says everything that a page may ask for, in words that do no harm."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import sos
from channels.base import ChannelName
from sos.actions import action
from sos.config import read_config
from sos.desk.deliveries import SAID
from sos.endorsements.endorsement import Answer
from sos.intake.report import Stage, Urgency
from sos.ledger.delivery import DeliveryState, Purpose
from sos.outreach.by_hand import Heard
from sos.staff.staff import Role
from sos.texts import LANGUAGES, TEMPLATES, Catalogue
from sos.triage import case
from sos.triage.opened import READ

SOURCES = tuple(sorted(Path(sos.__file__).parent.rglob("*.py")))
PAGES = tuple(sorted((TEMPLATES / "pages").rglob("*.html")))
CATALOGUE, CONFIG = Catalogue(), read_config()
ENGLISH = CATALOGUE.forms("en")
OTHERS = tuple(language for language in LANGUAGES if language != "en")
VARIABLE = re.compile(r"%\((\w+)\)s")

# Words that are rightly the same; everything else that equals the English was forgotten.
SAME_EVERYWHERE = {"channel.sms", "channel.telegram", "case.by"}
SAME: Mapping[str, set[str]] = {
    "es": {"consent.value.no", "verify.validity.5"},
    "fr": {
        "answers.signed", "case.notes", "contacts.found", "contacts.title", "count.organisations", "desk.action",
        "desk.actions", "desk.menu", "progress.title", "receipt.code", "region.europe", "sign_in.code",
        "verify.source", "verify_letter.pages",
    },
    "ar": set(),
    "pt": set(),
}  # fmt: skip
# Beginnings of words that frighten or mislead (in Arabic they stand inside longer words too).
FORBIDDEN = {
    "en": r"\b(target|launch|recall|endors|inform(er|ant)|intelligence|operation|blast|victim)",
    "es": r"\b(objetivo|blanco|lanza|informante|confidente|delat|denunci|operaci|operativo|endos|víctima|inteligencia)",
    "fr": r"\b(cibl|lanc|informat(eur|rice)|indicateur|délat|dénonc|opération|victime|renseignement)",
    "ar": r"هدف|مخبر|بلاغ|عملية|عميل|جاسوس|وشاية|إطلاق|ضحية|ضحايا",
    "pt": r"\b(objec?tivo|alvo|lanç|informante|delat|denúnci|denunci|operaç|endoss|vítima|inteligência)",
}

KEY = re.compile(r"[a-z_]+(\.\w+)+")
FILE = re.compile(r".*\.(csv|html|po|txt|typ|yaml)")
EVENT_CALLS = {"note", "journal", "info", "warning", "error", "exception"}


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value):
            yield node.value


def events_in(tree: ast.AST) -> Iterator[str]:
    """What is noted in the journal and the log, which looks like a key and is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EVENT_CALLS:
            yield from chain.from_iterable(strings(argument) for argument in node.args)


TREES = [ast.parse(source.read_text("utf-8")) for source in SOURCES]
EVENTS = {READ, *chain.from_iterable(events_in(tree) for tree in TREES)}
KINDS = {key.split(".")[0] for key in ENGLISH}
IN_CODE = {
    text
    for text in chain.from_iterable(strings(tree) for tree in TREES)
    if text.split(".")[0] in KINDS and not FILE.fullmatch(text)
}
PYTHON = "\n".join(source.read_text("utf-8") for source in SOURCES)
ERRORS = set(re.findall(r'"error\.html".*what="(\w+)"', PYTHON))
UNREVIEWED = set(re.findall(r'"actions/not_reviewed\.html".*why="(\w+)"', PYTHON))
MISSING = {
    *case.missing_for_verification(case.Findings()),
    *case.missing_for_verification(case.Findings(mandate=case.Mandate.OUTSIDE)),
}
# Keys that pages put together, and everything that may stand in the gap.
MADE: Mapping[str, Iterable[object]] = {
    "*": [f"case.note.{kind}" for kind in case.NoteKind] + [f"verify.source.{source}" for source in case.Source],
    "action.*": UNREVIEWED,
    "action.*.text": UNREVIEWED,
    "action.kind.short.*": action.Kind,
    "action.state.*": action.State,
    "calls.heard.*": Heard,
    "case.clock.*": ("first_contact", "first_contact.late", "decision", "decision.late"),
    "case.did.*": [event.removeprefix("case.") for event in EVENTS - {READ} if event.startswith("case.")],
    "case.ending.*": case.Ending,
    "case.kind.*": case.SubjectKind,
    "case.state.*": case.State,
    "case.urgency.*": Urgency,
    "channel.*": ChannelName,
    "consent.scope.*": CONFIG.consent.scopes,
    "consent.value.*": case.ConsentValue,
    "dead.done_*": ("again", "aside"),
    "error.*.text": ERRORS,
    "error.*.title": ERRORS,
    "flow.*": ("again", "later", "language", "night"),
    "letter.given.*": Answer,
    "names.*": action.NamesShown,
    "pause.*": ("everything", "about", "wave", "budget"),
    "purpose.*": Purpose,
    "queue.preparing.*": (action.State.DRAFT, action.State.APPROVED),
    "region.*": CONFIG.regions,
    "report.*": ("what", "whom", "where", "reach"),
    "report.urgency.*": Urgency,
    "role.*": Role,
    "sending.why.*": ("misconfigured", "policy", "first_wave", "restored", "spent"),
    "stage.*": Stage,
    "stage.*.text": Stage,
    "state.*": DeliveryState,
    "text.state.*": action.TextState,
    "tour.step.*": range(1, 9),
    "urgency.*": Urgency,
    "verify.mandate.*": (*case.Mandate, "none"),
    "verify.missing.*": MISSING,
    "verify.reliability.*": case.Reliability,
    "verify.source.*": case.Source,
    "verify.validity.*": case.Validity,
    "why.*": SAID,
}


def asked(page: Path) -> Iterator[tuple[str, nodes.Call]]:
    """Every key that a page asks for, a gap shown as *, with its call; what arrives in a variable is left out."""
    for call in Environment(autoescape=True).parse(page.read_text("utf-8")).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("t", "n"):
            yield from ((key, call) for key in _spelled(call.args[0]))


def _spelled(key: nodes.Expr) -> Iterator[str]:
    if isinstance(key, nodes.Const):
        yield str(key.value)
    elif isinstance(key, nodes.Concat):
        parts = [str(one.value) if isinstance(one, nodes.Const) else "*" for one in key.nodes]
        yield re.sub(r"\*+", "*", "".join(parts))
    elif isinstance(key, nodes.CondExpr) and key.expr2:
        yield from chain(_spelled(key.expr1), _spelled(key.expr2))


ASKED = [(page, key, call) for page in PAGES for key, call in asked(page)]
FILLED = {made.replace("*", str(value)) for made, values in MADE.items() for value in values}


def variables(language: str, key: str) -> set[str]:
    return set().union(*(VARIABLE.findall(form) for form in CATALOGUE.forms(language)[key]))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_key(language: str) -> None:
    assert not CATALOGUE.forms(language).keys() ^ ENGLISH.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_count_has_a_form_for_each_number_that_the_language_tells_apart(language: str) -> None:
    counts = {"en": 2, "es": 2, "fr": 2, "ar": 6, "pt": 2}
    for key, forms in CATALOGUE.forms(language).items():
        assert len(forms) == (counts[language] if len(ENGLISH[key]) > 1 else 1), key
        assert all(form.strip() == form != "" for form in forms), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_holds_the_same_variables_in_every_language(language: str) -> None:
    for key, forms in CATALOGUE.forms(language).items():
        assert variables(language, key) == variables("en", key), key
        for form in forms:
            assert variables("en", key) - set(VARIABLE.findall(form)) <= ({"number"} if len(forms) > 1 else set()), key
            assert "%" not in VARIABLE.sub("", form), key


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_english(language: str) -> None:
    same = {key for key, forms in CATALOGUE.forms(language).items() if set(forms) & set(ENGLISH[key])}
    forgotten = same - SAME_EVERYWHERE - SAME[language]
    assert not forgotten


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_on_a_screen_frightens_or_misleads(language: str) -> None:
    for key, forms in CATALOGUE.forms(language).items():
        assert not [form for form in forms if re.search(FORBIDDEN[language], form, re.IGNORECASE)], key


def test_every_key_that_a_page_puts_together_is_listed_here_with_what_fills_it() -> None:
    assert {key for _, key, _ in ASKED if "*" in key} == MADE.keys()


def test_every_key_that_is_asked_for_has_words() -> None:
    on_pages = {key for _, key, _ in ASKED if "*" not in key}
    without_words = (on_pages | FILLED | IN_CODE - EVENTS) - ENGLISH.keys()
    assert not without_words


def test_every_key_is_asked_for() -> None:
    on_pages = {key for page in PAGES for key in re.findall(r"'([\w.]+)'", page.read_text("utf-8"))}
    idle = ENGLISH.keys() - on_pages - FILLED - IN_CODE
    assert not idle


def test_a_page_gives_a_sentence_all_that_it_needs() -> None:
    for page, key, call in ASKED:
        if key in ENGLISH and not call.dyn_kwargs:
            given = {one.key for one in call.kwargs}
            assert variables("en", key) - given <= ({"number"} if len(ENGLISH[key]) > 1 else set()), (page.name, key)
