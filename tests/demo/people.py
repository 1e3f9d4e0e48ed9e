"""People at their browsers and authenticators: everything that they do goes over HTTP, one cookie jar each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import pyotp

from tests.demo.page import Page, read_page

WITHIN = aiohttp.ClientTimeout(total=30)


@dataclass
class Browser:
    """One person's browser, without JavaScript."""

    session: aiohttp.ClientSession
    base: str

    async def open(self, path: str) -> Page:
        """Look at a page, by its path or its whole address."""
        async with self.session.get(self._whole(path)) as answer:
            return await self._read(answer)

    async def head(self, path: str) -> int:
        """Ask for a page's headers, as scanners do; its status."""
        async with self.session.head(self._whole(path), allow_redirects=True) as answer:
            return answer.status

    async def send(self, page: Page, ending: str, **values: str | list[str]) -> Page:
        """Fill in the form of a page whose address ends so, and send it. Raises NotOffered."""
        form = page.form(ending)
        return await self.post(form.action, form.fill(values))

    async def post(self, path: str, filled: list[tuple[str, str]]) -> Page:
        """Send a form as it is given, offered or not."""
        async with self.session.post(self._whole(path), data=filled) as answer:
            return await self._read(answer)

    def cookies(self) -> dict[str, str]:
        """What this browser keeps."""
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}

    def _whole(self, path: str) -> str:
        return path if path.startswith("http") else self.base + path

    async def _read(self, answer: aiohttp.ClientResponse) -> Page:
        raw = await answer.read()
        html = raw.decode() if answer.content_type == "text/html" else ""
        return read_page(answer.status, answer.url.path, html)


@dataclass
class Browsers:
    """A browser for whoever needs one; they share connections, never cookies."""

    base: str
    connector: aiohttp.TCPConnector
    opened: list[Browser] = field(default_factory=list[Browser])

    def new(self, cookies: dict[str, str] | None = None) -> Browser:
        """An empty browser, or one that already keeps these cookies."""
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address in digits, too
        session = aiohttp.ClientSession(
            connector=self.connector, connector_owner=False, cookie_jar=jar, cookies=cookies, timeout=WITHIN
        )
        self.opened.append(Browser(session, self.base))
        return self.opened[-1]


@asynccontextmanager
async def open_browsers(base: str) -> AsyncIterator[Browsers]:
    """Browsers of one installation, all closed at the end."""
    connector = aiohttp.TCPConnector(limit=40)
    browsers = Browsers(base, connector)
    try:
        yield browsers
    finally:
        for browser in browsers.opened:
            await browser.session.close()
        await connector.close()


@dataclass
class Staff:
    """Somebody of the secretariat: what she types to come in, and her browser once she is there."""

    login: str
    name: str
    roles: tuple[str, ...]
    passphrase: str
    language: str = "en"
    email: str = ""
    sms: str = ""
    on_duty: bool = False
    totp_secret: str = ""
    codes: list[str] = field(default_factory=list[str])
    browser: Browser | None = None

    @property
    def desk(self) -> Browser:
        """Her browser, signed in."""
        assert self.browser, f"{self.login} has not signed in"
        return self.browser

    async def sign_in(self, browsers: Browsers) -> Page:
        """Type login, passphrase and the present code at the secretariat's door."""
        self.browser = browsers.new()
        self.codes.append(pyotp.TOTP(self.totp_secret).at(datetime.now(UTC)))
        door = await self.browser.open("/desk/sign-in")
        return await self.browser.send(
            door, "/desk/sign-in", login=self.login, passphrase=self.passphrase, code=self.codes[-1]
        )
