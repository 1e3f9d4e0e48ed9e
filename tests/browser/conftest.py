"""A running practice network, and people with browsers in front of it: once for each story."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.browser.chromium import CHROMIUM, launch
from tests.browser.lens import PHONE, Lens
from tests.browser.people import People
from tests.browser.practice import open_practice
from tests.browser.words import ARABIC, ENGLISH, Words


@pytest.fixture(params=[ENGLISH, ARABIC], ids=lambda words: words.language)
def words(request: pytest.FixtureRequest) -> Words:
    """What people write, and in which language."""
    found: Words = request.param
    return found


@pytest.fixture
async def people(words: Words, database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """People in front of a practice network of this test's own."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    async with open_practice(database_url, redis_url, tmp_path) as url, async_playwright() as playwright:
        browser = await launch(playwright)
        lens = Lens(await browser.new_page(viewport=PHONE), _pictures(words))
        yield People(browser, url, lens)
        await browser.close()


def _pictures(words: Words) -> Path | None:
    """Where the screenshots of a story are kept: below the directory SOS_SCREENSHOTS, if that is given."""
    given = os.environ.get("SOS_SCREENSHOTS")
    if not given:
        return None
    directory = Path(given) / words.language
    directory.mkdir(parents=True, exist_ok=True)
    return directory
