"""Send now: exactly whom the preview showed, once, each in her language and on her channel."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from channels.base import MACHINES, ChannelName
from sos.members.member import StopReason
from sos.members.store import suppress
from sos.outreach.plan import Preview
from sos.outreach.steps import NotApproved, preview
from tests.story import ARABIC, ENGLISH, SPANISH, Reached, Story

TEXTS = {"en": ENGLISH, "es": SPANISH, "ar": ARABIC}
REGIONS, GROUPS = ("africa", "asia_pacific", "latin_america_caribbean"), ("women", "environment")
EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM


async def look(story: Story, action_id: UUID) -> Preview:
    prepared = await story.prepared(action_id)
    async with story.runtime.record.reading() as conn:
        return await preview(conn, story.runtime, prepared)


async def say_stop(story: Story, contact: Reached, channel: ChannelName) -> None:
    index = story.runtime.keys.index(channel, contact.addresses[channel])
    async with story.runtime.record.step() as step:
        await suppress(step.conn, channel, index, StopReason.OPTED_OUT, story.now)


async def people(story: Story, chance: random.Random) -> None:
    """Contacts of every kind: some paused, some opted out somewhere or everywhere, some whom nothing reaches."""
    for _ in range(chance.randrange(3, 8)):
        country, region = chance.choice([("KE", "africa"), ("NP", "asia_pacific"), ("PE", "latin_america_caribbean")])
        groups = chance.sample(GROUPS, chance.randrange(3))
        member_id = await story.member(country=country, region=region, groups=groups)
        for _ in range(chance.randrange(4)):
            channels = chance.sample(list(MACHINES), chance.randrange(4))
            contact = await story.contact(
                member_id, by={one: story.invent(one) for one in channels}, paused=chance.random() < 0.2,
                languages=chance.sample(["en", "es", "ar", "fr", "sw"], chance.randrange(1, 4)),
            )  # fmt: skip
            for channel in channels:
                if chance.random() < 0.25:
                    await say_stop(story, contact, channel)


@pytest.mark.parametrize("seed", range(12))
async def test_a_preview_counts_exactly_what_is_sent(story: Story, seed: int) -> None:
    chance = random.Random(seed)
    await people(story, chance)
    texts = {one: TEXTS[one] for one in ["en", *chance.sample(["es", "ar"], chance.randrange(3))]}
    action_id = await story.ready(
        texts=texts, regions=chance.sample(REGIONS, chance.choice([0, 0, 1, 2])),
        groups=chance.sample(GROUPS, chance.choice([0, 0, 1])),
    )  # fmt: skip
    seen = await look(story, action_id)
    await story.approve(action_id)
    planned = await story.launch(action_id)
    sent = await story.rows(
        """
        SELECT channel, language, recipient_id, state::text AS state, due_at > planned_at AS is_later, cost_usd
        FROM deliveries
        """
    )
    counted = Counter((str(one["channel"]), str(one["language"])) for one in sent if not one["is_later"])
    expected = {(channel, one): count for channel, each in seen.by_channel.items() for one, count in each.items()}
    assert counted == expected
    assert planned == len(sent) == sum(counted.values()) + seen.later
    assert seen.contacts == len({one["recipient_id"] for one in sent})
    assert sum(Decimal(str(one["cost_usd"])) for one in sent) == seen.sms_usd


async def test_each_gets_the_first_of_her_languages_that_is_ready_else_the_original(story: Story) -> None:
    wanted = {("ar", "es"): "ar", ("fr", "es", "en"): "es", ("fr", "sw"): "en", ("pt",): "en", ("en", "ar"): "en"}
    contacts = {languages: await story.contact(languages=languages) for languages in wanted}
    action_id = await story.ready(texts=TEXTS)
    await story.write(action_id, "fr", ENGLISH)  # a draft that nobody has reviewed is not sent
    await story.approve(action_id)
    await story.launch(action_id)
    for languages, contact in contacts.items():
        (sent,) = await story.rows("SELECT language FROM deliveries WHERE recipient_id = %(id)s", id=contact.id)
        assert sent["language"] == wanted[languages]


async def test_each_is_written_to_on_the_first_of_her_channels_that_works(story: Story) -> None:
    both = await story.contact(by={TELEGRAM: "71", SMS: "+254700000001"})
    stopped = await story.contact(by={TELEGRAM: "72", SMS: "+254700000002"})
    await say_stop(story, stopped, TELEGRAM)
    action_id = await story.launched()
    sent = await story.rows(
        "SELECT recipient_id, channel FROM deliveries WHERE about = %(id)s AND due_at = planned_at", id=action_id
    )
    assert {one["recipient_id"]: one["channel"] for one in sent} == {both.id: "telegram", stopped.id: "sms"}


async def test_nobody_who_said_stop_or_rests_is_written_to(story: Story) -> None:
    stopped = await story.contact()
    await say_stop(story, stopped, EMAIL)
    await story.contact(paused=True)
    await story.contact(by={})
    action_id = await story.ready()
    assert (await look(story, action_id)).contacts == 0
    await story.approve(action_id)
    assert await story.launch(action_id) == 0


async def test_sending_twice_and_at_once_writes_once(story: Story) -> None:
    for _ in range(5):
        await story.contact()
    action_id = await story.ready()
    await story.approve(action_id)
    planned = await asyncio.gather(*(story.launch(action_id) for _ in range(6)))
    assert sorted(planned) == [0, 0, 0, 0, 0, 5]
    assert await story.launch(action_id) == 0
    assert await story.count("deliveries") == 5
    assert len(await story.rows("SELECT FROM journal WHERE did = 'action.launched'")) == 1


async def test_what_nobody_has_approved_is_not_sent(story: Story) -> None:
    action_id = await story.ready()
    with pytest.raises(NotApproved):
        await story.launch(action_id)
    assert await story.count("texts") == 0


async def test_only_reviewed_texts_are_published_and_no_draft_is_left(story: Story) -> None:
    action_id = await story.ready(texts={"en": ENGLISH, "es": SPANISH})
    await story.write(action_id, "ar", ARABIC)
    await story.approve(action_id)
    await story.launch(action_id)
    assert {str(one["language"]) for one in await story.rows("SELECT language FROM texts")} == {"en", "es"}
    assert await story.count("drafts") == 0


async def test_a_change_between_the_look_and_the_launch_is_not_sent(story: Story) -> None:
    action_id = await story.ready()
    await story.approve(action_id)
    await story.write(action_id, "en", replace(ENGLISH, title="Something else"))
    with pytest.raises(NotApproved):
        await story.launch(action_id)
