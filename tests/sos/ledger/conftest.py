"""A connection to a migrated database of this test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sos.database import Connection, connect
from tests.story import Story, open_story


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """Each statement is committed at once."""
    async with connect(database_url) as connection:
        yield connection


@pytest.fixture
async def story(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Story]:
    """A secretariat, and a network without members."""
    async with open_story(database_url, redis_url, tmp_path) as opened:
        yield opened
