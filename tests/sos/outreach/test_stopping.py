"""Stop sending; and no more to somebody who says so."""

import asyncio

from channels.base import ChannelName
from sos.ledger import leaving_store
from sos.ledger.delivery import Due, new_attempt
from sos.members.store import is_suppressed
from sos.messages import Links
from tests.story import Reached, Story

EMAIL = ChannelName.EMAIL


async def look(story: Story) -> list[Due]:
    """What a worker would send now."""
    async with story.runtime.record.step() as step:
        found = await leaving_store.look(
            step.conn, EMAIL, purposes=["action", "letter", "thanks", "reply"], now=story.now
        )
        return found[1] if found else []


async def mark(story: Story, due: list[Due]) -> set[int]:
    """What it would be let to send of this."""
    async with story.runtime.record.step() as step:
        return await leaving_store.mark(
            step.conn, EMAIL, new_attempt(), [one.id for one in due], now=story.now, until=story.now
        )


async def unsubscribe_path(story: Story, contact: Reached) -> str:
    (delivery,) = await story.rows("SELECT id FROM deliveries WHERE recipient_id = %(id)s", id=contact.id)
    link = Links(story.runtime.keys, story.runtime.settings).unsubscribe(int(str(delivery["id"])))
    return link.removeprefix(story.runtime.settings.public_url)


async def is_stopped(story: Story, contact: Reached) -> bool:
    async with story.runtime.record.reading() as conn:
        index = story.runtime.keys.index(EMAIL, contact.addresses[EMAIL])
        return await is_suppressed(conn, EMAIL, index)


async def test_after_a_stop_nothing_is_looked_at_and_nothing_that_was_looked_at_is_marked(story: Story) -> None:
    for _ in range(4):
        await story.contact()
    action_id = await story.launched()
    seen = await look(story)
    assert await story.stop(action_id) == 4
    assert await look(story) == []
    assert not await mark(story, seen)
    assert await story.states(action_id) == {"ended": 4}


async def test_what_has_left_is_counted_as_reached(story: Story) -> None:
    for _ in range(3):
        await story.contact()
    action_id = await story.launched()
    await mark(story, (await look(story))[:1])
    assert await story.stop(action_id) == 2
    assert await story.states(action_id) == {"ended": 2, "marked": 1}


async def test_stopping_twice_and_at_once_is_stopping_once(story: Story) -> None:
    await story.contact()
    action_id = await story.launched()
    assert sorted(await asyncio.gather(*(story.stop(action_id) for _ in range(4)))) == [0, 0, 0, 1]
    assert len(await story.rows("SELECT FROM journal WHERE did = 'action.stopped'")) == 1


async def test_another_action_goes_on(story: Story) -> None:
    await story.contact()
    first, second = await story.launched(), await story.launched()
    await story.stop(first)
    assert await story.states(second) == {"queued": 1}
    assert len(await look(story)) == 1


async def test_looking_at_the_page_that_stops_messages_stops_nothing(story: Story) -> None:
    contact = await story.contact(languages=["es"])
    await story.launched()
    path, browser = await unsubscribe_path(story, contact), await story.browser()
    for _ in range(3):
        shown = await browser.get(path)
        assert (shown.status, 'lang="en"' in await shown.text()) == (200, True)
        assert (await browser.head(path)).status == 200
    assert not await is_stopped(story, contact)


async def test_one_press_stops_messages_to_that_address_also_from_a_mail_program_without_cookies(story: Story) -> None:
    contact, other = await story.contact(), await story.contact()
    await story.launched()
    browser = await story.browser()
    # RFC 8058, section 3.1: the body that a mail program posts, with no cookie and no page before it.
    done = await browser.post(await unsubscribe_path(story, contact), data={"List-Unsubscribe": "One-Click"})
    assert done.status == 200
    assert await is_stopped(story, contact)
    assert not await is_stopped(story, other)
    assert len(await look(story)) == 1
    again = await browser.post(await unsubscribe_path(story, contact))
    assert again.status == 200


async def test_a_link_that_we_did_not_make_for_this_stops_nothing(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    browser, path = await story.browser(), await unsubscribe_path(story, contact)
    token = path.removeprefix("/u/")
    sign = (await story.link(action_id, contact)).removeprefix("/s/")
    for forged in (sign, token[:-1], token[:-2] + "AA", token + "A", "A" * 24, "é" * 24, "%00", "x"):
        assert (await browser.post(f"/u/{forged}")).status == 404
    assert not await is_stopped(story, contact)


async def test_the_page_speaks_the_language_of_the_message(story: Story) -> None:
    contact = await story.contact(languages=["ar"])
    await story.launched()
    async with story.runtime.record.step() as step:
        await step.conn.execute("UPDATE deliveries SET language = 'ar'")
    shown = await (await story.browser()).get(await unsubscribe_path(story, contact))
    assert '<html lang="ar" dir="rtl">' in await shown.text()
