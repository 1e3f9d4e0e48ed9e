"""A small network whose clock stands until it is moved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivering import Delivering, open_delivering
from tests.story import Story, open_story


@pytest.fixture
async def story(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Story]:
    """A secretariat, and a network without members."""
    async with open_story(database_url, redis_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def delivering(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Delivering]:
    """A real network with a mail server and both stand-ins."""
    async with open_delivering(database_url, redis_url, tmp_path) as opened:
        yield opened
