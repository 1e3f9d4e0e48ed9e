"""The notice to those on duty: that there is something, and where to look, and nothing of what it is."""

from collections.abc import Mapping, Sequence

from channels.base import Message
from sos.database import Connection
from sos.ledger.delivery import Delivery
from sos.members.sealed import open_address
from sos.members.store import sealed_addresses
from sos.messages import Letterbox, Links, make_mold
from sos.runtime import Runtime


async def render_notice(runtime: Runtime, conn: Connection, deliveries: Sequence[Delivery]) -> Mapping[int, Message]:
    """A content-free message to each."""
    sealed = await sealed_addresses(conn, [one.address_id for one in deliveries])
    links = Links(runtime.keys, runtime.settings)
    own = {"link": f"{runtime.settings.public_url}/desk"}
    return {
        one.id: make_mold(runtime.templates, "notice", one.language, one.channel).fill(
            Letterbox(one.id, open_address(runtime.keys, one.address_id, sealed[one.address_id])), own, links=links,
            may_unsubscribe=False,
        )
        for one in deliveries if one.address_id in sealed
    }  # fmt: skip
