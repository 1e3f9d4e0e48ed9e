"""Deliveries by hand, over real HTTP: taken by one, made from a script, with an outcome in the same ledger."""

import re
from datetime import timedelta

import pytest

from channels.base import ChannelName
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.outreach.by_hand_store import TAKEN_FOR
from tests.secretariat import Seat
from tests.story import ARABIC, ENGLISH, Reached, Story

BY_HAND, SMS = ChannelName.BY_HAND, ChannelName.SMS
WAY = "WhatsApp +254 700 000 009, after 18h"
LATE = "Somebody else has this call"


async def called(story: Story, **contact: object) -> Reached:
    return await story.contact(name="Wairimu Njeri", by={BY_HAND: WAY}, **contact)  # type: ignore[arg-type]


async def take(seat: Seat, delivery: int) -> str:
    """Take a call; which taking it is."""
    await seat.read("/desk/calls")
    page = await seat.send(f"/desk/calls/{delivery}/take")
    found = re.search(r'name="attempt" value="(\d+)"', page.text)
    assert found, page.text
    return found[1]


async def test_a_call_is_taken_made_and_written_down(story: Story) -> None:
    contact = await called(story)
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.reviewer)
    listed = await seat.read("/desk/calls")
    assert "River Women" in listed.text
    assert "Wairimu" not in listed.text  # who it is, and where, is shown to whoever takes it
    assert "WhatsApp" not in listed.text
    attempt = await take(seat, delivery)
    page = await seat.read(f"/desk/calls/{delivery}")
    for words in (WAY, "Wairimu Njeri", ENGLISH.title, "If somebody else answers", "/s/"):
        assert words in page.text
    sheet = await seat.read("/desk/calls/sheet")
    assert WAY in sheet.text
    assert "☐ She knows now" in sheet.text
    done = await seat.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=attempt)
    assert "Nobody is to be called now." in done.text
    assert await story.states(action_id) == {"delivered": 1}
    again = await seat.send(f"/desk/calls/{delivery}/outcome", heard="wrong_number", attempt=attempt)
    assert (again.status, LATE in again.text) == (409, True)
    assert await story.states(action_id) == {"delivered": 1}


async def test_one_person_has_a_call_until_she_gives_it_back_or_two_hours_are_over(story: Story) -> None:
    contact = await called(story)
    delivery = await story.delivery(await story.launched(), contact)
    first, second = await story.seat(story.owner), await story.seat(story.editor)
    old = await take(first, delivery)
    await second.read("/desk/calls")
    refused = await second.send(f"/desk/calls/{delivery}/take")
    assert (refused.status, LATE in refused.text) == (409, True)
    assert (await second.read(f"/desk/calls/{delivery}")).status == 404
    await first.send(f"/desk/calls/{delivery}/give-back")
    await take(second, delivery)
    story.clock.advance(TAKEN_FOR + timedelta(minutes=1))
    await take(first, delivery)
    assert (await first.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=old)).status == 409


@pytest.mark.parametrize(
    ("heard", "state", "waits"),
    [
        ("not_reached", "queued", 2),
        ("wrong_number", "refused", None),
        ("opted_out", "refused", None),
        ("given_up", "failed", None),
    ],
)
async def test_what_else_may_come_of_it(story: Story, heard: str, state: str, waits: int | None) -> None:
    contact = await called(story)
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.owner)
    attempt = await take(seat, delivery)
    await seat.send(f"/desk/calls/{delivery}/outcome", heard=heard, attempt=attempt)
    assert await story.states(action_id) == {state: 1}
    suppressed = await story.rows("SELECT reason FROM suppressions WHERE channel = 'by_hand'")
    assert [one["reason"] for one in suppressed] == ([heard] if heard in ("wrong_number", "opted_out") else [])
    listed = "Nobody is to be called now."
    assert listed in (await seat.read("/desk/calls")).text
    if waits:
        story.clock.advance(timedelta(hours=waits, minutes=1))
        assert listed not in (await seat.read("/desk/calls")).text


async def test_a_stop_empties_the_list_even_of_what_was_taken(story: Story) -> None:
    contact = await called(story)
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.owner)
    attempt = await take(seat, delivery)
    await story.stop(action_id)
    assert "Nobody is to be called now." in (await seat.read("/desk/calls")).text
    assert (await seat.read(f"/desk/calls/{delivery}")).status == 404
    assert (await seat.send(f"/desk/calls/{delivery}/outcome", heard="not_reached", attempt=attempt)).status == 409
    assert await story.states(action_id) == {"ended": 1}


async def test_who_was_told_while_it_was_stopped_counts_as_reached(story: Story) -> None:
    contact = await called(story)
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat, other = await story.seat(story.owner), await story.seat(story.editor)
    attempt = await take(seat, delivery)
    await story.stop(action_id)
    await other.read("/desk/calls")
    assert (await other.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=attempt)).status == 409
    for status in (200, 409):  # once
        said = await seat.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=attempt)
        assert said.status == status
        assert await story.states(action_id) == {"delivered": 1}


async def test_a_hold_and_her_night_keep_a_call_from_being_taken(story: Story) -> None:
    contact = await called(story, time_zone="Pacific/Auckland")  # 22:00 there
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.owner)
    await seat.read("/desk/calls")
    assert (await seat.send(f"/desk/calls/{delivery}/take")).status == 409
    story.clock.advance(timedelta(hours=10))
    seat = await story.seat(story.owner)  # hers has ended by now
    await seat.read("/desk/calls")
    async with story.runtime.record.step() as step:
        await hold_store.place_hold(step.conn, HoldScope.CHANNEL, "by_hand", "paused", story.now)
    assert (await seat.send(f"/desk/calls/{delivery}/take")).status == 409
    async with story.runtime.record.step() as step:
        await hold_store.lift_hold(step.conn, HoldScope.CHANNEL, "by_hand")
    await take(seat, delivery)


async def test_whoever_knows_by_a_call_is_not_tried_by_later_ways(story: Story) -> None:
    contact = await story.contact(by={BY_HAND: WAY, SMS: "+254700000001"})
    action_id = await story.launched()
    [first] = await story.rows(
        "SELECT id FROM deliveries WHERE about = %(about)s AND recipient_id = %(id)s AND channel = 'by_hand'",
        about=action_id, id=contact.id,
    )  # fmt: skip
    seat, delivery = await story.seat(story.owner), int(str(first["id"]))
    attempt = await take(seat, delivery)
    await seat.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=attempt)
    assert await story.states(action_id) == {"delivered": 1, "ended": 1}


async def test_the_script_is_in_her_language_and_says_little_to_a_discreet_contact(story: Story) -> None:
    contact = await called(story, languages=["ar"], discreet=True)
    action_id = await story.launched(texts={"en": ENGLISH, "ar": ARABIC})
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.owner)
    await take(seat, delivery)
    page = await seat.read(f"/desk/calls/{delivery}")
    script = page.text.partition('lang="ar" dir="rtl">')[2].partition("</div>")[0]
    assert ARABIC.title in script
    assert "River Women" not in script
    assert "She is discreet" in page.text


async def test_no_machine_sends_what_a_person_is_to_deliver(story: Story) -> None:
    await called(story)
    await story.launched()
    for channel in (ChannelName.EMAIL, SMS, ChannelName.TELEGRAM):
        assert await story.looks(channel) == []


@pytest.mark.parametrize("number", ["0", "x", "9" * 20, "-1"])
async def test_a_call_that_is_none_is_not_found(story: Story, number: str) -> None:
    seat = await story.seat(story.owner)
    assert (await seat.read(f"/desk/calls/{number}")).status == 404


@pytest.mark.parametrize("attempt", ["x", "-1", str(2**63), "9" * 40])
async def test_an_outcome_that_answers_nothing_changes_nothing(story: Story, attempt: str) -> None:
    contact = await called(story)
    action_id = await story.launched()
    delivery = await story.delivery(action_id, contact)
    seat = await story.seat(story.owner)
    await take(seat, delivery)
    assert (await seat.send(f"/desk/calls/{delivery}/outcome", heard="told", attempt=attempt)).status in (400, 409)
    assert await story.states(action_id) == {"queued": 1}
