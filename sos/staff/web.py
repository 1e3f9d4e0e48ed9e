"""The secretariat's door: signing in and out, the colleagues, and passing keys on."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, StringConstraints

from sos.http import (
    NOTHING_TYPED,
    PERSON,
    BadForm,
    Problem,
    cookie_name,
    id_in,
    page,
    read_form,
    runtime_of,
    see,
    words_of,
)
from sos.staff import steps
from sos.staff.staff import SESSION_LENGTH, Person, SignInLocked, WrongSignIn
from sos.texts import plain_digits

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignInForm(BaseModel):
    """What she types to come in."""

    login: Short
    passphrase: Short
    code: Short


def person_of(request: web.Request) -> Person:
    """Whoever is signed in; only for addresses that ask for it."""
    person: Person = request[PERSON]
    return person


async def ask_sign_in(request: web.Request) -> web.Response:
    """Three fields."""
    return page(request, "desk/sign_in.html", form=NOTHING_TYPED)


async def sign_in(request: web.Request) -> web.Response:
    """Open a session, or say that one of the three is wrong, and not which."""
    try:
        form = await read_form(request, SignInForm)
    except BadForm as bad:
        return page(request, "desk/sign_in.html", status=422, form=bad)
    runtime = runtime_of(request)
    code = plain_digits(form.code).replace(" ", "")
    try:
        cookie = await steps.sign_in(runtime.record, runtime.keys, form.login, form.passphrase, code, runtime.clock())
    except WrongSignIn:
        return _refuse(request, form, Problem("sign_in.wrong"))
    except SignInLocked as locked:
        return _refuse(request, form, Problem("sign_in.locked", {"when": words_of(request).when(locked.until)}))
    answer = see("/desk")
    # Lax, so that the link in a notice at four in the morning finds her signed in; forms carry a proof of their own.
    answer.set_cookie(
        cookie_name(runtime.settings), cookie, max_age=int(SESSION_LENGTH.total_seconds()), path="/",
        httponly=True, secure=runtime.settings.is_secure, samesite="Lax",
    )  # fmt: skip
    raise answer


def _refuse(request: web.Request, form: SignInForm, problem: Problem) -> web.Response:
    return page(request, "desk/sign_in.html", status=403, form=BadForm({"login": form.login}, {"code": problem}))


async def sign_out(request: web.Request) -> web.Response:
    """End the session here and in the database."""
    runtime = runtime_of(request)
    await steps.sign_out(runtime.record, person_of(request), runtime.clock())
    answer = see("/desk/sign-in")
    answer.del_cookie(cookie_name(runtime.settings), path="/", secure=runtime.settings.is_secure)
    raise answer


async def show_staff(request: web.Request) -> web.Response:
    """The colleagues, and who still waits for keys that this person could give."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        colleagues = await steps.list_colleagues(conn, runtime.keys)
        waiting = await steps.keys_to_give(conn, person_of(request))
    return page(request, "desk/staff.html", colleagues=colleagues, waiting=waiting)


async def grant_keys(request: web.Request) -> web.Response:
    """Give a colleague the keys that her role needs and this person holds."""
    runtime = runtime_of(request)
    await steps.grant_keys(runtime.record, person_of(request), id_in(request), runtime.clock())
    raise see("/desk/staff")
