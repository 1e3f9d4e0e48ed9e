"""A connection to a migrated database of this test's own."""

from collections.abc import AsyncIterator

import pytest

from sos.database import Connection, connect


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """Each statement is committed at once."""
    async with connect(database_url) as connection:
        yield connection
