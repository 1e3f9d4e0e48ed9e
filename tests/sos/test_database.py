"""The database: rows become types on their way in, migrations take turns, and an older schema is not served."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from pydantic import ValidationError

from sos.database import (
    SchemaBehind,
    array,
    connect,
    migrate,
    migrations,
    open_pool,
    require_current_schema,
    row,
    rows,
    run,
    value,
)


class Colour(StrEnum):
    """What something looks like."""

    RED = "red"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something stored."""

    colour: Colour
    sizes: tuple[int, ...]


async def test_rows_are_parsed_into_types_with_enums_and_tuples(database_url: str) -> None:
    async with connect(database_url) as conn:
        found = await rows(conn, Thing, "SELECT 'red' AS colour, ARRAY[1, 2] AS sizes FROM generate_series(1, 2)")
        assert found == [Thing(Colour.RED, (1, 2))] * 2
        assert isinstance(found[0].colour, Colour)
        assert await row(conn, Thing, "SELECT 'red' AS colour, ARRAY[1] AS sizes WHERE false") is None
        assert await value(conn, "SELECT 1 WHERE false") is None
        with pytest.raises(ValidationError):
            await row(conn, Thing, "SELECT 'blue' AS colour, ARRAY[1] AS sizes")


async def test_arrays_arrive_as_they_were_written(database_url: str) -> None:
    texts = ["", "plain", 'a "quote"', "back\\slash", "{a,b}", "NULL", " a , b ", "ñ حقوق 🖋", "line\nbreak"]
    async with connect(database_url) as conn:
        assert await value(conn, "SELECT %(texts)s::text[]", texts=array(texts)) == texts
        assert await value(conn, "SELECT %(ids)s::bigint[]", ids=array([1, -2, 2**62])) == [1, -2, 2**62]
        assert await value(conn, "SELECT %(none)s::bigint[]", none=array(list[int]())) == []


async def test_a_statement_tells_how_many_rows_it_changed(database_url: str) -> None:
    async with connect(database_url) as conn:
        await conn.execute("CREATE TABLE things (id integer)")
        assert await run(conn, "INSERT INTO things SELECT generate_series(1, %(count)s)", count=3) == 3
        assert await run(conn, "DELETE FROM things WHERE id > %(id)s", id=1) == 2


async def test_many_who_migrate_at_once_take_turns(empty_database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(3)))

    assert sorted(map(len, applied)) == [0, 0, len(migrations())]


async def test_an_older_schema_is_not_served(empty_database: str) -> None:
    newest = migrations()[-1][0]
    await migrate(empty_database, up_to=newest - 1)
    pool = await open_pool(empty_database, size=1)
    try:
        with pytest.raises(SchemaBehind):
            await require_current_schema(pool)
        await migrate(empty_database)
        await require_current_schema(pool)
    finally:
        await pool.close()


async def test_a_statement_that_hangs_is_ended(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    try:
        async with pool.connection() as conn:
            assert await value(conn, "SHOW statement_timeout") == "10s"
            assert await value(conn, "SHOW timezone") == "UTC"
    finally:
        await pool.close()


async def test_nobody_waits_long_for_a_connection(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    try:
        assert pool.timeout <= 5
        async with pool.connection():
            with pytest.raises(PoolTimeout):
                async with pool.connection(timeout=0.1):
                    pass
    finally:
        await pool.close()


async def test_the_journal_is_only_ever_appended(database_url: str) -> None:
    async with connect(database_url) as conn:
        await conn.execute(
            "INSERT INTO journal (at, actor_kind, did, subject_id) VALUES (now(), 'system', 'a.b', gen_random_uuid())"
        )
        for statement in ("UPDATE journal SET did = 'c.d'", "DELETE FROM journal"):
            with pytest.raises(psycopg.errors.RaiseException):
                await conn.execute(statement.encode())
        assert await value(conn, "SELECT did FROM journal") == "a.b"
