"""A reporter at her phone: it shows pages, keeps no cookie and runs no script."""

import re
from dataclasses import dataclass
from html import unescape

from aiohttp import FormData

from tests.secretariat import Browser

FIELDS = {
    "what": "Se llevaron a Marisol a las cuatro",
    "whom": "Marisol Quispe, de la comunidad de Cerro Azul",
    "where": "Cerro Azul, sector 3",
    "urgency": "life",
    "reach": "llamen a Inés, nunca a mi casa",
}


@dataclass(frozen=True)
class Shown:
    """What the phone shows: a status, the page, and the receipt where there is one."""

    status: int
    html: str

    @property
    def text(self) -> str:
        return unescape(self.html)

    @property
    def secret(self) -> str:
        """What makes this form different from every other."""
        found = re.search(r'name="form" value="([^"]+)"', self.html)
        return unescape(found[1]) if found else ""

    @property
    def receipt(self) -> tuple[str, str]:
        """Number and code; empty where none is shown."""
        found = re.findall(r'<p class="code">(.*?)</p>', self.html)
        return (found[0], " ".join(re.findall(r"<span>(\d+)</span>", found[1]))) if len(found) == 2 else ("", "")

    def typed(self, name: str) -> str:
        """What stands in a field."""
        found = re.search(rf'name="{name}"[^>]*>([^<]*)</textarea>', self.html) or re.search(
            rf'<input id="{name}"[^>]*value="([^"]*)"', self.html
        )
        return unescape(found[1]) if found else ""


@dataclass
class Phone:
    """A browser that forgets everything between one page and the next."""

    client: Browser
    language: str = "es"

    async def open(self, path: str = "report") -> Shown:
        async with self.client.get(f"/{self.language}/{path}") as response:
            assert "Set-Cookie" not in response.headers
            return Shown(response.status, await response.text())

    async def send(self, form: FormData | dict[str, str], path: str = "report") -> Shown:
        async with self.client.post(f"/{self.language}/{path}", data=form) as response:
            assert "Set-Cookie" not in response.headers
            return Shown(response.status, await response.text())

    async def file(self, form: str = "", **changed: str) -> Shown:
        """Fill in a new form (or one that was opened before) and send it."""
        secret = form or (await self.open()).secret
        return await self.send({**FIELDS, "form": secret, **changed})

    async def come_back(self, number: str, code: str) -> Shown:
        return await self.send({"number": number, "code": code}, "receipt")
