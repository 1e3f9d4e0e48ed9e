"""A served secretariat whose clock stands until it is moved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.secretariat import Secretariat, open_secretariat
from tests.story import Story, open_story


@pytest.fixture
async def secretariat(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Secretariat]:
    """A founded practice network, served."""
    async with open_secretariat(database_url, redis_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def story(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Story]:
    """A secretariat, and a network without members."""
    async with open_story(database_url, redis_url, tmp_path) as opened:
        yield opened
