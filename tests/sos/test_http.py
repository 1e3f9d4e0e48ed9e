"""What surrounds every request: headers, forms, errors as pages, and the reader's language."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from sos.app import create_app
from sos.database import NoSuchRow
from sos.http import PROBLEMS, BadForm, read_form
from sos.middleware import HEADERS, guard
from sos.runtime import Runtime
from sos.staff.staff import Permission
from sos.texts import LANGUAGES, Catalogue
from tests.secretariat import Secretariat, open_secretariat

Client = TestClient[Any, Any]
CATALOGUE = Catalogue()


class Form(BaseModel):
    """A form of these tests."""

    name: str = ""
    some: list[str] = []


class Fault(Exception):
    """Something of ours that went wrong, quoting Marisol."""


RAISED: dict[str, tuple[Exception, int, str]] = {
    "missing": (web.HTTPNotFound(), 404, "missing"),
    "no-row": (NoSuchRow(), 404, "missing"),
    "forbidden": (web.HTTPForbidden(), 403, "forbidden"),
    "bad-form": (BadForm({}, {}), 400, "form"),
    "bad-request": (web.HTTPBadRequest(), 400, "form"),
    "fault": (Fault("Marisol"), 500, "ours"),
}


ACCEPTED = {
    "": "en", "de,fr;q=0.5": "fr", "ar-EG": "ar", "pt-BR,pt;q=0.9": "pt", "xx": "en", ",;,": "en", "es" * 3000: "es",
    "*": "en", "EN": "en",
}  # fmt: skip


def raising(error: Exception) -> Any:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def echo(request: web.Request) -> web.Response:
    form = await read_form(request, Form, many=("some",))
    return web.json_response(form.model_dump())


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    if request.method == "GET":
        await response.write(b"begun")
    return response


def app_with_faults(runtime: Runtime) -> web.Application:
    """The application, and beside it addresses that fail in each way."""
    app = create_app(runtime, {})
    for name, (error, _, _) in RAISED.items():
        app.router.add_get(f"/test/{name}", guard(Permission.ANYONE, raising(error)))
    app.router.add_post("/test/echo", guard(Permission.ANYONE, echo))
    app.router.add_get("/test/stream", guard(Permission.ANYONE, stream))
    return app


@pytest.fixture
async def secretariat(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Secretariat]:
    """A founded network."""
    async with open_secretariat(database_url, redis_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(secretariat: Secretariat) -> AsyncIterator[Client]:
    """A browser before the application with its faults."""
    async with TestClient[Any, Any](TestServer(app_with_faults(secretariat.runtime))) as opened:
        yield opened


EVERYWHERE = [
    "/", "/en", "/en/report", "/healthz", "/nowhere", "/xx/report", "/s/" + "A" * 24, "/desk", "/desk/sign-in", "/demo",
    "/static/sos.css", "/static/nothing.css", "/test/stream", *(f"/test/{name}" for name in RAISED),
]  # fmt: skip


async def test_every_answer_carries_the_security_headers_errors_and_streams_too(client: Client) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
        for path in EVERYWHERE:
            async with client.request(method, path, allow_redirects=False) as response:
                missing = {name for name, held in HEADERS.items() if response.headers.get(name) != held}
                assert not missing, f"{method} {path}: {missing}"


async def test_tls_is_asked_for_from_then_on_where_people_reach_us_by_tls(secretariat: Secretariat) -> None:
    runtime = secretariat.runtime
    secure = replace(runtime, settings=replace(runtime.settings, public_url="https://sos.example"))
    async with TestClient[Any, Any](TestServer(app_with_faults(secure))) as client:
        for path in EVERYWHERE:
            async with client.get(path, allow_redirects=False) as response:
                assert response.headers["Strict-Transport-Security"].startswith("max-age="), path


async def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline() -> None:
    policy = HEADERS["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert HEADERS["Cache-Control"] == "no-store"


async def test_an_error_is_a_page_in_the_readers_language(client: Client) -> None:
    for name, (_, status, what) in RAISED.items():
        for language in LANGUAGES:
            async with client.get(f"/test/{name}", headers={"Accept-Language": f"{language}-XX,en;q=0.1"}) as response:
                text = await response.text()
            assert response.status == status
            assert str(CATALOGUE.say(language, f"error.{what}.title")) in text
            assert str(CATALOGUE.say(language, f"error.{what}.text")) in text


async def test_a_fault_of_ours_shows_nothing_of_itself(client: Client) -> None:
    async with client.get("/test/fault") as response:
        text = await response.text()

    assert not [one for one in ("Marisol", "Fault", "Traceback", ".py") if one in text]


async def test_a_method_that_an_address_does_not_know_is_a_page(client: Client) -> None:
    async with client.delete("/en/report") as response:
        assert response.status == 405
        assert "<h1>" in await response.text()


async def test_head_answers_like_get_without_a_body(client: Client) -> None:
    for path in ("/", "/en/report", "/nowhere", "/s/" + "A" * 24):
        async with client.get(path) as shown, client.head(path) as head:
            assert head.status == shown.status
            assert await head.read() == b""


async def test_the_first_page_speaks_the_browsers_language_if_we_do(client: Client) -> None:
    for accepted, language in ACCEPTED.items():
        async with client.get("/", headers={"Accept-Language": accepted}) as response:
            assert f'<html lang="{language}"' in await response.text(), accepted[:20]


async def test_a_form_keeps_several_values_and_loses_space_and_nul(client: Client) -> None:
    fields = [("name", "  Inês\0 "), ("some", "a"), ("some", " b\0 "), ("other", "x")]
    async with client.post("/test/echo", data=fields) as response:
        assert await response.json() == {"name": "Inês", "some": ["a", "b"]}


async def test_a_form_that_is_too_large_is_refused_with_a_page(client: Client) -> None:
    async with client.post("/test/echo", data={"name": "x" * 300_000}) as response:
        assert response.status == 413
        assert str(CATALOGUE.say("en", "error.too_large.title")) in await response.text()


async def test_a_lost_database_is_said_and_nothing_else_is_lost(secretariat: Secretariat, client: Client) -> None:
    await secretariat.runtime.record.pool.close()
    async with client.get("/healthz") as response:
        assert response.status == 503
        assert str(CATALOGUE.say("en", "error.database.title")) in await response.text()
    async with client.get("/en/report") as response:
        assert response.status == 200


async def test_every_problem_that_a_field_can_have_has_its_sentence() -> None:
    for language in LANGUAGES:
        assert set(PROBLEMS.values()) | {"problem.wrong"} <= set(CATALOGUE.forms(language))
