"""A record and a key file of this test's own, and lists of members to import."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from sos.config import Config, read_config
from sos.database import open_pool
from sos.jobs import Record
from sos.vault import KeyFile

PLAIN = {
    "reference": "KE-1",
    "kind": "grassroots",
    "standing": "member",
    "country": "Kenya",
    "name": "Mto wa Haki",
    "contact": "Achieng Otieno",
    "languages": "en",
}

ListOf = Callable[..., str]


class SilentBell:
    """A bell for those who do not listen."""

    async def ring(self, work_ids: Sequence[int]) -> None: ...


@pytest.fixture
async def record(database_url: str) -> AsyncIterator[Record]:
    """The record, over a migrated database of this test's own."""
    pool = await open_pool(database_url, size=2)
    yield Record(pool, SilentBell())
    await pool.close()


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A fresh key file."""
    KeyFile.create(tmp_path / "keys")
    return KeyFile.read(tmp_path / "keys")


@pytest.fixture(scope="session")
def config() -> Config:
    """What stands in config/."""
    return read_config()


@pytest.fixture
def list_of() -> ListOf:
    """A CSV file whose rows differ from a plain one as given."""

    def write(*rows: dict[str, str]) -> str:
        file = io.StringIO()
        writer = csv.DictWriter(file, list(dict.fromkeys([*PLAIN, *(column for row in rows for column in row)])))
        writer.writeheader()
        writer.writerows(PLAIN | row for row in rows)
        return file.getvalue()

    return write
