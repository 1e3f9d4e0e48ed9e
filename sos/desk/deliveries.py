"""The list behind every number, one contact's timeline, and what did not arrive."""

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from channels.base import ChannelName
from sos.actions import store as actions
from sos.database import Connection
from sos.desk.action_page import title_of
from sos.http import id_in, page, read_form, runtime_of, words_of
from sos.ledger import mending, watching_store
from sos.ledger.delivery import DeliveryState
from sos.ledger.watching_store import Line
from sos.members import store as members
from sos.members.cells import parse_email, parse_phone, parse_telegram
from sos.members.member import Contact, Unacceptable, name_in
from sos.members.sealed import open_names, open_person
from sos.runtime import Runtime
from sos.staff.web import person_of
from sos.texts import LANGUAGES

ON_A_PAGE = 100
# Reasons that have a sentence of their own; any other is a provider's, and is shown as it came.
SAID = frozenset(
    """
    answered blocked bounced capped consent_withdrawn expired given_up interrupted misconfigured not_needed not_reached
    opted_out reached recalled restored stopped unconfirmed unrenderable wrong_number
    """.split()
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery as the desk shows it."""

    line: Line
    contact: str
    member: str
    title: str

    @property
    def has_words(self) -> bool:
        """Whether there is a sentence for its reason; otherwise it is in a provider's own words."""
        return self.line.reason in SAID


class SearchForm(BaseModel):
    """An address, or an organisation's reference."""

    sought: str


class MendForm(BaseModel):
    """What to do with which deliveries."""

    do: str
    one: list[int]


async def show_behind(request: web.Request) -> web.Response:
    """Who stands behind a number of an action's page."""
    runtime, chosen = runtime_of(request), _chosen(request)
    async with runtime.record.reading() as conn:
        action = await actions.find_action(conn, id_in(request))
        if action is None:
            raise web.HTTPNotFound
        found = await watching_store.list_behind(
            conn, action.id, channel=chosen["channel"], language=chosen["language"], state=chosen["state"],
            after=int(chosen["after"] or 0), limit=ON_A_PAGE + 1,
        )  # fmt: skip
        lines = await _shown(conn, runtime, request, found[:ON_A_PAGE])
        title = await title_of(conn, runtime, action)
    following = found[ON_A_PAGE - 1].id if len(found) > ON_A_PAGE else None
    return page(
        request, "desk/deliveries.html", action=action, title=title, lines=lines, chosen=chosen, following=following
    )


def _chosen(request: web.Request) -> dict[str, str]:
    """The filters of the address; what is none of ours chooses everything."""
    known = {"channel": frozenset(ChannelName), "language": LANGUAGES.keys(), "state": frozenset(DeliveryState)}
    chosen = {name: request.query.get(name, "") for name in known}
    chosen = {name: value if value in known[name] else "" for name, value in chosen.items()}
    after = request.query.get("after", "")
    return chosen | {"after": after if after.isascii() and after.isdigit() and len(after) < 16 else ""}


async def _shown(conn: Connection, runtime: Runtime, request: web.Request, lines: Iterable[Line]) -> list[Shown]:
    language, titles = words_of(request).language.code, dict[object, str]()
    shown: list[Shown] = []
    for line in lines:
        if line.about not in titles:
            action = await actions.find_action(conn, line.about)
            titles[line.about] = await title_of(conn, runtime, action) if action else ""
        shown.append(Shown(line, *_names(runtime, line, language), titles[line.about]))
    return shown


def _names(runtime: Runtime, line: Line, language: str) -> tuple[str, str]:
    """A contact's name and her organisation's; empty where it is for somebody else."""
    if not (line.contact_id and line.contact_sealed and line.member_id and line.member_sealed):
        return "", ""
    person = open_person(runtime.keys, line.contact_id, line.contact_sealed)
    return person, name_in(open_names(runtime.keys, line.member_id, line.member_sealed), language)


async def show_contact(request: web.Request) -> web.Response:
    """Everything that was ever to be sent to one contact."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        contact = await members.find_contact(conn, id_in(request))
        member = await members.find_member(conn, contact.member_id) if contact else None
        if contact is None or member is None:
            raise web.HTTPNotFound
        found = await watching_store.list_of_contact(conn, contact.id, ON_A_PAGE)
        lines = await _shown(conn, runtime, request, found)
    language = words_of(request).language.code
    return page(
        request, "desk/contact.html", contact=contact, member=member, lines=lines,
        person_name=open_person(runtime.keys, contact.id, contact.name_sealed),
        organisation=name_in(open_names(runtime.keys, member.id, member.names_sealed), language),
    )  # fmt: skip


async def ask_contact(request: web.Request) -> web.Response:
    """The form in which a contact is looked for; what is typed never stands in an address."""
    return page(request, "desk/contacts.html", sought="", found=())


async def find_contact(request: web.Request) -> web.Response:
    """Contacts by what a caller says of herself: an address of hers, or her organisation's reference."""
    runtime, sought = runtime_of(request), (await read_form(request, SearchForm)).sought
    async with runtime.record.reading() as conn:
        found = await _find(conn, runtime, sought)
    names = [(one.id, open_person(runtime.keys, one.id, one.name_sealed)) for one in found]
    return page(request, "desk/contacts.html", sought=sought, found=names)


async def _find(conn: Connection, runtime: Runtime, sought: str) -> list[Contact]:
    by_reference = await members.members_by_reference(conn, {sought, sought.upper()})
    contacts = await members.contacts_of(conn, [one.id for one in by_reference])
    spots = [(channel, runtime.keys.index(channel, value)) for channel, value in _addresses(sought)]
    owners = {one.owner_id for one in await members.contact_addresses_at(conn, spots)} if spots else set()
    found = [await members.find_contact(conn, owner) for owner in owners]
    return [*contacts, *(one for one in found if one)]


def _addresses(sought: str) -> Iterable[tuple[ChannelName, str]]:
    """What this could be as an address of each channel."""
    parsers = {
        ChannelName.EMAIL: parse_email,
        ChannelName.SMS: lambda text: parse_phone(text, None),
        ChannelName.TELEGRAM: parse_telegram,
    }
    for channel, parse in parsers.items():
        try:
            yield channel, parse(sought)
        except Unacceptable:
            continue


async def show_dead(request: web.Request) -> web.Response:
    """What has ended without reaching its recipient by any way."""
    return await _dead_page(request)


async def _dead_page(request: web.Request, *, done: int | None = None, do: str = "") -> web.Response:
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        lines = await _shown(conn, runtime, request, await watching_store.list_dead(conn, ON_A_PAGE))
        count = await watching_store.count_dead(conn)
    return page(request, "desk/dead.html", lines=lines, count=count, done=done, do=do)


async def mend(request: web.Request) -> web.Response:
    """Try the chosen ones again, or leave them as they are."""
    runtime, person = runtime_of(request), person_of(request)
    form = await read_form(request, MendForm, many=("one",))
    step = {"again": mending.try_again, "aside": mending.set_aside}.get(form.do)
    if step is None:
        raise web.HTTPNotFound
    done = await step(runtime.record, person, form.one, runtime.clock())
    return await _dead_page(request, done=done, do=form.do)
