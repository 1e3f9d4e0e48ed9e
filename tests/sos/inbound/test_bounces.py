"""What a mail that came back says: only a failure that names the address condemns it; in doubt nothing is said."""

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import ChannelName, ReceiptState
from sos.inbound.bounce import LARGEST_READ_BYTES, Fate, News, read_mail
from sos.ledger.delivery import why_stop
from sos.members.member import StopReason
from tests.sos.inbound.notifications import FORWARDED, OUT_OF_OFFICE, READ_RECEIPT, Notification, Recipient, mail

POSTFIX = Notification()
NOBODY, OURS, FAILED = Fate.NOBODY_THERE, Fate.OUR_FAULT, Fate.FAILED
DELIVERED, UNDECIDED = Fate.DELIVERED, Fate.UNDECIDED
WORDS = News(NOBODY, "5.1.1 in words")
STATUS = b"Content-Type: message/delivery-status\n\n"


def news_of(raw: bytes) -> News | None:
    return read_mail(raw).news


def told(status: str, diagnostic: str = "", action: str = "failed") -> News | None:
    return news_of(POSTFIX.with_one(status, diagnostic, action).raw)


# Who is to blame


@pytest.mark.parametrize(
    ("status", "diagnostic", "news"),
    [
        ("5.1.1", "smtp; 550 5.1.1 <a@ngo.example>: Recipient address rejected: User unknown", News(NOBODY, "5.1.1")),
        ("5.1.1", "X-Postfix; unknown user: \"amina\"", News(NOBODY, "5.1.1")),
        ("5.1.2", "DNS; host not found", News(NOBODY, "5.1.2")),
        ("5.1.10", "smtp; 556 5.1.10 null MX", News(NOBODY, "5.1.10")),
        ("5.1.0", "smtp; 550 #5.1.0 Address rejected.", News(NOBODY, "5.1.0")),
        ("5.1.1 (bad destination mailbox address)", "", News(NOBODY, "5.1.1")),
        ("5.2.1", "smtp; 550 5.2.1 The account is disabled", News(NOBODY, "5.2.1")),
        # A vague status, and the other server's own words.
        ("5.0.0", "smtp; 550 5.1.1 no such user", News(NOBODY, "5.1.1")),
        ("5.0.0", "smtp; 550-5.1.1 There is none.\n 550 5.1.1 see https://a.example/5.7.1", News(NOBODY, "5.1.1")),
        ("5.0.0", "smtp; 550 sorry, no mailbox here by that name. (#5.1.1)", News(NOBODY, "5.1.1")),
        ("5.0.0", "smtp; 550/5.1.1 user unknown", News(NOBODY, "5.1.1")),
        ("5.0.0", "X-Postfix; host mx.ngo.example said: 550\n  <a@ngo.example>: Nonexistent mailbox", WORDS),
        ("5.0.0", "smtp; 550 No such user here", WORDS),
        ("5.0.0 (user unknown)", "", WORDS),
        ("5.0.0", "smtp; 550 Requested action not taken: mailbox unavailable", News(FAILED, "5.0.0")),
        ("5.0.0", "X-Postfix; host mx5.1.1.example[5.1.1.25] said no", News(FAILED, "5.0.0")),
        ("5.0.0", "smtp; 550 <policy@spam.example> cannot be reached", News(FAILED, "5.0.0")),
        ("5.3.0", "smtp; 550 5.3.0 something", News(FAILED, "5.3.0")),
        # Something about the mailbox or the mail, not about the address.
        ("5.2.2", "smtp; 552 5.2.2 Over quota", News(FAILED, "5.2.2")),
        ("5.3.4", "smtp; 552 5.3.4 Message too big", News(FAILED, "5.3.4")),
        ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied", News(FAILED, "5.4.1")),
        ("5.2.2", "smtp; 550 5.1.1 also said, in a footnote", News(FAILED, "5.2.2")),
        # Ours.
        ("5.7.1", "smtp; 550 5.7.1 Message rejected as spam", News(OURS, "5.7.1")),
        ("5.7.133", "smtp;550 5.7.133 the sender was not authenticated for this group", News(OURS, "5.7.133")),
        ("5.7.26", "", News(OURS, "5.7.26")),
        ("5.0.0", "smtp; 550 5.7.1 Service unavailable", News(OURS, "5.7.1")),
        ("5.1.1", "smtp; 550 5.7.1 rejected, whoever it is for", News(OURS, "5.7.1")),
        ("5.1.8", "smtp; 550 5.1.8 sender's domain does not exist", News(OURS, "5.1.8")),
        ("5.1.7", "", News(OURS, "5.1.7")),
        ("5.1.0", "smtp; 550 5.1.0 sender rejected", News(OURS, "5.1.0")),
        ("5.0.0", "smtp; 550 SPF check failed", News(OURS, "5.0.0")),
        ("5.0.0 (permanent failure)", "smtp; 5.3.0 - other 550-'SPF check failed [192.0.2.1]'", News(OURS, "5.0.0")),
        ("5.0.0", "smtp; 553 Relaying disallowed", News(OURS, "5.0.0")),
        ("5.0.0", "smtp; 554 delivery error: this cannot be delivered", News(OURS, "5.0.0")),
        ("5.0.0", "smtp; 554 delivery error: no such user", WORDS),
    ],
)  # fmt: skip
def test_a_failure_is_hers_ours_or_neither(status: str, diagnostic: str, news: News) -> None:
    assert told(status, diagnostic) == news


@pytest.mark.parametrize(
    ("status", "diagnostic", "action"),
    [
        ("4.4.1", "", "delayed"), ("5.1.1", "", "delayed"), ("2.1.5", "", "relayed"), ("2.1.5", "", "expanded"),
        ("5.1.1", "", "relayed"), ("5.1.1", "", "delivered"), ("2.0.0", "", "failed"), ("5.1.1", "", "expired"),
        ("", "X-Postfix; unknown user", "failed"), ("five", "", "failed"),
    ],
)  # fmt: skip
def test_what_is_not_decided_changes_nothing(status: str, diagnostic: str, action: str) -> None:
    news = told(status, diagnostic, action)
    assert news == News(UNDECIDED)
    assert news.receipt is None


@pytest.mark.parametrize(
    ("status", "diagnostic", "told_as"),
    [
        ("4.4.7", "smtp; 550 5.1.1 said once", "4.4.7"), ("4.2.2", "smtp; 452 4.2.2 full", "4.2.2"),
        ("", "smtp; 450 try later", "4.0.0"),
    ],
)  # fmt: skip
def test_where_a_relay_gave_up_it_failed_and_nobodys_address_is_to_blame(
    status: str, diagnostic: str, told_as: str
) -> None:
    assert told(status, diagnostic) == News(FAILED, told_as)


def test_a_notification_without_any_action_says_nothing() -> None:
    assert told("5.1.1", "smtp; 550 5.1.1 user unknown", "") is None


@pytest.mark.parametrize("action", ["Failed", "FAILED", "failed (user unknown)", " failed "])
def test_an_action_is_read_however_it_is_written(action: str) -> None:
    assert told("5.1.1", "", action) == News(NOBODY, "5.1.1")


def test_without_a_status_the_other_servers_code_counts() -> None:
    assert told("", "smtp; 550 5.1.1 user unknown") == News(NOBODY, "5.1.1")


def test_a_mail_that_was_delivered_is_delivered() -> None:
    news = told("2.0.0", "X-Postfix; delivery via local: delivered to mailbox", "delivered")
    assert news == News(DELIVERED)
    assert news.receipt
    assert news.receipt.state is ReceiptState.DELIVERED


@pytest.mark.parametrize(
    ("recipients", "fate"),
    [
        ([Recipient("5.1.1"), Recipient("5.1.1")], NOBODY),
        ([Recipient("5.1.1"), Recipient("5.7.1")], OURS),
        ([Recipient("5.1.1"), Recipient("5.2.2")], FAILED),
        ([Recipient("5.1.1"), Recipient("4.4.1", action="delayed")], UNDECIDED),
        ([Recipient("5.1.1"), Recipient("2.1.5", action="relayed")], UNDECIDED),
        ([Recipient("5.1.1"), Recipient("5.1.1"), Recipient("2.1.5", action="delivered")], DELIVERED),
    ],
)
def test_of_several_recipients_the_luckiest_counts(recipients: list[Recipient], fate: Fate) -> None:
    for ordered in (recipients, recipients[::-1]):
        news = news_of(replace(POSTFIX, recipients=ordered).raw)
        assert news
        assert news.fate is fate


def test_two_recipients_in_one_block_are_not_told_apart_and_change_nothing() -> None:
    run_together = POSTFIX.raw.replace(b"Status: 5.1.1\n", b"Status: 5.1.1\nAction: delivered\nStatus: 2.0.0\n")
    assert news_of(run_together) == News(UNDECIDED)


# What the ledger makes of it


@given(
    st.from_regex(r"5\.[0-7]\.\d{1,3}", fullmatch=True), st.sampled_from(["", "smtp; 550 no such user", "smtp; 554 no"])
)
def test_the_ledger_stops_exactly_the_addresses_where_nobody_is(status: str, diagnostic: str) -> None:
    news = told(status, diagnostic)
    assert news
    assert news.receipt
    stops = why_stop(ChannelName.EMAIL, news.receipt.reason)
    assert stops is (StopReason.BOUNCED if news.fate is NOBODY else None)


def test_our_own_fault_is_named_as_a_policy() -> None:
    news = told("5.7.1")
    assert news
    assert news.receipt
    assert news.receipt.reason == "policy 5.7.1"


# Shapes


@pytest.mark.parametrize(
    "raw",
    [
        POSTFIX.raw,
        replace(POSTFIX, newline="\r\n").raw,
        replace(POSTFIX, head="multipart/report").raw,
        replace(POSTFIX, head="Multipart/Report; Report-Type=Delivery-Status").raw,
        replace(POSTFIX, head="multipart/mixed").raw,
        replace(POSTFIX, encoding="base64").raw,
        replace(POSTFIX, encoding="BASE64 ").raw,
        replace(POSTFIX, encoding="quoted-printable").raw,
        replace(POSTFIX, returned="text/rfc822-headers").raw,
        replace(POSTFIX, status_type="message/global-delivery-status").raw,
        replace(POSTFIX, status_type='Message/Delivery-Status; name="status.txt"').raw,
        replace(POSTFIX, about_mail="").raw,
        replace(POSTFIX, about_mail="Reporting-MTA: dns; mx.ngo.example\n").raw,
        replace(POSTFIX, about_mail="\n\nReporting-MTA: dns; mx.ngo.example\n \n\n").raw,
        replace(POSTFIX, message_id="").raw,
        replace(POSTFIX, words="Không gửi được. تعذر التسليم.").raw,
        POSTFIX.nested,
        POSTFIX.raw.removesuffix(b"--b/1--\n"),
        POSTFIX.raw.partition(b"--b/1\nContent-Type: message/rfc822")[0],
        b"Received: from mx (192.0.2.1)\n" * 50 + POSTFIX.raw,
        POSTFIX.raw.replace(b"Subject: Undelivered", b"Subject: =?utf-8?q?=ff=00?= \xff\xfe"),
    ],
)
def test_a_notification_is_read_in_every_shape_that_servers_give_it(raw: bytes) -> None:
    read = read_mail(raw)
    assert read.news == News(NOBODY, "5.1.1")
    assert read.is_report


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\0" * 100, b"\xff" * 1000, b"no mail at all", b"Content-Type: multipart/report\n\n", OUT_OF_OFFICE,
        READ_RECEIPT, FORWARDED, POSTFIX.raw.replace(b"message/delivery-status", b"text/plain"),
        mail("multipart/report; report-type=feedback-report", [("message/feedback-report", "7bit", "Version: 1\n")]),
        POSTFIX.raw.replace(b"Action: failed", b"Aktion: failed"),
        replace(POSTFIX, encoding="x-unknown").raw.replace(b"Action", b"QWN0aW9u"),
    ],
)  # fmt: skip
def test_whatever_is_no_notification_says_nothing(raw: bytes) -> None:
    assert news_of(raw) is None


def test_any_report_is_told_from_a_mail_that_somebody_wrote() -> None:
    assert read_mail(READ_RECEIPT).is_report
    assert not read_mail(OUT_OF_OFFICE).is_report
    assert not read_mail(b"Subject: unsubscribe\n\n").is_report


def test_what_lies_past_the_limit_is_not_read() -> None:
    long = replace(POSTFIX, words="I'm sorry.\n" * (LARGEST_READ_BYTES // 11)).raw
    assert len(long) > LARGEST_READ_BYTES
    assert news_of(long) is None


def test_the_mark_is_the_message_id_or_else_the_mail_itself() -> None:
    assert read_mail(POSTFIX.raw).mark == "<n1@mx.ngo.example>"
    nameless = replace(POSTFIX, message_id="")
    assert read_mail(nameless.raw).mark == read_mail(nameless.raw).mark
    assert read_mail(nameless.raw).mark != read_mail(nameless.with_one("5.2.2").raw).mark


# Hostile ones


def nested(depth: int) -> bytes:
    levels = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (one, one) for one in range(depth))
    return b"".join(levels) + b"\n" * LARGEST_READ_BYTES


@pytest.mark.parametrize(
    "raw",
    [
        nested(5), nested(18), nested(200), nested(5000),
        b'Content-Type: multipart/report;"' + b"\n ;;;;;;;;;;;;" * 20_000 + b"\n\n",
        b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n" * 50_000,
        STATUS + b"Action: failed\nStatus: 5.0.0\n\n" * 9_000, STATUS + b"\n \t" * 80_000,
        STATUS + b"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: " + b"a" * 200_000,
        STATUS + b"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: " + b"5.1." * 50_000,
        b"a:b\n" * 60_000, b"\n" * LARGEST_READ_BYTES, b"(" * LARGEST_READ_BYTES,
        b"Message-ID: " + b"<" * LARGEST_READ_BYTES,
    ],
)  # fmt: skip
def test_a_mail_that_was_made_to_be_slow_is_read_in_a_moment(raw: bytes) -> None:
    start = time.process_time()
    read_mail(raw)
    assert time.process_time() - start < 3


def mangle(raw: bytes, seed: int) -> bytes:
    """The same mail after an accident: pieces cut, doubled, moved, or written over."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 6)):
        at, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        piece = chance.choice(
            [b"", raw[at:end] * 2, bytes(chance.randbytes(chance.randint(0, 20))), b"\n\n", b"--b/1\n"]
        )
        raw = raw[:at] + piece + raw[end:]
    return raw


SAMPLES = [POSTFIX.raw, POSTFIX.nested, replace(POSTFIX, encoding="base64").raw, READ_RECEIPT, FORWARDED]
HARMLESS = [
    POSTFIX.with_one("2.1.5", action="delivered").raw, POSTFIX.with_one("4.4.1", action="delayed").raw,
    POSTFIX.with_one("5.2.2").raw, POSTFIX.with_one("5.7.1").raw, READ_RECEIPT, OUT_OF_OFFICE,
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 2**32))
def test_a_mangled_mail_is_read_without_harm(raw: bytes, seed: int) -> None:
    mangled = mangle(raw, seed)
    news = news_of(mangled)
    if news and news.fate is NOBODY and b"base64" not in mangled:
        assert b"failed" in mangled.lower()
        assert b"5.1.1" in mangled


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(HARMLESS), st.integers(0, 2**32))
def test_no_accident_makes_a_harmless_mail_condemn_an_address(raw: bytes, seed: int) -> None:
    news = news_of(mangle(raw, seed))
    assert news is None or news.fate is not NOBODY


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_bytes_of_any_kind_are_read_without_harm(raw: bytes) -> None:
    assert news_of(raw) is None
