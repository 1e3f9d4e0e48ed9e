"""Every address, with its permission on the same line."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sos.intake import web as intake
from sos.staff import web as staff
from sos.staff.staff import Permission as P


@dataclass(frozen=True, slots=True)
class Route:
    """One address: what it asks of whoever opens it, and what answers."""

    method: str
    path: str
    permission: P
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]


def get(path: str, permission: P, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Route:
    return Route("GET", path, permission, handler)


def post(path: str, permission: P, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Route:
    return Route("POST", path, permission, handler)


ROUTES = (
    get("/", P.ANYONE, intake.choose_language),
    get("/{lang}", P.ANYONE, intake.show_start),
    get("/{lang}/report", P.ANYONE, intake.show_form),
    post("/{lang}/report", P.ANYONE, intake.file),
    get("/{lang}/receipt", P.ANYONE, intake.ask_receipt),
    post("/{lang}/receipt", P.ANYONE, intake.show_receipt),
    get("/desk/sign-in", P.ANYONE, staff.ask_sign_in),
    post("/desk/sign-in", P.ANYONE, staff.sign_in),
    post("/desk/sign-out", P.SIGNED_IN, staff.sign_out),
    get("/desk/staff", P.SIGNED_IN, staff.show_staff),
    post("/desk/staff/{id}/keys", P.GRANT, staff.grant_keys),
)
