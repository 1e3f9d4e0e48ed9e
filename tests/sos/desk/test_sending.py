"""Pausing and going on, over real HTTP: anybody pauses; one or two let go on, as it was paused by."""

from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.money import SPENT
from sos.ledger.pausing import RESTORED, pause_by_itself
from tests.story import Story

PAGE, GO_ON, ONE_MORE = "/desk/sending", "Let it go on", "One more person is needed"


async def test_anybody_pauses_everything_and_two_others_let_it_go_on(story: Story) -> None:
    await story.contact()
    await story.launched()
    reader, first = await story.seat(story.reviewer), await story.seat(story.owner)
    assert "Nothing is paused" in (await reader.read(PAGE)).text
    paused = await reader.send(f"{PAGE}/pause", scope="everything")
    assert "All sending is paused." in paused.text
    assert "Paused by <bdi>Inês</bdi>" in paused.text
    assert "2 people must let it go on." in paused.text
    assert await story.looks(ChannelName.EMAIL) == []

    await first.read(PAGE)
    once = await first.send(f"{PAGE}/resume", scope="everything")
    assert ONE_MORE in once.text
    assert GO_ON not in once.text
    await first.send(f"{PAGE}/resume", scope="everything")  # her word counts once
    assert await story.looks(ChannelName.EMAIL) == []

    second = await story.seat(story.approver)
    seen = await second.read(PAGE)
    assert "<bdi>Amara</bdi> says that it may go on" in seen.text
    assert "Nothing is paused" in (await second.send(f"{PAGE}/resume", scope="everything")).text
    assert len(await story.looks(ChannelName.EMAIL)) == 1
    assert (await second.send(f"{PAGE}/resume", scope="everything")).status == 200  # nothing to let go on any more


async def test_what_the_service_paused_by_itself_one_person_lets_go_on(story: Story) -> None:
    async with story.runtime.record.step() as step:
        await pause_by_itself(step.conn, HoldScope.CHANNEL, "sms", "misconfigured", story.now)
    seat = await story.seat(story.editor)
    page = await seat.read(PAGE)
    assert "SMS is paused." in page.text
    assert "because of our own settings" in page.text
    assert "One person may let it go on." in page.text
    assert "Nothing is paused" in (await seat.send(f"{PAGE}/resume", scope="channel", target="sms")).text


async def test_an_action_is_paused_from_its_own_page_and_says_so_there(story: Story) -> None:
    await story.contact()
    action_id = await story.launched()
    seat = await story.seat(story.editor)
    assert "Pause this action" in (await seat.read(f"/desk/action/{action_id}")).text
    assert "An action is paused:" in (await seat.send(f"{PAGE}/pause", scope="about", target=str(action_id))).text
    assert "This action is paused." in (await seat.read(f"/desk/action/{action_id}")).text
    assert await story.looks(ChannelName.EMAIL) == []


async def test_what_was_stopped_for_good_or_costs_too_much_has_no_button(story: Story) -> None:
    await story.contact()
    await story.stop(await story.launched())
    async with story.runtime.record.step() as step:
        await hold_store.place_hold(step.conn, HoldScope.BUDGET, "sms", SPENT, story.now)
    page = await (await story.seat(story.editor)).read(PAGE)
    assert "money for SMS is spent" in page.text
    assert GO_ON not in page.text


async def test_after_a_restore_the_page_says_why_and_how_many_are_uncertain(story: Story) -> None:
    async with story.runtime.record.step() as step:
        await hold_store.place_hold(step.conn, HoldScope.EVERYTHING, "", RESTORED, story.now, people_needed=2)
    page = await (await story.seat(story.editor)).read(PAGE)
    assert "a copy from earlier" in page.text
    assert "0 messages have not arrived by any way." in page.text
    assert "Every approved message is attempted until" in page.text


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        ("everything", "x"),
        ("channel", "pigeon"),
        ("about", "x"),
        ("about", str(UUID(int=7))),
        ("case", str(UUID(int=7))),
        ("", ""),
    ],
)
async def test_only_what_exists_can_be_paused(story: Story, scope: str, target: str) -> None:
    seat = await story.seat(story.editor)
    await seat.read(PAGE)
    assert (await seat.send(f"{PAGE}/pause", scope=scope, target=target)).status in (400, 404)
    assert await story.count("holds") == 0


@pytest.mark.parametrize("written", ["urn:uuid:{}", "{{{}}}", "{}"])
async def test_however_an_action_is_written_only_its_own_messages_are_paused(story: Story, written: str) -> None:
    await story.contact()
    action_id = await story.launched()
    seat = await story.seat(story.editor)
    await seat.read(PAGE)
    target = written.format(str(action_id).upper())
    assert (await seat.send(f"{PAGE}/pause", scope="about", target=target)).status == 200
    assert [one["target"] for one in await story.rows("SELECT target FROM holds")] == [str(action_id)]
    assert await story.looks(ChannelName.EMAIL) == []


async def test_what_was_paused_first_and_then_stopped_for_good_is_not_let_go_on(story: Story) -> None:
    await story.contact()
    action_id = await story.launched()
    seat = await story.seat(story.editor)
    await seat.read(f"/desk/action/{action_id}")
    await seat.send(f"{PAGE}/pause", scope="about", target=str(action_id))
    await story.stop(action_id)
    assert GO_ON not in (await seat.read(PAGE)).text
    for person in (story.owner, story.approver):
        seat = await story.seat(person)
        await seat.read(PAGE)
        await seat.send(f"{PAGE}/resume", scope="about", target=str(action_id))
    assert await story.count("holds") == 1
