"""The letter on its way to those it is addressed to, and the news of it to those who signed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from babel.lists import format_list

from channels.base import Attachment, ChannelName, Message
from sos.actions import store as actions
from sos.actions.action import Target
from sos.actions.steps import open_targets
from sos.database import Connection
from sos.ledger.delivery import Due
from sos.letters import store
from sos.letters.letter import Letter
from sos.letters.steps import open_pdf
from sos.members.sealed import open_address
from sos.messages import DISCREET, Letterbox, Links, Mold, make_mold
from sos.outreach.messages import Names, letterbox
from sos.outreach.store import recipients
from sos.runtime import Runtime
from sos.texts import Templates, isolate
from sos.vault import Place


def count_line(templates: Templates, language: str, letter: Letter) -> str:
    """ "N organisations and M individuals from K countries", without what is none."""
    count = templates.catalogue.count
    signed = [
        str(count(language, key, number))
        for key, number in (("count.organisations", letter.organisations), ("count.individuals", letter.individuals))
        if number
    ]
    return str(count(language, "count.countries", letter.countries, signed=format_list(signed, locale=language)))


async def render_letter(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """The emails to those whom letters are addressed to, with the letter as PDF."""
    by_id = {one.id: one for one in deliveries}
    messages: dict[int, Message] = {}
    for row in await store.target_recipients(conn, list(by_id)):
        delivery = by_id[row.delivery]
        letter = await store.find_letter(conn, delivery.about)
        assert letter
        name = runtime.keys.open(row.name_sealed, Place("targets", "name", row.target_id))
        title = runtime.keys.open(row.title_sealed, Place("targets", "title", row.target_id))
        box = Letterbox(row.delivery, open_address(runtime.keys, row.address_id, row.address_sealed))
        target = Target(row.target_id, name, title, delivery.language, box.address)
        messages[row.delivery] = await _letter(runtime, conn, letter, target, box)
    return messages


async def _letter(runtime: Runtime, conn: Connection, letter: Letter, target: Target, box: Letterbox) -> Message:
    text = (await actions.published_texts(conn, letter.action_id))[target.language]
    file = (await store.files_of(conn, letter.id))[target.language]
    mold = make_mold(
        runtime.templates, "letter", target.language, ChannelName.EMAIL, title=text.title,
        addressee=isolate(target.name), role=isolate(target.title) if target.title else "",
        count_line=count_line(runtime.templates, target.language, letter), pages=file.pages,
    )  # fmt: skip
    pdf = Attachment(f"letter-{target.language}.pdf", "application/pdf", open_pdf(runtime.keys, letter.id, file))
    links = Links(runtime.keys, runtime.settings)
    return mold.fill(box, {}, links=links, attachments=(pdf,), may_unsubscribe=False)


async def render_thanks(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """The news to those who signed: their letter was sent."""
    by_id = {one.id: one for one in deliveries}
    asked_by = await store.asked_by(conn, list(by_id))
    links, names = Links(runtime.keys, runtime.settings), Names(runtime.keys)
    molds: dict[tuple[UUID, str, ChannelName, bool], Mold] = {}
    messages: dict[int, Message] = {}
    for row in await recipients(conn, list(by_id)):
        delivery = by_id[row.delivery]
        key = (delivery.about, delivery.language, delivery.channel, delivery.discreet or row.discreet)
        if key not in molds:
            molds[key] = await _thanks(runtime, conn, delivery, is_discreet=key[-1])
        # Her own page still shows what she signed; the link is the one by which she was asked.
        own = {"link": links.sign(asked_by[row.delivery])} if row.delivery in asked_by else {}
        own |= names.of(row, delivery.language, delivery.channel)
        messages[row.delivery] = molds[key].fill(letterbox(runtime, row), own, links=links)
    return messages


async def _thanks(runtime: Runtime, conn: Connection, delivery: Due, *, is_discreet: bool) -> Mold:
    """The thanks of one letter, rendered once for everybody who gets them in this language by this channel."""
    letter = await store.find_letter(conn, delivery.about)
    assert letter
    text = (await actions.published_texts(conn, letter.action_id))[delivery.language]
    targets = await open_targets(conn, runtime.keys, letter.action_id)
    names = [one.name if delivery.channel is ChannelName.SMS else isolate(one.name) for one in targets]
    return make_mold(
        runtime.templates, DISCREET if is_discreet else "thanks", delivery.language, delivery.channel,
        title=text.title, count_line=count_line(runtime.templates, delivery.language, letter),
        addressed_to=format_list(names, locale=delivery.language),
    )  # fmt: skip
