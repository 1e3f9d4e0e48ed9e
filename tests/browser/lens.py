"""What every page is held against: whoever reads it by ear, by thumb, or on a narrow screen, can use it."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route, ViewportSize

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 800}
GRAVE = ("serious", "critical")

# A thumb needs 44 px (WCAG 2.5.5), in what stands by itself; a link inside a sentence is as high as its line.
SMALL_TARGETS = """() => [...document.querySelectorAll(
    "button, .button, summary, select, textarea, label.option, header a, nav a, li h3 a, .tongues a,"
    + "main > .small > a, input:not([type=hidden], [type=radio], [type=checkbox])")]
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.height > 0 && (box.height < 43.5 || box.width < 43.5))
  .map(([one, box]) => `${one.outerHTML.slice(0, 120)} is ${Math.round(box.width)} x ${Math.round(box.height)} px`)"""

OVERHANGING = "document.documentElement.scrollWidth - innerWidth"


@dataclass
class Lens:
    """A page with JavaScript in which any page, as somebody sees it just then, is examined."""

    page: Page
    pictures: Path | None

    async def examine(self, name: str, url: str, html: str) -> list[str]:
        """Hold a page against what all of them promise: its faults. Its pictures are kept if they are wanted."""
        await self._show(url, html)
        if self.pictures:
            await self._take_pictures(self.pictures, name)
        overhang = await self.page.evaluate(OVERHANGING)
        faults = await self._grave_violations() + await self.page.evaluate(SMALL_TARGETS)
        return [*faults, f"it is {overhang} px wider than a phone"] if overhang else faults

    async def _show(self, url: str, html: str) -> None:
        async def answer(route: Route) -> None:
            await route.fulfill(body=html, content_type="text/html; charset=utf-8")

        page_alone = urldefrag(url).url  # going to a place on the page that is shown already loads nothing
        await self.page.set_viewport_size(PHONE)
        await self.page.unroute_all()
        await self.page.route(page_alone, answer)
        await self.page.goto(page_alone)

    async def _take_pictures(self, directory: Path, name: str) -> None:
        await self.page.set_viewport_size(DESK)
        await self.page.screenshot(path=directory / f"{name}-wide.png", full_page=True)
        await self.page.set_viewport_size(PHONE)
        await self.page.screenshot(path=directory / f"{name}.png", full_page=True)

    async def _grave_violations(self) -> list[str]:
        found = (await Axe().run(self.page)).response["violations"]
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}"
            for one in found if one["impact"] in GRAVE
            for node in one["nodes"]
        ]  # fmt: skip
