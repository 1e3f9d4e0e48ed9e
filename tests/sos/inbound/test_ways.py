"""Further ways to a contact: a receipt, an answer or a word ends them; a way that fails calls the next."""

import re
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.actions.action import Kind
from sos.endorsements.endorsement import Answer
from sos.intake.report import Urgency
from tests.delivering import Delivering
from tests.providers import NUMBER
from tests.story import Reached

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
ALL = (SMS, TELEGRAM, EMAIL)


async def asked(
    delivering: Delivering, *channels: ChannelName, urgency: Urgency = Urgency.SERIOUS, kind: Kind = Kind.LETTER
) -> tuple[Reached, UUID]:
    """Somebody with several ways to her, and what the first of them brought."""
    story = delivering.story
    contact = await story.contact(by={one: story.invent(one) for one in channels})
    action_id = await story.launched(case_id=await story.case(urgency=urgency), kind=kind)
    await delivering.send()
    return contact, action_id


async def wait(delivering: Delivering, minutes: int) -> None:
    """Time passes, and a worker sends what is due then."""
    delivering.story.clock.advance(timedelta(minutes=minutes))
    await delivering.send()


def came(delivering: Delivering, contact: Reached) -> Mapping[ChannelName, int]:
    """How many messages came by each of her ways."""
    kept: Mapping[ChannelName, int] = {
        SMS: len(delivering.sms_to(contact)) if SMS in contact.addresses else 0,
        TELEGRAM: len(delivering.chat_of(contact)) if TELEGRAM in contact.addresses else 0,
        EMAIL: len(delivering.mails_to(contact.addresses[EMAIL])) if EMAIL in contact.addresses else 0,
    }
    return {channel: count for channel, count in kept.items() if count}


async def reasons(delivering: Delivering) -> list[str]:
    found = await delivering.story.rows("SELECT state::text || ' ' || reason AS how FROM deliveries ORDER BY step, id")
    return [str(one["how"]).strip() for one in found]


async def test_without_receipt_or_answer_the_next_way_is_taken_after_its_time(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, SMS, EMAIL)
    assert came(delivering, contact) == {SMS: 1}
    await wait(delivering, 29)
    assert came(delivering, contact) == {SMS: 1}
    await wait(delivering, 2)
    assert came(delivering, contact) == {SMS: 1, EMAIL: 1}


async def test_a_receipt_ends_the_later_ways(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, SMS, EMAIL)
    await delivering.twilio.report(delivering.twilio.messages[0].sid, "delivered")
    await wait(delivering, 31)
    assert came(delivering, contact) == {SMS: 1}
    assert await reasons(delivering) == ["delivered", "ended reached"]


async def test_a_receipt_that_it_failed_calls_the_next_way_at_once(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, SMS, EMAIL)
    await delivering.twilio.report(delivering.twilio.messages[0].sid, "undelivered", 30003)
    await delivering.send()
    assert came(delivering, contact) == {SMS: 1, EMAIL: 1}


async def test_a_way_that_is_refused_calls_the_next_at_once(delivering: Delivering) -> None:
    story = delivering.story
    number = story.invent(SMS)
    delivering.twilio.refusals[number] = 21211
    contact = await story.contact(by={SMS: number, EMAIL: story.invent(EMAIL)})
    await story.launched()
    await delivering.send()
    await delivering.send()
    assert came(delivering, contact) == {EMAIL: 1}


async def test_for_a_life_email_leaves_at_once_and_the_loud_ways_three_minutes_apart(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, *ALL, urgency=Urgency.LIFE)
    assert came(delivering, contact) == {SMS: 1, EMAIL: 1}
    await wait(delivering, 3)
    assert came(delivering, contact) == {SMS: 1, TELEGRAM: 1, EMAIL: 1}


@pytest.mark.parametrize("said", ["ok", "OK!", "Recibido.", "bien reçu", "تم", "lido"])
async def test_an_sms_that_says_so_ends_all_other_ways(delivering: Delivering, said: str) -> None:
    contact, _ = await asked(delivering, *ALL, urgency=Urgency.LIFE, kind=Kind.ALERT)
    await delivering.twilio.text_in(contact.addresses[SMS], NUMBER, said)
    await wait(delivering, 30)
    assert came(delivering, contact) == {SMS: 1, EMAIL: 1}
    assert await reasons(delivering) == ["accepted", "answered", "ended reached"]


async def test_a_tap_that_says_so_ends_all_other_ways(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, TELEGRAM, SMS, urgency=Urgency.LIFE, kind=Kind.ALERT)
    (message,) = delivering.chat_of(contact)
    [seen] = [one for row in message.buttons for one in row if "callback_data" in one]
    assert seen["text"] == "I have read this"
    await delivering.telegram.tap(message.chat, message.message_id, str(seen["callback_data"]))
    await wait(delivering, 30)
    assert came(delivering, contact) == {TELEGRAM: 1}
    assert "do not ring you again" in delivering.chat_of(contact)[0].text
    assert await delivering.story.count("endorsements") == 0


async def test_a_press_on_her_page_ends_all_other_ways_and_looking_at_it_does_not(delivering: Delivering) -> None:
    contact, action_id = await asked(delivering, SMS, EMAIL, kind=Kind.ALERT)
    browser = await delivering.story.browser()
    path = (await delivering.story.link(action_id, contact)).removeprefix(delivering.story.runtime.settings.public_url)
    shown = await (await browser.get(path)).text()
    nonce = re.search(r'name="nonce" value="([^"]+)"', shown)
    assert nonce
    assert await reasons(delivering) == ["accepted", "queued"]
    assert (await browser.post(f"{path}/seen", data={"nonce": "of another page"})).status == 403
    assert await reasons(delivering) == ["accepted", "queued"]
    assert (await browser.post(f"{path}/seen", data={"nonce": nonce[1]})).status == 200
    assert await reasons(delivering) == ["answered", "ended reached"]
    assert (await browser.post(f"{path}/seen", data={"nonce": nonce[1]})).status == 200  # twice is once
    assert len(await delivering.story.rows("SELECT FROM journal WHERE did = 'message.seen'")) == 1


async def test_a_signature_by_one_way_ends_the_others(delivering: Delivering) -> None:
    contact, action_id = await asked(delivering, SMS, TELEGRAM, EMAIL)
    await delivering.story.answer(action_id, contact, Answer.SIGN)
    await wait(delivering, 90)
    assert came(delivering, contact) == {SMS: 1}
    assert await reasons(delivering) == ["answered", "ended reached", "ended reached"]


async def test_a_stop_by_one_way_does_not_end_the_others(delivering: Delivering) -> None:
    """She stops SMS, not us: her other ways are tried at once, as the phone brought no answer."""
    contact, _ = await asked(delivering, SMS, EMAIL)
    await delivering.twilio.text_in(contact.addresses[SMS], NUMBER, "BAJA")
    await wait(delivering, 31)
    assert came(delivering, contact)[EMAIL] == 1


async def test_after_a_stop_of_the_action_no_further_way_is_taken(delivering: Delivering) -> None:
    contact, action_id = await asked(delivering, *ALL)
    await delivering.story.stop(action_id)
    await wait(delivering, 120)
    assert came(delivering, contact) == {SMS: 1}
