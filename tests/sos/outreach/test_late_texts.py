"""A translation that comes late goes to those who wait for it, once it is approved, and to nobody twice."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.actions.action import Kind, MayNotApprove, NotOpenForChanges, NotReady, Text, TextMoved
from sos.intake.report import Urgency
from sos.ledger import store
from sos.outreach.late import send_late_text
from sos.staff.staff import Person
from tests.story import ENGLISH, SPANISH, SUBJECT, Reached, Story

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
FRENCH = Text("Arrêtez l’expulsion", "Quatre cents familles.", "Monsieur le Ministre,\n\nArrêtez.")
WAITS = timedelta(hours=6)


async def waiting(story: Story, **drafted: Any) -> tuple[UUID, Reached]:
    """An alert in English and Spanish, for whose French text somebody waits until six hours have passed."""
    contact = await story.contact(languages=["fr", "es"])
    await story.contact(languages=["en"])
    texts = {"en": ENGLISH, "es": SPANISH}
    return await story.launched(kind=Kind.ALERT, texts=texts, waits=WAITS, **drafted), contact


async def send(story: Story, action_id: UUID, *, by: Person | None = None, text: Text = FRENCH) -> int:
    return await send_late_text(story.runtime, by or story.approver, action_id, "fr", text.hash, story.now)


async def written(story: Story, action_id: UUID, text: Text = FRENCH) -> None:
    await story.write(action_id, "fr", text)
    await story.review(action_id, "fr")


async def hers(story: Story, contact: Reached) -> list[tuple[str, str, timedelta]]:
    found = await story.rows(
        "SELECT language, state::text AS state, due_at - planned_at AS after FROM deliveries"
        " WHERE recipient_id = %(id)s ORDER BY step",
        id=contact.id,
    )
    return [(one["language"], one["state"], one["after"]) for one in found]  # type: ignore[misc]


async def test_who_waits_gets_her_own_language_as_soon_as_it_is_approved(story: Story) -> None:
    action_id, contact = await waiting(story)
    assert len(await story.looks(EMAIL)) == 1
    story.clock.advance(timedelta(hours=1))
    await written(story, action_id)
    assert await send(story, action_id) == 1
    assert await hers(story, contact) == [("fr", "queued", timedelta(hours=1))]
    message = (await story.messages(action_id))[contact.id]
    assert FRENCH.title in message.subject
    assert "Pas encore dans votre langue" not in message.text
    with pytest.raises(NotOpenForChanges):
        await story.write(action_id, "fr", FRENCH)  # nobody waits for it any more


async def test_her_further_ways_come_sooner_too_and_keep_their_distance(story: Story) -> None:
    contact = await story.contact(
        languages=["fr"], by={EMAIL: story.invent(EMAIL), ChannelName.SMS: story.invent(ChannelName.SMS)}
    )
    action_id, _ = await waiting(story)
    await written(story, action_id)
    assert await send(story, action_id) == 3
    assert [after for _, _, after in await hers(story, contact)] == [timedelta(), timedelta(minutes=30)]


async def test_when_her_time_has_come_she_gets_another_of_hers_marked_and_the_late_text_does_not_come_too(
    story: Story,
) -> None:
    action_id, contact = await waiting(story)
    await written(story, action_id)
    story.clock.advance(WAITS)
    assert len(await story.looks(EMAIL)) == 2
    assert await send(story, action_id) == 0
    message = (await story.messages(action_id))[contact.id]
    assert SPANISH.title in message.subject
    assert message.text.startswith("Pas encore dans votre langue")
    assert await hers(story, contact) == [("es", "queued", WAITS)]


async def test_it_needs_another_reader_the_check_for_names_and_somebody_elses_approval(story: Story) -> None:
    action_id, _ = await waiting(story)
    await story.write(action_id, "fr", FRENCH, by=story.reviewer)
    with pytest.raises(NotReady) as missing:
        await send(story, action_id)
    assert missing.value.missing == ("approve.missing.reviewed",)
    await story.review(action_id, "fr", by=story.editor)
    with pytest.raises(MayNotApprove):
        await send(story, action_id, by=story.reviewer)
    with pytest.raises(TextMoved):
        await send(story, action_id, text=ENGLISH)
    assert await send(story, action_id) == 1


async def test_a_withheld_name_keeps_it_back(story: Story) -> None:
    action_id, contact = await waiting(story)
    text = Text(f"{SUBJECT} en danger", "En danger.", "En danger.")
    await written(story, action_id, text)
    with pytest.raises(NotReady):
        await send(story, action_id, text=text)
    assert await hers(story, contact) == [("es", "queued", WAITS)]


@pytest.mark.parametrize("language", ["ar", "en"])
async def test_a_text_for_which_nobody_waits_cannot_be_written(story: Story, language: str) -> None:
    action_id, _ = await waiting(story)
    with pytest.raises(NotOpenForChanges):
        await story.write(action_id, language, FRENCH)


async def test_after_a_stop_nothing_late_is_sent(story: Story) -> None:
    action_id, contact = await waiting(story)
    await written(story, action_id)
    await story.stop(action_id)
    with pytest.raises(NotOpenForChanges):
        await send(story, action_id)
    assert await hers(story, contact) == [("es", "ended", WAITS)]


async def test_the_page_leads_from_the_awaited_language_to_its_sending(story: Story) -> None:
    action_id, contact = await waiting(story)
    path = f"/desk/action/{action_id}"
    writer, reader, approver = [await story.seat(one) for one in (story.editor, story.reviewer, story.approver)]
    assert "1 message waits for it." in (await writer.read(path)).text
    await writer.send(f"{path}/text/fr", title=FRENCH.title, summary=FRENCH.summary, body=FRENCH.body)
    await story.check(action_id)
    await reader.read(path)
    await reader.send(f"{path}/text/fr/review", hash=FRENCH.hash.hex())
    assert f"{path}/text/fr/send" in (await approver.read(path)).text
    sent = await approver.send(f"{path}/text/fr/send", hash=FRENCH.hash.hex())
    assert (sent.status, sent.path) == (200, path)
    assert await hers(story, contact) == [("fr", "queued", timedelta())]


async def test_a_way_that_was_to_go_only_if_another_fails_is_not_called_by_a_late_text(story: Story) -> None:
    contact = await story.contact(languages=["fr"], by={SMS: story.invent(SMS), EMAIL: story.invent(EMAIL)})
    action_id, _ = await waiting(story, case_id=await story.case(urgency=Urgency.ROUTINE))
    await written(story, action_id)
    await send(story, action_id)
    assert [after for _, _, after in await hers(story, contact)] == [timedelta(), timedelta(days=3)]


async def test_where_the_wait_was_in_vain_a_way_that_fails_calls_the_next(story: Story) -> None:
    contact = await story.contact(languages=["fr", "es"], by={SMS: story.invent(SMS), EMAIL: story.invent(EMAIL)})
    action_id, _ = await waiting(story, case_id=await story.case(urgency=Urgency.ROUTINE))
    story.clock.advance(WAITS)
    async with story.runtime.record.step() as step:
        await store.bring_next_forward(step.conn, [await story.delivery(action_id, contact)], story.now)
    assert [after for _, _, after in await hers(story, contact)] == [WAITS, WAITS]


async def test_where_a_way_ends_before_its_time_the_next_still_waits_for_her_language(story: Story) -> None:
    contact = await story.contact(languages=["fr", "es"], by={SMS: story.invent(SMS), EMAIL: story.invent(EMAIL)})
    action_id, _ = await waiting(story, case_id=await story.case(urgency=Urgency.ROUTINE))
    async with story.runtime.record.step() as step:
        await store.bring_next_forward(step.conn, [await story.delivery(action_id, contact)], story.now)
    assert [after for _, _, after in await hers(story, contact)] == [WAITS, WAITS]


async def test_a_late_text_that_was_sent_is_not_written_again_for_those_who_wait_for_their_morning(
    story: Story,
) -> None:
    action_id, _ = await waiting(story)
    await written(story, action_id)
    story.clock.advance(WAITS)
    assert await send(story, action_id) == 0
    assert len(await story.looks(EMAIL)) == 2  # has her other language, and has not left yet
    with pytest.raises(NotOpenForChanges):
        await story.write(action_id, "fr", FRENCH)
