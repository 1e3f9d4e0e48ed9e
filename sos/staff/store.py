"""The SQL of staff, sessions and key grants."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sos.database import Connection, row, rows, run

_STAFF: LiteralString = """
    SELECT id, name_sealed, roles, language, time_zone, on_duty, public_key, private_key_sealed, totp_sealed,
           totp_used_step, wrong_tries, locked_until
    FROM staff WHERE left_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A member of staff as stored."""

    id: UUID
    name_sealed: bytes
    roles: frozenset[str]
    language: str
    time_zone: str
    on_duty: bool
    public_key: bytes
    private_key_sealed: bytes
    totp_sealed: bytes
    totp_used_step: int
    wrong_tries: int
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that has not expired, with whose it is."""

    staff_id: UUID
    key_wrapped: bytes
    name_sealed: bytes
    roles: frozenset[str]
    language: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it lies sealed to one holder."""

    key_id: UUID
    key_kind: str
    sealed: bytes


async def insert_staff(conn: Connection, staff: StaffRow, *, login_index: bytes, now: datetime) -> None:
    await run(
        conn,
        """
        INSERT INTO staff (id, login_index, name_sealed, roles, language, time_zone, on_duty, public_key,
                           private_key_sealed, totp_sealed, joined_at)
        VALUES (%(id)s, %(login)s, %(name)s, %(roles)s, %(language)s, %(time_zone)s, %(on_duty)s, %(public_key)s,
                %(private_key)s, %(totp)s, %(now)s)
        """,
        id=staff.id, login=login_index, name=staff.name_sealed, roles=sorted(staff.roles), language=staff.language,
        time_zone=staff.time_zone, on_duty=staff.on_duty, public_key=staff.public_key,
        private_key=staff.private_key_sealed, totp=staff.totp_sealed, now=now,
    )  # fmt: skip


async def find_by_login(conn: Connection, login_index: bytes) -> StaffRow | None:
    """Whoever has this login."""
    return await row(conn, StaffRow, _STAFF + "AND login_index = %(login)s", login=login_index)


async def lock_by_login(conn: Connection, login_index: bytes) -> StaffRow | None:
    """Whoever has this login, locked so that tries are counted one after another."""
    return await row(conn, StaffRow, _STAFF + "AND login_index = %(login)s FOR UPDATE", login=login_index)


async def list_staff(conn: Connection) -> list[StaffRow]:
    """Everybody who has not left, in the order in which they came."""
    return await rows(conn, StaffRow, _STAFF + "ORDER BY joined_at, id")


async def count_wrong_try(conn: Connection, staff_id: UUID, tries: int, locked_until: datetime | None) -> None:
    await run(
        conn,
        "UPDATE staff SET wrong_tries = %(tries)s, locked_until = %(until)s WHERE id = %(id)s",
        id=staff_id, tries=tries, until=locked_until,
    )  # fmt: skip


async def accept_code(conn: Connection, staff_id: UUID, step: int) -> None:
    """Remember the time step of an accepted code, so that it is accepted once, and forget the wrong tries."""
    await run(
        conn,
        "UPDATE staff SET totp_used_step = %(step)s, wrong_tries = 0, locked_until = NULL WHERE id = %(id)s",
        id=staff_id, step=step,
    )  # fmt: skip


async def leave(conn: Connection, staff_id: UUID, now: datetime) -> None:
    """Take away sessions and every key of somebody who leaves."""
    await run(conn, "UPDATE staff SET left_at = %(now)s, on_duty = false WHERE id = %(id)s", id=staff_id, now=now)
    await run(conn, "DELETE FROM sessions WHERE staff_id = %(id)s", id=staff_id)
    await run(conn, "DELETE FROM key_grants WHERE holder_kind = 'staff' AND holder_id = %(id)s", id=staff_id)


async def insert_session(
    conn: Connection, session_id: bytes, staff_id: UUID, key_wrapped: bytes, *, now: datetime, until: datetime
) -> None:
    await run(
        conn,
        """
        INSERT INTO sessions (id, staff_id, key_wrapped, began_at, expires_at)
        VALUES (%(id)s, %(staff)s, %(key)s, %(now)s, %(until)s)
        """,
        id=session_id, staff=staff_id, key=key_wrapped, now=now, until=until,
    )  # fmt: skip


async def find_session(conn: Connection, session_id: bytes, now: datetime) -> SessionRow | None:
    return await row(
        conn,
        SessionRow,
        """
        SELECT s.staff_id, s.key_wrapped, p.name_sealed, p.roles, p.language, p.time_zone
        FROM sessions s JOIN staff p ON p.id = s.staff_id
        WHERE s.id = %(id)s AND s.expires_at > %(now)s AND p.left_at IS NULL
        """,
        id=session_id, now=now,
    )  # fmt: skip


async def delete_session(conn: Connection, session_id: bytes) -> None:
    await run(conn, "DELETE FROM sessions WHERE id = %(id)s", id=session_id)


async def insert_grant(
    conn: Connection, key: KeyRow, *, holder_kind: str, holder_id: UUID, granted_by: UUID | None, now: datetime
) -> None:
    """Give a sealed key to a holder who does not have it yet."""
    await run(
        conn,
        """
        INSERT INTO key_grants (key_id, key_kind, holder_kind, holder_id, sealed, granted_by, granted_at)
        VALUES (%(key_id)s, %(kind)s, %(holder_kind)s, %(holder_id)s, %(sealed)s, %(granted_by)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        key_id=key.key_id, kind=key.key_kind, holder_kind=holder_kind, holder_id=holder_id, sealed=key.sealed,
        granted_by=granted_by, now=now,
    )  # fmt: skip


async def find_grant(conn: Connection, key_id: UUID, holder_kind: str, holder_id: UUID) -> KeyRow | None:
    return await row(
        conn,
        KeyRow,
        """
        SELECT key_id, key_kind, sealed FROM key_grants
        WHERE key_id = %(key)s AND holder_kind = %(kind)s AND holder_id = %(holder)s
        """,
        key=key_id, kind=holder_kind, holder=holder_id,
    )  # fmt: skip


async def missing_grants(conn: Connection, giver: UUID, taker: UUID, kinds: list[str]) -> list[KeyRow]:
    """Keys of these kinds that `giver` holds and `taker` does not, as they lie sealed to the giver."""
    return await rows(
        conn,
        KeyRow,
        """
        SELECT g.key_id, g.key_kind, g.sealed FROM key_grants g
        WHERE g.holder_kind = 'staff' AND g.holder_id = %(giver)s AND g.key_kind = ANY(%(kinds)s)
          AND NOT EXISTS (SELECT FROM key_grants t
                          WHERE t.key_id = g.key_id AND t.holder_kind = 'staff' AND t.holder_id = %(taker)s)
        ORDER BY g.granted_at
        """,
        giver=giver, taker=taker, kinds=kinds,
    )  # fmt: skip
