"""An action's messages: the approved text around each contact's own name, link and code."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.base import Button, ChannelName, Message
from sos.actions import store as actions
from sos.actions.action import Action, Kind, Text
from sos.database import Connection
from sos.ledger.delivery import Due
from sos.members.member import name_in
from sos.members.sealed import open_address, open_names, open_person
from sos.messages import Letterbox, Links, Mold, make_mold
from sos.outreach import store
from sos.runtime import Runtime
from sos.texts import moment

SMS_NAME_UNITS = 60  # of UTF-16: where an SMS has to cut a name
# As long as a contact's own words can become, and in letters that cost the whole SMS its short alphabet, so that a
# preview's price is never too low; two more because a letter of two units is not split between segments.
LONGEST = dict.fromkeys(("name", "organisation", "deadline"), "Ж" * (SMS_NAME_UNITS + 2)) | {"code": "00000"}
TOKEN_LENGTH = 24
FIRST_TAP = "ask"


def what_of(action: Action, *, discreet: bool) -> str:
    """Which whole text: a discreet phone gets one that names nobody and nothing."""
    return "discreet" if discreet else ("call" if action.kind is Kind.LETTER else "alert")


def mold(runtime: Runtime, action: Action, language: str, channel: ChannelName, text: Text, *, discreet: bool) -> Mold:
    """The text of one language and channel, rendered once for everybody who gets it."""
    what = what_of(action, discreet=discreet)
    return make_mold(runtime.templates, what, language, channel, title=text.title, summary=text.summary)


def longest_sms(runtime: Runtime, action: Action, language: str, text: Text) -> str:
    """The longest SMS that this text can become."""
    rough = mold(runtime, action, language, ChannelName.SMS, text, discreet=False)
    link = f"{runtime.settings.public_url}/s/{'t' * TOKEN_LENGTH}"
    links = Links(runtime.keys, runtime.settings)
    return rough.fill(Letterbox(0, ""), {**LONGEST, "link": link}, links=links).text


async def render(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """The messages of these deliveries; one whose text or contact is gone is left out."""
    messages: dict[int, Message] = {}
    for action_id, some in groupby(sorted(deliveries, key=lambda d: d.about), key=lambda d: d.about):
        messages |= await _render_action(runtime, conn, action_id, {one.id: one for one in some})
    return messages


async def _render_action(
    runtime: Runtime, conn: Connection, action_id: UUID, deliveries: Mapping[int, Due]
) -> dict[int, Message]:
    action = await actions.find_action(conn, action_id)
    texts = await actions.published_texts(conn, action_id)
    molds: dict[tuple[str, ChannelName, bool], Mold] = {}
    messages: dict[int, Message] = {}
    for row in await store.recipients(conn, list(deliveries)):
        delivery = deliveries[row.delivery]
        key = (delivery.language, delivery.channel, row.discreet)
        if action is None or delivery.language not in texts:
            continue
        if key not in molds:
            text = texts[delivery.language].text
            molds[key] = mold(runtime, action, delivery.language, delivery.channel, text, discreet=row.discreet)
        messages[row.delivery] = _fill(runtime, molds[key], action, row)
    return messages


def letterbox(runtime: Runtime, row: store.RecipientRow) -> Letterbox:
    """A delivery's number, and where it goes."""
    return Letterbox(row.delivery, open_address(runtime.keys, row.address_id, row.address_sealed))


def names_for(runtime: Runtime, row: store.RecipientRow, language: str, channel: ChannelName) -> dict[str, str]:
    """What a recipient is called, and her organisation as it writes itself in this language."""
    person = open_person(runtime.keys, row.contact_id, row.contact_sealed)
    organisation = name_in(open_names(runtime.keys, row.member_id, row.member_sealed), language)
    names = {"name": person, "organisation": organisation}
    return {slot: shorten(name) for slot, name in names.items()} if channel is ChannelName.SMS else names


def shorten(name: str) -> str:
    """A name that an SMS can pay for."""
    units = list(accumulate(2 if char > "\uffff" else 1 for char in name))
    if units[-1] <= SMS_NAME_UNITS:
        return name
    return name[: sum(at < SMS_NAME_UNITS for at in units)].rstrip() + "…"


def _fill(runtime: Runtime, mold: Mold, action: Action, row: store.RecipientRow) -> Message:
    links = Links(runtime.keys, runtime.settings)
    link = links.sign(row.delivery)
    own = {
        **names_for(runtime, row, mold.language, mold.channel),
        "link": link,
        "code": links.code(row.delivery),
        "deadline": moment(action.deadline_at, ZoneInfo(row.time_zone), mold.language),
        "reference": link,
    }
    return mold.fill(letterbox(runtime, row), own, links=links, buttons=_buttons(runtime, mold, action, row, link))


def _buttons(
    runtime: Runtime, mold: Mold, action: Action, row: store.RecipientRow, link: str
) -> tuple[tuple[Button, ...], ...]:
    """What stands under a Telegram message; a discreet phone shows one word that says nothing."""
    if mold.channel is not ChannelName.TELEGRAM:
        return ()
    say, links = runtime.templates.catalogue.say, Links(runtime.keys, runtime.settings)
    if row.discreet:
        return ((Button(str(say(mold.language, "button.open")), url=link),),)
    read = (Button(str(say(mold.language, "button.read")), url=link),)
    if action.kind is not Kind.LETTER:
        return (read,)
    return ((Button(str(say(mold.language, "button.sign")), tap=links.tap(FIRST_TAP, row.delivery)),), read)
