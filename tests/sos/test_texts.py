"""Words: plurals by each language's own rules, times in the reader's zone, names that turn no sentence around."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from sos.texts import LANGUAGES, Catalogue, Templates, Words, bdi, isolate, paragraphs, plain, plain_digits, show_links

CATALOGUE = Catalogue()
NOON = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)
ARABIC_FORMS = {0: 0, 1: 1, 2: 2, 3: 3, 10: 3, 11: 4, 99: 4, 100: 5, 102: 5, 103: 3, 111: 4, 200: 5}


def words(language: str, zone: str = "UTC") -> Words:
    return Words(CATALOGUE, LANGUAGES[language], ZoneInfo(zone))


def plural_key(language: str) -> str:
    """A key whose forms all differ in this language."""
    return next(key for key, forms in CATALOGUE.forms(language).items() if len(forms) > 1 and len(set(forms)) > 1)


@pytest.mark.parametrize(("number", "form"), ARABIC_FORMS.items())
def test_arabic_counts_in_six_forms(number: int, form: int) -> None:
    forms = CATALOGUE.forms("ar")
    key = next(key for key, found in forms.items() if len(found) == 6 and len(set(found)) >= 5)

    said = CATALOGUE.count("ar", key, number)

    values = dict.fromkeys(("number",), "")
    assert said.replace(words("ar").number(number), "") == Markup.escape(forms[key][form]) % values


@pytest.mark.parametrize(("language", "singular"), [("en", {1}), ("es", {1}), ("fr", {0, 1}), ("pt", {1})])
def test_the_others_count_in_two_and_french_counts_nothing_as_one(language: str, singular: set[int]) -> None:
    key = plural_key(language)
    one, many = CATALOGUE.forms(language)[key][:2]

    for number in (0, 1, 2, 11, 100):
        expected = one if number in singular else many
        shown = words(language).number(number)
        assert CATALOGUE.count(language, key, number) == Markup.escape(expected) % {"number": shown}


def test_every_language_has_as_many_forms_as_its_rules_ask() -> None:
    for language in LANGUAGES:
        expected = 6 if language == "ar" else 2
        odd = [key for key, forms in CATALOGUE.forms(language).items() if len(forms) not in (1, expected)]
        assert not odd


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_key_is_an_error_and_never_english(language: str) -> None:
    with pytest.raises(KeyError):
        CATALOGUE.say(language, "there.is.no.such.key")


def test_a_missing_value_is_an_error_and_never_a_gap() -> None:
    with pytest.raises(KeyError):
        CATALOGUE.say("en", "already.text", wrong="1")
    with pytest.raises(UndefinedError):
        Templates().page("error.html", what="ours")


@given(st.text(max_size=100))
def test_a_value_never_becomes_markup(value: str) -> None:
    said = CATALOGUE.say("en", "already.text", number=value)

    assert Markup.escape(value) in said
    assert "<" not in said


def test_a_value_that_is_markup_stays_so() -> None:
    assert "<bdi>مريم</bdi>" in CATALOGUE.say("en", "already.text", number=bdi("مريم"))


@given(st.text(max_size=60))
def test_a_name_is_isolated_and_escaped(name: str) -> None:
    assert bdi(name) == f"<bdi>{Markup.escape(name)}</bdi>"
    assert isolate(name)[1:-1] == name


def test_a_moment_is_told_in_the_readers_own_zone_with_its_name() -> None:
    assert words("en", "America/Bogota").when(NOON) == "March 14, 2031, 07:00 (Bogota)"
    assert "13:00" in words("fr", "Africa/Lagos").when(NOON)
    assert all(words(language, "Asia/Amman").when(NOON) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("away", "said"),
    [(timedelta(hours=3), "in 3 hours"), (timedelta(days=-2), "2 days ago"), (timedelta(minutes=90), "in 2 hours")],
)
def test_how_far_away_a_moment_is(away: timedelta, said: str) -> None:
    assert words("en").until(NOON + away, NOON) == said


def test_numbers_and_money_are_written_as_each_language_writes_them() -> None:
    assert words("en").number(1234) == "1,234"
    assert words("es").number(12345) == "12.345"
    assert words("en").money(12.5) == "$12.50"


@given(st.integers(0, 10**9), st.sampled_from("٠۰०০๐０"))
def test_digits_of_every_script_are_the_same_digits(number: int, zero: str) -> None:
    written = "".join(chr(ord(zero) + int(digit)) for digit in str(number))

    assert plain_digits(written) == str(number)


@given(st.text(max_size=100))
def test_what_is_no_digit_stays_as_it_was(text: str) -> None:
    kept = "".join(char for char in plain_digits(text) if not char.isdecimal())

    assert kept == "".join(char for char in text if not char.isdecimal())
    assert len(plain_digits(text)) == len(text)


def test_paragraphs_are_divided_by_empty_lines() -> None:
    assert paragraphs(" one\n still one \n\n \n two\n") == ["one\n still one", "two"]
    assert paragraphs(" \n \n") == []


def test_a_link_becomes_a_link_and_markup_beside_it_does_not() -> None:
    shown = show_links('<b>see</b> https://sos.example/s/abc?x="1"')

    assert "<b>" not in shown
    assert '<a href="https://sos.example/s/abc?x=&#34;1&#34;"' in shown
    assert plain("<b>a</b> &amp; b\n\nc") == "a & b\n\nc"
