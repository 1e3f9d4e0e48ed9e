"""What an SMS means; when in doubt, nothing is signed and nothing is stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos.inbound.reading import SaysSign, SaysStop, Unclear, read_sms, read_tap

SIGNS = [
    "SIGN 04821", "sign04821", "Sign: 04821.", "FIRMO 04821", "firmo 04821!", "JE SIGNE 04821", "Je signe 04821",
    "signe 04821", "أوقع 04821", "اوقع ٠٤٨٢١", "أوقّع ۰۴۸۲۱", "ASSINO 04821", "  assino\n04821 ", "SIGN ०४८२१",
]  # fmt: skip
STOPS = [
    "STOP", "stop.", "Stop 04821", "STOP SMS", "stop sms", "STOPALL", "unsubscribe", "CANCEL", "END", "quit", "BAJA",
    "baja!", "ALTO", "ARRET", "arrêt", "Arrêter", "PARAR", "pare", "SAIR", "توقف", "إيقاف", "أوقف", "ايقاف",
]  # fmt: skip
NEITHER = [
    "no firmo 04821", "I do not sign 04821", "je ne signe pas 04821", "não assino 04821", "لا أوقع 04821",
    "أوقف 04821 لا", "SIGN", "04821", "SIGN 0482", "SIGN 048211", "SIGN 04821 04822", "SIGN 1 04821", "resign 04821",
    "design 04821", "sign up 04821", "firmado 04821", "وقع 04821", "stop the eviction", "please stop killing them",
    "unstoppable", "no baja", "", "👍", "yes", "SIGN 0 4 8 2 1", "\u202e12840 NGIS",
]  # fmt: skip


@pytest.mark.parametrize("text", SIGNS)
def test_a_word_for_signing_and_a_code_sign(text: str) -> None:
    assert read_sms(text) == SaysSign("04821")


@pytest.mark.parametrize("text", STOPS)
def test_a_word_for_stopping_stops(text: str) -> None:
    assert read_sms(text) == SaysStop()


@pytest.mark.parametrize("text", NEITHER)
def test_anything_else_neither_signs_nor_stops(text: str) -> None:
    assert isinstance(read_sms(text), Unclear)


@given(st.text())
def test_whatever_is_written_is_read(text: str) -> None:
    read_sms(text)
    read_tap(text)


@pytest.mark.parametrize("data", ["", "ask", "ask:", ":x", "sign:x", "ORG:x", "x" * 100])
def test_a_tap_that_is_none_of_ours_is_none(data: str) -> None:
    assert read_tap(data) is None
