"""The recovery key on paper: read back whatever its spaces and capitals, and rehearsed without showing anything."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos.database import connect
from sos.recovery import as_words, from_words, rehearse
from sos.vault import CannotOpen, PrivateKey
from tests.secretariat import Secretariat, open_secretariat

KEY = PrivateKey.new()


@pytest.fixture
async def secretariat(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Secretariat]:
    """A founded network."""
    async with open_secretariat(database_url, redis_url, tmp_path) as opened:
        yield opened


@given(st.binary(min_size=96, max_size=96))
def test_what_was_written_down_reads_back(raw: bytes) -> None:
    words = as_words(PrivateKey(raw))

    assert from_words(words).raw == raw
    assert from_words(words.lower().replace(" ", "\n  ")).raw == raw
    assert not set(words) & set("0189")


@given(st.integers(0, 150), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_wrong_letter_is_noticed(at: int, letter: str) -> None:
    words = as_words(KEY).replace(" ", "")
    wrong = words[:at] + letter + words[at + 1 :]

    if wrong != words:
        with pytest.raises(CannotOpen):
            from_words(wrong)


@pytest.mark.parametrize("words", ["", "A", "not a key", "ключ", "A" * 160, "2" * 7])
def test_what_is_no_key_opens_nothing(words: str) -> None:
    with pytest.raises(CannotOpen):
        from_words(words)


async def test_a_rehearsal_opens_the_newest_reports(secretariat: Secretariat, database_url: str) -> None:
    for _ in range(3):
        await secretariat.file_report()
    async with connect(database_url) as conn:
        assert await rehearse(conn, from_words(as_words(secretariat.recovery))) == 3


async def test_another_networks_key_is_refused_though_it_is_a_key(secretariat: Secretariat, database_url: str) -> None:
    async with connect(database_url) as conn:
        with pytest.raises(CannotOpen):
            await rehearse(conn, KEY)


async def test_a_key_that_no_longer_opens_is_found_out(secretariat: Secretariat, database_url: str) -> None:
    await secretariat.file_report()
    async with connect(database_url) as conn:
        await conn.execute("UPDATE key_grants SET key_id = %s WHERE holder_kind = 'recovery'", [uuid4()])
        with pytest.raises(CannotOpen):
            await rehearse(conn, secretariat.recovery)
