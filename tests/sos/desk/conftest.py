"""A served secretariat whose clock stands until it is moved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.secretariat import Secretariat, open_secretariat


@pytest.fixture
async def secretariat(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Secretariat]:
    """A founded practice network, served."""
    async with open_secretariat(database_url, redis_url, tmp_path) as opened:
        yield opened
