"""Email against a real mail server: what is written, what the answers mean, what survives a fault."""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import (
    Accepted,
    Attachment,
    Busy,
    Message,
    Misconfigured,
    Outcome,
    Refused,
    Result,
    SmtpServer,
    Unconfirmed,
)
from channels.email import EmailChannel
from channels.wording import Wording
from tests.make import alter
from tests.providers import MailSink, make_authority

SOON = timedelta(seconds=5)


@pytest.fixture(params=[True, False], ids=["pipelining", "step by step"], autouse=True)
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is shown here is shown of a server that can pipeline and of one that cannot."""
    monkeypatch.setattr(MailSink, "can_pipeline", request.param)


AT_ONCE = timedelta(milliseconds=200)


def mail_to(address: str) -> Message:
    return Message(
        delivery=1,
        address=address,
        language="es",
        wording=Wording(
            "Querida amiga:\n.una línea con punto\n", "Acción urgente: ¿firma usted?", "<p>Querida amiga</p>"
        ),
        message_id=f"<{address.replace('@', '.')}@sos.example>",
        return_path="b+7.mac@sos.example",
        unsubscribe_url="https://sos.example/stop/" + "t" * 120,
    )


async def send(server: SmtpServer, *messages: Message, connections: int = 4, within: timedelta = SOON) -> list[Result]:
    channel = EmailChannel(server, connections=connections, within=within)
    outcomes = [outcome async for outcome in channel.send(messages)]
    await channel.close()
    assert Counter(id(outcome.message) for outcome in outcomes) == Counter(map(id, messages))
    return [outcome.result for outcome in sorted(outcomes, key=lambda outcome: messages.index(outcome.message))]


async def test_a_mail_carries_what_receivers_and_mail_rules_ask_for() -> None:
    async with MailSink() as sink:
        letter = Attachment("carta señal.pdf", "application/pdf", b"%PDF")
        assert await send(sink.server, replace(mail_to("ana@a.example"), attachments=(letter,))) == [
            Accepted("<ana.a.example@sos.example>")
        ]
    (kept,) = sink.mails
    assert (kept.sender, kept.recipients) == ("b+7.mac@sos.example", ("ana@a.example",))
    mail = kept.mail
    assert mail["From"] == "System of Solidarity <alerts@sos.example>"
    assert mail["To"] == "ana@a.example"
    assert mail["Subject"] == "Acción urgente: ¿firma usted?"
    assert mail["Message-ID"] == "<ana.a.example@sos.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"List-Unsubscribe: <https://sos.example/stop/{'t' * 120}>\r\n".encode() in kept.content
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Date"]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == ["Querida amiga:", ".una línea con punto"]
    assert html.get_content().strip() == "<p>Querida amiga</p>"
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("carta señal.pdf", b"%PDF")
    assert max(map(len, kept.content.split(b"\r\n"))) <= 998
    assert kept.content.isascii()


async def test_a_missing_file_of_trusted_certificates_is_our_fault(tmp_path: Path) -> None:
    server = SmtpServer("127.0.0.1", 9, "tls", "sos@sos.example", ca_file=str(tmp_path / "none.pem"))
    assert [type(result) for result in await send(server, mail_to("a@a.example"))] == [Misconfigured]


async def test_a_mail_without_html_is_plain_text_from_the_senders_address() -> None:
    async with MailSink() as sink:
        await send(sink.server, alter(mail_to("ana@a.example"), html="", return_path="", unsubscribe_url=""))
    (kept,) = sink.mails
    assert kept.sender == "alerts@sos.example"
    assert kept.mail.get_content_type() == "text/plain"
    assert "List-Unsubscribe" not in kept.mail


@pytest.mark.parametrize(
    "poison",
    [
        {"subject": "=?utf-8?q?hi=0D=0ABcc:_x=40y.example?="},
        {"subject": "hi\r\nBcc: x@y.example"},
        {"subject": "\ud800"},
        {"text": "\ud800"},
        {"address": "a@b.example, c@d.example"},
        {"address": "a@b.example> SIZE=1"},
        {"address": "ñandú@b.example"},
        {"address": "nobody"},
        {"return_path": "b@c.example\r\nRCPT TO:<x@y.example>"},
        {"message_id": "<a@b>\r\nBcc: x@y.example"},
        {"message_id": ""},
        {"unsubscribe_url": "https://sos.example/>, <mailto:x@y.example"},
        {"attachments": (Attachment("a\r\nX-Evil: y", "application/pdf", b""),)},
        {"attachments": (Attachment("a.pdf", "text/html\r\nX-Evil: y", b""),)},
    ],
    ids=str,
)
async def test_a_poison_message_is_refused_and_its_neighbours_leave(poison: dict[str, Any]) -> None:
    async with MailSink() as sink:
        messages = [mail_to("a@a.example"), alter(mail_to("p@p.example"), **poison), mail_to("c@c.example")]
        results = await send(sink.server, *messages, connections=1)
    assert [type(result) for result in results] == [Accepted, Refused, Accepted]
    assert [kept.recipients for kept in sink.mails] == [("a@a.example",), ("c@c.example",)]
    assert not any("y.example" in command for command in sink.commands)


@pytest.mark.parametrize(
    ("at", "reply", "expected"),
    [
        ("MAIL", "421 4.3.2 shutting down", Busy),
        ("MAIL", "450 4.7.1 slow down", Busy),
        ("MAIL", "550 5.1.8 unknown sender domain", Misconfigured),
        ("MAIL", "530 5.7.0 authenticate first", Misconfigured),
        ("RCPT", "421 4.3.2 shutting down", Busy),
        ("RCPT", "450 4.2.1 greylisted", Busy),
        ("RCPT", "451 4.3.0 try later", Busy),
        ("RCPT", "452 4.2.2 mailbox full", Busy),
        ("RCPT", "550 5.1.1 no such user", Refused),
        ("RCPT", "551 5.1.6 moved", Refused),
        ("RCPT", "553 5.1.3 bad address", Refused),
        ("RCPT", "550 no such user", Refused),
        ("RCPT", "550 5.4.1 access denied", Refused),
        ("RCPT", "550 5.7.1 blocked", Refused),
        ("RCPT", "550 5.1.8 unknown sender domain", Refused),
        ("RCPT", "554 policy", Refused),
        ("RCPT", "501 5.1.3 bad recipient address syntax", Refused),
        ("RCPT", "501 5.5.4 unsupported option", Misconfigured),
        ("RCPT", "503 5.5.1 sequence", Misconfigured),
        ("DATA", "451 4.3.0 disk full", Busy),
        ("DATA", "554 5.5.1 no valid recipients", Misconfigured),
        ("END", "451 4.3.0 disk full", Busy),
        ("END", "550 spam", Refused),
        ("END", "554 5.7.1 policy", Refused),
        ("END", "552 5.3.4 too big", Refused),
        ("END", "421 4.3.2 shutting down", Busy),
    ],
)
async def test_what_a_reply_means(at: str, reply: str, expected: type[Result]) -> None:
    async with MailSink() as sink:
        sink.answer(at, reply, about="" if at in ("MAIL", "DATA") else "b@b.example")
        results = await send(sink.server, mail_to("b@b.example"), mail_to("c@c.example"), connections=1)
    assert [type(result) for result in results] == [expected, Accepted]
    assert [kept.recipients for kept in sink.mails] == [("c@c.example",)]
    if isinstance(results[0], Refused):
        is_about_us = any(word in reply for word in ("5.7", "5.1.8", "policy", "spam"))
        assert results[0].reason.startswith("policy ") == is_about_us


@pytest.mark.parametrize(
    ("at", "expected", "kept"),
    [
        ("MAIL", Busy, 0),
        ("RCPT", Busy, 0),
        ("DATA", Busy, 0),
        ("PAYLOAD", Unconfirmed, 0),
        ("END", Unconfirmed, 1),
    ],
)
@pytest.mark.parametrize("way", ["hang_up", "stall"])
async def test_a_lost_answer_is_busy_before_the_payload_and_unconfirmed_after(
    at: str, expected: type[Result], kept: int, way: str
) -> None:
    async with MailSink() as sink:
        getattr(sink, way)(at)
        within = AT_ONCE if way == "stall" else SOON
        (result,) = await send(sink.server, mail_to("b@b.example"), within=within)
        assert type(result) is expected
        assert len(sink.mails) == kept
        assert sum(command.startswith("MAIL") for command in sink.commands) == 1
        assert await send(sink.server, mail_to("c@c.example")) == [Accepted("<c.c.example@sos.example>")]


async def test_a_connection_whose_answer_was_lost_is_never_used_again() -> None:
    async with MailSink() as sink:
        sink.stall("END")
        results = await send(sink.server, mail_to("b@b.example"), mail_to("c@c.example"), connections=1, within=AT_ONCE)
    assert [type(result) for result in results] == [Unconfirmed, Accepted]
    assert sink.connections == 2


async def test_a_connection_that_was_cancelled_in_mid_mail_is_never_used_again() -> None:
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=1)
        sink.stall("RCPT")
        stuck = asyncio.create_task(channel.send([mail_to("b@b.example")]).asend(None))
        await sink.stalled.wait()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
        sink.released.set()
        outcomes = [outcome async for outcome in channel.send([mail_to("c@c.example")])]
        await channel.close()
    assert [outcome.result for outcome in outcomes] == [Accepted("<c.c.example@sos.example>")]
    assert [kept.recipients for kept in sink.mails] == [("c@c.example",)]
    assert sink.connections == 2


async def test_connections_are_kept_between_windows_and_few() -> None:
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=3)
        for window in range(3):
            messages = [mail_to(f"n{window}.{n}@a.example") for n in range(20)]
            assert {type(outcome.result) async for outcome in channel.send(messages)} == {Accepted}
        await channel.close()
    assert len({kept.recipients for kept in sink.mails}) == len(sink.mails) == 60
    assert sink.connections <= 3


async def test_a_kept_connection_that_the_server_closed_costs_no_mail() -> None:
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=1)
        first = [outcome async for outcome in channel.send([mail_to("a@a.example")])]
        sink.drop_connections()
        await asyncio.sleep(0.05)
        second = [outcome async for outcome in channel.send([mail_to("b@b.example")])]
        await channel.close()
    assert [type(outcome.result) for outcome in first + second] == [Accepted, Accepted]


async def test_an_unreachable_server_makes_every_mail_of_the_window_wait() -> None:
    async with MailSink() as sink:
        server = sink.server
    results = await send(server, *(mail_to(f"n{n}@a.example") for n in range(10)))
    assert {type(result) for result in results} == {Busy}


@pytest.mark.parametrize("host", ["mail..example", "x" * 64 + ".example", "mail\0.example"])
async def test_a_server_that_can_have_no_such_name_is_our_fault_and_no_mail_waits_for_ever(host: str) -> None:
    async with asyncio.timeout(5):
        results = await send(SmtpServer(host, 25, "none", "sos@example.org"), mail_to("a@e.org"), mail_to("b@e.org"))
    assert [type(result) for result in results] == [Misconfigured] * 2


async def test_reading_no_further_sends_no_further() -> None:
    async with MailSink() as sink:
        channel = EmailChannel(sink.server, connections=1)
        async with aclosing(channel.send([mail_to(f"n{n}@a.example") for n in range(200)])) as outcomes:
            first: Outcome = await anext(outcomes)
        assert isinstance(first.result, Accepted)
        taken = len(sink.mails)
        await asyncio.sleep(0.05)
        assert len(sink.mails) <= taken + 1 < 200  # the one that was handed over already
        await channel.close()


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_server_with_a_certificate_that_we_trust_takes_mail(security: str, tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    login = ("sos", "secret")
    async with MailSink(authority.server, security, str(authority.ca_file), login) as sink:
        assert [type(result) for result in await send(sink.server, mail_to("a@a.example"))] == [Accepted]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_server_with_a_certificate_that_we_do_not_trust_gets_nothing(security: str, tmp_path: Path) -> None:
    async with MailSink(make_authority(tmp_path).server, security) as sink:
        (result,) = await send(sink.server, mail_to("a@a.example"))
    assert isinstance(result, Misconfigured)
    assert "certificate" in result.reason
    assert sink.commands == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encryption_is_never_given_up(security: str) -> None:
    async with MailSink() as sink:
        plain = sink.server
        server = SmtpServer(plain.host, plain.port, security, plain.sender)
        (result,) = await send(server, mail_to("a@a.example"), within=timedelta(seconds=1))
    assert not isinstance(result, Accepted)
    assert sink.commands == []


async def test_a_wrong_password_closes_the_channel(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    async with MailSink(authority.server, "tls", str(authority.ca_file), ("sos", "secret")) as sink:
        right = sink.server
        wrong = SmtpServer(right.host, right.port, "tls", right.sender, "sos", "wrong", right.ca_file)
        results = await send(wrong, mail_to("a@a.example"), mail_to("b@b.example"))
    assert {type(result) for result in results} == {Misconfigured}


def test_a_password_without_encryption_is_not_accepted_as_a_setting() -> None:
    with pytest.raises(ValueError, match="without TLS"):
        EmailChannel(SmtpServer("127.0.0.1", 25, "none", "a@sos.example", "sos", "secret"))
