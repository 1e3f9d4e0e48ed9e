"""Behind the numbers, over real HTTP: who, one contact's timeline, what did not arrive and what is done about it."""

from datetime import timedelta
from uuid import UUID

import pytest

from channels.base import Accepted, ChannelName, Refused, Result, Unconfirmed
from sos.ledger import leaving_store, steps, watching_store
from sos.ledger.delivery import after, new_attempt
from sos.ledger.watching_store import Flow
from tests.story import Reached, Story

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM


async def send(story: Story, channel: ChannelName, result: Result) -> None:
    """Let everything leave by a channel that is due, with one outcome for all."""
    due = await story.looks(channel)
    async with story.runtime.record.step() as step:
        attempt = new_attempt()
        await leaving_store.mark(
            step.conn, channel, attempt, [one.id for one in due], now=story.now, until=story.now + timedelta(minutes=1)
        )
        outcomes = [after(one, attempt, result, story.now) for one in due]
        await steps.settle(step.conn, outcomes, channel, story.now)


async def flow(story: Story, action_id: UUID) -> Flow:
    async with story.runtime.record.reading() as conn:
        return await watching_store.find_flow(conn, action_id, story.now)


@pytest.fixture
async def reached(story: Story) -> tuple[Reached, Reached, UUID]:
    """Two contacts, and an action of which the first has her mail and the second was refused."""
    first = await story.contact(name="Amina Diallo")
    action_id = await story.launched()
    await send(story, EMAIL, Accepted("<1@sos.example>"))
    second = await story.contact(name="Ñusta <b>Quispe</b>")
    other = await story.launched()
    await send(story, EMAIL, Refused("550 5.1.1 to RCPT"))
    assert other != action_id
    return first, second, other


async def test_each_number_leads_to_those_behind_it(story: Story, reached: tuple[Reached, Reached, UUID]) -> None:
    _, second, action_id = reached
    seat = await story.seat(story.editor)
    page = await seat.read(f"/desk/action/{action_id}")
    link = f"/desk/action/{action_id}/deliveries?channel=email&amp;language=en&amp;state=refused"
    assert link in page.text
    shown = await seat.read(link.replace("&amp;", "&"))
    assert "Ñusta &lt;b&gt;Quispe&lt;/b&gt;" in shown.text
    assert f"/desk/contact/{second.id}" in shown.text
    assert "550 5.1.1 to RCPT" in shown.text
    assert "Nobody now." in (await seat.read(f"/desk/action/{action_id}/deliveries?state=delivered")).text
    strange = f"/desk/action/{action_id}/deliveries?state=';--&channel=x&language=zz&after=-1"
    assert f"/desk/contact/{second.id}" in (await seat.read(strange)).text


async def test_a_translator_sees_numbers_and_nobody_behind_them(
    story: Story, reached: tuple[Reached, Reached, UUID]
) -> None:
    *_, action_id = reached
    seat = await story.seat(story.reviewer)
    assert "deliveries?" not in (await seat.read(f"/desk/action/{action_id}")).text
    assert (await seat.read(f"/desk/action/{action_id}/deliveries")).status == 403


async def test_a_long_list_goes_on_page_by_page_and_misses_nobody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sos.desk.deliveries.ON_A_PAGE", 2)
    contacts = [await story.contact(name=f"Number {n}") for n in range(5)]
    action_id = await story.launched()
    seat, path, seen = await story.seat(story.editor), f"/desk/action/{action_id}/deliveries", list[str]()
    for _ in range(3):
        page = await seat.read(path)
        seen += [str(one.id) for one in contacts if f"/desk/contact/{one.id}" in page.text]
        path = page.text.partition('class="button quiet" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert sorted(seen) == sorted(str(one.id) for one in contacts)
    assert path == ""


async def test_one_page_tells_a_caller_what_we_wrote_to_her_and_when(
    story: Story, reached: tuple[Reached, Reached, UUID]
) -> None:
    first, *_ = reached
    seat = await story.seat(story.owner)
    await seat.read("/desk/contacts")
    found = await seat.send("/desk/contacts", sought=f" {first.addresses[EMAIL].upper()} ")
    assert found.path == "/desk/contacts"
    assert f"/desk/contact/{first.id}" in found.text
    page = await seat.read(f"/desk/contact/{first.id}")
    assert "Amina Diallo" in page.text
    assert "Stop the eviction" in page.text
    assert ">accepted<" in page.text
    [member] = await story.rows("SELECT reference FROM members WHERE id = %(id)s", id=first.member_id)
    assert "Amina Diallo" in (await seat.send("/desk/contacts", sought=str(member["reference"]))).text
    assert "0 contacts" in (await seat.send("/desk/contacts", sought="nobody@example.org")).text
    assert (await seat.send("/desk/contacts", sought="")).status == 400


async def test_what_did_not_arrive_is_tried_again_once_it_was_mended(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    await send(story, EMAIL, Refused("552 5.3.4 to HANDED_OVER"))
    seat = await story.seat(story.approver)
    page = await seat.read("/desk/dead")
    assert "One message has not arrived by any way." in page.text
    delivery = await story.delivery(action_id, contact)
    done = await seat.send("/desk/dead", do="again", one=str(delivery))
    assert "One is tried again." in done.text
    assert [one.id for one in await story.looks(EMAIL)] == [delivery]
    again = await seat.send("/desk/dead", do="again", one=str(delivery))  # twice is once
    assert "0 are tried again" in again.text
    noted = await story.rows("SELECT facts FROM journal WHERE did = 'deliveries.tried_again' ORDER BY id")
    assert [one["facts"] for one in noted] == [{"deliveries": [delivery]}, {"deliveries": []}]


async def test_whoever_said_stop_and_what_is_over_is_not_tried_again(
    story: Story, reached: tuple[Reached, Reached, UUID]
) -> None:
    _, second, action_id = reached  # 5.1.1 has ended her address
    delivery = await story.delivery(action_id, second)
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    await seat.send("/desk/dead", do="again", one=str(delivery))
    assert await story.looks(EMAIL) == []


async def test_what_was_stopped_for_good_is_not_tried_again(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    await send(story, EMAIL, Refused("552 5.3.4 to HANDED_OVER"))
    await story.stop(action_id)
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    done = await seat.send("/desk/dead", do="again", one=str(await story.delivery(action_id, contact)))
    assert "0 are tried again" in done.text
    assert await story.states(action_id) == {"refused": 1}


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 40])
async def test_a_number_that_nothing_has_is_no_fault(story: Story, number: str) -> None:
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    for do in ("again", "aside"):
        assert (await seat.send("/desk/dead", do=do, one=number)).status in (200, 400)


async def test_what_stays_as_it_is_leaves_the_list(story: Story, reached: tuple[Reached, Reached, UUID]) -> None:
    _, second, action_id = reached
    delivery = await story.delivery(action_id, second)
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    done = await seat.send("/desk/dead", do="aside", one=str(delivery))
    assert "One stays as it is." in done.text
    assert "One message has not arrived" in done.text  # the other contact's, of the same action
    assert (await story.states(action_id))["refused"] == 2


async def test_whoever_was_reached_by_another_way_is_not_among_them(story: Story) -> None:
    await story.contact(by={EMAIL: "amina@example.org", SMS: "+254700000001"})
    action_id = await story.launched()
    await send(story, EMAIL, Refused("552 5.3.4 to HANDED_OVER"))
    seat = await story.seat(story.editor)
    states = await story.states(action_id)
    expected = "0 messages have" if states["queued"] else "One message has"
    assert expected in (await seat.read("/desk/dead")).text


async def test_a_telegram_message_that_may_have_arrived_is_uncertain_and_a_person_decides(story: Story) -> None:
    contact = await story.contact(by={TELEGRAM: "9000000001"})
    action_id = await story.launched()
    await send(story, TELEGRAM, Unconfirmed("TimedOut"))
    seat = await story.seat(story.editor)
    page = await seat.read("/desk/dead")
    assert ">uncertain<" in page.text
    assert "may bring it twice" in page.text
    await seat.send("/desk/dead", do="again", one=str(await story.delivery(action_id, contact)))
    assert (await story.states(action_id))["queued"] == 1


@pytest.mark.parametrize("form", [{"do": "burn", "one": "1"}, {"do": "again", "one": "x"}])
async def test_a_form_that_is_none_changes_nothing(story: Story, form: dict[str, str]) -> None:
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    assert (await seat.send("/desk/dead", **form)).status in (400, 404)


async def test_the_page_says_what_waits_and_why(story: Story) -> None:
    await story.contact(by={EMAIL: "amina@example.org", SMS: "+254700000001"})
    await story.contact(by=SMS, time_zone="Pacific/Auckland")
    action_id = await story.launched()
    before = await flow(story, action_id)
    assert before.ready + before.night + before.later == (await story.states(action_id))["queued"]
    assert before.left == 0
    await send(story, EMAIL, Accepted("x"))
    now = await flow(story, action_id)
    assert now.left == 1
    page = await (await story.seat(story.editor)).read(f"/desk/action/{action_id}")
    assert "Accepted, delivered and answered are three different things" in page.text


def test_the_time_that_is_left_follows_from_the_last_minute() -> None:
    quiet = Flow(0, 10, 0, 0, 0, 0, 0, 0, None)
    assert quiet.minutes_left is None
    assert Flow(60, 61, 0, 0, 0, 0, 0, 0, None).minutes_left == 2
    assert Flow(60, 0, 0, 0, 0, 0, 0, 0, None).minutes_left is None


async def test_an_old_list_writes_to_nobody_who_has_answered_since_or_was_set_aside(story: Story) -> None:
    contact = await story.contact(by={EMAIL: "amina@example.org", SMS: "+254700000001"})
    action_id = await story.launched()
    await send(story, EMAIL, Refused("552 5.3.4 to HANDED_OVER"))
    await send(story, SMS, Refused("Twilio 30003"))
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    by_email, by_sms = [
        str(one["id"]) for one in await story.rows("SELECT id FROM deliveries ORDER BY channel", about=action_id)
    ]
    await seat.send("/desk/dead", do="aside", one=by_sms)
    assert "0 are tried again" in (await seat.send("/desk/dead", do="again", one=by_sms)).text
    await story.answer(action_id, contact)  # by the link of the first
    for one in (by_email, by_sms):
        assert "0 are tried again" in (await seat.send("/desk/dead", do="again", one=one)).text
    assert "queued" not in await story.states(action_id)


async def test_what_was_closed_before_its_deadline_is_not_tried_again(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    await send(story, EMAIL, Refused("552 5.3.4 to HANDED_OVER"))
    await story.freeze(action_id)
    seat = await story.seat(story.editor)
    await seat.read("/desk/dead")
    again = await seat.send("/desk/dead", do="again", one=str(await story.delivery(action_id, contact)))
    assert "0 are tried again" in again.text
