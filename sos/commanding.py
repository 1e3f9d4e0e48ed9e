"""What every command shares: settings, an open record, and whatever stops it said in one line."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, TypeVar

import click
from psycopg import OperationalError

from sos.database import NoSuchRow, SchemaBehind, UniqueViolation, open_pool
from sos.embedded import CannotServe
from sos.jobs import Record, RedisBell
from sos.network import AlreadyFounded
from sos.runtime import open_redis
from sos.settings import BadSetting, Settings, read_settings
from sos.staff.staff import TooShort
from sos.vault import BadKeyFile, CannotOpen

T = TypeVar("T")

WRONG: dict[type[Exception], str] = {
    SchemaBehind: "The database is older than this code: run `sos migrate` first.",
    BadKeyFile: "SOS_KEY_FILE is not a key file that only its owner can read (make one: `sos key new FILE`).",
    AlreadyFounded: "This database holds a network already.",
    TooShort: "A passphrase needs at least 14 characters.",
    UniqueViolation: "Somebody has this login already.",
    CannotOpen: "This is not the recovery key of this network.",
    NoSuchRow: "Nobody has this login.",
    OperationalError: "SOS_DATABASE_URL: the database does not answer there.",
}


def plainly(command: Callable[..., T]) -> Callable[..., T]:
    """Whatever stops a command is said in one line."""

    @wraps(command)
    def said(*args: Any, **kwargs: Any) -> T:
        try:
            return command(*args, **kwargs)
        except (BadSetting, CannotServe) as wrong:
            raise click.ClickException(str(wrong)) from wrong
        except tuple(WRONG) as wrong:
            said_so = next(words for kind, words in WRONG.items() if isinstance(wrong, kind))
            raise click.ClickException(said_so) from wrong

    return said


def settings_now() -> Settings:
    return read_settings(os.environ)


@asynccontextmanager
async def open_record(settings: Settings) -> AsyncIterator[Record]:
    """A database and its bell, for commands that need no more."""
    pool = await open_pool(settings.database_url, size=2)
    redis = open_redis(settings.redis_url)
    try:
        yield Record(pool, RedisBell(redis))
    finally:
        await redis.aclose()
        await pool.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
