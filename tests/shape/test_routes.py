"""Every address asks for a permission, and answers each role as that permission says."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from channels.base import SmtpServer
from sos.app import create_app
from sos.middleware import OUTSIDE, Handler
from sos.routes import ROUTES, Route
from sos.runtime import Runtime
from sos.staff.staff import KEY_READERS, ROLES, Permission, Role
from tests.make import make_runtime
from tests.secretariat import Browser, Seat, Secretariat

NOBODY = UUID("dddddddd-dddd-4ddd-8ddd-dddddddddddd")
FILLED = {
    "lang": "en",
    "language": "en",
    "id": str(NOBODY),
    "number": "1",
    "token": "A" * 24,
    "proof": "A" * 24,
    "start": "a" * 16,
}
FORBIDDEN = "This is not for your role"
RELAY = SmtpServer("127.0.0.1", 25, "none", "sos@secretariat.example")


def path_of(route: Route) -> str:
    """The address, with an id that nothing has and a token that nobody signed."""
    return re.sub(r"{(\w+)}", lambda slot: FILLED[slot[1]], route.path)


def sign_out_last() -> Iterator[Route]:
    yield from (route for route in ROUTES if not route.path.endswith("sign-out"))
    yield from (route for route in ROUTES if route.path.endswith("sign-out"))


def is_fault(answer: str) -> bool:
    return answer.isdigit() and int(answer) >= 500


async def ask(client: Browser, route: Route, csrf: str | None = None) -> str:
    """What an address answers in a word: `sign in`, `forbidden`, or its status where it let somebody through."""
    data = {"csrf": csrf} if csrf is not None else {}
    async with client.request(route.method, path_of(route), data=data or None, allow_redirects=False) as response:
        if response.status == 303 and response.headers["Location"] == "/desk/sign-in":
            return "sign in"
        if response.status == 403 and FORBIDDEN in await response.text():
            return "forbidden"
        return str(response.status)


def test_every_route_names_a_permission_that_exists() -> None:
    assert all(route.permission in OUTSIDE or route.permission in ROLES for route in ROUTES)


def test_no_address_stands_twice() -> None:
    addresses = [(route.method, route.path) for route in ROUTES]

    assert len(addresses) == len(set(addresses))


def test_every_address_below_the_desk_asks_who_one_is_except_its_door() -> None:
    open_ones = {route.path for route in ROUTES if route.path.startswith("/desk") and route.permission in OUTSIDE}

    assert open_ones == {"/desk/sign-in"}


def test_only_listed_addresses_and_the_stylesheets_can_be_reached(secretariat: Secretariat) -> None:
    app = create_app(secretariat.runtime, {})
    known = {route.path for route in ROUTES}

    assert {resource.canonical for resource in app.router.resources()} - known == {"/static"}


def test_whoever_administers_neither_reads_nor_decides() -> None:
    carried = {permission for permission, roles in ROLES.items() if Role.ADMINISTRATOR in roles}

    assert carried <= {Permission.SIGNED_IN, Permission.STOP, Permission.MANAGE_STAFF}
    assert not any(Role.ADMINISTRATOR in readers for readers in KEY_READERS.values())


def test_everybody_may_stop_and_only_an_approver_lets_go() -> None:
    assert ROLES[Permission.STOP] == frozenset(Role)
    assert ROLES[Permission.APPROVE] == ROLES[Permission.RELEASE] == {Role.APPROVER}
    assert not ROLES[Permission.DRAFT] & ROLES[Permission.APPROVE]


async def test_each_role_opens_exactly_what_its_permissions_say(secretariat: Secretariat) -> None:
    wrong: list[str] = []
    for role in Role:
        seat = await secretariat.seat(f"one of {role}", role)
        await seat.read("/desk/staff")
        for route in sign_out_last():
            answer = await ask(seat.client, route, seat.csrf)
            let_through = route.permission in OUTSIDE or role in ROLES[route.permission]
            is_sent_away = answer == "sign in" and "sign-out" not in route.path
            if (answer == "forbidden") is let_through or is_sent_away or is_fault(answer):
                wrong.append(f"{role}: {route.method} {route.path}: {answer}")

    assert not wrong, "\n".join(wrong)


async def test_nobody_signed_in_opens_nothing_that_asks_who_one_is(secretariat: Secretariat, nobody: Browser) -> None:
    wrong: list[str] = []
    for route in ROUTES:
        answer = await ask(nobody, route)
        if (answer == "sign in") is (route.permission in OUTSIDE) or is_fault(answer):
            wrong.append(f"{route.method} {route.path}: {answer}")

    assert not wrong, "\n".join(wrong)


async def test_a_form_that_is_not_of_this_session_changes_nothing(secretariat: Secretariat) -> None:
    everything = await secretariat.seat("Amara", *Role)
    someone_else = await secretariat.seat("Noor", *Role)
    await someone_else.read("/desk/staff")

    asked = [route for route in ROUTES if route.method == "POST" and route.permission not in OUTSIDE]
    for proof in (None, "", "forged", someone_else.csrf):
        answers = {route.path: await ask(everything.client, route, proof) for route in asked}
        assert set(answers.values()) == {"forbidden"}, answers


async def test_every_get_can_be_asked_for_its_head(secretariat: Secretariat) -> None:
    seat = await secretariat.seat("Amara", *Role)
    for route in (route for route in ROUTES if route.method == "GET"):
        async with seat.client.head(path_of(route), allow_redirects=False) as response:
            assert response.status != 405, route.path
            assert await response.read() == b""


@pytest.fixture
async def nobody(secretariat: Secretariat) -> AsyncIterator[Browser]:
    """A browser in which nobody is signed in."""
    client: Browser
    async with TestClient(secretariat.server) as client:
        yield client


async def practice_answers(runtime: Runtime, *, app: web.Application | None = None) -> set[int]:
    """What the practice pages answer."""
    found: set[int] = set()
    async with TestClient[Any, Any](TestServer(app or create_app(runtime, {}))) as client:
        for route in (route for route in ROUTES if route.permission is Permission.PRACTICE):
            async with client.request(route.method, path_of(route)) as response:
                found.add(response.status)
    return found


async def test_practice_pages_are_there_in_a_practice_network(secretariat: Secretariat, nobody: Browser) -> None:
    async with nobody.get("/demo") as response:
        assert response.status == 200
        assert "practice makes it safe" in await response.text()


async def test_practice_pages_are_not_there_in_a_real_network(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with make_runtime(database_url, redis_url, tmp_path, smtp=RELAY) as runtime:
        assert await practice_answers(runtime) == {404}


async def test_practice_pages_are_not_there_beside_a_provider(secretariat: Secretariat) -> None:
    with_provider = replace(secretariat.runtime.settings, smtp=RELAY)

    assert await practice_answers(replace(secretariat.runtime, settings=with_provider)) == {404}


async def test_practice_pages_are_not_there_where_others_could_connect(secretariat: Secretariat) -> None:
    for_others = replace(secretariat.runtime.settings, host="0.0.0.0")

    assert await practice_answers(replace(secretariat.runtime, settings=for_others)) == {404}


async def test_practice_pages_are_not_there_for_somebody_on_another_machine(secretariat: Secretariat) -> None:
    @web.middleware
    async def from_afar(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request.clone(remote="203.0.113.9"))

    app = create_app(secretariat.runtime, {})
    app.middlewares.insert(0, from_afar)

    assert await practice_answers(secretariat.runtime, app=app) == {404}


async def test_a_seat_without_the_role_sees_no_word_of_a_report(secretariat: Secretariat) -> None:
    report = await secretariat.file_report()
    editor: Seat = await secretariat.seat("Noor", Role.EDITOR)

    answer = await editor.read(f"/desk/report/{report}")

    assert answer.status == 403
    assert "Marisol" not in answer.text
