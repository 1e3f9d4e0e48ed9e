"""The pages of calls: what is to be delivered by hand, one call with its script, and the sheet to print."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup
from pydantic import BaseModel

from sos.actions import store as actions
from sos.actions.action import Kind
from sos.database import Connection
from sos.http import page, read_form, runtime_of, see, words_of
from sos.members.member import name_in
from sos.members.sealed import open_address, open_names, open_person
from sos.messages import Links
from sos.outreach import by_hand, by_hand_store
from sos.outreach.by_hand import Heard
from sos.outreach.by_hand_store import Call
from sos.runtime import Runtime
from sos.staff.web import person_of
from sos.texts import LANGUAGES, Words

MOST = 200


class OutcomeForm(BaseModel):
    """What came of a call, and which taking of it this answers."""

    heard: Heard
    attempt: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A call as whoever makes it sees it; `script` is in the contact's language."""

    call: Call
    name: str
    organisation: str
    way: str
    her_time: datetime
    script: tuple[Markup, ...]
    link: str
    is_mine: bool


async def show_calls(request: web.Request) -> web.Response:
    """What is to be delivered by hand: mine, and what nobody has taken."""
    return await _list(request)


async def _list(request: web.Request, *, is_late: bool = False) -> web.Response:
    calls = await _find(request)
    return page(request, "outreach/calls.html", calls=calls, is_late=is_late, status=409 if is_late else 200)


async def show_sheet(request: web.Request) -> web.Response:
    """The calls that I have taken, to print."""
    return page(request, "outreach/call_sheet.html", calls=[one for one in await _find(request) if one.is_mine])


async def show_call(request: web.Request) -> web.Response:
    """One call that I have taken, with its script and what may come of it."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        call = await by_hand_store.find_taken(conn, _number(request), person_of(request).id, runtime.clock())
        if call is None:
            raise web.HTTPNotFound
        (shown,) = await _shown(conn, request, [call])
    return page(request, "outreach/call.html", one=shown, outcomes=tuple(Heard))


async def take(request: web.Request) -> web.Response:
    """I make this call."""
    runtime, number = runtime_of(request), _number(request)
    try:
        await by_hand.take(runtime.record, person_of(request), number, runtime.clock())
    except by_hand.NotYours:
        return await _list(request, is_late=True)
    raise see(f"/desk/calls/{number}")


async def give_back(request: web.Request) -> web.Response:
    """Somebody else makes it."""
    async with runtime_of(request).record.step() as step:
        await by_hand_store.give_back(step.conn, _number(request), person_of(request).id)
    raise see("/desk/calls")


async def say_outcome(request: web.Request) -> web.Response:
    """What came of it."""
    runtime, form = runtime_of(request), await read_form(request, OutcomeForm)
    try:
        await by_hand.say_outcome(
            runtime.record, person_of(request), _number(request), form.attempt, form.heard, runtime.clock()
        )
    except by_hand.NotYours:
        return await _list(request, is_late=True)
    raise see("/desk/calls")


def _number(request: web.Request) -> int:
    """The delivery that the address names. Raises HTTPNotFound."""
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise web.HTTPNotFound
    return int(text)


async def _find(request: web.Request) -> list[Shown]:
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        calls = await by_hand_store.list_due(conn, person_of(request).id, runtime.clock(), MOST)
        return await _shown(conn, request, calls)


async def _shown(conn: Connection, request: web.Request, calls: Sequence[Call]) -> list[Shown]:
    runtime, me = runtime_of(request), person_of(request).id
    shown: list[Shown] = []
    for call in calls:
        keys, language = runtime.keys, words_of(request).language.code
        name = open_person(keys, call.contact_id, call.contact_sealed)
        organisation = name_in(open_names(keys, call.member_id, call.member_sealed), language)
        zone = ZoneInfo(call.time_zone)
        link = Links(keys, runtime.settings).sign(call.id)
        script = await _script(conn, runtime, call, name, organisation)
        shown.append(
            Shown(
                call, name, organisation, open_address(keys, call.address_id, call.address_sealed),
                runtime.clock().astimezone(zone), script, link, call.taken_by == me,
            )
        )  # fmt: skip
    return shown


async def _script(
    conn: Connection, runtime: Runtime, call: Call, name: str, organisation: str
) -> tuple[Markup, ...]:  # fmt: skip
    """What to say, in her language; to a discreet contact nothing of it before she says that she can talk."""
    action = await actions.find_action(conn, call.about)
    text = (await actions.published_texts(conn, call.about)).get(call.language)
    if action is None or text is None:
        return ()
    words = Words(runtime.templates.catalogue, LANGUAGES[call.language], ZoneInfo(call.time_zone))
    greeting = "script.discreet" if call.discreet else "script.greeting"
    return (
        words.say(greeting, name=name, organisation=organisation),
        Markup("%s") % text.text.title,
        Markup("%s") % text.text.summary,
        words.say("script.sign" if action.kind is Kind.LETTER else "script.look", until=words.when(action.deadline_at)),
        words.say("script.thanks"),
    )
