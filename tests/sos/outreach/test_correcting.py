"""A correction: to exactly those who were reached, in the language and by the channel that reached them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.actions.action import AlreadyCorrected, Kind, MayNotApprove, NotReady, NotStopped, Text
from sos.actions.correcting import NewCorrection, draft_correction
from sos.database import run
from sos.ledger.delivery import HoldScope
from sos.ledger.hold_store import place_hold
from sos.outreach.steps import preview
from tests.delivering import Delivering
from tests.story import ARABIC, ENGLISH, SPANISH, SUBJECT, Reached, Story

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
RIGHT = Text("It was postponed", "The eviction was postponed; please do not write to the port.", "It was postponed.")
TRANSLATED = {
    "es": Text("Se aplazó", "El desalojo se aplazó.", "Se aplazó."),
    "ar": Text("تأجل", "تأجل الإخلاء.", "تأجل."),
}


async def correct(story: Story, action_id: UUID, text: Text = RIGHT, language: str = "en") -> UUID:
    """An editor begins a correction."""
    case_id = (await story.prepared(action_id)).action.case_id
    new = NewCorrection(language, text, story.now + timedelta(days=2))
    return await draft_correction(
        story.runtime.record, story.runtime.keys, story.editor, action_id, new, story.now,
        withheld=await story.withheld(case_id),
    )  # fmt: skip


async def sent_correction(story: Story, action_id: UUID, others: Mapping[str, Text] | None = None) -> UUID:
    """It is written, read again, approved and sent."""
    correction_id = await correct(story, action_id)
    for language, text in (others or {}).items():
        await story.write(correction_id, language, text)
    for language in ("en", *(others or {})):
        await story.review(correction_id, language)
    await story.approve(correction_id)
    await story.launch(correction_id)
    return correction_id


async def stopped(story: Story, states: Mapping[str, list[Reached]], **drafted: Any) -> UUID:
    """An alert that was stopped when its messages stood like this."""
    action_id = await story.launched(kind=Kind.ALERT, **drafted)
    async with story.runtime.record.step() as step:
        for state, contacts in states.items():
            await run(
                step.conn,
                "UPDATE deliveries SET state = %(state)s WHERE recipient_id = ANY(%(ids)s) AND step = 0",
                state=state, ids=[one.id for one in contacts],
            )  # fmt: skip
    await story.stop(action_id)
    return action_id


async def test_exactly_those_get_it_whom_something_has_perhaps_reached(story: Story) -> None:
    reached = {state: [await story.contact()] for state in ("accepted", "delivered", "answered", "unknown")}
    spared = {state: [await story.contact()] for state in ("refused", "failed", "queued")}
    action_id = await stopped(story, reached | spared)
    correction_id = await sent_correction(story, action_id)
    got = await story.rows("SELECT recipient_id FROM deliveries WHERE about = %(id)s", id=correction_id)
    assert {one["recipient_id"] for one in got} == {one.id for each in reached.values() for one in each}


async def test_each_gets_it_in_the_language_and_by_the_channels_that_reached_her(story: Story) -> None:
    english, spanish = await story.contact(by=SMS), await story.contact(languages=["es"], by=TELEGRAM)
    both = await story.contact(languages=["ar"], by={EMAIL: story.invent(EMAIL), SMS: story.invent(SMS)})
    texts = {"en": ENGLISH, "es": SPANISH, "ar": ARABIC}
    action_id = await stopped(story, {"accepted": [english, spanish, both]}, texts=texts)
    await sent_correction(story, action_id, TRANSLATED)
    got = await story.rows(
        "SELECT recipient_id, channel, language FROM deliveries d JOIN actions x ON x.id = d.about"
        " WHERE x.kind = 'correction'"
    )
    assert {(one["recipient_id"], one["channel"], one["language"]) for one in got} == {
        (english.id, "sms", "en"), (spanish.id, "telegram", "es"), (both.id, "email", "ar"),
    }  # fmt: skip


async def test_it_waits_for_every_language_that_has_reached_somebody(story: Story) -> None:
    contacts = [await story.contact(languages=["es"]), await story.contact()]
    action_id = await stopped(story, {"accepted": contacts}, texts={"en": ENGLISH, "es": SPANISH})
    correction_id = await correct(story, action_id)
    await story.review(correction_id)
    with pytest.raises(NotReady) as missing:
        await story.approve(correction_id)
    assert missing.value.missing == ("approve.missing.reached",)
    await story.write(correction_id, "es", TRANSLATED["es"])
    await story.review(correction_id, "es")
    await story.approve(correction_id)


async def test_a_preview_counts_exactly_what_is_sent(story: Story) -> None:
    contacts = [await story.contact(by=one) for one in (EMAIL, SMS, SMS)]
    action_id = await stopped(story, {"accepted": contacts})
    correction_id = await correct(story, action_id)
    await story.review(correction_id)
    async with story.runtime.record.reading() as conn:
        seen = await preview(conn, story.runtime, await story.prepared(correction_id))
    assert (seen.contacts, seen.by_channel) == (3, {"email": {"en": 1}, "sms": {"en": 2}})
    await story.approve(correction_id)
    assert await story.launch(correction_id) == 3


async def test_whoever_wrote_it_does_not_approve_it(story: Story) -> None:
    action_id = await stopped(story, {"accepted": [await story.contact()]})
    correction_id = await correct(story, action_id)
    await story.review(correction_id)
    with pytest.raises(MayNotApprove):
        await story.approve(correction_id, by=story.editor)


async def test_a_withheld_name_has_no_place_in_it_either(story: Story) -> None:
    action_id = await stopped(story, {"accepted": [await story.contact()]})
    correction_id = await correct(story, action_id, Text(f"{SUBJECT} is safe", "Safe.", "Safe."))
    await story.review(correction_id)
    with pytest.raises(NotReady):
        await story.approve(correction_id)


async def test_what_still_runs_is_stopped_first_and_is_put_right_once(story: Story) -> None:
    await story.contact()
    action_id = await story.launched(kind=Kind.ALERT)
    with pytest.raises(NotStopped):
        await correct(story, action_id)
    await story.stop(action_id)
    first = await correct(story, action_id)
    with pytest.raises(AlreadyCorrected) as again:
        await correct(story, action_id)
    assert again.value.correction_id == first


async def test_neither_the_stop_nor_a_consent_taken_back_keeps_it(story: Story) -> None:
    contact = await story.contact()
    action_id = await stopped(story, {"accepted": [contact]})
    case_id = (await story.prepared(action_id)).action.case_id
    async with story.runtime.record.step() as step:
        await place_hold(step.conn, HoldScope.CASE, str(case_id), "consent_withdrawn", story.now, people_needed=0)
    correction_id = await sent_correction(story, action_id)
    assert len(await story.looks(EMAIL)) == 1
    browser = await story.browser()
    path = (await story.link(correction_id, contact)).removeprefix(story.runtime.settings.public_url)
    assert RIGHT.summary in await (await browser.get(path)).text()


async def test_on_telegram_the_wrong_message_disappears_and_the_right_one_comes(delivering: Delivering) -> None:
    story = delivering.story
    contact = await story.contact(by=TELEGRAM)
    action_id = await story.launched(kind=Kind.ALERT)
    await delivering.send()
    (wrong,) = delivering.chat_of(contact)
    await story.stop(action_id)
    await sent_correction(story, action_id)
    await delivering.send()
    (right,) = delivering.chat_of(contact)
    assert right.message_id != wrong.message_id
    assert RIGHT.title in right.text


async def test_by_mail_it_says_that_it_puts_something_right(delivering: Delivering) -> None:
    story = delivering.story
    contact = await story.contact()
    action_id = await story.launched(kind=Kind.ALERT)
    await delivering.send()
    await story.stop(action_id)
    await sent_correction(story, action_id)
    await delivering.send()
    _, right = delivering.mails_to(contact.addresses[EMAIL])
    assert "A message that we sent you has to be put right" in right


async def test_an_editor_begins_it_on_the_page_of_what_was_stopped(story: Story) -> None:
    action_id = await stopped(story, {"accepted": [await story.contact()]})
    seat = await story.seat(story.editor)
    assert f"/desk/action/{action_id}/correction" in (await seat.read(f"/desk/action/{action_id}")).text
    path = f"/desk/action/{action_id}/correction"
    assert (await seat.read(path)).status == 200
    wrong = await seat.send(path, language="en", title="", summary="S.", body="B.", deadline="2031-03-16T09:00")
    assert wrong.status == 422
    done = await seat.send(path, language="en", title="T", summary="S.", body="B.", deadline="2031-03-16T09:00")
    assert done.status == 200
    assert done.path != f"/desk/action/{action_id}"
    again = await seat.read(path)
    assert again.path == done.path
