"""What surrounds every request: its words, its person, its permission, its headers, and errors as pages."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from sos.http import choose_words, cookie_name, page, runtime_of
from sos.settings import is_loopback
from sos.staff.staff import Permission, Person
from sos.staff.steps import find_person
from sos.texts import LANGUAGES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
OUTSIDE = frozenset({Permission.ANYONE, Permission.LINK, Permission.PROVIDER, Permission.PRACTICE})
CSRF = "csrf"

log = structlog.get_logger()


@web.middleware
async def add_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers on every answer, errors too."""
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        answer.headers.update(HEADERS)
        raise
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if runtime_of(request).settings.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return response


@web.middleware
async def know_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Choose the words first: an error is told in the reader's language too."""
    request["words"] = choose_words(runtime_of(request), request, request.match_info.get("lang"))
    return await handler(request)


@web.middleware
async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An error says what happened, whether anything was lost, and what to do."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return page(request, "error.html", status=404, what="missing")
    except web.HTTPForbidden:
        return page(request, "error.html", status=403, what="forbidden")
    except web.HTTPMethodNotAllowed:
        return page(request, "error.html", status=405, what="missing")
    except web.HTTPRequestEntityTooLarge:
        return page(request, "error.html", status=413, what="too_large")
    except (OperationalError, PoolTimeout):
        log.exception("database.lost", route=_route(request))
        return page(request, "error.html", status=503, what="database")
    except (web.HTTPException, ConnectionResetError):  # answered already, or the reader has gone away
        raise
    except Exception:
        log.exception("request.failed", route=_route(request), method=request.method)
        return page(request, "error.html", status=500, what="ours")


@web.middleware
async def know_person(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever is signed in, with her language and time zone."""
    runtime = runtime_of(request)
    cookie = request.cookies.get(cookie_name(runtime.settings))
    person = await find_person(runtime.record, runtime.keys, cookie, runtime.clock()) if cookie else None
    if person:
        request["person"] = person
        request["csrf"] = runtime.keys.proof(CSRF, person.session)
        language = request.match_info.get("lang", person.language)
        request["words"] = choose_words(runtime, request, language, person.time_zone)
    return await handler(request)


def _route(request: web.Request) -> str:
    """The pattern of the route, never the path: a path may hold a link's token."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def guard(permission: Permission, handler: Handler) -> Handler:
    """The handler, behind its permission."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.match_info.get("lang", "en") not in LANGUAGES:
            raise web.HTTPNotFound
        if permission is Permission.PRACTICE:
            _require_practice(request)
        if permission not in OUTSIDE:
            person: Person | None = request.get("person")
            if person is None:
                raise web.HTTPSeeOther("/desk/sign-in")
            if not person.may(permission):
                raise web.HTTPForbidden
            if request.method == "POST":
                await _require_own_form(request, person)
        return await handler(request)

    return guarded


def _require_practice(request: web.Request) -> None:
    """Practice pages exist on this machine only, and only while no provider is configured."""
    runtime = runtime_of(request)
    here = is_loopback(request.remote or "") and is_loopback(runtime.settings.host)
    if not (runtime.network.is_practice and here and not runtime.settings.providers):
        raise web.HTTPNotFound


async def _require_own_form(request: web.Request, person: Person) -> None:
    """The form came from a page of ours that was made for this session."""
    sent = (await request.post()).get(CSRF, "")
    if not runtime_of(request).keys.proves(CSRF, person.session, str(sent)):
        raise web.HTTPForbidden


MIDDLEWARES = (add_headers, know_language, show_errors, know_person)
