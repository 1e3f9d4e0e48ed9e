"""The whole texts of the messages: every language has every part, and each says only what it may."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from itertools import product

import pytest
import yaml
from jinja2 import Environment, meta

from channels.base import ChannelName
from channels.segments import Encoding, segments
from channels.wording import MARKS, fill
from sos.messages import make_mold
from sos.texts import LANGUAGES, TEMPLATES, Templates

MESSAGES = TEMPLATES / "messages"
MAIL, PHONE = ("subject.txt", "email.txt"), ("sms.txt", "telegram.html")
PARTS: Mapping[str, tuple[str, ...]] = {
    "call": MAIL + PHONE,
    "alert": MAIL + PHONE,
    "correction": MAIL + PHONE,
    "discreet": MAIL + PHONE,
    "notice": MAIL + PHONE,
    "paused": MAIL + PHONE,
    "spending": MAIL + PHONE,
    "letter": MAIL,
    "thanks": MAIL + PHONE,
    "signed": PHONE,
    "already": PHONE,
    "unsure": PHONE,
    "stopped": PHONE,
    "ended": PHONE,
}
# What differs by country, and by whether a text is in her own language.
SO = ("can_link", "can_reply", "fallback")
# What may stand in a message: all of it stands in one part or another, and nothing else does.
VALUES: Mapping[str, set[str]] = {
    "call": {"name", "organisation", "title", "summary", "link", "code", "deadline", *SO},
    "alert": {"name", "title", "summary", "link", "deadline", *SO},
    "correction": {"name", "title", "summary", "link", "can_link", "fallback"},
    "discreet": {"link", "can_link"},
    "notice": {"link"},
    "paused": {"link"},
    "spending": {"link"},
    "letter": {"addressee", "role", "title", "count_line", "pages"},
    "thanks": {"name", "organisation", "title", "count_line", "addressed_to"},
    "signed": {"organisation", "title"},
    "already": {"organisation"},
    "unsure": set(),
    "stopped": set(),
    "ended": set(),
}
CALLS = ("call", "alert")
NOTICES = ("notice", "paused", "spending")  # to the staff
TEXTS = [(what, language, part) for what, language in product(PARTS, LANGUAGES) for part in PARTS[what]]
SUBJECTS, EMAILS, TELEGRAMS = (
    [(what, language) for what, language, part in TEXTS if part == wanted]
    for wanted in ("subject.txt", "email.txt", "telegram.html")
)
SIGNED_EMAILS = [(what, language) for what, language in EMAILS if what not in ("discreet", *NOTICES)]

SIGN_WORD = {"en": "SIGN", "es": "FIRMO", "fr": "JE SIGNE", "ar": "أوقع", "pt": "ASSINO"}
STOP_WORD = {"en": "STOP", "es": "BAJA", "fr": "ARRET", "ar": "توقف", "pt": "PARAR"}
# Answered with one of these, a carrier or Twilio would stop all messages to that number, so that nobody is asked to.
CARRIERS_STOP_WORDS = r"\b(CANCEL|END|QUIT|REVOKE|OPTOUT|STOPALL|UNSUBSCRIBE)\b"
# Beginnings of words that frighten or mislead (in Arabic they stand inside longer words too).
FORBIDDEN = {
    "en": r"\b(target|launch|recall|endors|inform(er|ant)|intelligence|operation|blast)",
    "es": r"\b(objetivo|blanco|lanza|informante|confidente|delat|denunci|operaci|operativo|endos)",
    "fr": r"\b(cibl|lanc|informat|indicateur|délat|dénonc|opération)",
    "ar": r"هدف|مخبر|بلاغ|عملية|عميل|جاسوس|وشاية|إطلاق",
    "pt": r"\b(objec?tivo|alvo|lanç|informante|delat|denúnci|denunci|operaç|endoss)",
}
# Whoever looks over her shoulder learns nothing from a discreet message.
TELLING = {
    "en": r"right|network|letter|sign|solidar|urgent|danger|action|report|organi[sz]ation|secretariat",
    "es": r"derecho|\bred\b|carta|firm|solidari|urgente|peligro|acción|aviso|organizaci|secretar",
    "fr": r"droit|réseau|lettre|sign|solidar|urgent|danger|action|organisation|secrétariat",
    "ar": r"حقوق|شبكة|رسالة|توقيع|تضامن|عاجل|خطر|تحرك|تقرير|منظمة|أمانة",
    "pt": r"direito|rede|carta|assin|solidari|urgente|perigo|ação|relato|organizaç|secretari",
}

LINK = f"https://sos.example.org/s/{'t' * 24}"
DESK = "https://sos.example.org/desk"
# Sixty characters each, with a letter that costs the whole SMS its short alphabet.
TITLES = {
    "en": "Stop the eviction of 400 families in Kisumu’s old port today",
    "es": "Detengan ya el desalojo de 400 familias en el río Pilcomayo.",
    "fr": "Arrêtez l’expulsion de 400 familles du vieux port de Kisumu.",
    "ar": "أوقفوا إخلاء 400 أسرة من منازلها في حي الميناء القديم قبل غد",
    "pt": "Suspendam hoje o despejo de 400 famílias do porto de Luanda.",
}
ORGANISATIONS = {
    "en": "Kisumu Women’s Land Rights Group",
    "es": "Red de Mujeres del Río Pilcomayo",
    "fr": "Réseau des femmes du Golfe, Lomé",
    "ar": "المركز المصري للحقوق الاقتصادية",
    "pt": "Associação das Mulheres da Bahia",
}
# With these titles and organisations: in Latin languages, and in Arabic, where every letter is a long one.
MOST_SEGMENTS = {
    "call": (3, 3),
    "alert": (3, 2),
    "correction": (2, 2),
    "thanks": (3, 3),
    "signed": (2, 2),
    "already": (2, 2),
    "unsure": (2, 2),
    "ended": (2, 2),
    "stopped": (1, 1),
    "discreet": (1, 1),
    "notice": (1, 1),
    "paused": (1, 1),
    "spending": (1, 1),
}
# The others are sent to few, and say it better with accents.
IN_SHORT_ALPHABET = [
    (what, language)
    for what, language in product(MOST_SEGMENTS, LANGUAGES)
    if language != "ar" and what not in ("unsure", "stopped", "ended")
]
ONE_PAGE = {"en": "(1 page)", "es": "(1 página)", "fr": "(1 page)", "ar": "صفحاتها: 1\n", "pt": "(1 página)"}
TWELVE_PAGES = {
    "en": "(12 pages)",
    "es": "(12 páginas)",
    "fr": "(12 pages)",
    "ar": "صفحاتها: 12\n",
    "pt": "(12 páginas)",
}
HOSTILE = '<script>alert("&")</script> {{ link }} <b>'


def realistic(what: str, language: str, **changes: object) -> dict[str, object]:
    """Everything that may stand in a message, as a day would bring it."""
    values: dict[str, object] = {
        "name": "Amina",
        "organisation": ORGANISATIONS[language],
        "title": TITLES[language],
        "summary": " ".join(["palabra"] * 40),
        "link": DESK if what in NOTICES else LINK,
        "code": "04821",
        "deadline": "30 September 2026, 23:59 UTC",
        "addressee": "José Pérez",
        "role": "Minister of Housing",
        "count_line": "214 organisations and 12 individuals from 63 countries",
        "addressed_to": "José Pérez, Port Holdings Ltd",
        "pages": 8,
        "can_link": True,
        "can_reply": True,
        "fallback": "",
        **changes,
    }
    return {name: values[name] for name in VALUES[what]}


def source(what: str, language: str, part: str) -> str:
    return (MESSAGES / what / language / part).read_text("utf-8")


def variables(what: str, language: str, part: str) -> set[str]:
    return meta.find_undeclared_variables(Environment(autoescape=True).parse(source(what, language, part)))


def sms(templates: Templates, what: str, language: str, **changes: object) -> str:
    """The SMS on one line, with marks for a recipient's own words."""
    values = {name: value for name, value in realistic(what, language, **changes).items() if name not in MARKS}
    return make_mold(templates, what, language, ChannelName.SMS, **values).wording.text


def filled_sms(templates: Templates, what: str, language: str, **changes: object) -> str:
    """The SMS as it leaves."""
    words = {name: str(value) for name, value in realistic(what, language, **changes).items() if name in MARKS}
    return fill(sms(templates, what, language, **changes), words)


class Seen(HTMLParser):
    """What a reader sees of a text with tags, and which tags; every tag is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self._open = "", set[str](), list[str]()
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        self.tags.add(tag)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates()


def test_every_language_has_every_part_of_every_message() -> None:
    there = {file.relative_to(MESSAGES).as_posix() for file in MESSAGES.glob("*/*/*")}
    assert there == {"/".join(text) for text in TEXTS}


@pytest.mark.parametrize("what", PARTS)
def test_a_message_holds_the_same_values_in_every_language(what: str) -> None:
    used = {part: [variables(what, language, part) for language in LANGUAGES] for part in PARTS[what]}
    for part, sets in used.items():
        assert all(each == sets[0] for each in sets), f"{what} {part}: {dict(zip(LANGUAGES, sets, strict=True))}"
    assert set().union(*(sets[0] for sets in used.values())) == VALUES[what]


@pytest.mark.parametrize(("what", "language", "part"), TEXTS)
def test_a_text_says_something_and_leaves_no_mark_unfilled(
    what: str, language: str, part: str, templates: Templates
) -> None:
    text = templates.message(what, language, part, **realistic(what, language))
    assert len(text) > 10
    assert "{" not in text


@pytest.mark.parametrize(("what", "language", "part"), TEXTS)
def test_no_text_frightens_or_misleads(what: str, language: str, part: str) -> None:
    text = source(what, language, part)
    assert not re.search(FORBIDDEN[language], text, re.IGNORECASE)
    assert not re.search(CARRIERS_STOP_WORDS, text)


@pytest.mark.parametrize(("language", "part"), list(product(LANGUAGES, PARTS["discreet"])))
def test_a_discreet_text_names_nobody_and_nothing(language: str, part: str) -> None:
    assert variables("discreet", language, part) <= {"link", "can_link"}
    own_words = source("discreet", language, part)
    assert not re.search(TELLING[language], own_words, re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_that_asked_for_silence_is_told_so_in_words_that_tell_nobody_else_anything(language: str) -> None:
    for part in PARTS["stopped"]:
        assert not re.search(TELLING[language], source("stopped", language, part), re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sms_of_a_call_says_how_to_sign_and_how_to_hear_no_more(language: str, templates: Templates) -> None:
    text = sms(templates, "call", language)
    assert f"{SIGN_WORD[language]} {MARKS['code']}" in text
    assert text.endswith(f": {STOP_WORD[language]}")
    assert sms(templates, "alert", language).endswith(f": {STOP_WORD[language]}")
    assert SIGN_WORD[language] in source("unsure", language, "sms.txt")


@pytest.mark.parametrize(("what", "language"), list(product(("call", "alert"), LANGUAGES)))
def test_where_no_reply_arrives_none_is_asked_for(what: str, language: str, templates: Templates) -> None:
    text = sms(templates, what, language, can_reply=False)
    assert not re.search(f"{SIGN_WORD[language]} |{STOP_WORD[language]}|{MARKS['code']}", text)
    assert MARKS["link"] in text


@pytest.mark.parametrize(("what", "language"), list(product(("call", "alert", "correction", "discreet"), LANGUAGES)))
def test_where_links_are_blocked_none_is_sent(what: str, language: str, templates: Templates) -> None:
    for can_reply in (True, False):
        text = sms(templates, what, language, can_link=False, **({"can_reply": can_reply} if what in CALLS else {}))
        assert MARKS["link"] not in text
        assert text.rstrip()[-1] != ":"
    if what == "call":  # whoever can neither open a link nor reply is told where else to look
        assert sms(templates, what, language, can_link=False, can_reply=False) != sms(
            templates, what, language, can_link=False
        )


@pytest.mark.parametrize(("what", "language", "part"), [one for one in TEXTS if "fallback" in VALUES[one[0]]])
def test_a_text_in_another_language_than_hers_says_so(
    what: str, language: str, part: str, templates: Templates
) -> None:
    if part != "subject.txt":
        text = templates.message(what, language, part, **realistic(what, language, fallback="NOT HERS"))
        assert "NOT HERS" in text


@pytest.mark.parametrize(("what", "language"), list(product(MOST_SEGMENTS, LANGUAGES)))
def test_an_sms_takes_few_segments(what: str, language: str, templates: Templates) -> None:
    assert len(TITLES[language]) == 60
    latin, arabic = MOST_SEGMENTS[what]
    count = segments(filled_sms(templates, what, language)).count
    assert count <= (arabic if language == "ar" else latin)


@pytest.mark.parametrize(("what", "language"), IN_SHORT_ALPHABET)
def test_our_own_words_never_cost_an_sms_the_short_alphabet(what: str, language: str, templates: Templates) -> None:
    text = filled_sms(templates, what, language, title="P" * 60, organisation="P" * 60)
    assert segments(text).encoding is Encoding.GSM_7
    assert segments(text).count <= 2


@pytest.mark.parametrize(("what", "language", "part"), TEXTS)
def test_a_link_stands_free(what: str, language: str, part: str, templates: Templates) -> None:
    alone_in = {"email.txt": r"@", "sms.txt": r"(.* )?@( .*)?", "telegram.html": r".*<a href=\"@\">.*"}
    text = templates.message(what, language, part, **realistic(what, language) | {"link": "@"})
    lines = [line for line in text.splitlines() if "@" in line]
    assert all(re.fullmatch(alone_in[part], line) for line in lines)


@pytest.mark.parametrize(("what", "language"), SUBJECTS)
def test_a_subject_is_one_line_without_a_link(what: str, language: str) -> None:
    assert source(what, language, "subject.txt").count("\n") == 1
    assert "link" not in variables(what, language, "subject.txt")


@pytest.mark.parametrize(("what", "language"), TELEGRAMS)
def test_telegram_gets_only_its_own_tags_and_no_more_than_it_takes(
    what: str, language: str, templates: Templates
) -> None:
    # 4096 characters "after entities parsing": core.telegram.org/bots/api#sendmessage
    long: dict[str, object] = dict.fromkeys(("name", "organisation", "title", "deadline", "count_line"), HOSTILE * 5)
    long |= {"summary": " ".join([HOSTILE[:30]] * 40), "addressed_to": HOSTILE * 20}
    seen = Seen(templates.message(what, language, "telegram.html", **realistic(what, language, **long)))
    assert seen.tags <= {"b", "i", "a"}
    assert len(seen.text) <= 4096
    assert all(str(long[name]) in seen.text for name in VALUES[what] & long.keys())


@pytest.mark.parametrize(("what", "language"), EMAILS)
def test_an_email_is_set_as_html_in_its_own_direction_with_its_link_as_a_link(
    what: str, language: str, templates: Templates
) -> None:
    values = realistic(what, language, title=HOSTILE)
    html = make_mold(templates, what, language, ChannelName.EMAIL, **{**values, **MARKS}).wording.html
    assert f'lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in html
    assert html.count(f'<a href="{MARKS["link"]}"') == (1 if "link" in VALUES[what] else 0)
    assert "<script>" not in html


@pytest.mark.parametrize(("what", "language"), SIGNED_EMAILS)
def test_an_email_is_signed_with_the_name_that_stands_on_the_letters(what: str, language: str) -> None:
    letterhead = yaml.safe_load((TEMPLATES / "letters" / "words.yaml").read_text("utf-8"))[language]
    lines = source(what, language, "email.txt").splitlines()
    assert letterhead["network"] in lines
    assert (letterhead["about"] in lines) == (what == "letter")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_reaches_an_addressee_without_a_role_and_counts_its_pages(language: str, templates: Templates) -> None:
    one, many = (
        templates.message("letter", language, "email.txt", **realistic("letter", language, role="", pages=pages))
        for pages in (1, 12)
    )
    assert one.splitlines()[:2] == ["José Pérez", ""]
    assert (ONE_PAGE[language] in one, ONE_PAGE[language] in many) == (True, False)
    assert TWELVE_PAGES[language] in many
