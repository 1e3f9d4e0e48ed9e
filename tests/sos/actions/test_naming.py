"""Names are found in a text whatever their case, accents and script."""

import pytest

from sos.actions.naming import count_names

FOUND = [
    ("Marisol Quispe was taken from her house.", "Marisol Quispe"),
    ("MARISOL QUISPE", "marisol quispe"),
    ("la señora Quispe,y su hija", "Marisol Quispe"),
    ("Quíspe’s house", "Marisol Quispe"),
    ("Qui\u00adspe and Mari\u200bsol", "Marisol Quispe"),
    ("#MarisolQuispe", "Marisol Quispe"),
    ("María de la Cruz", "Maria De La Cruz"),
    ("maria de la cruz", "María de la Cruz"),
    ("Moller", "Jens Møller"),
    ("Łukasz", "Lukasz Nowak"),
    ("Işık İnan", "ISIK INAN"),
    ("O’Brien-Nwosu", "Ada O'Brien Nwosu"),
    ("Ana Paz", "Ana Paz"),
    ("علي وسلمى", "سلمى بن عيسى"),
    ("اعتُقلت مَريَم", "مريم حداد"),
    ("رسالة لمريم", "مريم حداد"),
    ("والحدّاد", "حداد"),
    ("ســلمى", "سلمى"),
    ("سلمي", "سلمى"),
    ("Марина Петрова", "МАРИНА ПЕТРОВА"),
    ("राहुल ने कहा", "राहुल"),
    ("李明被捕", "李明"),
    ("김민수가 체포됐다", "김민수"),
    ("พบสมชายแล้ว", "สมชาย"),
    ("ＭＡＲＩＳＯＬ", "Marisol"),
]
NOT_FOUND = [
    ("They are generous.", "Rosa"),
    ("generosa", "Rosa"),
    ("the port of the city", "Ana Paz"),
    ("la paz de la ciudad", "Ana Paz"),
    ("Quispicanchi", "Marisol Quispe"),
    ("", "Marisol Quispe"),
    ("anything at all", ""),
    ("anything at all", " - "),
]


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_a_name_is_found(text: str, name: str) -> None:
    assert count_names(text, [name]) == 1


@pytest.mark.parametrize(("text", "name"), NOT_FOUND)
def test_what_is_no_name_is_left_alone(text: str, name: str) -> None:
    assert count_names(text, [name]) == 0


def test_each_name_is_counted_once() -> None:
    assert count_names("Marisol, Marisol and Tomás", ["Marisol Quispe", "Tomás Rueda", "Inés"]) == 2
