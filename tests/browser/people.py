"""People at browsers of their own: they open pages, fill in forms, follow links, and look."""

from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request

from sos.practice.people import PASSPHRASE
from tests.browser.lens import PHONE, Lens

PATIENCE_MS = 15_000


@dataclass
class Visitor:
    """Somebody at her own browser, in one language."""

    page: Page
    language: str
    lens: Lens
    faults: list[str]

    async def open(self, path: str) -> None:
        """Go to an address."""
        await self.page.goto(urljoin(self.page.url, path))

    async def follow(self, link: str) -> None:
        """Follow the first link that matches."""
        await self.page.locator(link).first.click()

    async def links(self, link: str) -> list[str]:
        """Where the links that match lead."""
        return [await one.get_attribute("href") or "" for one in await self.page.locator(link).all()]

    async def send(self, ending: str, *, button: str = "", **typed: str) -> None:
        """Fill in the form whose address ends so, unfolding it first, and press its button."""
        form = self.page.locator(f"form[action$='{ending}']").first
        await self._unfold(form)
        for name, value in typed.items():
            await _fill(form, name, value)
        await form.locator(f"button[value='{button}']" if button else "button").first.click()

    async def _unfold(self, form: Locator) -> None:
        folded = self.page.locator("details:not([open])", has=form)
        if await folded.count():
            await folded.locator("> summary").click()

    async def words(self) -> str:
        """Everything that the page says."""
        return await self.page.locator("main").inner_text()

    async def look(self, name: str) -> None:
        """Look closely at the page: whatever is wrong with it is noted, and the story goes on."""
        direction = "rtl" if self.language == "ar" else "ltr"
        await self.page.locator(f"html[lang={self.language}][dir={direction}]").wait_for()
        found = await self.lens.examine(f"{self.language}-{name}", self.page.url, await self.page.content())
        self.faults += [f"{self.language}-{name}: {fault}" for fault in found]

    async def weigh(self) -> int:
        """How many bytes this page costs somebody who was never here, with everything that it loads."""
        browser = self.page.context.browser
        assert browser
        stranger = await browser.new_page(viewport=PHONE)
        loaded: list[Request] = []
        stranger.on("requestfinished", lambda request: loaded.append(request))
        await stranger.goto(self.page.url, wait_until="networkidle")
        sizes = [await one.sizes() for one in loaded]
        await stranger.context.close()
        return sum(one["responseHeadersSize"] + one["responseBodySize"] for one in sizes)


async def _fill(form: Locator, name: str, value: str) -> None:
    """Type, choose, or tick (several: with spaces between)."""
    control = form.locator(f"[name={name}]").first
    match await control.evaluate("control => control.type"):
        case "radio" | "checkbox":
            for one in value.split():
                await form.locator(f"[name={name}][value='{one}']").check()
        case "select-one":
            await control.select_option(value)
        case _:
            await control.fill(value)


@dataclass
class People:
    """Everybody in a story, and the browser that they share, each in a context of her own."""

    browser: Browser
    url: str
    lens: Lens
    faults: list[str] = field(default_factory=list[str])

    async def visitor(self, language: str, *, javascript: bool = False) -> Visitor:
        """Somebody on a phone, as a rule without JavaScript."""
        context = await self.browser.new_context(viewport=PHONE, java_script_enabled=javascript, locale=language)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("console", self._note_refusal)
        page.on("request", self._note_stranger)
        await page.goto(self.url)
        return Visitor(page, language, self.lens, self.faults)

    async def staff(self, login: str, language: str) -> Visitor:
        """Somebody of the practice secretariat, signed in with the code that her authenticator shows now."""
        person = await self.visitor(language, javascript=True)
        await person.open("/demo")
        account = person.page.locator("li", has=person.page.locator(f"code:text-is('{login}')"))
        code = await account.locator("code.now").inner_text()
        await person.open("/desk/sign-in")
        await person.send("/desk/sign-in", login=login, passphrase=PASSPHRASE, code=code)
        await person.page.wait_for_url("**/desk")
        return person

    def _note_refusal(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.faults.append(message.text)

    def _note_stranger(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.faults.append(f"asked another host: {request.url}")
