"""The offline recovery key: on paper as groups of letters, and its rehearsal."""

import base64
import hashlib
from uuid import UUID

from sos.database import Connection, rows, value
from sos.staff.custody import recover_key
from sos.vault import CannotOpen, PrivateKey

GROUP = 8
CHECK_BYTES = 4


def as_words(key: PrivateKey) -> str:
    """96 bytes and a check sum as groups of letters and digits (base32: no 0, 1, 8 or 9 to mistake)."""
    check = hashlib.sha256(key.raw).digest()[:CHECK_BYTES]
    text = base64.b32encode(key.raw + check).decode()
    return " ".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def from_words(words: str) -> PrivateKey:
    """What somebody typed from paper, whatever its spaces and capitals. Raises CannotOpen."""
    try:
        raw = base64.b32decode("".join(words.split()).upper())
    except ValueError as wrong:
        raise CannotOpen from wrong
    key, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    if hashlib.sha256(key).digest()[:CHECK_BYTES] != check:
        raise CannotOpen
    return PrivateKey(key)


async def rehearse(conn: Connection, key: PrivateKey) -> int:
    """Open the keys of the newest reports and cases; answer how many. Raises CannotOpen."""
    if await value(conn, "SELECT recovery_key FROM network") != key.public():
        raise CannotOpen
    newest = await rows(
        conn,
        dict[str, UUID],
        "SELECT key_id FROM key_grants WHERE holder_kind = 'recovery' ORDER BY granted_at DESC LIMIT 20",
    )
    for one in newest:
        await recover_key(conn, key, one["key_id"])
    return len(newest)
