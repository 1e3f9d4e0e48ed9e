"""The page behind a contact's own link: look, read, sign once, take it back."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, StringConstraints

from sos.actions import store as actions
from sos.actions.steps import open_targets
from sos.endorsements import store
from sos.endorsements.endorsement import Answer, Became, Door, Ended, Invitation, NotHers
from sos.endorsements.steps import acknowledge, answer, names_of, withdraw
from sos.http import WORDS, BadForm, choose_words, cookie_name, id_in, page, read_form, runtime_of
from sos.jobs import Record
from sos.messages import SIGN

NONCE = "nonce"
READ = "read"


class AnswerForm(BaseModel):
    """An answer, and the nonce that only a page which was really shown holds."""

    answer: Answer
    nonce: Annotated[str, StringConstraints(min_length=1, max_length=100)]


async def _invitation(request: web.Request) -> Invitation:
    """Whoever holds this link; the page speaks her message's language and her time zone. Raises HTTPNotFound."""
    runtime = runtime_of(request)
    delivery = runtime.keys.read_link(SIGN, request.match_info["token"])
    if delivery is None:
        raise web.HTTPNotFound
    async with runtime.record.reading() as conn:
        invitation = await store.find_invitation(conn, delivery)
    if invitation is None:
        raise web.HTTPNotFound
    request[WORDS] = choose_words(runtime, request, invitation.language, invitation.time_zone)
    return invitation


async def show(request: web.Request) -> web.Response:
    """Show, and change nothing."""
    return await _show(request, await _invitation(request))


async def _show(request: web.Request, invitation: Invitation, *, status: int = 200, notice: str = "") -> web.Response:
    runtime = runtime_of(request)
    now = runtime.clock()
    async with runtime.record.reading() as conn:
        texts = await actions.published_texts(conn, invitation.action_id)
        targets = await open_targets(conn, runtime.keys, invitation.action_id)
        given = await store.standing_answer(conn, invitation.action_id, invitation.contact_id)
        by_organisation = await store.organisation_signature(conn, invitation.action_id, invitation.member_id)
    person, organisation = names_of(runtime.keys, invitation)
    # One nonce for all the pages that this browser shows, so that two letters can stand open side by side.
    nonce = request.cookies.get(_nonce_cookie(request)) or secrets.token_urlsafe(16)
    response = page(
        request, "endorsements/letter.html", status=status, invitation=invitation, text=texts[invitation.language],
        targets=targets, given=given, by_organisation=by_organisation, person_name=person, organisation=organisation,
        is_open=invitation.is_open(now), is_running=invitation.is_running(now), notice=notice,
        nonce=_proof(request, nonce), token=request.match_info["token"], read_path=read_path(request, invitation),
    )  # fmt: skip
    response.set_cookie(
        _nonce_cookie(request), nonce, max_age=86_400, path="/", httponly=True,
        secure=runtime.settings.is_secure, samesite="Strict",
    )  # fmt: skip
    return response


def _nonce_cookie(request: web.Request) -> str:
    return f"{cookie_name(runtime_of(request).settings)}-once"


def _proof(request: web.Request, nonce: str) -> str:
    return runtime_of(request).keys.proof(NONCE, f"{request.match_info['token']} {nonce}")


def _was_shown(request: web.Request, sent: str) -> bool:
    """Whether this form comes from a page that this browser was shown."""
    nonce = request.cookies.get(_nonce_cookie(request), "")
    return bool(nonce) and runtime_of(request).keys.proves(NONCE, f"{request.match_info['token']} {nonce}", sent)


async def sign(request: web.Request) -> web.Response:
    """Record an answer, once."""
    invitation, runtime = await _invitation(request), runtime_of(request)
    try:
        form = await read_form(request, AnswerForm)
    except BadForm:
        return await _show(request, invitation, status=422, notice="sign.again")
    if not _was_shown(request, form.nonce):
        return await _show(request, invitation, status=403, notice="sign.again")
    try:
        became = await answer(runtime.record, runtime.keys, invitation, form.answer, Door.WEB, runtime.clock())
    except Ended:
        return await _show(request, invitation, status=410, notice="sign.ended")
    except NotHers:
        return await _show(request, invitation, status=403, notice="sign.not_hers")
    notices = {Became.RECORDED: "sign.recorded", Became.ALREADY: "sign.already", Became.COLLEAGUE: "sign.colleague"}
    return await _show(request, invitation, notice=notices[became])


class PressForm(BaseModel):
    """The nonce of the page that was shown."""

    nonce: Annotated[str, StringConstraints(min_length=1, max_length=100)]


async def take_back(request: web.Request) -> web.Response:
    """Take an answer back, while the letter is open."""
    return await _press(request, withdraw, "sign.withdrawn")


async def see(request: web.Request) -> web.Response:
    """Say that one has seen it, so that nobody rings again."""
    return await _press(request, acknowledge, "seen.thanks")


async def _press(
    request: web.Request, step: Callable[[Record, Invitation, datetime], Awaitable[bool]], notice: str
) -> web.Response:
    """What a button without further fields does, if it was pressed on a page that was shown."""
    invitation, runtime = await _invitation(request), runtime_of(request)
    try:
        form = await read_form(request, PressForm)
    except BadForm:
        return await _show(request, invitation, status=422, notice="sign.again")
    if not _was_shown(request, form.nonce):
        return await _show(request, invitation, status=403, notice="sign.again")
    try:
        await step(runtime.record, invitation, runtime.clock())
    except Ended:
        return await _show(request, invitation, status=410, notice="sign.ended")
    return await _show(request, invitation, notice=notice)


def read_path(request: web.Request, invitation: Invitation) -> str:
    """Where anybody may read the text; it carries nobody's token."""
    action = str(invitation.action_id)
    return f"/r/{invitation.language}/{action}/{runtime_of(request).keys.proof(READ, action)}"


async def read(request: web.Request) -> web.Response:
    """The exact text, for reading only: what one may pass on, until it is stopped."""
    runtime, action_id = runtime_of(request), id_in(request)
    if not runtime.keys.proves(READ, str(action_id), request.match_info["proof"]):
        raise web.HTTPNotFound
    async with runtime.record.reading() as conn:
        is_shown = await store.is_shown(conn, action_id)
        texts = await actions.published_texts(conn, action_id)
        targets = await open_targets(conn, runtime.keys, action_id)
    text = texts.get(request.match_info["lang"])
    if not is_shown or text is None:
        raise web.HTTPNotFound
    return page(request, "endorsements/read.html", text=text, targets=targets)
