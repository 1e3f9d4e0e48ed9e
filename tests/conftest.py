"""Real servers for the session, and for each test that asks an empty Redis and a migrated database of its own."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier
from redis import Redis

from sos.database import migrate
from sos.embedded import EmbeddedPostgres, EmbeddedValkey
from sos.supervisor import Child, spawn

TEMPLATE = "migrated"
READY_WITHIN_SECONDS = 60.0

_numbers = count(1)


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A directory that the user nobody can pass through, for tests that run as root; removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="sos-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(servers_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this session's own."""
    server = EmbeddedPostgres(servers_directory / "postgres", durable=False, shelter=servers_directory)
    with _running(server):
        yield server


@pytest.fixture(scope="session")
def valkey(servers_directory: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of this session's own."""
    server = EmbeddedValkey(servers_directory / "valkey")
    with _running(server):
        yield server


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated, empty database to copy; nothing may stay connected to it."""
    _administer(postgres, SQL("CREATE DATABASE {}").format(Identifier(TEMPLATE)))
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(migrate(postgres.url(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    name = f"test_{next(_numbers)}"
    copying = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")  # without fsync, faster than through the WAL
    _administer(postgres, copying.format(Identifier(name), Identifier(template_database)))
    yield postgres.url(name)
    _administer(postgres, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this test's own without any schema."""
    name = f"empty_{next(_numbers)}"
    _administer(postgres, SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield postgres.url(name)
    _administer(postgres, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The session's Valkey, emptied."""
    with Redis.from_url(valkey.url()) as redis:
        redis.flushall()
    return valkey.url()


@contextmanager
def _running(server: EmbeddedPostgres | EmbeddedValkey) -> Iterator[None]:
    child = server.prepare()
    assert child.log
    with child.log.open("wb") as log:
        process = spawn(child, log.fileno())
    try:
        _wait_until_ready(child)
        yield
    finally:
        process.send_signal(child.stop_signal)
        process.wait(timeout=child.grace_seconds)
        server.close()


def _wait_until_ready(child: Child) -> None:
    assert child.ready
    until = time.monotonic() + READY_WITHIN_SECONDS
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        while not runner.run(child.ready()):
            assert time.monotonic() < until, f"{child.name} is not ready; its log is {child.log}"
            time.sleep(0.05)


def _administer(postgres: EmbeddedPostgres, statement: Composed) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
