"""The chromium of this machine."""

import shutil

from playwright.async_api import Browser, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = ("--no-sandbox", "--disable-quic", "--disable-background-networking")


async def launch(playwright: Playwright) -> Browser:
    """Start it without a window; nothing of its own goes over the network."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
