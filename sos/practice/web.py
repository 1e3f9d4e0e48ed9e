"""The tour of a practice network: accounts with their codes, and the phones on which messages land."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from aiohttp import web
from pydantic import BaseModel, StringConstraints

from channels.base import Button, ChannelName, Incoming, Message
from channels.wording import Wording
from sos.http import BadForm, page, read_form, runtime_of, see
from sos.inbound.steps import Shown, take_sms, take_tap
from sos.practice import store
from sos.practice.people import PASSPHRASE, STAFF
from sos.reach import keep_practice_message
from sos.runtime import Runtime
from sos.staff.steps import current_code
from sos.vault import Place

LATEST = 40


@dataclass(frozen=True, slots=True)
class Phone:
    """One message as its phone shows it."""

    id: int
    channel: str
    address: str
    subject: str
    text: str
    html: str
    language: str
    buttons: tuple[tuple[dict[str, str], ...], ...]
    came_at: datetime


def _open(runtime: Runtime, kept: store.KeptMessage) -> Phone:
    words: dict[str, Any] = json.loads(runtime.keys.open(kept.sealed, Place("practice_messages", "sealed", kept.id)))
    buttons = tuple(tuple(row) for row in words["buttons"])
    parts = {part: words[part] for part in ("channel", "address", "subject", "text", "html", "language")}
    return Phone(id=kept.id, came_at=kept.came_at, buttons=buttons, **parts)


async def show_tour(request: web.Request) -> web.Response:
    """Who is who, with the code that each authenticator shows now."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        codes = {one.login: await current_code(conn, runtime.keys, one.login, runtime.clock()) for one in STAFF}
    return page(request, "practice/tour.html", staff=STAFF, codes=codes, passphrase=PASSPHRASE)


async def show_phones(request: web.Request) -> web.Response:
    """Every phone that got something, the latest first."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        kept = await store.newest_of_each_phone(conn)
    shown = [_open(runtime, one) for one in kept[:LATEST]]
    return page(request, "practice/phones.html", phones=shown, count=len(kept))


async def show_phone(request: web.Request) -> web.Response:
    """Everything on one phone."""
    runtime = runtime_of(request)
    kept = await _kept(request)
    async with runtime.record.reading() as conn:
        messages = [_open(runtime, one) for one in await store.messages_of_phone(conn, kept)]
    return page(request, "practice/phone.html", messages=messages, phone=messages[-1])


async def _kept(request: web.Request) -> store.KeptMessage:
    number = request.match_info["id"]
    async with runtime_of(request).record.reading() as conn:
        kept = await store.find_message(conn, int(number)) if number.isdecimal() and len(number) < 18 else None
    if kept is None:
        raise web.HTTPNotFound
    return kept


class ReplyForm(BaseModel):
    """What is typed or tapped on a practice phone."""

    text: Annotated[str, StringConstraints(max_length=1000)] = ""
    tap: Annotated[str, StringConstraints(max_length=64)] = ""


async def reply(request: web.Request) -> web.Response:
    """Answer from a practice phone, by the very steps that a provider's call would take."""
    runtime, kept = runtime_of(request), await _kept(request)
    phone = _open(runtime, kept)
    try:
        form = await read_form(request, ReplyForm)
    except BadForm as bad:
        raise web.HTTPBadRequest from bad
    incoming = Incoming(str(uuid4()), phone.address, text=form.text, tap=form.tap)
    if form.tap:
        shown = await take_tap(runtime, incoming, runtime.clock())
        await _show_on_phone(runtime, phone, shown)
    elif phone.channel == ChannelName.SMS:
        await take_sms(runtime, incoming, runtime.clock())
    raise see(f"/demo/phones/{kept.id}#end")


async def _show_on_phone(runtime: Runtime, phone: Phone, shown: Shown | None) -> None:
    """What Telegram would show in place of the tapped message."""
    if shown is None:
        return
    buttons: tuple[tuple[Button, ...], ...] = shown.buttons
    message = Message(0, phone.address, phone.language, Wording(shown.text), buttons=buttons)
    await keep_practice_message(runtime, ChannelName.TELEGRAM, message)
