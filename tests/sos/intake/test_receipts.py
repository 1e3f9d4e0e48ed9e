"""Coming back with a receipt: digits of any script open it, and guessing rests ever longer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient
from hypothesis import given
from hypothesis import strategies as st

from sos.intake.report import CODE_DIGITS, FREE_GUESSES, Receipt, code_of, new_form_secret, wait_after
from tests.secretariat import Browser, Secretariat
from tests.sos.intake.reporter import Phone, Shown

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
BENGALI = str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯")
WRONG = "00000 00000 00000 00000"


@pytest.fixture
async def phone(secretariat: Secretariat) -> AsyncIterator[Phone]:
    """A reporter's phone."""
    client: Browser
    async with TestClient(secretariat.server) as client:
        yield Phone(client)


def is_open(shown: Shown) -> bool:
    return shown.status == 200 and "Marisol" in shown.text


async def test_a_code_opens_however_it_is_written(phone: Phone) -> None:
    number, code = (await phone.file()).receipt
    plain = code.replace(" ", "")

    ways = [
        (number, code), (number, plain), (f" {number} ", "-".join(code.split())), (number, f"\u2068{plain}\u2069"),
        (number.translate(ARABIC), code.translate(ARABIC)), (number.translate(PERSIAN), plain.translate(PERSIAN)),
        (number, code.translate(BENGALI)), (f"№ {number}", "  ".join(plain)),
    ]  # fmt: skip
    for way in ways:
        assert is_open(await phone.come_back(*way)), way


@pytest.mark.parametrize(
    ("number", "code"),
    [("1", WRONG), ("", WRONG), ("9" * 60, WRONG), ("abc", "def"), ("-5", WRONG), ("²³", "½"), ("0", ""), ("٣", "\0")],
)
async def test_whatever_is_typed_is_answered_with_the_same_page(phone: Phone, number: str, code: str) -> None:
    shown = await phone.come_back(number, code)

    assert shown.status == 422
    assert 'name="number"' in shown.html


async def test_a_wrong_code_and_an_unknown_number_are_answered_alike(phone: Phone) -> None:
    number, code = (await phone.file()).receipt
    unknown = "123456" if number != "123456" else "654321"

    wrong, nobody = await phone.come_back(number, WRONG), await phone.come_back(unknown, code)

    assert wrong.html.replace(number, "N") == nobody.html.replace(unknown, "N")
    assert WRONG not in wrong.text


async def test_wrong_codes_lock_their_number_only_and_not_for_ever(secretariat: Secretariat, phone: Phone) -> None:
    hers, another = (await phone.file()).receipt, (await phone.file()).receipt
    for _ in range(FREE_GUESSES):
        assert not is_open(await phone.come_back(hers[0], WRONG))

    assert not is_open(await phone.come_back(*hers))
    assert is_open(await phone.come_back(*another))

    secretariat.clock.advance(timedelta(minutes=1, seconds=1))
    assert is_open(await phone.come_back(*hers))


async def test_the_right_code_forgets_the_wrong_ones(phone: Phone) -> None:
    hers = (await phone.file()).receipt
    for _ in range(3):
        for _ in range(FREE_GUESSES - 1):
            await phone.come_back(hers[0], WRONG)
        assert is_open(await phone.come_back(*hers))


async def test_a_code_opens_its_own_number_only(phone: Phone) -> None:
    hers, another = (await phone.file()).receipt, (await phone.file()).receipt

    assert not is_open(await phone.come_back(another[0], hers[1]))


async def test_looking_again_changes_nothing(phone: Phone) -> None:
    hers = (await phone.file()).receipt
    first, second = await phone.come_back(*hers), await phone.come_back(*hers)

    assert first.html == second.html


@pytest.mark.parametrize(
    ("wrong", "minutes"), [(0, None), (2, None), (3, 1), (4, 2), (5, 4), (11, 256), (12, 360), (30_000, 360)]
)
def test_each_further_wrong_code_doubles_the_wait_up_to_six_hours(wrong: int, minutes: int | None) -> None:
    now = datetime(2031, 3, 14, tzinfo=UTC)

    assert wait_after(wrong, now) == (now + timedelta(minutes=minutes) if minutes else None)


@given(st.text())
def test_a_form_has_one_code_of_twenty_digits(secret: str) -> None:
    code = code_of(secret)

    assert code == code_of(secret)
    assert len(code) == CODE_DIGITS
    assert code.isdecimal()
    assert "".join(Receipt(1, code).groups) == code


def test_no_two_forms_are_alike() -> None:
    secrets = {new_form_secret() for _ in range(1000)}

    assert len({code_of(secret) for secret in secrets}) == 1000
