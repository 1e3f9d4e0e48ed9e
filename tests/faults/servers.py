"""PostgreSQL and Valkey for the rows of the table, and networks that are seeded once and copied for each."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_urlsafe

from psycopg.sql import SQL, Identifier

from channels.base import ChannelName
from sos.bench.action import Approved, prepare_action
from sos.bench.network import Reach, seed_network
from sos.bench.processes import Process, start, wait_until_ready
from sos.database import Connection, connect, migrate, open_pool
from sos.embedded import EmbeddedPostgres, EmbeddedValkey
from sos.jobs import Record, RedisBell
from sos.network import found_network
from sos.runtime import Runtime, open_redis, open_runtime, utc_now
from sos.settings import read_settings
from sos.staff.staff import Role
from sos.staff.steps import NewStaff, join_staff
from sos.supervisor import Child
from sos.vault import KeyFile

NOWHERE = "smtp://127.0.0.1:9"
PUBLIC_URL = "https://sos.faults.example.org"
SENDER = "System of Solidarity <alerts@faults.example.org>"
BASE = "base"
ON_DUTY = "+254700000001"

Alter = Callable[[Connection, Runtime], Awaitable[None]]


@dataclass
class Server:
    """A server process that can be ended and begun again over the same data."""

    server: EmbeddedPostgres | EmbeddedValkey
    child: Child
    process: Process

    @classmethod
    async def open(cls, server: EmbeddedPostgres | EmbeddedValkey) -> "Server":
        """Start it and wait until it answers."""
        child = server.prepare()
        process = start(child)
        await wait_until_ready(process)
        return cls(server, child, process)

    async def kill(self, number: signal.Signals) -> None:
        """Send a signal that ends it, and wait for its end."""
        self.process.popen.send_signal(number)
        await asyncio.to_thread(self.process.popen.wait, 30)

    @property
    def runs(self) -> bool:
        return self.process.popen.poll() is None

    async def begin_again(self) -> None:
        """Start it once more and wait until it answers."""
        self.process = start(self.child)
        await wait_until_ready(self.process)

    async def close(self) -> None:
        """End it, also where it is stopped."""
        if self.runs:
            self.process.popen.send_signal(signal.SIGCONT)
        await self.process.stop()
        self.server.close()


@dataclass(frozen=True)
class Network:
    """A seeded network with an approved action, in a database that is copied."""

    database: str
    approved: Approved


@dataclass
class Servers:
    """One PostgreSQL (with fsync) and one Valkey."""

    directory: Path
    postgres: Server
    valkey: Server
    _base: Network | None = None
    _networks: dict[str, Network] = field(default_factory=dict[str, Network])
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def database_url(self, name: str) -> str:
        """Where a database of this server is."""
        assert isinstance(self.postgres.server, EmbeddedPostgres)
        return self.postgres.server.url(name)

    @property
    def redis_url(self) -> str:
        return self.valkey.server.url()

    def environment(self, database: str, given: Mapping[str, str]) -> dict[str, str]:
        """The settings of an installation over one database; whatever the terminal has set is emptied."""
        others = {name: "" for name in os.environ if name.startswith("SOS_")}
        own = {
            "SOS_DATABASE_URL": self.database_url(database),
            "SOS_REDIS_URL": self.redis_url,
            "SOS_KEY_FILE": str(self.directory / "keys"),
            "SOS_PUBLIC_URL": PUBLIC_URL,
            "SOS_MAIL_FROM": SENDER,
            "SOS_SMTP_URL": NOWHERE,
        }
        return others | own | dict(given)

    async def copy(self, kind: str, recipients: int, reach: Reach, alter: Alter | None = None) -> Network:
        """A network of its own for one row: seeded the first time, copied each time."""
        async with self._lock:
            if kind not in self._networks:
                self._networks[kind] = await self._seed(f"seeded_{kind}", recipients, reach, alter)
            seeded, name = self._networks[kind], f"row_{next(self._numbers)}"
            await self._administer("CREATE DATABASE {} TEMPLATE {}", name, seeded.database)
            return Network(name, seeded.approved)

    async def drop(self, name: str) -> None:
        """Remove a row's database; whoever is connected is thrown out."""
        await self._administer("DROP DATABASE {} WITH (FORCE)", name)

    async def _seed(self, name: str, recipients: int, reach: Reach, alter: Alter | None) -> Network:
        """Contacts beside an action that is approved already: an approval is not bound to a list of them."""
        base = await self._prepared()
        await self._administer("CREATE DATABASE {} TEMPLATE {}", name, base.database)
        settings = read_settings(self.environment(name, {}))
        async with open_runtime(settings) as runtime, connect(settings.database_url) as conn:
            await seed_network(conn, runtime.keys, runtime.config, recipients, say=lambda _: None, reach=reach)
            if alter:
                await alter(conn, runtime)
        return Network(name, base.approved)

    async def _prepared(self) -> Network:
        if self._base is None:
            await self._administer("CREATE DATABASE {}", BASE)
            settings = read_settings(self.environment(BASE, {}))
            await _found(settings.database_url, settings.redis_url)
            async with open_runtime(settings) as runtime:
                approved = await prepare_action(runtime, utc_now())
                await _put_somebody_on_duty(runtime)
            self._base = Network(BASE, approved)
        return self._base

    async def _administer(self, statement: str, *names: str) -> None:
        async with connect(self.database_url("postgres")) as conn:
            await conn.execute(SQL(statement).format(*map(Identifier, names)))


async def _put_somebody_on_duty(runtime: Runtime) -> None:
    new = NewStaff(
        "duty", "Duty", token_urlsafe(), frozenset({Role.TRIAGE}), "en", "UTC", on_duty=True,
        addresses={ChannelName.SMS: ON_DUTY},
    )  # fmt: skip
    await join_staff(runtime.record, runtime.keys, new, utc_now())


async def _found(database_url: str, redis_url: str) -> None:
    await migrate(database_url)
    pool, redis = await open_pool(database_url, size=1), open_redis(redis_url)
    try:
        await found_network(Record(pool, RedisBell(redis)), "real", utc_now())
    finally:
        await redis.aclose()
        await pool.close()


@asynccontextmanager
async def open_servers(directory: Path, *, postgres_in: Path | None = None) -> AsyncIterator[Servers]:
    """Both servers and a key file below a directory that nobody else uses; PostgreSQL's data elsewhere if asked."""
    place = postgres_in or directory / "postgres"
    postgres = await Server.open(EmbeddedPostgres(place, shelter=directory))
    try:
        valkey = await Server.open(EmbeddedValkey(directory / "valkey"))
        try:
            KeyFile.create(directory / "keys")
            yield Servers(directory, postgres, valkey)
        finally:
            await valkey.close()
    finally:
        await postgres.close()


def by_email(number: int) -> tuple[ChannelName, str]:
    """Where the contact of this number is reached."""
    return ChannelName.EMAIL, f"c{number}@faults.example.org"


def by_sms(number: int) -> tuple[ChannelName, str]:
    """In a country where an SMS may hold a link and can be answered."""
    return ChannelName.SMS, f"+2547{number + 10_000_000}"


def by_telegram(number: int) -> tuple[ChannelName, str]:
    """A chat with one person."""
    return ChannelName.TELEGRAM, str(70_000_000 + number)


def everybody(reach: Reach, recipients: int) -> list[str]:
    """The audience, as the sinks know it."""
    return [reach(number)[1] for number in range(recipients)]
