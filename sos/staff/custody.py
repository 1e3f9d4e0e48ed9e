"""Keys of reports and cases: sealed to those whose role needs them and to recovery; passed on by colleagues."""

from datetime import datetime
from uuid import UUID

from sos.database import Connection, value
from sos.staff import store
from sos.staff.staff import KEY_READERS, NotGranted, Person, Role
from sos.vault import PrivateKey, seal_key

RECOVERY = UUID(int=0)


async def entrust_key(
    conn: Connection, kind: str, key_id: UUID, key: bytes, now: datetime, *, granted_by: UUID | None = None
) -> None:
    """Seal a new key to everybody whose role reads this kind, and to the offline recovery key."""
    recovery_key = await value(conn, "SELECT recovery_key FROM network")
    readers = [person for person in await store.list_staff(conn) if reads(person.roles, kind)]
    holders = [("recovery", RECOVERY, recovery_key), *(("staff", one.id, one.public_key) for one in readers)]
    for holder_kind, holder_id, public in holders:
        grant = store.KeyRow(key_id, kind, seal_key(key, public, key_id))
        await store.insert_grant(
            conn, grant, holder_kind=holder_kind, holder_id=holder_id, granted_by=granted_by, now=now
        )


async def open_key(conn: Connection, person: Person, key_id: UUID) -> bytes:
    """The key of a report or case, by her own session's key. Raises NotGranted."""
    grant = await store.find_grant(conn, key_id, "staff", person.id)
    if grant is None or not reads(person.roles, grant.key_kind):
        raise NotGranted
    return person.key.open_key(grant.sealed, key_id)


async def recover_key(conn: Connection, recovery: PrivateKey, key_id: UUID) -> bytes:
    """The key of a report or case, by the offline recovery key. Raises NotGranted, CannotOpen."""
    grant = await store.find_grant(conn, key_id, "recovery", RECOVERY)
    if grant is None:
        raise NotGranted
    return recovery.open_key(grant.sealed, key_id)


async def missing_keys(conn: Connection, giver: Person, taker: store.StaffRow) -> list[store.KeyRow]:
    """Keys that the taker's role needs, the giver holds, and the taker does not."""
    kinds = [kind for kind in KEY_READERS if reads(taker.roles, kind) and reads(giver.roles, kind)]
    return await store.missing_grants(conn, giver.id, taker.id, kinds)


async def pass_on_keys(conn: Connection, giver: Person, taker: store.StaffRow, now: datetime) -> int:
    """Re-seal to a colleague every key that her role needs and the giver holds; answer how many."""
    missing = await missing_keys(conn, giver, taker)
    for held in missing:
        key = giver.key.open_key(held.sealed, held.key_id)
        grant = store.KeyRow(held.key_id, held.key_kind, seal_key(key, taker.public_key, held.key_id))
        await store.insert_grant(conn, grant, holder_kind="staff", holder_id=taker.id, granted_by=giver.id, now=now)
    return len(missing)


def reads(roles: frozenset[str], kind: str) -> bool:
    """Whether one of these roles needs keys of this kind."""
    return bool({Role(role) for role in roles} & KEY_READERS[kind])
