"""A secretariat to test with: people who join, sign in by passphrase and code, read pages and fill in forms."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyotp
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer
from aiohttp.web import Request
from yarl import URL

from sos.app import create_app
from sos.database import open_pool
from sos.intake import store as intake_store
from sos.intake.report import Told, Urgency, new_form_secret
from sos.intake.steps import file_report
from sos.jobs import Record, RedisBell
from sos.network import found_network
from sos.reach import open_channels
from sos.runtime import Runtime, open_redis, open_runtime
from sos.staff.staff import Person, Role
from sos.staff.steps import NewStaff, find_person, join_staff
from sos.vault import PrivateKey, digest
from tests.make import make_settings

Browser = TestClient[Request, None]

PASSPHRASE = "four quiet words here"
WORDS = Told(
    what="Marisol was taken from her house at four", whom="Marisol Quispe", where="Cerro Azul", reach="call Inés"
)


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = datetime(2031, 3, 14, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass(frozen=True)
class Answer:
    """What a page answered: its status, its text, and where it ended after redirects."""

    status: int
    text: str
    path: str


@dataclass
class Seat:
    """Somebody of the secretariat at her own browser."""

    id: UUID
    client: Browser
    csrf: str = ""

    async def read(self, path: str) -> Answer:
        """Open a page."""
        async with self.client.get(path) as response:
            return await self._answer(response.status, await response.text(), response.url)

    async def send(self, path: str, *, csrf: str | None = None, **fields: str | list[str]) -> Answer:
        """Send a form, with the proof that it is her own page's unless another is given."""
        proof = self.csrf if csrf is None else csrf
        async with self.client.post(path, data=[*_pairs(fields), ("csrf", proof)]) as response:
            return await self._answer(response.status, await response.text(), response.url)

    async def _answer(self, status: int, text: str, url: URL) -> Answer:
        proof = re.search(r'name="csrf" value="([^"]+)"', text)
        self.csrf = proof[1] if proof else self.csrf
        return Answer(status, text, url.path)


def _pairs(fields: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    return [(name, one) for name, value in fields.items() for one in ([value] if isinstance(value, str) else value)]


@dataclass
class Secretariat:
    """A founded network with its web application, whose clock is moved by hand."""

    runtime: Runtime
    clock: Clock
    recovery: PrivateKey
    server: BaseTestServer
    stack: AsyncExitStack
    secrets: dict[UUID, tuple[str, str]] = field(default_factory=dict[UUID, tuple[str, str]])

    async def join(self, name: str, *roles: Role, language: str = "en") -> UUID:
        """Somebody joins."""
        new = NewStaff(name.casefold(), name, PASSPHRASE, frozenset(roles), language, "UTC")
        joined = await join_staff(self.runtime.record, self.runtime.keys, new, self.clock.now)
        self.secrets[joined.id] = (new.login, joined.totp_secret)
        return joined.id

    async def sign_in(self, staff_id: UUID) -> Seat:
        """She signs in at a browser of her own."""
        client: Browser = await self.stack.enter_async_context(TestClient(self.server))
        login, secret = self.secrets[staff_id]
        seat = Seat(staff_id, client)
        code = pyotp.TOTP(secret).at(self.clock.now)
        answer = await seat.send("/desk/sign-in", csrf="", login=login, passphrase=PASSPHRASE, code=code)
        assert (answer.status, answer.path) == (200, "/desk"), answer.text
        return seat

    async def seat(self, name: str, *roles: Role, language: str = "en") -> Seat:
        """Somebody joins and signs in."""
        return await self.sign_in(await self.join(name, *roles, language=language))

    async def person(self, seat: Seat) -> Person:
        """Who sits there, with her key, as a handler would be given her."""
        cookie = seat.client.session.cookie_jar.filter_cookies(URL(str(self.server.make_url("/"))))["sos"].value
        person = await find_person(self.runtime.record, self.runtime.keys, cookie, self.clock.now)
        assert person
        return person

    async def file_report(self, told: Told = WORDS, *, urgency: Urgency = Urgency.LIFE, language: str = "es") -> UUID:
        """Somebody files a report."""
        secret = new_form_secret()
        await file_report(
            self.runtime.record, told, form_secret=secret, language=language, urgency=urgency, now=self.clock.now
        )
        async with self.runtime.record.reading() as conn:
            report = await intake_store.find_by_form(conn, digest("form", secret))
        assert report
        return report.id


@asynccontextmanager
async def open_secretariat(database_url: str, redis_url: str, directory: Path) -> AsyncIterator[Secretariat]:
    """Found a network with a recovery key, and serve it."""
    clock, settings = Clock(), make_settings(database_url, redis_url, directory)
    pool, redis = await open_pool(database_url, size=1), open_redis(redis_url)
    recovery = await found_network(Record(pool, RedisBell(redis)), "practice", clock.now)
    await pool.close()
    await redis.aclose()
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings, clock=clock))
        channels = await stack.enter_async_context(open_channels(runtime))
        server = await stack.enter_async_context(TestServer(create_app(runtime, channels)))
        yield Secretariat(runtime, clock, recovery, server, stack)
