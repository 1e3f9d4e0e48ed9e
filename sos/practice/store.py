"""The SQL of practice phones."""

from dataclasses import dataclass
from datetime import datetime

from sos.database import Connection, row, rows


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message as it would have reached a phone, sealed."""

    id: int
    channel: str
    address_index: bytes
    sealed: bytes
    came_at: datetime


async def newest_of_each_phone(conn: Connection) -> list[KeptMessage]:
    """The newest message of each address, the newest first, at most 400."""
    return await rows(
        conn,
        KeptMessage,
        """
        SELECT id, channel, address_index, sealed, came_at FROM (
            SELECT DISTINCT ON (channel, address_index) id, channel, address_index, sealed, came_at
            FROM practice_messages ORDER BY channel, address_index, id DESC
        ) newest ORDER BY id DESC LIMIT 400
        """,
    )


async def find_message(conn: Connection, message_id: int) -> KeptMessage | None:
    return await row(
        conn,
        KeptMessage,
        "SELECT id, channel, address_index, sealed, came_at FROM practice_messages WHERE id = %(id)s",
        id=message_id,
    )


async def messages_of_phone(conn: Connection, like: KeptMessage) -> list[KeptMessage]:
    """Everything that came to the same address, the oldest first."""
    return await rows(
        conn,
        KeptMessage,
        """
        SELECT id, channel, address_index, sealed, came_at FROM practice_messages
        WHERE channel = %(channel)s AND address_index = %(index)s ORDER BY id
        """,
        channel=like.channel, index=like.address_index,
    )  # fmt: skip
