"""An action's messages: the approved text around each contact's own name, link and code."""

import asyncio
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
from sos.messages import DISCREET, FIRST_TAP, SEEN_TAP, Letterbox, Links, Mold, make_mold
from sos.outreach import store
from sos.outreach.store import RecipientRow
from sos.runtime import Runtime
from sos.texts import LANGUAGES, TURNING, moment
from sos.vault import KeyFile

SMS_NAME_UNITS = 60  # of UTF-16: where an SMS has to cut a name
# As long as a contact's own words can become, and in letters that cost the whole SMS its short alphabet, so that a
# preview's price is never too low; two more because a letter of two units is not split between segments.
LONGEST = dict.fromkeys(("name", "organisation", "deadline"), "Ж" * (SMS_NAME_UNITS + 2)) | {"code": "00000"}
TOKEN_LENGTH = 24
FALLBACK = "message.fallback"
WHAT = {Kind.LETTER: "call", Kind.ALERT: "alert", Kind.CORRECTION: "correction"}


def longest_sms(runtime: Runtime, action: Action, language: str, text: Text) -> str:
    """The longest SMS that this text can become."""
    fallbacks = (str(runtime.templates.catalogue.say(one, FALLBACK)) for one in LANGUAGES)
    rough = make_mold(
        runtime.templates, WHAT[action.kind], language, ChannelName.SMS, title=text.title, summary=text.summary,
        fallback=max(fallbacks, key=len),
    )  # fmt: skip
    link = f"{runtime.settings.public_url}/s/{'t' * TOKEN_LENGTH}"
    return rough.fill(Letterbox(0, ""), {**LONGEST, "link": link}, links=Links(runtime.keys, runtime.settings)).text


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
    if action is None:
        return {}
    texts = {language: one.text for language, one in (await actions.published_texts(conn, action_id)).items()}
    replaced = await store.replaced_messages(conn, list(deliveries)) if action.corrects else {}
    writing = Writing(runtime, action, texts, replaced)
    messages: dict[int, Message] = {}
    for number, row in enumerate(await store.recipients(conn, list(deliveries))):
        if number % 16 == 0:
            await asyncio.sleep(0)  # a whole block takes a while, and mails are on the wire meanwhile
        if deliveries[row.delivery].language in texts:
            messages[row.delivery] = writing.write(deliveries[row.delivery], row)
    return messages


class Writing:
    """Writes the messages of one action, each text rendered once for all who get the same."""

    def __init__(
        self, runtime: Runtime, action: Action, texts: Mapping[str, Text], replaced: Mapping[int, str]
    ) -> None:
        self._runtime = runtime
        self._action = action
        self._texts = texts
        self._replaced = replaced
        self._links = Links(runtime.keys, runtime.settings)
        self._names = Names(runtime.keys)
        self._molds: dict[tuple[str, ChannelName, bool, str, str], Mold] = {}

    def write(self, due: Due, row: RecipientRow) -> Message:
        """What this recipient gets."""
        is_discreet = due.discreet or row.discreet
        country = row.country if due.channel is ChannelName.SMS else ""
        fallback = "" if due.language == row.first_language else row.first_language
        key = (due.language, due.channel, is_discreet, country, fallback)
        mold = self._molds.get(key) or self._molds.setdefault(key, self._mold(*key))
        link = self._links.sign(due.id)
        own = self._names.of(row, due.language, due.channel)
        own["link"] = own["reference"] = link
        own["code"] = self._links.code(due.id) if due.channel is ChannelName.SMS else ""
        own["deadline"] = moment(self._action.deadline_at, ZoneInfo(row.time_zone), due.language)
        buttons = self._buttons(due, link, is_discreet=is_discreet)
        return mold.fill(
            letterbox(self._runtime, row), own, links=self._links, buttons=buttons,
            replaces=self._replaced.get(due.id, ""),
        )  # fmt: skip

    def _mold(self, language: str, channel: ChannelName, is_discreet: bool, country: str, fallback: str) -> Mold:
        """The text that a discreet phone gets names nobody and nothing."""
        what, text = DISCREET if is_discreet else WHAT[self._action.kind], self._texts[language]
        limits = self._runtime.config.countries.get(country)
        return make_mold(
            self._runtime.templates, what, language, channel, title=text.title, summary=text.summary,
            fallback=self._say_fallback(language, fallback),
            can_link=limits is None or limits.sms_links, can_reply=limits is None or limits.sms_two_way,
        )  # fmt: skip

    def _say_fallback(self, language: str, first_language: str) -> str:
        """That this is not her own language, said in her own if we speak it."""
        if not first_language:
            return ""
        said_in = first_language if first_language in LANGUAGES else language
        return str(self._runtime.templates.catalogue.say(said_in, FALLBACK))

    def _buttons(self, due: Due, link: str, *, is_discreet: bool) -> tuple[tuple[Button, ...], ...]:
        """What stands under a Telegram message; a discreet phone shows one word that says nothing."""
        if due.channel is not ChannelName.TELEGRAM:
            return ()
        say = self._runtime.templates.catalogue.say
        if is_discreet:
            return ((Button(str(say(due.language, "button.open")), url=link),),)
        read = (Button(str(say(due.language, "button.read")), url=link),)
        is_letter = self._action.kind is Kind.LETTER
        label, verb = ("button.sign", FIRST_TAP) if is_letter else ("seen.go", SEEN_TAP)
        return ((Button(str(say(due.language, label)), tap=self._links.tap(verb, due.id)),), read)


def letterbox(runtime: Runtime, row: RecipientRow) -> Letterbox:
    """A delivery's number, and where it goes."""
    return Letterbox(row.delivery, open_address(runtime.keys, row.address_id, row.address_sealed))


class Names:
    """What recipients are called; those of a member, which all its contacts share, are opened once."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys
        self._members: dict[str, dict[str, str]] = {}

    def of(self, row: RecipientRow, language: str, channel: ChannelName) -> dict[str, str]:
        """Her name, and her organisation's as it writes itself in this language; neither turns a line."""
        person = TURNING.sub("", open_person(self._keys, row.contact_id, row.contact_sealed))
        organisation = TURNING.sub("", name_in(self._of_member(row), language))
        if channel is ChannelName.SMS:
            person, organisation = shorten(person), shorten(organisation)
        return {"name": person, "organisation": organisation}

    def _of_member(self, row: RecipientRow) -> dict[str, str]:
        if row.member_id not in self._members:
            self._members[row.member_id] = open_names(self._keys, row.member_id, row.member_sealed)
        return self._members[row.member_id]


def shorten(name: str) -> str:
    """A name that an SMS can pay for."""
    units = list(accumulate(2 if char > "\uffff" else 1 for char in name))
    if units[-1] <= SMS_NAME_UNITS:
        return name
    return name[: sum(at < SMS_NAME_UNITS for at in units)].rstrip() + "…"
