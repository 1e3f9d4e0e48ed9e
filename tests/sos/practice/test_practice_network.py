"""The practice network: made once, kept afterwards, and walked through by anybody over the same steps."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from channels.base import ChannelName
from sos.app import create_app
from sos.config import read_config
from sos.database import connect, rows
from sos.practice import seed
from sos.practice.people import PASSPHRASE, STAFF
from sos.reach import open_channels
from sos.runtime import open_runtime
from sos.settings import Settings
from sos.up import prepare_practice
from tests.make import make_settings
from tests.secretariat import Browser
from tests.story import Reached, Story, open_story
from tests.workers.sending import dispatching, until
from workers.dispatch import Dispatcher
from workers.renderers import RENDERERS

SMS, TELEGRAM = ChannelName.SMS, ChannelName.TELEGRAM


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Of a machine on which nothing was made yet."""
    return make_settings(database_url, redis_url, tmp_path)


async def counts(settings: Settings) -> dict[str, int]:
    """How much of everything there is."""
    async with connect(settings.database_url) as conn:
        (found,) = await rows(
            conn,
            dict[str, int],
            """
            SELECT (SELECT count(*) FROM network) AS networks, (SELECT count(*) FROM members) AS members,
                   (SELECT count(*) FROM contacts) AS contacts, (SELECT count(*) FROM staff) AS staff,
                   (SELECT count(*) FROM reports) AS reports, (SELECT count(*) FROM cases) AS cases,
                   (SELECT count(*) FROM sessions) AS sessions
            """,
        )
        return found


async def test_it_is_made_once_and_kept(settings: Settings) -> None:
    await prepare_practice(settings)
    made = await counts(settings)
    assert made.pop("contacts") >= 300
    assert made == {"networks": 1, "members": 300, "staff": 7, "reports": 1, "cases": 1, "sessions": 0}
    await prepare_practice(settings)
    assert await counts(settings) == made | {"contacts": (await counts(settings))["contacts"]}


async def test_one_that_was_interrupted_is_finished_the_next_time(settings: Settings) -> None:
    await prepare_practice(settings)
    whole = await counts(settings)
    async with connect(settings.database_url) as conn:  # as if it had been stopped while its staff were joining
        await conn.execute("TRUNCATE subjects, cases, corroborations, handovers CASCADE")
        await conn.execute("DELETE FROM reports")
        await conn.execute("DELETE FROM staff WHERE language = 'ar'")
        await conn.execute("UPDATE staff SET totp_used_step = 0")
        assert not await seed.is_seeded(conn)
    await prepare_practice(settings)
    assert await counts(settings) == whole


def test_its_people_and_addresses_are_reserved_for_examples() -> None:
    assert all(address.endswith(".example") for one in STAFF for address in [one.addresses[ChannelName.EMAIL]])
    assert all(one.addresses[SMS].startswith("+447700900") for one in STAFF)  # Ofcom: kept free for drama
    assert seed.MEMBERS.exists()
    assert read_config().regions


@pytest.fixture
async def story(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Story]:
    """A small practice network."""
    async with open_story(database_url, redis_url, tmp_path) as opened:
        yield opened


async def asked(story: Story, channel: ChannelName) -> tuple[Reached, Browser, str]:
    """A contact who was asked on a practice phone, a browser, and the path of that phone."""
    contact = await story.contact(by=channel)
    await story.launched()
    async with open_channels(story.runtime) as channels:
        sender = Dispatcher(story.runtime, channels[channel], RENDERERS, asyncio.Event())
        async with dispatching(sender):
            await until(lambda: is_sent(story))
    browser = await story.browser()
    async with browser.get("/demo/phones") as response:
        found = re.search(r'href="(/demo/phones/\d+)#end"', await response.text())
    assert found
    return contact, browser, found[1]


async def is_sent(story: Story) -> bool:
    return not await story.rows("SELECT FROM deliveries WHERE state IN ('queued', 'marked')")


async def read(browser: Browser, path: str) -> str:
    async with browser.get(path) as response:
        assert response.status == 200
        return await response.text()


async def answers(story: Story) -> list[str]:
    return [str(one["answer"]) for one in await story.rows("SELECT answer FROM endorsements")]


async def test_a_phone_shows_what_was_sent_and_a_reply_from_it_signs(story: Story) -> None:
    contact, browser, path = await asked(story, SMS)
    text = await read(browser, path)
    assert contact.addresses[SMS] in text
    code = re.search(r"reply SIGN (\d{5})", text)
    assert code
    assert (await browser.post(path, data={"text": f"no, not {code[1]}"})).status == 200
    assert await answers(story) == []
    assert (await browser.post(path, data={"text": f"sign {code[1]}"})).status == 200
    assert await answers(story) == ["sign"]


async def test_two_taps_on_a_practice_phone_sign(story: Story) -> None:
    _, browser, path = await asked(story, TELEGRAM)
    for label in ("Sign…", "Sign as River Women"):
        text = await read(browser, path)
        (form,) = [one for one in re.findall(r"<form.*?</form>", text, re.DOTALL) if f">{label}<" in one]
        action, tap = re.search(r'action="([^"]+)"', form), re.search(r'name="tap" value="([^"]+)"', form)
        assert action
        assert tap
        assert (await browser.post(action[1], data={"tap": tap[1]})).status == 200
    assert await answers(story) == ["sign"]
    assert "Your answer is recorded" in await read(browser, path)


async def test_a_tap_that_belongs_to_another_phone_does_nothing(story: Story) -> None:
    await story.contact(by=TELEGRAM, name="Another")
    _, browser, path = await asked(story, TELEGRAM)
    phones = re.findall(r'href="(/demo/phones/\d+)#end"', await read(browser, "/demo/phones"))
    one, other = sorted(phones)
    tap = re.search(r'name="tap" value="([^"]+)"', await read(browser, one))
    assert tap
    await browser.post(other, data={"tap": tap[1].replace("ask", "org")})
    assert await answers(story) == []
    assert path in phones


async def test_what_was_never_sent_is_no_phone(story: Story) -> None:
    browser = await story.browser()
    for number in ("0", "99999", "x", "1" * 40, "%00", "-1", "१"):
        assert (await browser.get(f"/demo/phones/{number}")).status == 404


async def test_the_tour_shows_the_codes_of_now_by_which_one_signs_in(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(database_url, redis_url, tmp_path)
    await prepare_practice(settings)
    async with (
        open_runtime(settings) as runtime,
        open_channels(runtime) as channels,
        TestServer(create_app(runtime, channels)) as server,
        Browser(server) as browser,
    ):
        text = await read(browser, "/demo")
        assert PASSPHRASE in text
        assert "Practice: nothing leaves this machine" in text
        for one in STAFF:
            found = re.search(rf'<code>{one.login}</code>.*?<code class="now">(\d{{6}})</code>', text, re.DOTALL)
            assert found
            form = {"login": one.login, "passphrase": PASSPHRASE, "code": found[1]}
            async with browser.post("/desk/sign-in", data=form) as response:
                assert response.url.path == "/desk", one.login
