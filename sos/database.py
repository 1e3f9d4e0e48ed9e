"""PostgreSQL: the pool, the migrations, and rows parsed into types on their way in."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString, TypeVar, cast

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import args_row, dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import TypeAdapter

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATING = 7_305_001  # the advisory lock of those who migrate
# Hot tables lie in memory: with the default page cost a whole block of rows is sorted rather than read by its index.
OPTIONS = "-c timezone=UTC -c random_page_cost=1.1"

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]
T = TypeVar("T")

log = structlog.get_logger()


class SchemaBehind(Exception):
    """The database is older than this code: run `sos migrate` first."""


class NoSuchRow(Exception):
    """Nothing has this id."""


async def open_pool(url: str, *, size: int = 10) -> Pool:
    """A pool of connections. Nothing hangs unseen: 5 s for a connection, then PoolTimeout; 10 s for a statement."""
    pool: Pool = AsyncConnectionPool(
        url, min_size=1, max_size=size, open=False, timeout=5,
        kwargs={"options": f"-c statement_timeout=10s {OPTIONS}"},
    )  # fmt: skip
    await pool.open(wait=True, timeout=20)
    return pool


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    """One connection of its own, each statement committed at once (for LISTEN, advisory locks and migrations)."""
    conn = await AsyncConnection.connect(url, autocommit=True, options=OPTIONS)
    try:
        yield conn
    finally:
        await conn.close()


_parsers: dict[type[Any], TypeAdapter[Any]] = {}


def _parser(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _parsers:
        _parsers[kind] = TypeAdapter(kind)
    return _parsers[kind]


async def rows(conn: Connection, kind: type[T], query: LiteralString, /, **params: object) -> list[T]:
    """All rows, each parsed into `kind`: text into enums, arrays into tuples."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return [_parser(kind).validate_python(row) for row in await cursor.fetchall()]


async def row(conn: Connection, kind: type[T], query: LiteralString, /, **params: object) -> T | None:
    """The first row parsed into `kind`, or None."""
    found = await rows(conn, kind, query, **params)
    return found[0] if found else None


async def plain_rows(conn: Connection, kind: Callable[..., T], query: LiteralString, /, **params: object) -> list[T]:
    """All rows, made by `kind` from the columns as they come: for those that are read by the thousand every second."""
    async with conn.cursor(binary=True, row_factory=args_row(kind)) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


def array(values: Iterable[int] | Iterable[str]) -> str:
    """An array as PostgreSQL reads it, for those that are written by the thousand: psycopg takes ten times as long."""
    return "{" + ",".join([str(one) if isinstance(one, int) else _quoted(one) for one in values]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def value(conn: Connection, query: LiteralString, /, **params: object) -> Any:
    """The first column of the first row, or None."""
    cursor = await conn.execute(query, params)
    found = await cursor.fetchone()
    return found[0] if found else None


async def run(conn: Connection, query: LiteralString, /, **params: object) -> int:
    """How many rows a statement changed."""
    cursor = await conn.execute(query, params)
    return cursor.rowcount


def migrations() -> list[tuple[int, Path]]:
    """Every migration by its number, in order."""
    return sorted((int(path.name.split("_")[0]), path) for path in MIGRATIONS.glob("*.sql"))


async def schema_version(conn: Connection) -> int:
    """The number of the last migration that this database has; 0 for an empty one."""
    if await value(conn, "SELECT to_regclass('schema_versions') IS NULL"):
        return 0
    return cast(int, await value(conn, "SELECT coalesce(max(version), 0) FROM schema_versions"))


async def migrate(url: str, *, up_to: int | None = None) -> list[str]:
    """Bring a database to the newest schema (or to `up_to`); answer the names of what was applied.

    Several processes may call it at once: an advisory lock makes them take turns.
    """
    async with connect(url) as conn:
        await conn.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        await conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_versions (
                version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        at = await schema_version(conn)
        ahead = [(number, path) for number, path in migrations() if at < number <= (up_to or number)]
        for number, path in ahead:
            await _apply(conn, number, path.read_text("utf-8"))
        return [path.name for _, path in ahead]


async def _apply(conn: Connection, number: int, script: str) -> None:
    async with conn.transaction():
        await conn.execute(script.encode())  # bytes: a whole script of ours, not a query with parameters
        await conn.execute("INSERT INTO schema_versions (version) VALUES (%s)", [number])
    log.info("schema.migrated", version=number)


async def require_current_schema(pool: Pool) -> None:
    """Refuse to serve over an older schema. Raises SchemaBehind."""
    async with pool.connection() as conn:
        if await schema_version(conn) < migrations()[-1][0]:
            raise SchemaBehind


UniqueViolation = psycopg.errors.UniqueViolation
