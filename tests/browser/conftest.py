"""A running practice network, and people with browsers in front of it."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.browser.lens import PHONE, Lens
from tests.browser.people import People
from tests.browser.practice import open_practice

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = ("--no-sandbox", "--disable-quic", "--disable-background-networking")


@pytest.fixture
async def people(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """People in front of a practice network of this test's own."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    async with open_practice(database_url, redis_url, tmp_path) as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        lens = Lens(await browser.new_page(viewport=PHONE), _pictures())
        yield People(browser, url, lens)
        await browser.close()


def _pictures() -> Path | None:
    """Where screenshots are kept: in the directory SOS_SCREENSHOTS, if that is given."""
    given = os.environ.get("SOS_SCREENSHOTS")
    if not given:
        return None
    directory = Path(given)
    directory.mkdir(parents=True, exist_ok=True)
    return directory
