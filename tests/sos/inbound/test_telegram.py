"""What comes from Telegram: two taps sign, by the person who was asked, and every tap is answered."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from channels.base import ChannelName
from sos.ledger.turn_store import keep_silence
from sos.members.store import is_suppressed
from tests.delivering import Delivering
from tests.providers.telegram import ChatMessage
from tests.story import ARABIC, ENGLISH, Reached

TELEGRAM = ChannelName.TELEGRAM


async def asked(delivering: Delivering, **who: object) -> tuple[Reached, UUID]:
    """A contact who was asked by Telegram."""
    contact = await delivering.story.contact(by=TELEGRAM, **who)  # type: ignore[arg-type]
    action_id = await delivering.story.launched(texts={"en": ENGLISH, "ar": ARABIC})
    await delivering.send()
    return contact, action_id


def data_of(message: ChatMessage, label: str = "") -> str:
    """What a button carries, by the beginning of its label."""
    buttons = [button for row in message.buttons for button in row if "callback_data" in button]
    return str(next(button["callback_data"] for button in buttons if button["text"].startswith(label)))


async def tap(delivering: Delivering, contact: Reached, label: str = "", *, user: int = 0) -> ChatMessage:
    """She taps a button; what then stands in her chat."""
    (message,) = delivering.chat_of(contact)
    chat = int(contact.addresses[TELEGRAM])
    before = len(delivering.telegram.answers)
    answered = await delivering.telegram.tap(chat, message.message_id, data_of(message, label), user=user)
    assert answered.status == 200
    assert len(delivering.telegram.answers) == before + 1
    return message


async def answers(delivering: Delivering) -> list[str]:
    found = await delivering.story.rows("SELECT answer FROM endorsements WHERE withdrawn_at IS NULL")
    return [str(one["answer"]) for one in found]


@pytest.mark.parametrize(
    ("label", "answer"),
    [("Sign as", "sign"), ("Sign in my own name", "sign_individually"), ("Not this time", "decline")],
)
async def test_two_taps_answer(delivering: Delivering, label: str, answer: str) -> None:
    contact, _ = await asked(delivering)
    asking = await tap(delivering, contact, "Sign")
    assert await answers(delivering) == []
    assert "River Women" in asking.text
    done = await tap(delivering, contact, label)
    assert await answers(delivering) == [answer]
    assert "Your answer is recorded" in done.text
    assert done.buttons == []
    assert len(delivering.chat_of(contact)) == 1


async def test_who_may_not_sign_for_the_organisation_is_not_offered_to(delivering: Delivering) -> None:
    contact, _ = await asked(delivering, may_sign=False)
    message = await tap(delivering, contact)
    assert not [button for row in message.buttons for button in row if "River Women" in button["text"]]


async def test_a_tap_by_another_account_is_answered_and_does_nothing(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    shown = (await tap(delivering, contact, user=99_999)).text
    assert ENGLISH.title in shown
    await tap(delivering, contact)
    await tap(delivering, contact, "Sign as", user=99_999)
    assert await answers(delivering) == []
    assert delivering.telegram.answers[-1][1] == ""


async def test_the_same_update_again_changes_nothing_more(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    await tap(delivering, contact)
    await tap(delivering, contact, "Sign as")
    edits = delivering.chat_of(contact)[0].edits
    for update in delivering.telegram.updates:
        assert (await delivering.telegram.post_update(update)).status == 200
    assert delivering.chat_of(contact)[0].edits == edits
    assert await answers(delivering) == ["sign"]
    assert len(await delivering.story.rows("SELECT FROM journal WHERE did = 'letter.answered'")) == 1


async def test_tapping_again_says_that_it_was_answered_already(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    message = await tap(delivering, contact)
    again = data_of(message, "Sign as")
    chat = int(contact.addresses[TELEGRAM])
    for _ in range(2):
        await delivering.telegram.tap(chat, message.message_id, again)
    assert "answered already" in message.text
    assert await answers(delivering) == ["sign"]


async def test_a_tap_while_telegram_wants_silence_is_taken_and_asks_nothing_of_it(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    message = await tap(delivering, contact)
    chat, signs = int(contact.addresses[TELEGRAM]), data_of(message, "Sign as")
    async with delivering.story.runtime.record.step() as step:
        until = delivering.story.runtime.clock() + timedelta(minutes=1)
        await keep_silence(step.conn, TELEGRAM, until)  # as a worker does that was told
    before = delivering.telegram.requests
    assert (await delivering.telegram.tap(chat, message.message_id, signs)).status == 200
    assert delivering.telegram.requests == before
    assert await answers(delivering) == ["sign"]


async def test_many_taps_at_once_are_one_signature(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    message = await tap(delivering, contact)
    data, chat = data_of(message, "Sign as"), int(contact.addresses[TELEGRAM])
    answered = await asyncio.gather(*(delivering.telegram.tap(chat, message.message_id, data) for _ in range(10)))
    assert {one.status for one in answered} == {200}
    assert await answers(delivering) == ["sign"]


@pytest.mark.parametrize("ending", ["deadline", "stop", "freeze"])
async def test_a_tap_that_comes_too_late_says_so(delivering: Delivering, ending: str) -> None:
    contact, action_id = await asked(delivering)
    await tap(delivering, contact)
    if ending == "deadline":
        delivering.story.clock.advance(timedelta(days=4))
    elif ending == "stop":
        await delivering.story.stop(action_id)
    else:
        await delivering.story.freeze(action_id)
    message = await tap(delivering, contact, "Sign as")
    assert "no longer open" in message.text
    assert await answers(delivering) == []


@pytest.mark.parametrize("data", ["org:AAAAAAAAAAAAAAAAAAAAAAAA", "ask:", "x", "org", "no:é"])
async def test_a_tap_that_is_not_ours_is_answered_and_does_nothing(delivering: Delivering, data: str) -> None:
    contact, _ = await asked(delivering)
    (message,) = delivering.chat_of(contact)
    message.shown.add(data)
    answered = await delivering.telegram.tap(int(contact.addresses[TELEGRAM]), message.message_id, data)
    assert answered.status == 200
    assert len(delivering.telegram.answers) == 1
    assert await answers(delivering) == []


async def test_a_sign_link_is_no_tap(delivering: Delivering) -> None:
    contact, action_id = await asked(delivering)
    (message,) = delivering.chat_of(contact)
    data = "org:" + (await delivering.story.link(action_id, contact)).removeprefix("/s/")
    message.shown.add(data)
    await delivering.telegram.tap(int(contact.addresses[TELEGRAM]), message.message_id, data)
    assert await answers(delivering) == []


async def test_a_call_without_the_secret_is_refused(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    await tap(delivering, contact)
    (update,) = delivering.telegram.updates
    browser = await delivering.story.browser()
    for secret in ({}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, {"X-Telegram-Bot-Api-Secret-Token": ""}):
        assert (await browser.post("/in/telegram", json=update, headers=secret)).status == 403


@pytest.mark.parametrize("word", ["توقف", "/stop", "STOP"])
async def test_stop_typed_to_the_bot_is_honoured_and_confirmed_once(delivering: Delivering, word: str) -> None:
    contact, _ = await asked(delivering, languages=["ar"])
    chat = int(contact.addresses[TELEGRAM])
    for _ in range(2):
        assert (await delivering.telegram.message_in(chat, word)).status == 200
    await delivering.send()
    assert len(delivering.chat_of(contact)) == 2
    async with delivering.story.runtime.record.reading() as conn:
        index = delivering.story.runtime.keys.index(TELEGRAM, contact.addresses[TELEGRAM])
        assert await is_suppressed(conn, TELEGRAM, index)
    await delivering.story.launched()
    await delivering.send()
    assert len(delivering.chat_of(contact)) == 2


async def test_words_typed_to_the_bot_sign_nothing_and_are_answered_once(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    chat = int(contact.addresses[TELEGRAM])
    for text in ("SIGN 12345", "hello", "/start"):
        await delivering.telegram.message_in(chat, text)
    await delivering.send()
    assert await answers(delivering) == []
    assert len(delivering.chat_of(contact)) == 2
    assert "use the button" in delivering.chat_of(contact)[1].text
