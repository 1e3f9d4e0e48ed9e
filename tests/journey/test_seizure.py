"""Somebody takes the database, the Redis data and the logs after the story: she learns nothing of what was said."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from redis import Redis

from tests.journey.canaries import Canary, all_canaries, approved_texts, find
from tests.journey.conftest import Played

SHORTEST = 8  # bytes of which none are found in so many megabytes by chance


@pytest.fixture(scope="module")
def canaries(played: Played) -> list[Canary]:
    """Everything that may be found nowhere."""
    return all_canaries(played)


def tables_of(played: Played) -> Iterator[tuple[str, bytes]]:
    """Every table with its rows, binary columns as the bytes that they hold."""
    with psycopg.connect(played.instance.database_url) as conn:
        names = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            rows = conn.execute(SQL("SELECT * FROM {}").format(Identifier(name))).fetchall()
            values = [value for row in rows for value in row]
            yield name, b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in values)


def redis_of(played: Played) -> bytes:
    """Every key with its value."""
    readers = {b"string": "GET {}", b"hash": "HGETALL {}", b"list": "LRANGE {} 0 -1", b"set": "SMEMBERS {}"}
    readers |= {b"zset": "ZRANGE {} 0 -1 WITHSCORES", b"stream": "XRANGE {} - +"}
    with Redis.from_url(played.instance.settings["SOS_REDIS_URL"]) as redis:
        found: list[object] = []
        for key in redis.scan_iter():
            before, _, after = readers[redis.type(key)].partition(" {}")
            found += [key, redis.execute_command(before, key, *after.split())]
        return repr(found).encode()


def test_the_database_holds_only_the_approved_texts(played: Played, canaries: list[Canary]) -> None:
    tables = dict(tables_of(played))
    assert len(tables["reports"]) > 100
    assert find(approved_texts(), tables.pop("texts")) == ["an approved text"]
    assert {name: sung for name, rows in tables.items() if (sung := find(canaries + approved_texts(), rows))} == {}


def test_redis_and_its_file_hold_numbers_only(played: Played, canaries: list[Canary]) -> None:
    files = [path.read_bytes() for path in (played.instance.directory / "valkey").rglob("*.aof")]
    assert b"ring" in b"".join(files)
    assert find(canaries + approved_texts(), b"\n".join([redis_of(played), *files])) == []


def test_no_process_logs_what_people_said(played: Played, canaries: list[Canary]) -> None:
    logs = {path.name: path.read_bytes() for path in played.instance.logs}
    assert {"web-1.log", "worker-1.log", "log"} <= set(logs)
    assert b"worker.started" in logs["worker-1.log"]
    assert {name: sung for name, log in logs.items() if (sung := find(canaries + approved_texts(), log))} == {}


def test_the_files_of_the_database_hold_only_the_approved_texts(played: Played, canaries: list[Canary]) -> None:
    telling = [one for one in canaries if len(one.text) >= SHORTEST]
    with psycopg.connect(played.instance.database_url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        found = conn.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert found
    held = b"\n".join(_files(played.instance.directory, found[0]))
    assert any(one.text.encode() in held for one in approved_texts())
    assert find(telling, held) == []


def _files(directory: Path, database: int) -> Iterator[bytes]:
    """Of one database, and of what is written ahead."""
    for pattern in (f"data/base/{database}/*", "data/pg_wal/*"):
        yield from (path.read_bytes() for path in directory.rglob(pattern) if path.is_file())


@pytest.mark.parametrize("written", ["plain {}", '{{"name": "{}"}}', "/s/{}?x"])
def test_whatever_is_left_lying_is_found(canaries: list[Canary], written: str) -> None:
    for canary in canaries:
        assert canary.what in find([canary], written.format(canary.text).encode())
