"""A network whose messages really leave, and whose providers call back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivering import Delivering, open_delivering


@pytest.fixture
async def delivering(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Delivering]:
    """A real network with a mail server and both stand-ins."""
    async with open_delivering(database_url, redis_url, tmp_path) as opened:
        yield opened
