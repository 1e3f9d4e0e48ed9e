"""A letter: frozen at its deadline, typeset, released by a person, sent once to those it is addressed to."""

import asyncio
import re
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import pytest
from pypdf import PdfReader

from channels.base import MACHINES, ChannelName
from sos.actions.action import Kind, NamesShown, State
from sos.endorsements.endorsement import Answer, Door, Ended
from sos.endorsements.steps import answer
from sos.letters import store
from sos.letters.letter import ConsentGone, Letter, NobodySigned, NotTypeset, Stopped
from sos.letters.steps import close, open_pdf, release, typeset_letter, verify_url
from sos.members.member import StopReason
from sos.members.store import suppress
from sos.triage.case import ConsentValue
from tests.delivering import Delivering
from tests.story import ARABIC, ENGLISH, Reached, Story
from workers.jobs import JOBS, do_work

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM


async def do_due_work(story: Story) -> None:
    """What a worker's sweep does: whatever is due now."""
    for one in await story.rows(
        "SELECT id FROM work WHERE done_at IS NULL AND due_at <= %(now)s ORDER BY due_at, id", now=story.now
    ):
        await do_work(story.runtime, JOBS, int(str(one["id"])))


async def signed_by(story: Story, *people: tuple[Reached, Answer], **drafted: object) -> UUID:
    """A letter on its way that these people have answered."""
    action_id = await story.launched(**drafted)  # type: ignore[arg-type]
    for contact, given in people:
        await story.answer(action_id, contact, given)
    return action_id


async def one_signature(story: Story, **drafted: object) -> UUID:
    return await signed_by(story, (await story.contact(), Answer.SIGN), **drafted)


async def frozen(story: Story, action_id: UUID) -> UUID:
    """The letter, with its pages made."""
    letter_id = await story.freeze(action_id)
    await typeset_letter(story.runtime, letter_id)
    return letter_id


async def pages_of(story: Story, letter_id: UUID, language: str = "en") -> str:
    """What a reader of the PDF sees."""
    async with story.runtime.record.reading() as conn:
        file = (await store.files_of(conn, letter_id))[language]
    pdf = PdfReader(BytesIO(open_pdf(story.runtime.keys, letter_id, file)))
    return (
        re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pdf.pages))
        .replace("\u2068", "")
        .replace("\u2069", "")
    )


async def find(story: Story, letter_id: UUID) -> Letter:
    async with story.runtime.record.reading() as conn:
        letter = await store.find_letter(conn, letter_id)
    assert letter
    return letter


async def test_at_the_deadline_the_worker_closes_the_letter_and_makes_its_pages(story: Story) -> None:
    action_id = await one_signature(story)
    await do_due_work(story)
    assert await story.count("letters") == 0
    story.clock.advance(timedelta(days=3))
    await do_due_work(story)
    await do_due_work(story)
    async with story.runtime.record.reading() as conn:
        letter = await store.find_letter_of(conn, action_id)
        assert letter
        assert set(await store.files_of(conn, letter.id)) == {"en"}
    assert (letter.organisations, letter.individuals, letter.countries) == (1, 0, 1)


async def test_closing_twice_and_at_once_is_closing_once(story: Story) -> None:
    action_id = await one_signature(story)
    closed = await asyncio.gather(*(close(story.runtime, action_id, story.now) for _ in range(5)))
    assert len([one for one in closed if one]) == 1
    assert await close(story.runtime, action_id, story.now) is None
    assert await story.count("letters") == 1


async def test_an_answer_and_the_freeze_at_the_same_moment_are_one_before_the_other(story: Story) -> None:
    contacts = [await story.contact() for _ in range(8)]
    action_id = await story.launched()
    invitations = [story.answer(action_id, one) for one in contacts]
    done = await asyncio.gather(*invitations[:4], story.freeze(action_id), *invitations[4:], return_exceptions=True)
    recorded = [one for one in done if not isinstance(one, UUID | Ended)]
    (kept,) = await story.rows("SELECT organisations FROM letters")
    assert kept["organisations"] == len(recorded)


@pytest.mark.parametrize("ending", ["freeze", "stop"])
async def test_an_answer_that_was_on_its_way_when_it_ended_comes_too_late(story: Story, ending: str) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    invitation = await story.invitation(action_id, contact)
    await (story.freeze(action_id) if ending == "freeze" else story.stop(action_id))
    with pytest.raises(Ended):
        await answer(story.runtime.record, story.runtime.keys, invitation, Answer.SIGN, Door.WEB, story.now)
    assert await story.count("endorsements") == 0


async def test_an_alert_makes_no_letter(story: Story) -> None:
    await story.contact()
    action_id = await story.launched(kind=Kind.ALERT)
    assert await close(story.runtime, action_id, story.now) is None
    assert await story.count("letters") == 0


async def test_organisations_individuals_and_countries_are_counted_and_who_said_no_is_not(story: Story) -> None:
    kenya, peru = (
        await story.member("River Women"),
        await story.member("Red del Río", country="PE", region="latin_america_caribbean"),
    )
    people = [
        (await story.contact(kenya), Answer.SIGN),
        (await story.contact(kenya, name="Amina Diallo"), Answer.SIGN_INDIVIDUALLY),
        (await story.contact(peru), Answer.SIGN),
        (await story.contact(await story.member("Hill Union", country="NP", region="asia_pacific")), Answer.DECLINE),
    ]
    letter_id = await frozen(story, await signed_by(story, *people))
    letter = await find(story, letter_id)
    assert (letter.organisations, letter.individuals, letter.countries) == (2, 1, 2)
    text = await pages_of(story, letter_id)
    assert "2 organisations and 1 individual from 2 countries" in text
    assert all(name in text for name in ("River Women", "Red del Río", "Amina Diallo", "José Pérez"))
    assert "Hill Union" not in text


async def test_a_letter_that_only_counts_lists_nobody(story: Story) -> None:
    kenya = await story.member("River Women")
    people = [
        (await story.contact(kenya), Answer.SIGN),
        (await story.contact(kenya, name="Amina Diallo"), Answer.SIGN_INDIVIDUALLY),
    ]
    letter_id = await frozen(story, await signed_by(story, *people, names_shown=NamesShown.COUNTED))
    text = await pages_of(story, letter_id)
    assert "River Women" not in text
    assert "Amina Diallo" not in text
    assert "1 organisation and 1 individual from 1 country" in text


async def test_the_pages_are_made_in_each_language_in_which_it_is_addressed(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.ready(texts={"en": ENGLISH, "ar": ARABIC})
    await story.address(action_id, language="ar", email="wazir@example.org")
    await story.approve(action_id)
    await story.launch(action_id)
    await story.answer(action_id, contact)
    letter_id = await story.freeze(action_id)
    with pytest.raises(NotTypeset):
        await release(story.runtime, story.approver, letter_id, story.now)
    await typeset_letter(story.runtime, letter_id)
    await typeset_letter(story.runtime, letter_id)
    async with story.runtime.record.reading() as conn:
        assert set(await store.files_of(conn, letter_id)) == {"en", "ar"}
    assert await story.count("letter_files") == 2


async def test_a_letter_that_nobody_signed_is_not_sent(story: Story) -> None:
    letter_id = await frozen(story, await signed_by(story, (await story.contact(), Answer.DECLINE)))
    with pytest.raises(NobodySigned):
        await release(story.runtime, story.approver, letter_id, story.now)


async def test_a_letter_that_was_stopped_after_the_freeze_is_not_sent(story: Story) -> None:
    action_id = await one_signature(story)
    letter_id = await frozen(story, action_id)
    await story.stop(action_id)
    with pytest.raises(Stopped):
        await release(story.runtime, story.approver, letter_id, story.now)
    assert await story.states(letter_id) == {}


async def test_a_stop_after_the_release_ends_what_has_not_left(story: Story) -> None:
    action_id = await one_signature(story)
    letter_id = await frozen(story, action_id)
    await release(story.runtime, story.approver, letter_id, story.now)
    assert await story.stop(action_id) == 2
    assert await story.states(letter_id) == {"ended": 2}
    (action,) = await story.rows("SELECT state FROM actions")
    assert action["state"] == State.STOPPED


async def test_a_release_and_a_stop_at_once_leave_nothing_that_may_leave(story: Story) -> None:
    action_id = await one_signature(story)
    letter_id = await frozen(story, action_id)
    await asyncio.gather(
        release(story.runtime, story.approver, letter_id, story.now), story.stop(action_id), return_exceptions=True
    )
    assert set(await story.states(letter_id)) <= {"ended"}


@pytest.mark.parametrize("scope", ["target", "letter_name"])
async def test_a_consent_that_was_taken_back_after_the_freeze_holds_the_letter(story: Story, scope: str) -> None:
    case_id = await story.case()
    await story.consent(case_id, "letter_name", value=ConsentValue.YES)
    letter_id = await frozen(story, await one_signature(story, case_id=case_id))
    await story.consent(case_id, scope, value=ConsentValue.WITHDRAWN)
    with pytest.raises(ConsentGone):
        await release(story.runtime, story.approver, letter_id, story.now)


async def test_a_released_letter_reaches_each_addressee_once_with_its_pages(delivering: Delivering) -> None:
    story = delivering.story
    action_id = await one_signature(story)
    letter_id = await frozen(story, action_id)
    released = await asyncio.gather(*(release(story.runtime, story.approver, letter_id, story.now) for _ in range(5)))
    assert sorted(released) == [False] * 4 + [True]
    await delivering.send()
    (kept,) = [one for one in delivering.mail.mails if one.recipients == ("minister@example.org",)]
    (pdf,) = [part for part in kept.mail.walk() if part.get_content_type() == "application/pdf"]
    content = pdf.get_content()
    assert pdf.get_filename() == "letter-en.pdf"
    assert "River Women" in PdfReader(BytesIO(content)).pages[-1].extract_text()
    assert kept.mail["Subject"] == f"Letter for your attention: {ENGLISH.title}"
    assert kept.mail["List-Unsubscribe"] is None
    assert "1 organisation from 1 country" in delivering.mails_to("minister@example.org")[0]


async def test_those_who_signed_are_told_by_the_way_they_were_asked_and_who_said_stop_is_not(
    delivering: Delivering,
) -> None:
    story = delivering.story
    people = {channel: await story.contact(by=channel) for channel in MACHINES}
    stopped, declined = await story.contact(by=SMS), await story.contact(by=SMS)
    action_id = await signed_by(story, *((one, Answer.SIGN) for one in (*people.values(), stopped)))
    await story.answer(action_id, declined, Answer.DECLINE)
    letter_id = await frozen(story, action_id)
    index = story.runtime.keys.index(SMS, stopped.addresses[SMS])
    async with story.runtime.record.step() as step:
        await suppress(step.conn, SMS, index, StopReason.OPTED_OUT, story.now)
    await release(story.runtime, story.approver, letter_id, story.now)
    await delivering.send()
    assert "has been sent" in delivering.mails_to(people[EMAIL].addresses[EMAIL])[0]
    assert "has been sent" in delivering.sms_to(people[SMS])[0]
    assert "has been sent" in delivering.chat_of(people[TELEGRAM])[0].text
    assert delivering.sms_to(stopped) == delivering.sms_to(declined) == []
    assert len(await story.rows("SELECT FROM deliveries WHERE purpose = 'thanks'")) == 3


@pytest.mark.parametrize("channel", MACHINES)
async def test_a_discreet_phone_is_thanked_with_nothing_but_its_own_link(story: Story, channel: ChannelName) -> None:
    contact = await story.contact(by=channel, discreet=True)
    action_id = await signed_by(story, (contact, Answer.SIGN))
    letter_id = await frozen(story, action_id)
    await release(story.runtime, story.approver, letter_id, story.now)
    message = (await story.messages(letter_id))[contact.id]
    link = await story.link(action_id, contact)
    assert link in message.text + message.html
    assert "River Women" not in message.text + message.html + message.subject
    assert (await (await story.browser()).get(link)).status == 200


async def test_anybody_can_compare_a_letter_once_it_is_released_and_nobody_before(story: Story) -> None:
    letter_id = await frozen(story, await one_signature(story))
    url = verify_url(story.runtime, await find(story, letter_id))
    path, browser = url.removeprefix(story.runtime.settings.public_url), await story.browser()
    assert (await browser.get(path)).status == 404
    await release(story.runtime, story.approver, letter_id, story.now)
    async with browser.get(path) as response:
        text = await response.text()
    assert response.status == 200
    assert ENGLISH.hash.hex() in text
    assert "1 organisation from 1 country" in text
    assert "River Women" not in text
    for wrong in (path[:-1], path[:-1] + "x", "/v/%00", "/v/" + "0" * 24):
        assert (await browser.get(wrong)).status == 404
    assert url in await pages_of(story, letter_id)


async def test_the_same_signatories_under_two_letters_are_two_letters(story: Story) -> None:
    contact = await story.contact()
    first, second = [await frozen(story, await signed_by(story, (contact, Answer.SIGN))) for _ in range(2)]
    assert (await find(story, first)).signatories_hash != (await find(story, second)).signatories_hash


async def test_typesetting_leaves_the_event_loop_free(story: Story) -> None:
    letter_id = await story.freeze(await one_signature(story))
    ticks = 0
    working = asyncio.create_task(typeset_letter(story.runtime, letter_id))
    while not working.done():
        await asyncio.sleep(0.01)
        ticks += 1
    await working
    assert ticks > 10
