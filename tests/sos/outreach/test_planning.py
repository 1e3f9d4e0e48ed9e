"""Who is written to, in which language, by which channels, in which order and when; and who is spared."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import MACHINES, ChannelName
from sos.actions.action import Kind
from sos.endorsements.steps import acknowledge
from sos.intake.report import Urgency
from sos.ledger import hold_store, store
from sos.outreach.plan import Preview
from sos.outreach.steps import preview
from tests.story import ARABIC, ENGLISH, SPANISH, Reached, Story

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
MINUTES = timedelta(minutes=1)
NOON = datetime(2031, 3, 14, 9, 0, tzinfo=UTC)  # in Nairobi
NIGHT = datetime(2031, 3, 14, 23, 30, tzinfo=UTC)  # half past two in Nairobi
MORNING = datetime(2031, 3, 15, 4, 0, tzinfo=UTC)  # seven in Nairobi

Way = tuple[str, str, str, timedelta]


async def launched(story: Story, urgency: Urgency = Urgency.SERIOUS, *, country: str = "PE", **drafted: Any) -> UUID:
    case_id = await story.case(urgency=urgency, country=country)
    return await story.launched(case_id=case_id, kind=Kind.ALERT, **drafted)


async def ways(story: Story, contact: Reached) -> list[Way]:
    """Each way to her: channel, language, state with its reason, and how long after the launch."""
    found = await story.rows(
        """
        SELECT channel, language, concat_ws(' ', state, nullif(reason, '')) AS state, due_at - planned_at AS after
        FROM deliveries WHERE recipient_id = %(id)s ORDER BY step, channel
        """,
        id=contact.id,
    )
    return [(one["channel"], one["language"], one["state"], one["after"]) for one in found]  # type: ignore[misc]


async def look(story: Story, action_id: UUID) -> Preview:
    prepared = await story.prepared(action_id)
    async with story.runtime.record.reading() as conn:
        return await preview(conn, story.runtime, prepared)


def addresses(story: Story, *channels: ChannelName) -> Mapping[ChannelName, str]:
    return {one: story.invent(one) for one in channels}


# The ways by urgency


async def test_life_goes_by_every_channel_the_loud_ones_three_minutes_apart_and_email_at_once(story: Story) -> None:
    contact = await story.contact(by=addresses(story, TELEGRAM, SMS, EMAIL))
    await launched(story, Urgency.LIFE)
    assert await ways(story, contact) == [
        ("email", "en", "queued", timedelta()), ("telegram", "en", "queued", timedelta()),
        ("sms", "en", "queued", 3 * MINUTES),
    ]  # fmt: skip


async def test_serious_goes_by_the_preferred_channel_and_later_by_the_next(story: Story) -> None:
    contact = await story.contact(by=addresses(story, SMS, EMAIL, TELEGRAM))
    await launched(story)
    assert [(channel, after) for channel, _, _, after in await ways(story, contact)] == [
        ("sms", timedelta()), ("email", 30 * MINUTES), ("telegram", 60 * MINUTES),
    ]  # fmt: skip


async def test_routine_goes_by_the_preferred_channel_and_by_email_only_if_that_fails(story: Story) -> None:
    contact = await story.contact(by=addresses(story, TELEGRAM, SMS, EMAIL))
    action_id = await launched(story, Urgency.ROUTINE)
    assert [(channel, after) for channel, _, _, after in await ways(story, contact)] == [
        ("telegram", timedelta()), ("email", timedelta(days=3)),
    ]  # fmt: skip
    async with story.runtime.record.step() as step:
        first = await story.rows("SELECT id FROM deliveries WHERE channel = 'telegram'")
        await store.bring_next_forward(step.conn, [int(str(first[0]["id"]))], story.now)
    assert [(channel, after) for channel, _, _, after in await ways(story, contact)][1] == ("email", timedelta())
    story.clock.advance(timedelta(days=4))
    async with story.runtime.record.step() as step:
        await store.expire(step.conn, story.now)
    assert await story.states(action_id) == {"ended": 2}


async def test_a_spare_way_that_was_not_needed_did_not_expire(story: Story) -> None:
    contact = await story.contact(by=addresses(story, TELEGRAM, EMAIL))
    await launched(story, Urgency.ROUTINE)
    async with story.runtime.record.step() as step:
        await step.conn.execute("UPDATE deliveries SET state = 'accepted' WHERE channel = 'telegram'")
        await store.expire(step.conn, story.now + timedelta(days=4))
    assert [state for _, _, state, _ in await ways(story, contact)] == ["accepted", "ended not_needed"]


# Shared addresses


async def test_who_share_an_address_get_one_message_with_the_link_of_the_first_who_may_sign(story: Story) -> None:
    phone = {SMS: "+254700000001"}
    helper = await story.contact(by=phone, may_sign=False)
    first, second = await story.contact(by=phone), await story.contact(by=phone)
    seen = await look(story, await story.ready())
    assert (seen.contacts, seen.shared) == (1, 2)
    await launched(story)
    assert [await ways(story, one) for one in (helper, first, second)] == [
        [("sms", "en", "shared", timedelta())], [("sms", "en", "queued", timedelta())],
        [("sms", "en", "shared", timedelta())],
    ]  # fmt: skip


async def test_a_shared_way_is_taken_when_the_first_of_them_needs_it(story: Story) -> None:
    phone = story.invent(SMS)
    signs = await story.contact(by={EMAIL: story.invent(EMAIL), SMS: phone})
    needs = await story.contact(by={SMS: phone}, may_sign=False)
    await launched(story)
    assert (await ways(story, signs))[1] == ("sms", "en", "queued", timedelta())
    assert await ways(story, needs) == [("sms", "en", "shared", timedelta())]


async def test_where_a_shared_way_fails_each_of_them_is_tried_by_the_next_of_her_own(story: Story) -> None:
    phone = story.invent(SMS)
    both = [await story.contact(by={SMS: phone, EMAIL: story.invent(EMAIL)}) for _ in range(2)]
    action_id = await launched(story, Urgency.ROUTINE)
    async with story.runtime.record.step() as step:
        await store.bring_next_forward(step.conn, [await story.delivery(action_id, both[0])], story.now)
    assert [(await ways(story, one))[1] for one in both] == [("email", "en", "queued", timedelta())] * 2


async def test_a_shared_way_that_the_first_of_them_needs_no_more_is_the_others(story: Story) -> None:
    story.clock.now = NIGHT
    phone = story.invent(SMS)
    signs = await story.contact(by={EMAIL: story.invent(EMAIL), SMS: phone})
    needs, another = await story.contact(by={SMS: phone}), await story.contact(by={SMS: phone}, may_sign=False)
    action_id = await launched(story)
    await acknowledge(story.runtime.record, await story.invitation(action_id, signs), story.now)
    assert (await ways(story, signs))[1] == ("sms", "en", "ended reached", timedelta())
    assert await ways(story, needs) == [("sms", "en", "queued", timedelta())]
    assert await ways(story, another) == [("sms", "en", "shared", timedelta())]
    story.clock.now = MORNING
    assert [one.id for one in await story.looks(SMS)] == [await story.delivery(action_id, needs)]


async def test_a_shared_phone_shows_nothing_where_one_of_them_is_discreet(story: Story) -> None:
    phone = {SMS: story.invent(SMS)}
    first = await story.contact(by=phone)
    await story.contact(by=phone, may_sign=False, discreet=True)
    action_id = await launched(story)
    assert ENGLISH.title not in (await story.messages(action_id))[first.id].text


# Quiet hours


@pytest.mark.parametrize("urgency", [Urgency.SERIOUS, Urgency.ROUTINE])
async def test_by_night_no_phone_rings_before_the_morning_and_email_goes(story: Story, urgency: Urgency) -> None:
    story.clock.now = NIGHT
    for channel in (SMS, TELEGRAM, EMAIL):
        await story.contact(by=channel)
    seen = await look(story, await story.ready(case_id=await story.case(urgency=urgency), kind=Kind.ALERT))
    assert (seen.contacts, seen.woken, seen.resting) == (3, 0, 2)
    await launched(story, urgency)
    assert [len(await story.looks(channel)) for channel in (SMS, TELEGRAM, EMAIL)] == [0, 0, 1]
    story.clock.now = MORNING
    assert [len(await story.looks(channel)) for channel in (SMS, TELEGRAM)] == [1, 1]


async def test_life_wakes_those_near_the_case_and_those_who_chose_it_and_nobody_else(story: Story) -> None:
    story.clock.now = NIGHT
    near = await story.contact(await story.member(country="TZ"), by=SMS, discreet=False)
    chose = await story.contact(await story.member(country="KE"), by=SMS, may_wake=True)
    await story.contact(await story.member(country="KE"), by=SMS)
    case_id = await story.case(urgency=Urgency.LIFE, country="TZ")
    seen = await look(story, await story.ready(case_id=case_id, kind=Kind.ALERT))
    assert (seen.woken, seen.resting) == (2, 1)
    await launched(story, Urgency.LIFE, country="TZ")
    due = await story.looks(SMS)
    rung = await story.rows("SELECT recipient_id FROM deliveries WHERE id = ANY(%(ids)s)", ids=[one.id for one in due])
    assert {one["recipient_id"] for one in rung} == {near.id, chose.id}
    story.clock.now = MORNING
    assert len(await story.looks(SMS)) == 3


async def test_life_does_not_wait_for_a_morning_after_its_deadline(story: Story) -> None:
    story.clock.now = NIGHT
    await story.contact(by=SMS)
    await launched(story, Urgency.LIFE, lasts=timedelta(hours=4))
    assert len(await story.looks(SMS)) == 1


# How often


async def test_whoever_was_called_often_enough_this_week_is_spared_but_not_when_a_life_is_in_danger(
    story: Story,
) -> None:
    contact = await story.contact()
    for _ in range(3):
        await launched(story)
    assert (await look(story, await story.ready())).capped == 1
    action_id = await launched(story)
    assert (await story.states(action_id)) == {"ended": 1}
    await launched(story, Urgency.LIFE)
    story.clock.advance(timedelta(days=8))
    await launched(story)
    assert [state for _, _, state, _ in await ways(story, contact)] == [
        *["queued"] * 3,
        "ended capped",
        *["queued"] * 2,
    ]


# Languages


async def test_whose_language_is_not_ready_gets_the_next_of_hers_at_once(story: Story) -> None:
    contact = await story.contact(languages=["fr", "es", "en"])
    await launched(story, texts={"en": ENGLISH, "es": SPANISH})
    assert await ways(story, contact) == [("email", "es", "queued", timedelta())]


async def test_or_she_waits_for_her_own_until_the_latest_time_that_the_action_sets(story: Story) -> None:
    french = await story.contact(languages=["fr", "es"])
    spanish, swahili = await story.contact(languages=["es", "fr"]), await story.contact(languages=["sw"])
    texts = {"en": ENGLISH, "es": SPANISH}
    seen = await look(story, await story.ready(texts=texts, waits=timedelta(hours=6)))
    assert (seen.contacts, seen.awaiting, seen.fallbacks) == (3, 1, 1)
    await launched(story, texts=texts, waits=timedelta(hours=6))
    assert await ways(story, french) == [("email", "es", "queued", timedelta(hours=6))]
    assert await ways(story, spanish) == [("email", "es", "queued", timedelta())]
    assert await ways(story, swahili) == [("email", "en", "queued", timedelta())]  # nobody translates into hers
    assert [one["awaits"] for one in await story.rows("SELECT awaits FROM deliveries WHERE awaits IS NOT NULL")] == [
        "fr"
    ]


# Discretion and countries


async def test_phones_in_the_country_of_those_addressed_are_discreet_unless_their_owner_chose_otherwise(
    story: Story,
) -> None:
    member = await story.member(country="HN")
    left_to_us, open_, hidden = [await story.contact(member, discreet=one) for one in (None, False, True)]
    elsewhere = await story.contact(await story.member(country="KE"))
    action_id = await story.ready(case_id=await story.case(country="PE"))
    await story.address(action_id, country="HN")
    assert (await look(story, action_id)).discreet == 2
    await story.approve(action_id)
    await story.launch(action_id)
    subjects = {one: message.subject for one, message in (await story.messages(action_id)).items()}
    neutral = "Something new for you"
    assert [subjects[one.id] == neutral for one in (left_to_us, open_, hidden, elsewhere)] == [True, False, True, False]


async def test_the_price_is_that_of_the_phones_country_and_of_all_segments(story: Story) -> None:
    usd = story.runtime.config.countries
    await story.contact(await story.member(country="KE"), by=SMS)
    await story.contact(await story.member(country="KE"), by=SMS, phone_country="FR")
    action_id = await story.ready()
    seen = await look(story, action_id)
    each = seen.segments["en"]
    assert seen.sms_segments == 2 * each
    assert seen.sms_usd == each * (usd["KE"].sms_usd + usd["FR"].sms_usd)
    await story.approve(action_id)
    await story.launch(action_id)
    [planned] = await story.rows("SELECT sum(cost_usd) AS usd FROM deliveries")
    assert planned["usd"] == seen.sms_usd


@pytest.mark.parametrize(
    ("country", "holds", "lacks"),
    [("GB", "SIGN", "—"), ("SA", "/s/", "SIGN"), ("ID", "SIGN", "/s/"), ("CN", "", "/s/")],
)
async def test_an_sms_asks_and_links_only_where_replies_and_links_arrive(
    story: Story, country: str, holds: str, lacks: str
) -> None:
    contact = await story.contact(by=SMS, phone_country=country)
    action_id = await story.launched(case_id=await story.case())
    text = (await story.messages(action_id))[contact.id].text
    assert holds in text
    assert lacks not in text


# The first wave


async def contacts(story: Story, count: int, **how: Any) -> None:
    member = await story.member()
    for _ in range(count):
        await story.contact(member, **how)


async def first_wave(story: Story) -> list[dict[str, object]]:
    return await story.rows("SELECT channel, language FROM deliveries WHERE is_canary ORDER BY channel, language")


async def test_of_more_than_a_hundred_twenty_go_first_across_channels_and_languages(story: Story) -> None:
    await contacts(story, 70)
    await contacts(story, 25, languages=["ar"])
    await contacts(story, 3, by=SMS)
    await contacts(story, 3, by=TELEGRAM, languages=["ar"])
    await launched(story, texts={"en": ENGLISH, "ar": ARABIC})
    found = [(str(one["channel"]), str(one["language"])) for one in await first_wave(story)]
    assert {one: found.count(one) for one in set(found)} == {
        ("email", "ar"): 7, ("email", "en"): 7, ("sms", "en"): 3, ("telegram", "ar"): 3,
    }  # fmt: skip
    assert sum([len(await story.looks(channel)) for channel in MACHINES]) == 20


async def test_a_hundred_go_at_once(story: Story) -> None:
    await contacts(story, 100)
    action_id = await launched(story)
    assert await first_wave(story) == []
    async with story.runtime.record.reading() as conn:
        assert await hold_store.holds(conn) == []
    assert await story.states(action_id) == {"queued": 100}


async def test_nobody_is_in_the_first_wave_whose_phone_rests_now(story: Story) -> None:
    story.clock.now = NIGHT
    await contacts(story, 101, by=SMS)
    await contacts(story, 5)
    await launched(story)
    assert {str(one["channel"]) for one in await first_wave(story)} == {"email"}
