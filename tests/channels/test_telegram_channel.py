"""Telegram against a stand-in that holds us to the published Bot API."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from channels.base import (
    Accepted,
    Busy,
    Button,
    Callback,
    Forged,
    Incoming,
    Message,
    Misconfigured,
    Refused,
    Result,
    TelegramBot,
    Unconfirmed,
)
from channels.telegram import TelegramChannel
from channels.wording import Wording
from tests.make import alter
from tests.providers import Fault, TelegramStandIn

ANA, BEA, GROUP = 111, 222, -333
WORDING = Wording("Acción <urgente>", html="<b>Acción</b> urgente &amp; firme")
SIGN = ((Button("Firmar", tap="s:" + "x" * 62), Button("Leer", url="https://sos.example/l/1")),)


def message_to(chat: int) -> Message:
    return Message(7, str(chat), "es", WORDING, buttons=SIGN)


@asynccontextmanager
async def telegram_channel(bot: TelegramBot, within: float = 5, **pace: float) -> AsyncIterator[TelegramChannel]:
    paced = {"per_second": 1000.0, "per_second_each": 1000.0} | pace
    channel = TelegramChannel(bot, within=timedelta(seconds=within), **paced)
    yield channel
    await channel.close()


async def send(channel: TelegramChannel, *messages: Message) -> list[Result]:
    return [outcome.result async for outcome in channel.send(messages)]


async def test_an_accepted_message_keeps_to_the_contract_and_protects_what_it_says() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        (result,) = await send(channel, message_to(ANA))
    (message,) = telegram.messages
    assert result == Accepted(str(message.message_id))
    assert message.text == "Acción urgente & firme"
    assert message.parameters["protect_content"] == "true"
    assert json.loads(message.parameters["link_preview_options"]) == {"is_disabled": True}
    assert message.buttons == [
        [{"text": "Firmar", "callback_data": "s:" + "x" * 62}, {"text": "Leer", "url": "https://sos.example/l/1"}]
    ]
    assert telegram.violations == []


async def test_plain_text_stays_what_it_says() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        await send(channel, alter(message_to(ANA), html=""))
    assert telegram.messages[0].text == "Acción <urgente>"


async def test_the_errors_of_a_chat_refuse_it_and_leave_its_neighbours() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.blocked, telegram.absent = {ANA}, {BEA}
        results = await send(channel, message_to(1), message_to(ANA), message_to(BEA), message_to(2))
    assert [type(result) for result in results] == [Accepted, Refused, Refused, Accepted]
    assert results[1:3] == [Refused("Forbidden: bot was blocked by the user"), Refused("BadRequest: Chat not found")]


@pytest.mark.parametrize(
    "poison",
    [
        {"html": "<b>open"},
        {"html": "<script>x</script>"},
        {"html": "x" * 4097},
        {"html": "", "text": ""},
        {"buttons": ((Button("Firmar", tap="x" * 65),),)},
        {"buttons": ((Button("Firmar"),),)},
    ],
    ids=lambda poison: str(poison)[:40],
)
async def test_a_poison_message_is_refused_and_its_neighbours_leave(poison: dict[str, Any]) -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        results = await send(channel, message_to(1), alter(message_to(2), **poison), message_to(3))
    assert [type(result) for result in results] == [Accepted, Refused, Accepted]
    assert len(telegram.violations) == 1
    assert "Acción" not in str(results[1])


async def test_a_chat_that_moved_gets_the_message_once_in_its_new_place() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.moved[GROUP] = -100444
        (result,) = await send(channel, message_to(GROUP))
        assert telegram.requests == 2
    assert result == Accepted(str(telegram.messages[0].message_id))
    assert telegram.messages[0].chat == -100444


async def test_a_chat_that_moved_in_a_circle_is_refused() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.moved = {GROUP: -100444, -100444: GROUP}
        assert [type(result) for result in await send(channel, message_to(GROUP))] == [Refused]
        assert telegram.requests == 2


@pytest.mark.parametrize(
    ("fault", "expected", "accepted"),
    [
        (Fault.BROKEN_BEFORE, Unconfirmed, 0),
        (Fault.BROKEN_AFTER, Unconfirmed, 1),
        (Fault.SILENT_BEFORE, Unconfirmed, 0),
        (Fault.SILENT_AFTER, Unconfirmed, 1),
        (Fault.CUT_BEFORE, Unconfirmed, 0),
        (Fault.CUT_AFTER, Unconfirmed, 1),
        (Fault.BUSY, Busy, 0),
    ],
)
async def test_a_fault_is_never_tried_again_by_the_channel(fault: Fault, expected: type[Result], accepted: int) -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot, within=0.3) as channel:
        telegram.fail(fault)
        assert [type(result) for result in await send(channel, message_to(ANA))] == [expected]
        assert telegram.requests == 1
        assert len(telegram.messages) == accepted


@pytest.mark.parametrize("status", [200, 400, 403, 502])
async def test_an_answer_that_cannot_be_read_is_no_word_about_the_recipient(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.garbled_status = status
        telegram.fail(Fault.GARBLED_AFTER)
        results = await send(channel, message_to(ANA), message_to(111))
    assert [type(result) for result in results] == [Unconfirmed, Accepted]
    assert "Something stands between us" not in caplog.text


async def test_a_provider_that_cannot_be_reached_is_busy() -> None:
    async with TelegramStandIn() as telegram:
        bot = telegram.bot
    async with telegram_channel(bot) as channel:
        assert [type(result) for result in await send(channel, message_to(ANA))] == [Busy]


async def test_a_wrong_token_closes_the_channel() -> None:
    async with TelegramStandIn() as telegram:
        wrong = replace(telegram.bot, token="1:wrong")
        async with telegram_channel(wrong) as channel:
            assert [type(result) for result in await send(channel, message_to(ANA))] == [Misconfigured]


async def test_while_telegram_wants_silence_nothing_at_all_is_asked_of_it() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.fail(Fault.BUSY)
        results = await send(channel, *map(message_to, range(1, 51)))
        assert {type(result) for result in results} == {Busy}
        assert all(isinstance(result, Busy) and result.after <= timedelta(seconds=1) for result in results)
        tap = Incoming("1", str(ANA), tap="s", answer_to="9", about="111:1")
        assert isinstance(await channel.answer(tap, "Gracias"), Busy)
        assert isinstance(await channel.show_buttons(tap, "¿Seguro?", SIGN), Busy)
        assert (telegram.requests, telegram.inside_window) == (1, 0)
        await asyncio.sleep(1.1)
        assert [type(result) for result in await send(channel, message_to(ANA))] == [Accepted]
        assert telegram.inside_window == 0


async def test_the_pace_keeps_below_telegrams_flood_limits() -> None:
    async with (
        TelegramStandIn(floods=True) as telegram,
        telegram_channel(telegram.bot, per_second=30, per_second_each=1) as channel,
    ):
        began = time.monotonic()
        results = await send(channel, *map(message_to, range(1, 41)), message_to(40))
        assert {type(result) for result in results} == {Accepted}
        assert 40 / 30 + 0.9 <= time.monotonic() - began < 8


@asynccontextmanager
async def webhook(received: list[Callback]) -> AsyncIterator[str]:
    """A web server of ours that keeps the callbacks it gets; gives the address of the webhook."""

    async def keep(request: web.Request) -> web.Response:
        received.append(Callback(str(request.url), request.headers, {}, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/in/telegram", keep)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/in/telegram"
    finally:
        await runner.cleanup()


async def test_a_text_is_read_with_who_wrote_it() -> None:
    received: list[Callback] = []
    async with (
        webhook(received) as url,
        TelegramStandIn(webhook_url=url) as telegram,
        telegram_channel(telegram.bot) as channel,
    ):
        assert (await telegram.message_in(ANA, "sí")).status == 200
        update_id = str(telegram.updates[0]["update_id"])
        assert channel.incoming(received[0]) == Incoming(update_id, str(ANA), "sí")
        await telegram.post_update(telegram.updates[0])
        assert channel.incoming(received[1]) == channel.incoming(received[0])
        assert channel.receipts(received[0]) == []


async def test_a_tap_is_answered_and_asked_again_in_its_own_message() -> None:
    received: list[Callback] = []
    async with (
        webhook(received) as url,
        TelegramStandIn(webhook_url=url) as telegram,
        telegram_channel(telegram.bot) as channel,
    ):
        await send(channel, message_to(ANA))
        (message,) = telegram.messages
        data = message.buttons[0][0]["callback_data"]
        await telegram.tap(ANA, message.message_id, data)
        tap = channel.incoming(received[0])
        assert (tap.sender, tap.tap, tap.about) == (str(ANA), data, f"{ANA}:{message.message_id}")
        assert await channel.answer(tap, "Un momento") == Accepted(tap.answer_to)
        assert telegram.answers == [(tap.answer_to, "Un momento")]
        assert isinstance(await channel.answer(tap), Refused)

        confirm = ((Button("Sí, firmo", tap="y:1"),),)
        for _ in range(2):
            assert await channel.show_buttons(tap, "¿Firma <usted>?", confirm) == Accepted(str(message.message_id))
        assert len(telegram.messages) == message.edits == 1
        assert message.text == "¿Firma <usted>?"
        assert message.buttons == [[{"text": "Sí, firmo", "callback_data": "y:1"}]]
        await telegram.tap(ANA, message.message_id, "y:1", user=BEA)
        assert channel.incoming(received[1]).sender == str(BEA)
        assert telegram.violations == []


async def test_buttons_are_shown_in_a_new_message_to_whoever_wrote_a_text() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        result = await channel.show_buttons(Incoming("1", str(ANA), "hola"), "¿Firma?", SIGN)
    assert result == Accepted(str(telegram.messages[0].message_id))
    assert telegram.messages[0].chat == ANA


async def test_an_update_without_text_or_tap_says_nothing() -> None:
    body = {"update_id": 5, "my_chat_member": {}, "message": None}
    async with telegram_channel(TelegramBot("http://127.0.0.1:9", "1:t", "secret")) as channel:
        headers = {"X-Telegram-Bot-Api-Secret-Token": "secret"}
        photo = {"update_id": 6, "message": {"message_id": 1, "date": 1, "chat": {"id": 3, "type": "private"}}}
        callback = Callback("", headers, {}, json.dumps(photo).encode())
        assert channel.incoming(callback) == Incoming("6", "3")
        del body["my_chat_member"]
        callback = Callback("", headers, {}, json.dumps(body).encode())
        assert channel.incoming(callback) == Incoming("5", "")


@pytest.mark.parametrize("given", [None, "", "secre", "secret ", "SECRET", "sécret"])
async def test_a_call_without_the_secret_is_forged(given: str | None) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": given} if given is not None else {}
    async with telegram_channel(TelegramBot("http://127.0.0.1:9", "1:t", "secret")) as channel:
        callback = Callback("", headers, {}, b'{"update_id": 1}')
        with pytest.raises(Forged):
            channel.incoming(callback)
        with pytest.raises(Forged):
            channel.receipts(callback)


async def test_without_a_secret_of_our_own_every_call_is_forged() -> None:
    async with telegram_channel(TelegramBot("http://127.0.0.1:9", "1:t", "")) as channel:
        with pytest.raises(Forged):
            channel.incoming(Callback("", {"X-Telegram-Bot-Api-Secret-Token": ""}, {}, b'{"update_id": 1}'))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"update_id": 1, "message": 3}'])
async def test_what_is_no_update_is_forged(body: bytes) -> None:
    async with telegram_channel(TelegramBot("http://127.0.0.1:9", "1:t", "secret")) as channel:
        with pytest.raises(Forged):
            channel.incoming(Callback("", {"X-Telegram-Bot-Api-Secret-Token": "secret"}, {}, body))


async def test_neither_the_token_nor_a_text_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        telegram.fail(Fault.CUT_AFTER)
        await send(channel, message_to(ANA), message_to(BEA))
        written = "\n".join(record.getMessage() for record in caplog.records)
        assert telegram.bot.token not in written
        assert "urgente" not in written


async def test_a_message_that_is_put_right_disappears_before_the_new_one_comes() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        (first,) = await send(channel, message_to(ANA))
        assert isinstance(first, Accepted)
        (second,) = await send(channel, replace(message_to(ANA), replaces=first.provider_id))
        assert isinstance(second, Accepted)
        assert [str(one.message_id) for one in telegram.messages] == [second.provider_id]
    assert telegram.violations == []


async def test_one_that_is_too_old_to_disappear_shows_the_new_text_and_the_new_one_comes_too() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        (first,) = await send(channel, alter(message_to(ANA), html="<b>Wrong</b>"))
        assert isinstance(first, Accepted)
        telegram.messages[0].sent_at -= 49 * 3600
        await send(channel, replace(message_to(ANA), replaces=first.provider_id))
        assert [one.text for one in telegram.messages] == ["Acción urgente & firme"] * 2
    assert telegram.violations == []


async def test_one_that_she_has_deleted_herself_does_not_keep_the_new_one_back() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        (result,) = await send(channel, replace(message_to(ANA), replaces="77"))
        assert isinstance(result, Accepted)
        assert len(telegram.messages) == 1


async def test_while_telegram_wants_silence_nothing_is_taken_back_either() -> None:
    async with TelegramStandIn() as telegram, telegram_channel(telegram.bot) as channel:
        (first,) = await send(channel, message_to(ANA))
        assert isinstance(first, Accepted)
        telegram.fail(Fault.BUSY)
        (result,) = await send(channel, replace(message_to(ANA), replaces=first.provider_id))
        assert isinstance(result, Busy)
        assert len(telegram.messages) == 1
