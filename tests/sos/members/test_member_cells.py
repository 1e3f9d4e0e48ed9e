"""What people really type into a list, and what becomes of it."""

import re
from datetime import time
from zoneinfo import available_timezones

import pytest

from sos.config import Config
from sos.members import cells
from sos.members.countries import CountryNames
from sos.members.member import Standing, Unacceptable


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("+44 7700 900123", None, "+447700900123"),
        ("0044 7700 900 123", "KE", "+447700900123"),
        ("07700.900.123", "GB", "+447700900123"),
        ("(07700) 900-123", "GB", "+447700900123"),
        ("+44 (0)7700 900123", "US", "+447700900123"),
        ("0049 170 1234567", "US", "+491701234567"),
        ("'+33639980012", "FR", "+33639980012"),
        ("06‑39‑98‑00‑12", "FR", "+33639980012"),
        ("+٤٤ ٧٧٠٠ ٩٠٠١٢٣", "JO", "+447700900123"),
        ("۰۷۷۰۰۹۰۰۱۲۳", "GB", "+447700900123"),
        ("202-555-0123", "US", "+12025550123"),
        ('="+447700900123"', "US", "+447700900123"),
    ],
)
def test_a_phone_number_is_read_as_people_write_it(typed: str, country: str | None, number: str) -> None:
    assert cells.parse_phone(typed, country) == number


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("call Amina", "import.phone.not_a_number"),
        ("0800 FLOWERS", "import.phone.not_a_number"),
        ("07700 900123 ext. 5", "import.phone.not_a_number"),
        ("0123", "import.phone.not_a_number"),
        ("+44 7700 900123 / +44 7700 900124", "import.phone.not_a_number"),
        ("=SUM(A1:A9)", "import.phone.not_a_number"),
        ("4.47701E+11", "import.number.shortened"),
        ("4,47701E+11", "import.number.shortened"),
    ],
)
def test_what_is_no_phone_number_is_refused(typed: str, key: str) -> None:
    with pytest.raises(Unacceptable, match=re.escape(key)):
        cells.parse_phone(typed, "GB")


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        ("Amina@Example.ORG", "amina@example.org"),
        ("ana.maria+sos@correo.example", "ana.maria+sos@correo.example"),
        ("o'neill@example.com", "o'neill@example.com"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("info@straße.example", "info@xn--strae-oqa.example"),
        ("info@موقع.example", "info@xn--4gbrim.example"),
    ],
)
def test_an_email_address_is_read_with_its_domain_as_it_travels(typed: str, email: str) -> None:
    assert cells.parse_email(typed) == email


@pytest.mark.parametrize(
    "typed",
    [
        "amina",
        "amina@",
        "@example.org",
        "amina@localhost",
        "a b@example.org",
        "amina@exa mple.org",
        "a@b@example.org",
        "amina\n@example.org",
        "amina@example.org\nBcc: x@example.org",
        "=?utf-8?q?a?=@example.org",
        "Amina <amina@example.org>",
        ".amina@example.org",
        "amina@-example.org",
        "x" * 65 + "@example.org",
    ],
)
def test_what_is_no_email_address_is_refused(typed: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.email\.not_an_address"):
        cells.parse_email(typed)


@pytest.mark.parametrize(
    ("typed", "chat"), [("9000000001", "9000000001"), ("'9000 000 001", "9000000001"), ("٩٠٠١", "9001")]
)
def test_a_telegram_chat_is_known_by_its_number(typed: str, chat: str) -> None:
    assert cells.parse_telegram(typed) == chat


@pytest.mark.parametrize("typed", ["@amina", "-100123", "0", "t.me/amina", "12345678901234567"])
def test_a_telegram_name_or_group_is_refused(typed: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.telegram\.not_an_id"):
        cells.parse_telegram(typed)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        *[("USA", "US"), ("us", "US"), ("UK", "GB"), ("EE. UU.", "US"), ("États-Unis", "US"), ("Estados Unidos", "US")],
        *[("RD Congo", "CD"), ("DRC", "CD"), ("Congo-Brazzaville", "CG"), ("الكونغو - كينشاسا", "CD")],
        *[("Côte d'Ivoire", "CI"), ("COTE D’IVOIRE", "CI"), ("Ivory Coast", "CI"), ("Costa do Marfim", "CI")],
        *[("الأردن", "JO"), ("الاردن", "JO"), ("Jordanie", "JO"), ("JOR", "JO"), ("فلسطين", "PS")],
        *[("Viet Nam", "VN"), ("Burma", "MM"), ("Czech Republic", "CZ"), ("Türkiye", "TR"), ("no", "NO")],
        *[("Trinidad and Tobago", "TT"), ("Saint Lucia", "LC"), ("Myanmar", "MM"), ("Hong Kong", "HK")],
    ],
)
def test_a_country_is_found_by_its_code_or_by_a_name_that_people_use(config: Config, typed: str, code: str) -> None:
    assert CountryNames(frozenset(config.countries)).find(typed) == code


@pytest.mark.parametrize("typed", ["Narnia", "Congo", "Korea", "Europe", "150", "-", ""])
def test_a_country_that_is_unknown_or_could_be_two_is_refused(config: Config, typed: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.country\.unknown"):
        CountryNames(frozenset(config.countries)).find(typed)


@pytest.mark.parametrize(
    ("typed", "languages"),
    [
        ("en", ("en",)),
        ("fr, ar", ("fr", "ar")),
        ("FR;en;fr", ("fr", "en")),
        ("pt-BR / es_419", ("pt", "es")),
        ("fra ara", ("fr", "ar")),
        ("Español, inglés", ("es", "en")),
        ("العربية، الفرنسية", ("ar", "fr")),
    ],
)
def test_languages_are_read_from_codes_or_names(typed: str, languages: tuple[str, ...]) -> None:
    assert cells.parse_languages(typed, cells.language_names()) == languages


@pytest.mark.parametrize("typed", ["si", "Klingon", "en, xx", "!!"])
def test_a_language_that_the_network_does_not_write_in_is_refused(typed: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.cell\.not_one_of") as refused:
        cells.parse_languages(typed, cells.language_names())
    assert refused.value.facts == {"allowed": "en, es, fr, ar, pt"}


@pytest.mark.parametrize("typed", ["yes", "Sí", "SI", "oui", "نعم", "sim", "1", "TRUE"])
def test_yes_is_yes_in_five_languages(typed: str) -> None:
    assert cells.parse_yes_no(typed) is True


@pytest.mark.parametrize("typed", ["no", "NON", "لا", "não", "nao", "0", "false"])
def test_no_is_no_in_five_languages(typed: str) -> None:
    assert cells.parse_yes_no(typed) is False


@pytest.mark.parametrize("typed", ["maybe", "?", "-"])
def test_neither_yes_nor_no_is_refused(typed: str) -> None:
    with pytest.raises(Unacceptable):
        cells.parse_yes_no(typed)


@pytest.mark.parametrize("typed", ["Africa/Nowhere", "Africa", "../etc/passwd", "GMT+25", "africa/nairobi"])
def test_a_time_zone_stands_in_the_iana_database(typed: str) -> None:
    assert cells.parse_time_zone("Africa/Nairobi", available_timezones()) == "Africa/Nairobi"
    with pytest.raises(Unacceptable, match=r"import\.time_zone\.unknown"):
        cells.parse_time_zone(typed, available_timezones())


def test_a_choice_is_read_in_any_case_and_a_reference_in_capitals() -> None:
    assert cells.parse_choice(" Ally", Standing) is Standing.ALLY
    assert cells.parse_reference("ke-٠٠١") == "KE-001"
    with pytest.raises(Unacceptable, match=r"import\.reference\.unusable"):
        cells.parse_reference("=KE 1")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("22-7", (time(22), time(7))),
        ("22:30 – 06:00", (time(22, 30), time(6))),
        ("22h00 à 7h", (time(22), time(7))),
        ("٢٢:٠٠ إلى ٠٧:٠٠", (time(22), time(7))),
        ("13.15-14.45", (time(13, 15), time(14, 45))),
        *((never, (time(0), time(0))) for never in ("never", "Nunca", "jamais", "أبدًا", "no")),
    ],
)
def test_quiet_hours_are_read_as_people_write_them(typed: str, expected: tuple[time, time]) -> None:
    assert cells.parse_quiet_hours(typed) == expected


@pytest.mark.parametrize("typed", ["22", "25-7", "22:61-7", "7-7", "at night", "22-7-9", "10 pm - 7 am"])
def test_other_quiet_hours_are_asked_for_again(typed: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.quiet_hours\.unusable"):
        cells.parse_quiet_hours(typed)
