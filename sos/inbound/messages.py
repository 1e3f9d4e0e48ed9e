"""Short answers to what people wrote to us by SMS or Telegram."""

from collections.abc import Mapping, Sequence

from channels.base import Message
from sos.actions.store import published_texts
from sos.database import Connection
from sos.ledger.delivery import Delivery
from sos.members.member import name_in
from sos.members.sealed import open_address, open_names
from sos.messages import Letterbox, Links, make_mold
from sos.outreach.store import recipients
from sos.runtime import Runtime


async def render_reply(runtime: Runtime, conn: Connection, deliveries: Sequence[Delivery]) -> Mapping[int, Message]:
    """Each answer's kind names its text: signed, already, unsure, ended."""
    by_id = {one.id: one for one in deliveries}
    links = Links(runtime.keys, runtime.settings)
    messages: dict[int, Message] = {}
    for row in await recipients(conn, list(by_id)):
        delivery = by_id[row.delivery]
        text = (await published_texts(conn, delivery.about))[delivery.language]
        names = open_names(runtime.keys, row.member_id, row.member_sealed)
        mold = make_mold(runtime.templates, delivery.kind, delivery.language, delivery.channel, title=text.title)
        box = Letterbox(row.delivery, open_address(runtime.keys, row.address_id, row.address_sealed))
        messages[row.delivery] = mold.fill(box, {"organisation": name_in(names, delivery.language)}, links=links)
    return messages
