"""The first wave: when it has arrived the rest goes, and when too many are refused it waits for a person."""

from datetime import timedelta
from uuid import UUID

import pytest

from channels.base import Accepted, Busy, ChannelName, Refused, Result
from sos.actions.action import Kind
from sos.config import FirstWave
from sos.ledger import hold_store, leaving_store, steps
from sos.ledger.delivery import HoldScope, after, new_attempt
from sos.ledger.pausing import resume
from sos.outreach.plan import Verdict, Wave, judge
from sos.outreach.waves import judge_waves
from tests.story import Story

EMAIL = ChannelName.EMAIL
RULES = FirstWave(over=100, size=20, most_refused=0.2, patience_seconds={"life": 30, "serious": 300, "routine": 300})


@pytest.mark.parametrize(
    ("settled", "refused", "seconds", "verdict"),
    [
        (0, 0, 0, Verdict.WAIT), (19, 0, 10, Verdict.WAIT), (20, 0, 1, Verdict.GO), (20, 4, 1, Verdict.GO),
        (20, 5, 1, Verdict.STOP), (5, 5, 1, Verdict.STOP), (4, 4, 10, Verdict.WAIT),
        (10, 0, 31, Verdict.GO), (10, 3, 31, Verdict.STOP), (0, 0, 10_000, Verdict.WAIT),
    ],
)  # fmt: skip
def test_a_wave_is_judged_when_it_is_settled_or_patience_ends(
    settled: int, refused: int, seconds: float, verdict: Verdict
) -> None:
    assert judge(Wave(20, settled, refused, seconds), RULES, "life") is verdict


@pytest.fixture
async def action_id(story: Story) -> UUID:
    """An alert to 120 contacts, launched."""
    member = await story.member()
    for _ in range(120):
        await story.contact(member)
    return await story.launched(kind=Kind.ALERT)


async def settle(story: Story, *results: Result) -> None:
    """A worker sends what it may, and these are the outcomes."""
    due = (await story.looks(EMAIL))[: len(results)]
    async with story.runtime.record.step() as step:
        attempt = new_attempt()
        marked = await leaving_store.mark(
            step.conn, EMAIL, attempt, [one.id for one in due], now=story.now, until=story.now
        )
        assert len(marked) == len(results)
        outcomes = [after(one, attempt, result, story.now) for one, result in zip(due, results, strict=True)]
        await steps.settle(step.conn, outcomes, "email", story.now)


async def look(story: Story) -> int:
    await judge_waves(story.runtime.record, story.runtime.config.sending.first_wave, story.now)
    return len(await story.looks(EMAIL))


async def held(story: Story) -> list[tuple[HoldScope, str, int]]:
    async with story.runtime.record.reading() as conn:
        return [(one.scope, one.reason, one.people_needed) for one in await hold_store.holds(conn)]


async def test_the_rest_waits_until_the_first_wave_has_arrived(story: Story, action_id: UUID) -> None:
    assert await look(story) == 20
    await settle(story, *[Accepted("x")] * 19)
    assert await look(story) == 1
    await settle(story, Accepted("x"))
    assert await look(story) == 100
    assert await held(story) == []


async def test_too_many_refusals_pause_the_action_and_call_those_on_duty_and_one_of_them_lets_it_go_on(
    story: Story, action_id: UUID
) -> None:
    await story.on_duty(story.owner)
    await settle(story, *[Refused("550 5.1.1 to RCPT")] * 5, *[Accepted("x")] * 15)
    assert await look(story) == 0
    assert await held(story) == [(HoldScope.ABOUT, "first_wave", 1)]
    assert len(await story.rows("SELECT FROM deliveries WHERE purpose = 'notice' AND kind = 'paused'")) == 1
    await resume(story.runtime.record, story.owner, HoldScope.ABOUT, str(action_id), story.now)
    assert await look(story) == 100


async def test_a_first_wave_that_is_never_answered_does_not_hold_the_rest_for_ever(
    story: Story, action_id: UUID
) -> None:
    await settle(story, *[Accepted("x")] * 10, *[Busy(timedelta(minutes=10), "451")] * 10)
    assert await look(story) == 0
    story.clock.advance(timedelta(seconds=301))
    assert await look(story) == 100


async def test_two_workers_judge_once(story: Story, action_id: UUID) -> None:
    await story.on_duty(story.owner)
    await settle(story, *[Refused("550 5.1.1 to RCPT")] * 20)
    for _ in range(3):
        await look(story)
    assert len(await story.rows("SELECT FROM journal WHERE did = 'wave.judged'")) == 1


async def test_a_stop_during_the_first_wave_is_the_end_of_it(story: Story, action_id: UUID) -> None:
    await settle(story, *[Accepted("x")] * 10)
    await story.stop(action_id)
    story.clock.advance(timedelta(hours=1))
    assert await look(story) == 0
    assert await story.states(action_id) == {"accepted": 10, "ended": 110}


def test_the_rules_are_those_of_config(story: Story) -> None:
    assert story.runtime.config.sending.first_wave == RULES
