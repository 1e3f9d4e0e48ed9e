"""The secretariat's door: three things are asked, and which of them was wrong is not said."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pyotp.totp import TOTP
from yarl import URL

from sos.app import create_app
from sos.database import value
from sos.reach import open_channels
from sos.runtime import open_runtime
from sos.staff.staff import FREE_TRIES, SESSION_LENGTH, Role, WrongSignIn, lock_after
from sos.staff.steps import find_person, sign_in
from tests.secretariat import PASSPHRASE, Answer, Browser, Seat, Secretariat

ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.fixture
async def amara(secretariat: Secretariat) -> UUID:
    """A triager who has not signed in."""
    return await secretariat.join("Amara", Role.TRIAGE)


@pytest.fixture
async def door(secretariat: Secretariat) -> Seat:
    """A browser in which nobody is signed in."""
    client: Browser = await secretariat.stack.enter_async_context(TestClient(secretariat.server))
    return Seat(UUID(int=0), client)


def code_of(secretariat: Secretariat, staff_id: UUID, *, later: timedelta = timedelta(0)) -> str:
    return TOTP(secretariat.secrets[staff_id][1]).at(secretariat.clock.now + later)


async def knock(door: Seat, login: str = "amara", passphrase: str = PASSPHRASE, code: str = "000000") -> Answer:
    return await door.send("/desk/sign-in", csrf="", login=login, passphrase=passphrase, code=code)


def cookie_of(secretariat: Secretariat, seat: Seat) -> str:
    jar = seat.client.session.cookie_jar.filter_cookies(URL(str(secretariat.server.make_url("/"))))
    return jar["sos"].value if "sos" in jar else ""


async def test_whichever_of_the_three_is_wrong_the_answer_is_the_same(
    secretariat: Secretariat, amara: UUID, door: Seat
) -> None:
    right = code_of(secretariat, amara)
    wrong_login = await knock(door, login="nobody", code=right)
    wrong_passphrase = await knock(door, passphrase="not these words at all", code=right)
    wrong_code = await knock(door, code="000000" if right != "000000" else "111111")

    assert wrong_login.status == wrong_passphrase.status == wrong_code.status == 403
    assert wrong_login.text.replace("nobody", "amara") == wrong_passphrase.text == wrong_code.text
    assert PASSPHRASE not in wrong_code.text
    assert not cookie_of(secretariat, door)


@pytest.mark.parametrize("code", ["é", "１２３", "²³", "", "12345678901234567890", "🙂" * 6, "a\0b"])
async def test_whatever_is_typed_as_a_code_is_answered_alike(door: Seat, amara: UUID, code: str) -> None:
    assert (await knock(door, code=code)).status in (403, 422)


async def test_a_code_in_digits_of_another_script_and_with_a_space_is_right(
    secretariat: Secretariat, amara: UUID, door: Seat
) -> None:
    right = code_of(secretariat, amara).translate(ARABIC_DIGITS)

    answer = await knock(door, login=" AMARA ", code=f"{right[:3]} {right[3:]}")

    assert (answer.status, answer.path) == (200, "/desk")


@pytest.mark.parametrize(("later", "is_let_in"), [(-60, False), (-30, True), (30, True), (60, False)])
async def test_a_code_is_right_for_its_own_half_minute_and_its_neighbours(
    secretariat: Secretariat, amara: UUID, door: Seat, later: int, is_let_in: bool
) -> None:
    answer = await knock(door, code=code_of(secretariat, amara, later=timedelta(seconds=later)))

    assert (answer.path == "/desk") is is_let_in


async def test_a_code_lets_in_once(secretariat: Secretariat, amara: UUID, door: Seat) -> None:
    await secretariat.sign_in(amara)

    assert (await knock(door, code=code_of(secretariat, amara))).status == 403
    assert (await knock(door, code=code_of(secretariat, amara, later=timedelta(seconds=-30)))).status == 403

    secretariat.clock.advance(timedelta(seconds=30))
    assert (await knock(door, code=code_of(secretariat, amara))).path == "/desk"


async def test_five_wrong_tries_close_the_door_for_a_while_even_for_the_right_ones(
    secretariat: Secretariat, amara: UUID, door: Seat
) -> None:
    for _ in range(FREE_TRIES):
        await knock(door, passphrase="not these words at all")

    locked = await knock(door, code=code_of(secretariat, amara))
    assert locked.status == 403
    assert "Too many" in locked.text

    secretariat.clock.advance(timedelta(seconds=31))
    assert (await knock(door, code=code_of(secretariat, amara))).path == "/desk"


async def test_the_lock_of_one_does_not_lock_another(secretariat: Secretariat, amara: UUID, door: Seat) -> None:
    noor = await secretariat.join("Noor", Role.EDITOR)
    for _ in range(FREE_TRIES):
        await knock(door, passphrase="not these words at all")

    assert await secretariat.sign_in(noor)


@pytest.mark.parametrize(
    ("tries", "rests"),
    [(0, None), (4, None), (5, 30), (6, 60), (7, 120), (11, 1920), (12, 3600), (40, 3600), (32_000, 3600)],
)
def test_each_further_wrong_try_doubles_the_wait_up_to_an_hour(tries: int, rests: int | None) -> None:
    now = datetime(2031, 3, 14, tzinfo=UTC)

    assert lock_after(tries, now) == (now + timedelta(seconds=rests) if rests else None)


async def test_a_session_ends_by_itself(secretariat: Secretariat, amara: UUID) -> None:
    seat = await secretariat.sign_in(amara)

    secretariat.clock.advance(SESSION_LENGTH - timedelta(seconds=1))
    assert (await seat.read("/desk")).path == "/desk"
    secretariat.clock.advance(timedelta(seconds=1))
    assert (await seat.read("/desk")).path == "/desk/sign-in"


async def test_signing_out_ends_the_session_in_the_database_too(secretariat: Secretariat, amara: UUID) -> None:
    seat = await secretariat.sign_in(amara)
    cookie = cookie_of(secretariat, seat)
    await seat.read("/desk")

    answer = await seat.send("/desk/sign-out")

    assert answer.path == "/desk/sign-in"
    assert not cookie_of(secretariat, seat)
    assert (
        await find_person(secretariat.runtime.record, secretariat.runtime.keys, cookie, secretariat.clock.now) is None
    )


async def test_signing_out_of_one_browser_leaves_the_other_signed_in(secretariat: Secretariat, amara: UUID) -> None:
    first = await secretariat.sign_in(amara)
    secretariat.clock.advance(timedelta(seconds=30))
    second = await secretariat.sign_in(amara)
    await first.read("/desk")
    await first.send("/desk/sign-out")

    assert (await second.read("/desk")).path == "/desk"


@pytest.mark.parametrize("cookie", ["x", "x.y", ".", "é.é", "\udcff.a", "a" * 4000, "x.AAAA", '"', "0" * 32 + ".AAAA"])
async def test_a_made_up_cookie_signs_nobody_in(secretariat: Secretariat, cookie: str) -> None:
    runtime = secretariat.runtime

    assert await find_person(runtime.record, runtime.keys, cookie, secretariat.clock.now) is None


async def test_half_of_a_cookie_opens_nothing(secretariat: Secretariat, amara: UUID) -> None:
    runtime, now = secretariat.runtime, secretariat.clock.now
    name, _, secret = cookie_of(secretariat, await secretariat.sign_in(amara)).partition(".")
    other = await secretariat.seat("Noor", Role.EDITOR)
    _, _, other_secret = cookie_of(secretariat, other).partition(".")

    for made in (name, f"{name}.", f"{name}.{other_secret}", f".{secret}"):
        assert await find_person(runtime.record, runtime.keys, made, now) is None


async def test_neither_half_of_a_cookie_lies_in_the_database(secretariat: Secretariat, amara: UUID) -> None:
    name, _, secret = cookie_of(secretariat, await secretariat.sign_in(amara)).partition(".")
    async with secretariat.runtime.record.reading() as conn:
        stored = await value(conn, "SELECT string_agg(sessions::text, ' ') FROM sessions")

    assert name not in stored
    assert secret not in stored


async def test_a_session_lives_on_in_another_web_process(secretariat: Secretariat, amara: UUID) -> None:
    seat = await secretariat.sign_in(amara)
    cookie = cookie_of(secretariat, seat)
    async with (
        open_runtime(secretariat.runtime.settings, clock=secretariat.clock) as another,
        open_channels(another) as channels,
        TestClient[Any, Any](TestServer(create_app(another, channels)), cookies={"sos": cookie}) as client,
        client.get("/desk", allow_redirects=False) as response,
    ):
        assert response.status == 200


async def test_the_cookie_is_kept_from_scripts_and_from_other_sites(secretariat: Secretariat, amara: UUID) -> None:
    client: Browser
    async with TestClient(secretariat.server) as client:
        form = {"login": "amara", "passphrase": PASSPHRASE, "code": code_of(secretariat, amara)}
        async with client.post("/desk/sign-in", data=form, allow_redirects=False) as response:
            set_cookie = response.headers["Set-Cookie"].casefold()

    assert "httponly" in set_cookie
    assert "samesite=lax" in set_cookie  # a link in a notice finds her signed in; a form from elsewhere does not
    assert "path=/" in set_cookie


async def test_parallel_use_of_one_code_opens_one_session(secretariat: Secretariat, amara: UUID) -> None:
    runtime, login, code = secretariat.runtime, "amara", code_of(secretariat, amara)

    tries = (sign_in(runtime.record, runtime.keys, login, PASSPHRASE, code, secretariat.clock.now) for _ in range(4))
    opened = await asyncio.gather(*tries, return_exceptions=True)

    assert Counter(type(one) for one in opened) == {str: 1, WrongSignIn: 3}
