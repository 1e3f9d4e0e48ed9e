"""Everything that a process holds, opened once and closed in reverse order."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sos.config import Config, read_config
from sos.database import Connection, open_pool, require_current_schema, row, value
from sos.jobs import Record, RedisBell
from sos.settings import BadSetting, Settings
from sos.texts import Templates
from sos.vault import KeyFile

BELL_TIMEOUT = timedelta(seconds=1)  # nobody waits for a doorbell
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the first goes on while a machine sleeps


@dataclass(frozen=True, slots=True)
class Network:
    """Whether this is a practice network or a real one, and the key under which everything can be recovered."""

    kind: str
    recovery_key: bytes
    founded_at: datetime
    instance: str
    server: str

    @property
    def is_practice(self) -> bool:
        return self.kind == "practice"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What handlers and jobs are given."""

    settings: Settings
    config: Config
    network: Network
    keys: KeyFile
    record: Record
    redis: ArqRedis
    templates: Templates
    clock: Callable[[], datetime]


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)


class RecordClock:
    """The database's time, carried on by this machine's steady clock: no wrong clock here lets anything leave early.

    All processes go by one clock, so that a lease or a deadline means the same to each.
    """

    def __init__(self, now: datetime) -> None:
        self._set(now)

    def __call__(self) -> datetime:
        return self._then + timedelta(seconds=time.clock_gettime(STEADY) - self._at)

    async def compare(self, conn: Connection) -> None:
        """Look at the database's clock again."""
        self._set(await value(conn, "SELECT clock_timestamp()"))

    def _set(self, now: datetime) -> None:
        self._then, self._at = now, time.clock_gettime(STEADY)


def open_redis(url: str) -> ArqRedis:
    """Redis as arq wants it: ids only, as JSON bytes, with a short time-out, connecting when first used."""
    pool: ConnectionPool = ConnectionPool.from_url(
        url, socket_timeout=BELL_TIMEOUT.total_seconds(), socket_connect_timeout=BELL_TIMEOUT.total_seconds(),
        retry=Retry(NoBackoff(), 0),
    )  # fmt: skip
    return ArqRedis(pool_or_conn=pool, job_serializer=dump_job, job_deserializer=json.loads)


def dump_job(job: dict[str, object]) -> bytes:
    """A job as JSON: numbers and names, never pickle."""
    return json.dumps(job).encode()


async def find_network(conn: Connection) -> Network | None:
    """The network of this database, or None before it is founded."""
    return await row(conn, Network, "SELECT kind, recovery_key, founded_at, instance, server FROM network")


@asynccontextmanager
async def open_runtime(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> AsyncIterator[Runtime]:
    """Open the database, Redis, the key file and the templates. Raises BadSetting, SchemaBehind, BadKeyFile.

    Where no clock is given, the database's is the clock.
    """
    async with AsyncExitStack() as stack:
        keys = KeyFile.read(settings.key_file)
        pool = await open_pool(settings.database_url)
        stack.push_async_callback(pool.close)
        await require_current_schema(pool)
        async with pool.connection() as conn:
            network = await find_network(conn)
            clock = clock or RecordClock(await value(conn, "SELECT clock_timestamp()"))
        require_matching_network(network, settings)
        assert network
        redis = open_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        record = Record(pool, RedisBell(redis))
        yield Runtime(settings, read_config(), network, keys, record, redis, Templates(), clock)


def require_matching_network(network: Network | None, settings: Settings) -> None:
    """A practice network never gets a provider; a real one never runs without a channel. Raises BadSetting."""
    if network is None:
        raise BadSetting("SOS_DATABASE_URL points to a database without a network: run `sos found` first")
    if network.is_practice and settings.providers:
        raise BadSetting("SOS_DATABASE_URL holds a practice network, which can never be given a real provider")
    if not network.is_practice and not settings.smtp:
        raise BadSetting("SOS_SMTP_URL is missing: a real network needs at least a mail relay")
