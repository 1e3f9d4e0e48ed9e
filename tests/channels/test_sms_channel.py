"""SMS against a stand-in that holds us to Twilio's published contract."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.base import (
    Accepted,
    Busy,
    Callback,
    Forged,
    Incoming,
    Message,
    Misconfigured,
    Receipt,
    ReceiptState,
    Refused,
    Result,
    TwilioAccount,
    Unconfirmed,
)
from channels.sms import AskLater, SmsChannel
from channels.twilio_codes import what_it_means
from channels.wording import Wording
from tests.make import alter
from tests.providers import NUMBER, Fault, TwilioStandIn

ANA, BEA = "+5215512345678", "+254712345678"
PUBLIC = "https://sos.example/in/twilio?d=7.mac"


def text_to(number: str) -> Message:
    return Message(
        delivery=7,
        address=number,
        language="es",
        wording=Wording("Acción urgente K7QX: responda SI o NO"),
        callback_url=PUBLIC,
        reference="K7QX",
    )


@asynccontextmanager
async def sms_channel(account: TwilioAccount, per_second: float = 1000, within: float = 5) -> AsyncIterator[SmsChannel]:
    async with aiohttp.ClientSession() as session:
        yield SmsChannel(account, session, per_second=per_second, within=timedelta(seconds=within))


async def send(channel: SmsChannel, *messages: Message) -> list[Result]:
    return [outcome.result async for outcome in channel.send(messages)]


async def test_an_accepted_sms_keeps_to_the_contract_and_asks_for_receipts() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        (result,) = await send(channel, text_to(ANA))
    (sms,) = twilio.messages
    assert result == Accepted(sms.sid)
    assert (sms.to, sms.sender, sms.status_callback) == (ANA, NUMBER, PUBLIC)
    assert sms.body == "Acción urgente K7QX: responda SI o NO"
    assert twilio.violations == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (21610, Refused),
        (21211, Refused),
        (21614, Refused),
        (21999, Refused),
        (30004, Refused),
        (30005, Refused),
        (30006, Refused),
        (30007, Refused),
        (30003, Busy),
        (30008, Busy),
        (30999, Busy),
        (21611, Busy),
        (21408, Misconfigured),
        (21606, Misconfigured),
        (20003, Misconfigured),
        (20404, Misconfigured),
    ],
)
async def test_what_a_code_means(code: int, expected: type[Result]) -> None:
    assert type(what_it_means(code)) is expected
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        twilio.refusals[ANA] = code
        assert [type(result) for result in await send(channel, text_to(ANA))] == [expected]


async def test_a_number_that_opted_out_is_refused_and_its_neighbours_are_not() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        twilio.opted_out.add(ANA)
        results = await send(channel, text_to(BEA), text_to(ANA), text_to("not a number"), text_to(BEA))
    assert [type(result) for result in results] == [Accepted, Refused, Refused, Accepted]


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
    async with TwilioStandIn() as twilio, sms_channel(twilio.account, within=0.3) as channel:
        twilio.fail(fault)
        assert [type(result) for result in await send(channel, text_to(ANA))] == [expected]
        assert twilio.requests == 1
        assert len(twilio.messages) == accepted


async def test_too_many_requests_silence_this_sender_for_a_moment() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        twilio.fail(Fault.BUSY)
        (first,) = await send(channel, text_to(ANA))
        asked_at = time.monotonic()
        results = await send(channel, *[text_to(ANA)] * 4)
    assert first == Busy(timedelta(seconds=1), "Twilio 20429", wants_silence=True)
    assert {type(result) for result in results} == {Accepted}
    assert time.monotonic() - asked_at >= 0.9


async def test_where_twilio_says_how_long_nothing_is_asked_of_it_meanwhile() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        twilio.fail(Fault.BUSY)
        twilio.retry_after = 30
        results = await send(channel, *[text_to(ANA)] * 5)
        with pytest.raises(AskLater):
            await channel.look_up(text_to(ANA), datetime.now(UTC))
    assert all(isinstance(one, Busy) and one.wants_silence and one.after.total_seconds() > 28 for one in results)
    assert twilio.requests == 1


async def test_a_provider_that_cannot_be_reached_is_busy() -> None:
    async with TwilioStandIn() as twilio:
        account = twilio.account
    async with sms_channel(account) as channel:
        assert [type(result) for result in await send(channel, text_to(ANA))] == [Busy]


async def test_a_wrong_token_closes_the_channel() -> None:
    async with TwilioStandIn() as twilio, sms_channel(replace(twilio.account, token="wrong")) as channel:
        assert [type(result) for result in await send(channel, text_to(ANA))] == [Misconfigured]


async def test_messages_leave_no_faster_than_asked() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account, per_second=20) as channel:
        began = time.monotonic()
        await send(channel, *[text_to(ANA)] * 5)
    assert time.monotonic() - began >= 4 / 20


async def test_a_message_whose_answer_was_lost_is_found_by_its_reference() -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        twilio.fail(Fault.CUT_AFTER)
        await send(channel, text_to(ANA), alter(text_to(BEA), text="Otra 8WWW", reference="8WWW"))
        assert await channel.look_up(text_to(ANA), since) == Accepted(twilio.messages[0].sid)
        assert await channel.look_up(alter(text_to(ANA), text="Otra 8WWW", reference="8WWW"), since) is None
        assert await channel.look_up(text_to(ANA), since + timedelta(hours=1)) is None
    assert twilio.violations == []


async def test_a_message_that_may_hold_no_reference_is_found_by_its_text() -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    plain = alter(text_to(ANA), text="Acción urgente: mire nuestros otros mensajes")
    async with TwilioStandIn() as twilio, sms_channel(twilio.account) as channel:
        assert await channel.look_up(plain, since) is None
        await send(channel, text_to(ANA), plain)
        assert await channel.look_up(plain, since) == Accepted(twilio.messages[1].sid)


@pytest.mark.parametrize("fault", [Fault.BROKEN_BEFORE, Fault.CUT_BEFORE, Fault.SILENT_BEFORE, Fault.BUSY])
async def test_a_failed_look_up_is_no_answer(fault: Fault) -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account, within=0.3) as channel:
        # A request that only reads is repeated once by aiohttp itself where a kept connection was cut.
        twilio.fail(fault, times=2)
        with pytest.raises(AskLater):
            await channel.look_up(text_to(ANA), datetime.now(UTC))


@asynccontextmanager
async def webhook(received: list[Callback], path: str = "/in/twilio") -> AsyncIterator[str]:
    """A web server of ours that keeps the callbacks it gets."""

    async def keep(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        received.append(Callback("https://sos.example" + request.path_qs, request.headers, form))
        return web.Response()

    app = web.Application()
    app.router.add_post(path, keep)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("queued", None, []),
        ("sending", None, []),
        ("accepted", None, []),
        ("sent", None, [(ReceiptState.SENT, "")]),
        ("delivered", None, [(ReceiptState.DELIVERED, "")]),
        ("undelivered", 30003, [(ReceiptState.FAILED, "30003")]),
        ("failed", 30007, [(ReceiptState.FAILED, "30007")]),
    ],
)
async def test_a_signed_receipt_is_read(
    status: str, code: int | None, expected: list[tuple[ReceiptState, str]]
) -> None:
    received: list[Callback] = []
    async with (
        webhook(received) as reached_at,
        TwilioStandIn(reached_at=reached_at) as twilio,
        sms_channel(twilio.account) as channel,
    ):
        await send(channel, text_to(ANA))
        sid = twilio.messages[0].sid
        assert (await twilio.report(sid, status, code)).status == 200
        assert received[0].url == PUBLIC
        assert channel.receipts(received[0]) == [Receipt(sid, state, reason) for state, reason in expected]


def test_receipts_that_overtake_each_other_never_go_back() -> None:
    assert ReceiptState.SENT.rank < ReceiptState.FAILED.rank < ReceiptState.DELIVERED.rank


async def test_a_text_from_a_member_arrives_signed_with_its_blank_fields() -> None:
    received: list[Callback] = []
    async with (
        webhook(received) as reached_at,
        TwilioStandIn(webhook_url="https://sos.example/in/twilio", reached_at=reached_at) as twilio,
        sms_channel(twilio.account) as channel,
    ):
        await twilio.text_in(ANA, NUMBER, "sí, firmo ✊")
        sid = received[0].form["MessageSid"]
        assert received[0].form["FromCity"] == ""
        assert channel.incoming(received[0]) == Incoming(sid, ANA, "sí, firmo ✊")
        await twilio.text_in(ANA, NUMBER, "sí, firmo ✊", sid=sid)
        assert channel.incoming(received[1]) == channel.incoming(received[0])


async def test_a_callback_that_was_tampered_with_is_forged() -> None:
    form = {"MessageSid": "SM1", "From": ANA, "Body": "sí", "MessageStatus": "delivered", "FromCity": ""}
    account = TwilioAccount("http://127.0.0.1:9", "AC" + "0" * 32, "token", NUMBER)
    signed = {"X-Twilio-Signature": RequestValidator("token").compute_signature(PUBLIC, form)}
    honest = Callback(PUBLIC, signed, form)
    forged = [
        replace(honest, headers={}),
        replace(honest, headers={"X-Twilio-Signature": ""}),
        replace(honest, url=PUBLIC.replace("7", "8")),
        replace(honest, form=form | {"Body": "no"}),
        replace(honest, form={name: value for name, value in form.items() if name != "FromCity"} | {"X": ""}),
    ]
    async with sms_channel(account) as channel:
        assert channel.incoming(honest).text == "sí"
        for callback in forged:
            with pytest.raises(Forged):
                channel.incoming(callback)
            with pytest.raises(Forged):
                channel.receipts(callback)


async def test_without_a_token_nothing_counts_as_signed() -> None:
    form = {"MessageSid": "SM1"}
    signed = {"X-Twilio-Signature": RequestValidator("").compute_signature(PUBLIC, form)}
    async with sms_channel(TwilioAccount("http://127.0.0.1:9", "AC", "", NUMBER)) as channel:
        with pytest.raises(Forged):
            channel.incoming(Callback(PUBLIC, signed, form))


async def test_cancelling_sends_nothing_more() -> None:
    async with TwilioStandIn() as twilio, sms_channel(twilio.account, per_second=10) as channel:
        sending = asyncio.create_task(send(channel, *[text_to(ANA)] * 50))
        await asyncio.sleep(0.15)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        taken = twilio.requests
        await asyncio.sleep(0.3)
        assert twilio.requests == taken < 50
