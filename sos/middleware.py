"""What surrounds every request: its words, its permission and whose it is, its headers, and errors as pages."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from sos.database import NoSuchRow
from sos.http import CSRF, PERSON, WORDS, BadForm, choose_words, cookie_name, page, posted, runtime_of
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
OWN_FORM = "csrf"  # what the proof in a form is for

log = structlog.get_logger()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers on every answer as it begins: pages, redirects, errors and streams."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if runtime_of(request).settings.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"


@web.middleware
async def know_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Choose the words first: an error is told in the reader's language too."""
    request[WORDS] = choose_words(runtime_of(request), request, request.match_info.get("lang"))
    return await handler(request)


@web.middleware
async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An error says what happened, whether anything was lost, and what to do."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, NoSuchRow):
        return page(request, "error.html", status=404, what="missing")
    except (web.HTTPBadRequest, BadForm):
        return page(request, "error.html", status=400, what="form")
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


async def _know_person(request: web.Request) -> Person:
    """Whoever is signed in, with her language and time zone. Raises HTTPSeeOther where nobody is."""
    runtime = runtime_of(request)
    cookie = request.cookies.get(cookie_name(runtime.settings))
    person = await find_person(runtime.record, runtime.keys, cookie, runtime.clock()) if cookie else None
    if person is None:
        raise web.HTTPSeeOther("/desk/sign-in")
    request[PERSON] = person
    request[CSRF] = runtime.keys.proof(OWN_FORM, person.session)
    request[WORDS] = choose_words(runtime, request, person.language, person.time_zone)
    return person


def _route(request: web.Request) -> str:
    """The pattern of the route, never the path: a path may hold a link's token."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def guard(permission: Permission, handler: Handler) -> Handler:
    """The handler, behind its permission. A session is looked for only where an address asks who one is."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.match_info.get("lang", "en") not in LANGUAGES:
            raise web.HTTPNotFound
        if permission is Permission.PRACTICE:
            _require_practice(request)
        if permission not in OUTSIDE:
            person = await _know_person(request)
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
    sent = (await posted(request)).get("csrf", "")
    if not runtime_of(request).keys.proves(OWN_FORM, person.session, str(sent)):
        raise web.HTTPForbidden


MIDDLEWARES = (know_language, show_errors)
