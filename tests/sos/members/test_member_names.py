"""What a name may hold, and in which of its forms it is shown."""

import pytest

from sos.members.member import Unacceptable, clean_name, fold, name_in


@pytest.mark.parametrize(
    "name",
    [
        "Mama N'Diaye",
        "ʻOhana o ka ʻĀina",
        "می‌خواهیم زندگی کنیم",  # with a zero-width non-joiner
        "ශ්‍රී ජනතා සංසදය",  # with a zero-width joiner
        "जल‍-जंगल मंच",
        "မြေယာ ဥပဒေ",
        "+Vida",
    ],
)
def test_a_name_in_any_script_is_kept_as_it_is_written(name: str) -> None:
    assert clean_name(name) == name


def test_a_name_is_stored_composed_and_with_single_spaces() -> None:
    assert clean_name("  Asociacio\u0301n\u00a0  de   Vecinas ") == "Asociación de Vecinas"


@pytest.mark.parametrize("name", ["Ana\nBcc: x", "Ana\tB", "Ana\x00", "\u202eana", "\u2066ana", "a" * 201, "   ", ""])
def test_a_name_with_hidden_characters_or_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.name\.unusable"):
        clean_name(name)


@pytest.mark.parametrize("name", ["=SUM(A1:A9)", '=HYPERLINK("http://x.example")', "=?utf-8?q?hi=0D=0ABcc:_x=40y?="])
def test_a_formula_or_an_encoded_header_is_no_name(name: str) -> None:
    with pytest.raises(Unacceptable, match=r"import\.name\.formula"):
        clean_name(name)


def test_an_organisation_is_named_as_it_writes_itself_in_the_language_or_else_in_its_own_script() -> None:
    names = {"": "منتدى الأرض", "en": "Land Forum"}
    assert name_in(names, "en") == "Land Forum"
    assert name_in(names, "pt") == "منتدى الأرض"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Côte d’Ivoire", "COTE D'IVOIRE"),
        ("الأردن", "الاردن"),
        ("Straße", "STRASSE"),
        ("می‌خواهیم", "میخواهیم"),
        ("may sign", "May_Sign"),
    ],
)
def test_folding_hints_that_two_texts_may_be_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("नदी", "नाद"), ("กา", "กี"), ("ලංකා", "ලිංකා")])
def test_folding_keeps_the_vowels_of_scripts_that_write_them_as_marks(one: str, other: str) -> None:
    assert fold(one) != fold(other)
