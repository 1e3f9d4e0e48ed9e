"""The letter as PDF: what a reader, a screen reader and a forger find in it."""

import io
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typst
import yaml
from babel import Locale
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from sos.config import read_config
from sos.letters import typeset as module
from sos.letters.typeset import LETTERS, LetterPage, Signatory, SpellOtherwise, Target, typeset, uncovered
from sos.texts import LANGUAGES

CUNEIFORM = "𒀀𒀁"
SIGNATORIES = (
    Signatory("Réseau des femmes du Sahel", "ML", "africa", False),
    Signatory("Abahlali baseMjondolo", "ZA", "africa", False),
    Signatory("المركز المصري للحقوق الاقتصادية", "EG", "middle_east_north_africa", False),
    Signatory("Правозащитный центр «Адилет»", "KG", "asia_pacific", False),
    Signatory("Ñusta Quispe", "PE", "latin_america_caribbean", True),
)
TEXTS = {
    "en": ("Stop the eviction", "We, the undersigned, ask you to stop it.\n\nThe families are still there."),
    "es": ("Detengan el desalojo", "Quienes firmamos pedimos que lo detengan.\n\n¿Dónde vivirán?"),
    "fr": ("Arrêtez l’expulsion", "Nous vous demandons de l’arrêter.\n\nOù vivront-elles ?"),
    "ar": (
        "أوقفوا إخلاء الأسر",
        "نكتب إليكم بقلق بالغ بشأن أمر الإخلاء رقم 27.\n\nوقد أعلنت شركة Port Holdings موعد العمل.",
    ),
    "pt": ("Suspendam o despejo", "Pedimos a suspensão da ordem.\n\nOnde viverão?"),
}
COUNTS = {
    "en": "4 organisations and 1 individual from 5 countries, and 2 further organisations whose names are not shown",
    "es": "4 organizaciones y 1 persona a título individual, de 5 países, y 2 organizaciones más cuyos nombres",
    "fr": "4 organisations et 1 personne à titre individuel, dans 5 pays, et 2 autres organisations",
    "ar": "4 منظمات وفرد واحد من 5 بلدان، ومنظمتان أخريان لم يذكر اسماهما",
    "pt": "4 organizações e 1 pessoa a título individual, de 5 países, e mais 2 organizações",
}


def a_letter(language: str = "en", **changes: Any) -> LetterPage:
    title, body = TEXTS[language]
    letter = LetterPage(
        language=language,
        title=title,
        date=date(2026, 11, 22),
        targets=(Target("José Pérez", "Minister of Housing"),),
        body=body,
        signatories=SIGNATORIES,
        confidential_count=2,
        text_hash="3f" + "0a9b" * 15 + "77",
        verify_url="https://sos.example/letters/3f0a",
    )
    return replace(letter, **changes)


def many(number: int, **changes: Any) -> tuple[Signatory, ...]:
    return tuple(replace(SIGNATORIES[0], name=f"Network {place:04}", **changes) for place in range(number))


def read(pdf: bytes) -> str:
    """All the text, as one line, in compatibility form."""
    pages = (page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return comparable(" ".join(pages))


def comparable(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def without_spaces(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def read_from_the_right(pdf: bytes) -> str:
    """The runs of text by where they stand: line by line, and in a line from the right."""
    runs: list[tuple[int, float, float, str]] = []
    for number, page in enumerate(PdfReader(io.BytesIO(pdf)).pages):

        def note(text: str, place: list[float], run: list[float], *_font: Any, number: int = number) -> None:
            runs.append((number, -round(place[5] / 3), -(place[4] + run[4]), text))

        page.extract_text(visitor_text=note)
    return without_spaces("".join(text for *_, text in sorted(runs)))


def structure(pdf: bytes) -> Counter[str]:
    """How many elements of each kind the tag tree holds."""

    def walk(node: Any) -> Iterator[str]:
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                yield from walk(child)
        elif isinstance(node, DictionaryObject):
            if "/S" in node:
                yield str(node["/S"])
            if "/K" in node:
                yield from walk(node["/K"])

    return Counter(walk(PdfReader(io.BytesIO(pdf)).root_object["/StructTreeRoot"]))


@pytest.mark.parametrize("language", ["en", "es", "fr", "pt"])
def test_a_letter_holds_its_text_its_names_and_its_count(language: str) -> None:
    text = read(typeset(a_letter(language)))
    title, body = TEXTS[language]
    for expected in (title, *body.split("\n\n"), COUNTS[language], "José Pérez", "3f0a9b0a9b", "https://sos.example"):
        assert comparable(expected) in text
    for signatory in SIGNATORIES:
        assert all(word in text for word in signatory.name.split())


def test_an_arabic_letter_reads_from_right_to_left_with_its_words_in_logical_order() -> None:
    text = read_from_the_right(typeset(a_letter("ar")))
    title, body = TEXTS["ar"]
    for expected in (title, *body.split("\n\n"), COUNTS["ar"], *(one.name for one in SIGNATORIES), "22 نوفمبر 2026"):
        assert without_spaces(expected) in text
    assert without_spaces("الشرق الأوسط وشمال أفريقيا الاسم البلد المركز المصري للحقوق الاقتصادية مصر") in text
    assert without_spaces("نظام التضامن صفحة 1 من 2") in text


@pytest.mark.parametrize(
    "hostile",
    [
        "# heading *bold* _under_ $x^2$ \\ @reference <label> = no [x](y) ~ // gone /* gone */ `raw`",
        '#read("/etc/passwd") #import "@preview/cetz:0.3.0": * #eval("1+1") #{ 1 + 1 }',
        "<script>alert(1)</script> &amp; <b>bold</b> {{ 7 * 7 }} {number} {pages} %s \\u{41}",
        '"quotes" \'apostrophes\' -- --- ... "}',
    ],
)
def test_what_people_write_is_shown_and_never_run(hostile: str) -> None:
    names = (replace(SIGNATORIES[0], name=hostile),)
    targets = (Target(hostile, hostile),)
    pdf = typeset(a_letter(body=hostile, title=hostile, signatories=names, targets=targets, notice=hostile))
    assert read(pdf).count(hostile) >= 5
    assert PdfReader(io.BytesIO(pdf)).metadata["/Title"] == hostile  # type: ignore[index] # a letter has metadata


def test_the_same_letter_gives_the_same_bytes() -> None:
    first = typeset(a_letter("ar"))
    typeset(a_letter("fr"))
    assert typeset(a_letter("ar")) == first
    assert typeset(a_letter("ar", date=date(2026, 11, 23))) != first


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_says_its_language_its_title_and_that_it_is_accessible(language: str) -> None:
    reader = PdfReader(io.BytesIO(typeset(a_letter(language))))
    root: Any = reader.root_object
    assert str(root["/Lang"]).split("-")[0] == language
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert reader.metadata is not None
    assert reader.metadata.title == TEXTS[language][0]


def test_a_screen_reader_finds_headings_a_list_and_tables_with_header_cells() -> None:
    kinds = structure(typeset(a_letter()))
    assert (kinds["/H1"], kinds["/H2"], kinds["/H3"], kinds["/L"], kinds["/Table"]) == (1, 1, 4, 1, 4)
    assert kinds["/TH"] == 2 * kinds["/Table"]
    assert kinds["/TD"] == 2 * len(SIGNATORIES)


def test_a_long_list_goes_on_page_after_page_under_its_header() -> None:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(typeset(a_letter(signatories=many(300))))).pages]
    lists = [page for page in pages if "Network" in page]
    assert len(lists) > 3
    assert all("Name Country" in page for page in lists)
    assert all(f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, 1))
    assert re.findall(r"Network (\d+)", " ".join(pages)) == [f"{place:04}" for place in range(300)]


def test_names_stand_by_region_then_in_the_order_of_the_alphabet_then_individuals() -> None:
    names = ("zebra", "Ébène", "«Dawn»", "Eve", "Żubr")
    group = tuple(replace(SIGNATORIES[0], name=name) for name in names)
    text = read(typeset(a_letter(signatories=(*group, *SIGNATORIES[3:]))))
    expected = ["Africa", "«Dawn»", "Ébène", "Eve", "zebra", "Żubr", "Asia", "Адилет", "Individuals", "Ñusta"]
    after = text[text.index("Signed by") :]
    assert [after.index(word) for word in expected] == sorted(after.index(word) for word in expected)


def test_spanish_has_its_own_place_for_a_letter_and_arabic_names_come_first_in_arabic() -> None:
    spanish = a_letter(
        "es", signatories=tuple(replace(SIGNATORIES[0], name=name) for name in ("Ñandú", "Ocaña", "Nube"))
    )
    assert re.findall("Nube|Ñandú|Ocaña", read(typeset(spanish))) == ["Nube", "Ñandú", "Ocaña"]
    arabic = a_letter(
        "ar", signatories=tuple(replace(SIGNATORIES[0], name=name) for name in ("Abahlali", "يسار", "أمل"))
    )
    assert re.findall("Abahlali|يسار|أمل", read(typeset(arabic))) == ["أمل", "يسار", "Abahlali"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "منظمة واحدة"), (2, "منظمتان"), (3, "3 منظمات"), (11, "11 منظمة"), (100, "100 منظمة")],
)
def test_arabic_counts_in_its_six_plurals(number: int, expected: str) -> None:
    assert module._count_line(a_letter("ar", signatories=many(number))).startswith(expected + " من بلد واحد، ومنظمتان")


def test_organisations_that_signed_unseen_are_counted_when_nobody_else_signed() -> None:
    assert "2 organisations whose names are not shown" in read(typeset(a_letter(signatories=())))
    assert "Signed by" not in read(typeset(a_letter(signatories=(), confidential_count=0)))


def test_a_signature_from_an_unknown_region_or_country_is_never_left_out() -> None:
    with pytest.raises(ValueError, match="atlantis"):
        typeset(a_letter(signatories=(replace(SIGNATORIES[0], region="atlantis"),)))
    with pytest.raises(KeyError):
        typeset(a_letter(signatories=(replace(SIGNATORIES[0], country="ZZZ"),)))


def test_a_word_longer_than_the_line_is_broken_but_an_address_keeps_its_characters() -> None:
    address = "https://example.org/" + "path/" * 30 + "end"
    text = PdfReader(io.BytesIO(typeset(a_letter(body="W" * 150 + "\n" + address)))).pages[0].extract_text()
    assert max(len(run) for run in re.findall("W+", text.replace("\u200b", ""))) < 60
    assert address in "".join(text.split())


def test_a_notice_stands_on_every_page_and_on_the_first_as_text() -> None:
    notice = "EXERCISE: this letter is not real"
    pdf = typeset(a_letter(notice=notice, signatories=many(100)))
    assert all(notice in page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert structure(pdf)["/P"] == structure(typeset(a_letter(signatories=many(100))))["/P"] + 1


def test_names_that_no_font_covers_are_named_and_the_others_are_not() -> None:
    covered = ("Réseau", "Việt Nam", "Правозащитный", "Ελλάδα", "جمعية", "عورت فاؤنڈیشن", "नेपाल", "Żółty")
    assert uncovered(covered) == ()
    assert uncovered((*covered, CUNEIFORM, *covered, f"Group {CUNEIFORM}")) == (CUNEIFORM, f"Group {CUNEIFORM}")
    assert uncovered(()) == ()


@pytest.mark.parametrize("changes", [{"title": CUNEIFORM}, {"body": CUNEIFORM}, {"notice": CUNEIFORM}])
def test_a_letter_with_an_unprintable_character_is_refused_rather_than_printed_with_a_gap(changes: Any) -> None:
    with pytest.raises(SpellOtherwise):
        typeset(a_letter(**changes))


def test_a_font_package_that_is_not_installed_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = typeset(a_letter())
    monkeypatch.setattr(module, "FONT_PACKAGES", (*module.FONT_PACKAGES, "fontpkg_of_nowhere"))
    module._fonts.cache_clear()
    assert typeset(a_letter()) == expected


def test_the_template_reaches_nothing_outside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(LETTERS, tmp_path / "letters")
    monkeypatch.setattr(module, "LETTERS", tmp_path / "letters")
    assert typeset(a_letter())
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "letters" / "letter.typ").write_text('#set document(title: "x")\n#read("../secret.txt")')
    with pytest.raises(typst.TypstError):
        typeset(a_letter())


def test_the_template_asks_for_no_package() -> None:
    for template in LETTERS.glob("*.typ"):
        assert not re.search(r"#?(import|include)\b|@preview", template.read_text("utf-8"))


def test_every_language_has_every_word_and_every_plural() -> None:
    words = yaml.safe_load((LETTERS / "words.yaml").read_text("utf-8"))
    assert set(words) == set(LANGUAGES)
    for language, own in words.items():
        assert own.keys() == words["en"].keys()
        assert own["regions"].keys() == words["en"]["regions"].keys()
        assert own["count"].keys() == words["en"]["count"].keys()
        assert set(own["countries"]) <= set(Locale(language).territories)
    for forms in words["ar"]["count"].values():
        assert forms.keys() == (Locale("ar").plural_form.tags | {"other"}) - {"zero"}


def test_every_region_and_country_of_the_network_has_a_name_in_every_language() -> None:
    config = read_config()
    signatories = tuple(
        Signatory(code, code, country.region, place % 9 == 0)
        for place, (code, country) in enumerate(config.countries.items())
    )
    for language in LANGUAGES:
        groups = list(module._groups(a_letter(language, signatories=signatories)))
        assert len(groups) == len(config.regions) + 1
        assert all(country for group in groups for _, country in group["rows"])
