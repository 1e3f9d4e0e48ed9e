"""Anybody pauses; what a person paused two let go on; what was stopped for good nobody does."""

import asyncio
from uuid import UUID

import pytest

from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import NotPaused, pause, pause_by_itself, resume
from sos.staff.staff import Person
from tests.story import Story

ACTION = str(UUID(int=9))


async def is_held(story: Story, scope: HoldScope, target: str) -> bool:
    async with story.runtime.record.reading() as conn:
        return (scope, target) in {(one.scope, one.target) for one in await hold_store.holds(conn)}


async def let_go_on(story: Story, person: Person, scope: HoldScope, target: str) -> tuple[int, int]:
    said = await resume(story.runtime.record, person, scope, target, story.now)
    return said.said, said.needed


@pytest.mark.parametrize(
    ("scope", "target"), [(HoldScope.EVERYTHING, ""), (HoldScope.CHANNEL, "sms"), (HoldScope.ABOUT, ACTION)]
)
async def test_what_a_person_paused_goes_on_when_two_have_said_so(story: Story, scope: HoldScope, target: str) -> None:
    assert await pause(story.runtime.record, story.reviewer, scope, target, story.now)
    assert await let_go_on(story, story.owner, scope, target) == (1, 2)
    assert await let_go_on(story, story.owner, scope, target) == (1, 2)  # one person is one person
    assert await is_held(story, scope, target)
    assert await let_go_on(story, story.approver, scope, target) == (2, 2)
    assert not await is_held(story, scope, target)
    with pytest.raises(NotPaused):
        await let_go_on(story, story.approver, scope, target)


async def test_an_automatic_pause_calls_those_on_duty_and_one_of_them_lets_it_go_on(story: Story) -> None:
    await story.on_duty(story.owner)
    async with story.runtime.record.step() as step:
        assert await pause_by_itself(step.conn, HoldScope.CHANNEL, "email", "misconfigured", story.now)
        assert not await pause_by_itself(step.conn, HoldScope.CHANNEL, "email", "misconfigured", story.now)
    notices = await story.rows("SELECT kind FROM deliveries WHERE purpose = 'notice'")
    assert notices == [{"kind": "paused"}]
    assert await let_go_on(story, story.owner, HoldScope.CHANNEL, "email") == (1, 1)
    async with story.runtime.record.step() as step:
        await pause_by_itself(step.conn, HoldScope.CHANNEL, "email", "misconfigured", story.now)
    assert await story.count("deliveries") == 2  # the next time they are called again


async def test_what_was_stopped_for_good_nobody_lets_go_on(story: Story) -> None:
    action_id = await story.launched()
    await story.stop(action_id)
    with pytest.raises(NotPaused):
        await let_go_on(story, story.approver, HoldScope.ABOUT, str(action_id))
    assert await is_held(story, HoldScope.ABOUT, str(action_id))


async def test_two_at_the_same_moment_are_two(story: Story) -> None:
    await pause(story.runtime.record, story.editor, HoldScope.EVERYTHING, "", story.now)
    said = await asyncio.gather(
        *(let_go_on(story, person, HoldScope.EVERYTHING, "") for person in (story.owner, story.approver))
    )
    assert sorted(said) == [(1, 2), (2, 2)]
    assert not await is_held(story, HoldScope.EVERYTHING, "")


async def test_pausing_and_going_on_stand_in_the_journal(story: Story) -> None:
    await pause(story.runtime.record, story.editor, HoldScope.CHANNEL, "sms", story.now)
    for person in (story.owner, story.approver):
        await let_go_on(story, person, HoldScope.CHANNEL, "sms")
    done = await story.rows("SELECT did FROM journal WHERE facts->>'scope' = 'channel' ORDER BY id")
    assert [one["did"] for one in done] == [
        "sending.paused", "resumption.said", "resumption.said", "sending.resumed",
    ]  # fmt: skip
