"""Makes the picture in README.md of the screenshots of a browser test.

SOS_SCREENSHOTS=/tmp/shots make test ARGS=tests/browser
.venv/bin/python -m tests.browser.picture /tmp/shots docs/picture.png
"""

import asyncio
import sys
from base64 import b64encode
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.chromium import launch

SHOWN = ("ar/ar-sign.png", "en/en-running.png")
WIDTH, HEIGHT = 900, 960
PAGE = """<!doctype html><style>
body { margin: 0; display: flex; gap: 60px; justify-content: center; background: #dfe8e6; }
div { inline-size: 360px; block-size: 880px; margin-block: 40px; overflow: hidden; background: #fbfaf7;
  border-radius: 22px; box-shadow: 0 0 0 8px #1d2529, 0 12px 30px #1d252955; }
</style>"""


def _phone(screenshot: Path) -> str:
    return f'<div><img src="data:image/png;base64,{b64encode(screenshot.read_bytes()).decode()}"></div>'


async def make_picture(screenshots: Path, picture: Path) -> None:
    """Show two pages on two phones, side by side."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        await page.set_content(PAGE + "".join(_phone(screenshots / name) for name in SHOWN))
        await page.screenshot(path=picture)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(make_picture(Path(sys.argv[1]), Path(sys.argv[2])))
