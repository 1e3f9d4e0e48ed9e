"""The notices to those on duty: that there is something, and where to look, and nothing of what it is."""

from collections.abc import Mapping, Sequence

from channels.base import Message
from sos.database import Connection
from sos.ledger import notice_store
from sos.ledger.delivery import Due
from sos.members.sealed import open_address
from sos.messages import Letterbox, Links, make_mold
from sos.runtime import Runtime


async def render_notice(runtime: Runtime, conn: Connection, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """A content-free message to each; a delivery's kind names its text."""
    by_id = {one.id: one for one in deliveries}
    links = Links(runtime.keys, runtime.settings)
    own = {"link": f"{runtime.settings.public_url}/desk"}
    messages: dict[int, Message] = {}
    for row in await notice_store.addresses(conn, list(by_id)):
        due = by_id[row.delivery]
        box = Letterbox(due.id, open_address(runtime.keys, row.address_id, row.sealed))
        mold = make_mold(runtime.templates, due.kind, due.language, due.channel)
        messages[due.id] = mold.fill(box, own, links=links, may_unsubscribe=False)
    return messages
