"""What SMS cost is counted as they leave; much of it is told, and when all is spent only a life still leaves."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from channels.base import ChannelName
from sos.config import Config
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.money import begin_month, spend
from tests.story import Reached, Story

SMS = ChannelName.SMS
KENYA = Decimal("0.10")


def allowed(story: Story, usd: str) -> Config:
    config = story.runtime.config
    return replace(config, sending=replace(config.sending, sms_usd_a_month=Decimal(usd), warn_at=Decimal("0.8")))


async def leave(story: Story, config: Config, contact: Reached, segments: int) -> None:
    """An SMS to her leaves."""
    delivery = (await story.rows("SELECT id FROM deliveries WHERE recipient_id = %(id)s", id=contact.id))[0]
    async with story.runtime.record.step() as step:
        await spend(step.conn, config, SMS, {int(str(delivery["id"])): segments}, story.now)


async def spent(story: Story) -> list[Decimal]:
    return [Decimal(str(one["usd"])) for one in await story.rows("SELECT usd FROM spending ORDER BY month")]


async def is_held(story: Story) -> bool:
    async with story.runtime.record.reading() as conn:
        return [(one.scope, one.target) for one in await hold_store.holds(conn)] == [(HoldScope.BUDGET, "sms")]


async def asked(story: Story, **who: str) -> Reached:
    contact = await story.contact(await story.member(country="KE"), by=SMS, **who)  # type: ignore[arg-type]
    await story.launched()
    return contact


async def test_what_leaves_costs_what_its_segments_cost_in_the_phones_country(story: Story) -> None:
    kenya, france = await asked(story), await asked(story, phone_country="FR")
    prices = story.runtime.config.countries
    assert prices["KE"].sms_usd == KENYA != prices["FR"].sms_usd
    await leave(story, story.runtime.config, kenya, 3)
    await leave(story, story.runtime.config, france, 2)
    assert await spent(story) == [3 * KENYA + 2 * prices["FR"].sms_usd]


async def test_those_on_duty_are_told_once_that_much_is_spent(story: Story) -> None:
    await story.on_duty(story.owner)
    contact = await asked(story)
    for _ in range(3):
        await leave(story, allowed(story, "1.00"), contact, 4)
    notices = await story.rows("SELECT kind FROM deliveries WHERE purpose = 'notice'")
    assert [one["kind"] for one in notices] == ["spending"]


async def test_when_all_is_spent_the_channel_is_kept_for_a_life(story: Story) -> None:
    contact = await asked(story)
    await leave(story, allowed(story, "1.00"), contact, 9)
    assert not await is_held(story)
    await leave(story, allowed(story, "1.00"), contact, 1)
    assert await is_held(story)


async def test_a_new_month_or_more_money_lets_everything_go_on(story: Story) -> None:
    contact, config = await asked(story), allowed(story, "1.00")
    await leave(story, config, contact, 11)
    async with story.runtime.record.step() as step:
        await begin_month(step.conn, config.sending, SMS, story.now)
    assert await is_held(story)
    async with story.runtime.record.step() as step:
        await begin_month(step.conn, config.sending, SMS, story.now + timedelta(days=31))
    assert not await is_held(story)
    await leave(story, config, contact, 1)
    assert await is_held(story)
    async with story.runtime.record.step() as step:
        await begin_month(step.conn, allowed(story, "2.00").sending, SMS, story.now)
    assert not await is_held(story)
