"""Short answers to what people wrote to us by SMS or Telegram."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from channels.base import Message
from sos.actions.store import published_texts
from sos.database import Connection
from sos.endorsements.endorsement import Answer
from sos.endorsements.store import standing_answer
from sos.ledger.delivery import Due
from sos.messages import Links, make_mold
from sos.outreach.messages import Names, letterbox
from sos.outreach.store import recipients
from sos.runtime import Runtime


async def render_reply(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """Each answer's kind names its text: signed, already, unsure, ended, stopped."""
    by_id = {one.id: one for one in deliveries}
    links, names = Links(runtime.keys, runtime.settings), Names(runtime.keys)
    messages: dict[int, Message] = {}
    for row in await recipients(conn, list(by_id)):
        delivery = by_id[row.delivery]
        text = (await published_texts(conn, delivery.about)).get(delivery.language)
        mold = make_mold(
            runtime.templates, delivery.kind, delivery.language, delivery.channel, title=text.title if text else ""
        )
        own = names.of(row, delivery.language, delivery.channel)
        given = await standing_answer(conn, delivery.about, UUID(row.contact_id))
        if given and given.answer is Answer.SIGN_INDIVIDUALLY:
            own["organisation"] = own["name"]  # who has signed: she herself, not the organisation
        messages[row.delivery] = mold.fill(letterbox(runtime, row), own, links=links)
    return messages
