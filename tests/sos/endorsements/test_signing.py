"""Signing over the page behind somebody's own link: once, for whom she may, on the exact text that she saw."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.actions.action import Kind, Text
from sos.database import rows
from sos.endorsements.endorsement import Answer, Became, Ended
from sos.messages import Links
from sos.triage.case import ConsentValue
from sos.vault import Place
from tests.secretariat import Browser
from tests.story import ARABIC, ENGLISH, MINISTER, SPANISH, Reached, Story


@dataclass
class Phone:
    """Somebody with her link open in a browser of her own."""

    browser: Browser
    path: str
    nonce: str = ""
    text: str = ""

    async def look(self) -> int:
        """Open the page."""
        async with self.browser.get(self.path) as response:
            self.text = await response.text()
            found = re.search(r'name="nonce" value="([^"]+)"', self.text)
            self.nonce = found[1] if found else ""
            return response.status

    async def send(self, answer: str = "sign", **changes: str) -> int:
        """Press a button."""
        return await self._post(self.path, {"answer": answer, "nonce": self.nonce} | changes)

    async def take_back(self) -> int:
        """Press the button that takes an answer back."""
        return await self._post(f"{self.path}/withdraw", {"nonce": self.nonce})

    async def _post(self, path: str, form: dict[str, str]) -> int:
        async with self.browser.post(path, data=form) as response:
            self.text = await response.text()
            return response.status


async def phone(story: Story, action_id: UUID, contact: Reached) -> Phone:
    """Her phone, with the page open."""
    opened = Phone(await story.browser(), await story.link(action_id, contact))
    assert await opened.look() == 200
    return opened


async def asked(story: Story) -> Phone:
    """The phone of the only contact of a letter on its way."""
    contact = await story.contact()
    return await phone(story, await story.launched(), contact)


@dataclass(frozen=True)
class Signed:
    """An answer that stands."""

    id: UUID
    answer: str
    contact_id: UUID
    language: str
    text_hash: bytes
    name_sealed: bytes
    door: str


async def signatures(story: Story) -> list[Signed]:
    async with story.runtime.record.reading() as conn:
        return await rows(
            conn,
            Signed,
            "SELECT id, answer, contact_id, language, text_hash, name_sealed, door FROM endorsements"
            " WHERE withdrawn_at IS NULL ORDER BY answered_at, id",
        )


def name_of(story: Story, signed: Signed) -> str:
    return story.runtime.keys.open(signed.name_sealed, Place("endorsements", "name", signed.id))


async def test_one_press_signs_for_the_organisation(story: Story) -> None:
    amina = await story.contact(await story.member("River Women"))
    action_id = await story.launched()
    hers = await phone(story, action_id, amina)
    assert await hers.send() == 200
    assert "Thank you. Your answer is recorded." in hers.text
    (signed,) = await signatures(story)
    assert (signed.answer, signed.contact_id, signed.door) == ("sign", amina.id, "web")
    assert name_of(story, signed) == "River Women"


async def test_the_page_says_what_who_sees_it_until_when_and_as_whom_she_answers(story: Story) -> None:
    amina = await story.contact(await story.member("River Women"), name="Amina", time_zone="Africa/Nairobi")
    action_id = await story.launched()
    text = (await phone(story, action_id, amina)).text
    for told in (*MINISTER, ENGLISH.summary, "Stop.", "March 17, 2031, 12:00 (Nairobi)", "Not you?", "in 3 days"):
        assert told in text
    assert "You answer as <bdi>Amina</bdi>, for <bdi>River Women</bdi>." in text
    assert "Who will see our name" in text


async def test_fifty_presses_at_once_are_one_signature(story: Story) -> None:
    hers = await asked(story)
    assert set(await asyncio.gather(*(hers.send() for _ in range(50)))) == {200}
    assert len(await signatures(story)) == 1
    assert len(await story.rows("SELECT FROM journal WHERE did = 'letter.answered'")) == 1


async def test_two_people_of_one_organisation_are_one_signature_and_the_second_is_told_kindly(story: Story) -> None:
    member = await story.member("River Women")
    first, second = await story.contact(member), await story.contact(member)
    action_id = await story.launched()
    one, two = await phone(story, action_id, first), await phone(story, action_id, second)
    assert set(await asyncio.gather(one.send(), two.send())) == {200}
    told = sorted("A colleague has signed for <bdi>River Women</bdi> already" in seen.text for seen in (one, two))
    assert told == [False, True]
    assert len(await signatures(story)) == 1
    late = two if "A colleague" in two.text else one
    await late.look()
    assert 'value="sign"' not in late.text
    await late.send("sign_individually")
    assert sorted(one.answer for one in await signatures(story)) == ["sign", "sign_individually"]


async def test_who_may_not_sign_for_the_organisation_signs_in_her_own_name(story: Story) -> None:
    contact = await story.contact(name="Beatriz", may_sign=False)
    hers = await phone(story, await story.launched(), contact)
    assert 'value="sign"' not in hers.text
    assert await hers.send("sign") == 403
    assert await signatures(story) == []
    assert "You can sign in your own name" in hers.text
    await hers.look()
    assert await hers.send("sign_individually") == 200
    (signed,) = await signatures(story)
    assert name_of(story, signed) == "Beatriz"


async def test_a_decline_stays_between_her_and_the_secretariat(story: Story) -> None:
    member = await story.member()
    first, second = await story.contact(member), await story.contact(member)
    action_id = await story.launched()
    hers = await phone(story, action_id, first)
    await hers.send("decline")
    assert "Only the secretariat sees this." in hers.text
    assert "not this time" not in (await phone(story, action_id, second)).text.casefold().replace(
        'value="decline">not this time', ""
    )
    assert await story.answer(action_id, second) is Became.RECORDED


async def test_an_answer_is_taken_back_and_given_again(story: Story) -> None:
    hers = await asked(story)
    await hers.send()
    await hers.look()
    assert await hers.take_back() == 200
    assert "Your answer is taken back." in hers.text
    assert await signatures(story) == []
    await hers.look()
    assert await hers.send() == 200
    assert len(await signatures(story)) == 1
    assert await story.count("endorsements") == 2


@pytest.mark.parametrize("ending", ["deadline", "stop", "freeze"])
async def test_when_it_is_over_nothing_is_signed_and_nothing_taken_back(story: Story, ending: str) -> None:
    signed, other = await story.contact(), await story.contact()
    action_id = await story.launched()
    early, late = await phone(story, action_id, signed), await phone(story, action_id, other)
    await early.send()
    await early.look()
    if ending == "deadline":
        story.clock.advance(timedelta(days=4))
    elif ending == "stop":
        await story.stop(action_id)
    else:
        await story.freeze(action_id)
    assert await late.send() == 410
    assert await early.take_back() == 410
    assert "no longer open" in late.text
    assert len(await signatures(story)) == 1
    await late.look()
    assert "<button" not in late.text


async def stop(story: Story, action_id: UUID) -> None:
    await story.stop(action_id)


async def take_consent_back(story: Story, action_id: UUID) -> None:
    action = (await story.prepared(action_id)).action
    await story.consent(action.case_id, "members", value=ConsentValue.WITHDRAWN)


@pytest.mark.parametrize("end", [stop, take_consent_back])
async def test_a_letter_that_may_not_go_on_shows_its_text_to_nobody_and_takes_no_answer(
    story: Story, end: Callable[[Story, UUID], Awaitable[None]]
) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    hers = await phone(story, action_id, contact)
    read = re.search(r'href="(/r/[^"]+)"', hers.text)
    assert read
    await end(story, action_id)
    with pytest.raises(Ended):
        await story.answer(action_id, contact)
    await hers.look()
    assert ENGLISH.title not in hers.text
    assert "This was stopped" in hers.text
    assert (await hers.browser.get(read[1])).status == 404


async def test_looking_changes_nothing_however_often_and_by_whomever(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    path, browser = await story.link(action_id, contact), await story.browser()
    before = await story.count("journal")
    for headers in ({}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"User-Agent": "TelegramBot"}):
        assert (await browser.get(path, headers=headers)).status == 200
        assert (await browser.head(path, headers=headers)).status == 200
        assert (await browser.get(f"{path}?answer=sign", headers=headers)).status == 200
    assert (await browser.get(f"{path}/withdraw")).status in (404, 405)
    assert await signatures(story) == []
    assert await story.count("journal") == before


async def test_a_press_that_comes_from_no_page_of_ours_changes_nothing_and_asks_again(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    hers = await phone(story, action_id, contact)
    scanner = Phone(await story.browser(), hers.path)
    assert await scanner.send() == 422
    assert await scanner.send(nonce="x" * 24) == 403
    assert "Please press the button once more." in scanner.text
    stranger = Phone(await story.browser(), hers.path)
    assert await stranger.send(nonce=hers.nonce) == 403
    assert await stranger.take_back() == 422
    assert await signatures(story) == []
    await stranger.look()
    assert await stranger.send() == 200


async def test_the_nonce_of_one_letter_opens_no_other_and_two_letters_can_stand_open(story: Story) -> None:
    contact = await story.contact()
    first, second = await story.launched(), await story.launched()
    one = await phone(story, first, contact)
    two = Phone(one.browser, await story.link(second, contact))
    await two.look()
    assert await one.send(nonce=two.nonce) == 403
    await one.look()
    await two.look()
    assert (await one.send(), await two.send()) == (200, 200)


async def test_a_link_that_is_not_ours_is_not_found_whatever_is_wrong_with_it(story: Story) -> None:
    contact = await story.contact()
    action_id = await story.launched()
    token = (await story.link(action_id, contact)).removeprefix("/s/")
    links = Links(story.runtime.keys, story.runtime.settings)
    other = links.unsubscribe(await story.delivery(action_id, contact)).rsplit("/", 1)[1]
    unknown = links.sign(999_999).rsplit("/", 1)[1]
    browser, seen = await story.browser(), set[str]()
    for forged in (
        other,
        unknown,
        token[:-1],
        token[:-2] + "AA",
        token + "AAAA",
        "A" * 24,
        "x",
        "é",
        "%00",
        "a" * 5000,
    ):
        for response in (
            await browser.get(f"/s/{forged}"),
            await browser.post(f"/s/{forged}", data={"answer": "sign"}),
        ):
            assert response.status == 404, forged
            seen.add(await response.text())
    assert len(seen) == 1


async def test_an_alert_asks_for_no_signature_and_takes_none(story: Story) -> None:
    contact = await story.contact()
    hers = await phone(story, await story.launched(kind=Kind.ALERT), contact)
    assert 'name="answer"' not in hers.text
    assert await hers.send(nonce="x") == 403
    assert await signatures(story) == []


async def test_her_answer_ends_what_is_still_queued_to_her(story: Story) -> None:
    first, second = await story.contact(), await story.contact()
    action_id = await story.launched()
    await story.answer(action_id, first)
    left = await story.rows("SELECT recipient_id FROM deliveries WHERE state = 'queued'")
    assert [one["recipient_id"] for one in left] == [second.id]


async def test_a_signature_belongs_to_the_text_and_language_that_she_saw(story: Story) -> None:
    texts = {"en": ENGLISH, "es": SPANISH, "ar": ARABIC}
    contacts = {language: await story.contact(languages=[language]) for language in texts}
    action_id = await story.launched(texts=texts)
    for language, contact in contacts.items():
        hers = await phone(story, action_id, contact)
        assert texts[language].title in hers.text
        assert f'<html lang="{language}"' in hers.text
        assert texts[language].hash.hex()[:12] in hers.text
        await hers.send()
    found = {one.language: one.text_hash for one in await signatures(story)}
    assert found == {language: text.hash for language, text in texts.items()}


async def test_the_page_to_pass_on_carries_nobodys_token_and_nobodys_name(story: Story) -> None:
    amina = await story.contact(await story.member("River Women"), name="Amina")
    action_id = await story.launched()
    hers = await phone(story, action_id, amina)
    found = re.search(r'href="(/r/[^"]+)"', hers.text)
    assert found
    token = hers.path.removeprefix("/s/")
    async with (await story.browser()).get(found[1]) as response:
        text = await response.text()
        assert response.status == 200
    assert ENGLISH.title in text
    assert not [word for word in (token, "Amina", "River Women", "<form", "/s/") if word in text + found[1]]
    assert (await (await story.browser()).get(found[1][:-2] + "AA")).status == 404


async def test_names_and_texts_are_shown_as_they_are_and_never_run(story: Story) -> None:
    hostile = "<script>alert('{{7*7}}')</script>"
    contact = await story.contact(await story.member(hostile), name=f"<img src=x onerror=y>{hostile}")
    text = Text(hostile, f"%(organisation)s {hostile}", f"{hostile}\n\n%s {{% raw %}}")
    hers = await phone(story, await story.launched(texts={"en": text}), contact)
    await hers.send()
    assert "<script>alert" not in hers.text
    assert "<img" not in hers.text
    assert "&lt;script&gt;" in hers.text
    assert "%(organisation)s" in hers.text


async def test_what_is_no_answer_of_ours_is_asked_again(story: Story) -> None:
    hers = await asked(story)
    for answer in ("object", "SIGN", "", "x" * 10_000, "sign\0x"):
        assert await hers.send(answer) in (400, 422)
    assert (await hers.browser.post(hers.path, data=b"\xff\xfe=%zz&answer=%ff")).status in (400, 422)
    assert await signatures(story) == []


async def test_a_request_that_is_cut_off_leaves_one_whole_answer_or_none(story: Story) -> None:
    hers = await asked(story)
    sending = [asyncio.create_task(hers.send()) for _ in range(8)]
    await asyncio.sleep(0.02)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    assert await hers.send() == 200
    assert len(await signatures(story)) == 1
    assert len(await story.rows("SELECT FROM journal WHERE did = 'letter.answered'")) == 1


async def test_the_channel_by_which_she_was_asked_is_kept_with_her_answer(story: Story) -> None:
    contact = await story.contact(by=ChannelName.SMS)
    action_id = await story.launched()
    await story.answer(action_id, contact, Answer.DECLINE)
    (kept,) = await story.rows("SELECT delivery_id FROM endorsements")
    assert kept["delivery_id"] == await story.delivery(action_id, contact)
