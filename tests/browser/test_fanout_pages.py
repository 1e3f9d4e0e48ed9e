"""The pages about sending hold for whoever reads them by ear, by thumb or on a narrow screen."""

import os
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from channels.base import Accepted, ChannelName, Refused
from sos.database import run
from tests.browser.chromium import CHROMIUM, launch
from tests.browser.lens import PHONE, Lens
from tests.sos.desk.test_deliveries import send
from tests.story import ARABIC, ENGLISH, SPANISH, open_story

MANY = {ChannelName.EMAIL: 12, ChannelName.SMS: 7, ChannelName.TELEGRAM: 4}


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_what_the_desk_shows_of_sending_can_be_used_by_everybody(
    language: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    given = os.environ.get("SOS_SCREENSHOTS")
    pictures = Path(given) / language if given else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    async with open_story(database_url, redis_url, tmp_path) as story, async_playwright() as playwright:
        for channel, count in MANY.items():
            member = await story.member({"": "Mto wa Haki", "ar": "نهر العدالة"})
            for number in range(count):
                spoken = ("en", "es", "ar")[number % 3]
                contact = await story.contact(member, name=f"أمينة Diallo {number}", languages=[spoken], by=channel)
        for name in ("Wairimu", "Yolanda"):
            await story.contact(
                name=name,
                languages=["ar", "en"],
                by={ChannelName.BY_HAND: f"WhatsApp +254 700 000 009 ({name})"},
                discreet=True,
            )
        action_id = await story.launched(texts={"en": ENGLISH, "es": SPANISH, "ar": ARABIC})
        await send(story, ChannelName.EMAIL, Accepted("<x@sos.example>"))
        await send(story, ChannelName.TELEGRAM, Refused("Forbidden: bot was blocked by the user"))
        async with story.runtime.record.step() as step:
            await run(step.conn, "UPDATE staff SET language = %(language)s", language=language)
        seat = await story.seat(story.editor)
        await seat.read("/desk/sending")
        await seat.send("/desk/sending/pause", scope="channel", target="sms")
        queued = await story.rows(
            "SELECT id FROM deliveries WHERE channel = 'by_hand' AND state = 'queued' ORDER BY id"
        )
        calls = [int(str(one["id"])) for one in queued]
        await seat.send(f"/desk/calls/{calls[0]}/take")
        browser = await launch(playwright)
        lens = Lens(await browser.new_page(viewport=PHONE), pictures)
        faults: list[str] = []
        for name, path in {
            "sending": "/desk/sending", "action": f"/desk/action/{action_id}", "contact": f"/desk/contact/{contact.id}",
            "behind": f"/desk/action/{action_id}/deliveries?channel=telegram", "contacts": "/desk/contacts",
            "dead": "/desk/dead", "calls": "/desk/calls", "call": f"/desk/calls/{calls[0]}",
            "sheet": "/desk/calls/sheet",
        }.items():  # fmt: skip
            page = await seat.read(path)
            assert page.status == 200, path
            url = str((await story.serve()).make_url(path))
            faults += [f"{name}: {fault}" for fault in await lens.examine(name, url, page.text)]
        await browser.close()
    assert not faults, "\n".join(faults)
