"""What an SMS costs, letter by letter."""

import pytest

from channels.segments import Encoding, Segments, segments

GSM, UCS = Encoding.GSM_7, Encoding.UCS_2


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", GSM, 0),
        ("a", GSM, 1),
        ("a" * 160, GSM, 1),
        ("a" * 161, GSM, 2),
        ("a" * 306, GSM, 2),
        ("a" * 307, GSM, 3),
        ("é" * 160, GSM, 1),
        ("€" * 80, GSM, 1),
        ("€" * 81, GSM, 2),
        ("a" * 152 + "€" + "a" * 151, GSM, 2),
        ("a" * 152 + "€" + "a" * 152, GSM, 3),
        ("ع" * 70, UCS, 1),
        ("ع" * 71, UCS, 2),
        ("ع" * 134, UCS, 2),
        ("ع" * 135, UCS, 3),
        ("✊" * 70, UCS, 1),
        ("😀" * 35, UCS, 1),
        ("😀" * 36, UCS, 2),
        ("😀" * 66, UCS, 2),
        ("😀" * 67, UCS, 3),
    ],
)
def test_a_text_takes_as_many_segments_as_its_letters_need(text: str, encoding: Encoding, count: int) -> None:
    assert segments(text) == Segments(encoding, count)


@pytest.mark.parametrize("letter", "áíóúç’“…")
def test_one_letter_outside_the_alphabet_makes_the_whole_text_wide(letter: str) -> None:
    assert segments("a" * 70 + letter) == Segments(UCS, 2)


@pytest.mark.parametrize("letter", "ñÑéèàüÇ¿¡ß@£$")
def test_what_the_alphabet_holds_costs_one(letter: str) -> None:
    assert segments(letter * 160) == Segments(GSM, 1)
