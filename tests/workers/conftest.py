"""A runtime over a founded practice network, and a channel that keeps what it is given."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sos.database import Connection, connect
from sos.runtime import Runtime
from tests.make import make_runtime


@pytest.fixture
async def runtime(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A practice network's runtime."""
    async with make_runtime(database_url, redis_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """Each statement is committed at once."""
    async with connect(database_url) as connection:
        yield connection
