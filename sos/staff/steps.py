"""Joining and leaving the secretariat, signing in and out, passing keys on."""

import asyncio
import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from pyotp import random_base32
from pyotp.totp import TOTP

from channels.base import ChannelName
from sos import journal
from sos.actor import SYSTEM, Actor
from sos.database import Connection, NoSuchRow
from sos.jobs import Record
from sos.members.member import OwnerKind
from sos.members.sealed import seal_address
from sos.members.store import save_address
from sos.staff import store
from sos.staff.custody import missing_keys, pass_on_keys
from sos.staff.staff import (
    SESSION_LENGTH,
    SHORTEST_PASSPHRASE,
    TOTP_SECONDS,
    Colleague,
    Person,
    Role,
    SignInLocked,
    TooShort,
    WrongSignIn,
    lock_after,
)
from sos.vault import CannotOpen, KeyFile, Place, PrivateKey, digest, new_key, seal, stretch_passphrase, unseal

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class NewStaff:
    """Who joins. Her login is what she types; the TOTP secret goes into her authenticator."""

    login: str
    name: str
    passphrase: str
    roles: frozenset[Role]
    language: str
    time_zone: str
    on_duty: bool = False
    addresses: Mapping[ChannelName, str] = field(default_factory=dict[ChannelName, str])


@dataclass(frozen=True, slots=True)
class Joined:
    """The new colleague, and the secret that her authenticator needs, shown once."""

    id: UUID
    totp_secret: str


async def join_staff(record: Record, keys: KeyFile, new: NewStaff, now: datetime, *, actor: Actor = SYSTEM) -> Joined:
    """Make somebody a member of the secretariat, with a key pair of her own. Raises TooShort, UniqueViolation."""
    if len(new.passphrase) < SHORTEST_PASSPHRASE:
        raise TooShort
    staff_id, key, totp_secret = uuid4(), PrivateKey.new(), random_base32()
    row = store.StaffRow(
        id=staff_id,
        name_sealed=keys.seal(new.name, Place("staff", "name", staff_id)),
        roles=frozenset(new.roles),
        language=new.language,
        time_zone=new.time_zone,
        on_duty=new.on_duty,
        public_key=key.public(),
        private_key_sealed=await asyncio.to_thread(_lock_key, key, new.passphrase, staff_id),
        totp_sealed=keys.seal(totp_secret, Place("staff", "totp", staff_id)),
        totp_used_step=0,
        wrong_tries=0,
        locked_until=None,
    )
    async with record.step() as step:
        await store.insert_staff(step.conn, row, login_index=_login_index(keys, new.login), now=now)
        for channel, address in new.addresses.items():
            await save_address(step.conn, seal_address(keys, (OwnerKind.STAFF, staff_id), channel, address))
        await journal.note(step.conn, "staff.joined", actor, staff_id, now, roles=sorted(new.roles))
    return Joined(staff_id, totp_secret)


async def leave_staff(record: Record, keys: KeyFile, login: str, now: datetime, *, actor: Actor = SYSTEM) -> None:
    """Somebody leaves: her sessions end, and every key that was sealed to her is deleted. Raises NoSuchRow."""
    async with record.step() as step:
        row = await store.lock_by_login(step.conn, _login_index(keys, login))
        if row is None:
            raise NoSuchRow
        await store.leave(step.conn, row.id, now)
        await journal.note(step.conn, "staff.left", actor, row.id, now)


def _login_index(keys: KeyFile, login: str) -> bytes:
    return keys.index("login", login.strip().casefold())


def _lock_key(key: PrivateKey, passphrase: str, staff_id: UUID) -> bytes:
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + seal(stretch_passphrase(passphrase, salt), key.raw, Place("staff", "private_key", staff_id))


def _unlock_key(sealed: bytes, passphrase: str, staff_id: UUID) -> PrivateKey:
    salt, locked = sealed[:SALT_BYTES], sealed[SALT_BYTES:]
    return PrivateKey(unseal(stretch_passphrase(passphrase, salt), locked, Place("staff", "private_key", staff_id)))


async def sign_in(record: Record, keys: KeyFile, login: str, passphrase: str, code: str, now: datetime) -> str:
    """Open a session; answer its cookie. Raises WrongSignIn, SignInLocked.

    The time that an unknown login takes is the time of a known one.
    """
    async with record.step() as step:
        row = await store.lock_by_login(step.conn, _login_index(keys, login))
        if row and row.locked_until and row.locked_until > now:
            raise SignInLocked(row.locked_until)
        key = await asyncio.to_thread(_try_passphrase, row, passphrase)
        used = _matching_step(keys, row, code, now) if row else None
        if row and key and used:
            await store.accept_code(step.conn, row.id, used)
            await journal.note(step.conn, "staff.signed_in", Actor("staff", row.id), row.id, now)
            return await open_session(step.conn, row.id, key, now)
        if row:
            tries = row.wrong_tries + 1
            await store.count_wrong_try(step.conn, row.id, tries, lock_after(tries, now))
            await journal.note(step.conn, "staff.refused", SYSTEM, row.id, now, tries=tries)
    raise WrongSignIn


def _try_passphrase(row: store.StaffRow | None, passphrase: str) -> PrivateKey | None:
    if row is None:
        stretch_passphrase(passphrase, bytes(SALT_BYTES))
        return None
    try:
        return _unlock_key(row.private_key_sealed, passphrase, row.id)
    except CannotOpen:
        return None


def _matching_step(keys: KeyFile, row: store.StaffRow, code: str, now: datetime) -> int | None:
    """The time step of a code that is right now, one step early or late, and was not used before (RFC 6238, 5.2)."""
    totp = TOTP(keys.open(row.totp_sealed, Place("staff", "totp", row.id)))
    current = int(now.timestamp()) // TOTP_SECONDS
    shown = {step: totp.generate_otp(step).encode() for step in (current - 1, current, current + 1)}
    right = [step for step, expected in shown.items() if hmac.compare_digest(expected, code.encode())]
    return next((step for step in right if step > row.totp_used_step), None)


async def open_session(conn: Connection, staff_id: UUID, key: PrivateKey, now: datetime) -> str:
    """The cookie holds two halves: one names the session, the other opens her key and is stored nowhere else."""
    name, secret = secrets.token_hex(16), new_key()
    wrapped = seal(secret, key.raw, Place("sessions", "key_wrapped", staff_id))
    await store.insert_session(conn, _session_id(name), staff_id, wrapped, now=now, until=now + SESSION_LENGTH)
    return f"{name}.{base64.urlsafe_b64encode(secret).decode()}"


def _session_id(name: str) -> bytes:
    return digest("session", name)


async def find_person(record: Record, keys: KeyFile, cookie: str, now: datetime) -> Person | None:
    """Whoever this cookie signs in, with her key, or None."""
    if not cookie.isascii():
        return None
    name, _, secret = cookie.partition(".")
    async with record.reading() as conn:
        found = await store.find_session(conn, _session_id(name), now)
    if found is None:
        return None
    try:
        raw = unseal(
            base64.urlsafe_b64decode(secret), found.key_wrapped, Place("sessions", "key_wrapped", found.staff_id)
        )
    except (CannotOpen, ValueError):
        return None
    return Person(
        id=found.staff_id,
        name=keys.open(found.name_sealed, Place("staff", "name", found.staff_id)),
        roles=frozenset(Role(role) for role in found.roles),
        language=found.language,
        time_zone=found.time_zone,
        key=PrivateKey(raw),
        session=name,
    )


async def sign_out(record: Record, person: Person, now: datetime) -> None:
    """End this session."""
    async with record.step() as step:
        await store.delete_session(step.conn, _session_id(person.session))
        await journal.note(step.conn, "staff.signed_out", person.actor, person.id, now)


async def list_colleagues(conn: Connection, keys: KeyFile) -> list[Colleague]:
    """Everybody in the secretariat, by name."""
    return [colleague(row, keys) for row in await store.list_staff(conn)]


def colleague(row: store.StaffRow, keys: KeyFile) -> Colleague:
    """A stored row as others see her."""
    name = keys.open(row.name_sealed, Place("staff", "name", row.id))
    roles = frozenset(Role(role) for role in row.roles)
    return Colleague(row.id, name, roles, row.language, row.time_zone, row.on_duty)


async def grant_keys(record: Record, giver: Person, taker_id: UUID, now: datetime) -> int:
    """A colleague gives somebody new (or somebody with a new key) what her role needs; answers how many keys.

    Raises NoSuchRow.
    """
    async with record.step() as step:
        taker = next((row for row in await store.list_staff(step.conn) if row.id == taker_id), None)
        if taker is None:
            raise NoSuchRow
        passed = await pass_on_keys(step.conn, giver, taker, now)
        await journal.note(step.conn, "keys.granted", giver.actor, taker_id, now, keys=passed)
    return passed


async def keys_to_give(conn: Connection, giver: Person) -> dict[UUID, int]:
    """Colleagues who wait for keys that this person holds, and how many."""
    waiting: dict[UUID, int] = {}
    for taker in await store.list_staff(conn):
        missing = await missing_keys(conn, giver, taker)
        if missing:
            waiting[taker.id] = len(missing)
    return waiting


async def current_code(conn: Connection, keys: KeyFile, login: str, now: datetime) -> str:
    """What somebody's authenticator shows now. Only a practice network has a page that asks for it."""
    row = await store.find_by_login(conn, _login_index(keys, login))
    return TOTP(keys.open(row.totp_sealed, Place("staff", "totp", row.id))).at(now) if row else ""
