"""Mails as bytes: as meant or not at all; and spliced ones say what the standard library would have written."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Attachment, Message
from channels.mime import Envelope, Headers, Poisonous, build, read_back, read_sender, write
from channels.wording import MARKS, SLOTS, Wording
from tests.channels.test_email_channel import mail_to
from tests.make import alter

SENDER = read_sender("SOS <sos@sos.example>")
NOW = datetime(2026, 10, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("added", [b"Bcc: x@y.example\r\n", b"To: x@y.example\r\n", b"X: y\r\n"])
def test_a_finished_mail_with_more_than_was_meant_does_not_leave(added: bytes) -> None:
    headers: Headers = {"From": "", "To": "", "Subject": "x"}
    sender = read_sender("sos@sos.example")
    meant = b"From: sos@sos.example\r\nTo: a@a.example\r\nSubject: x\r\nContent-Type: text/plain\r\n"
    read_back(meant + b"\r\n", headers, sender, read_sender("a@a.example"))
    with pytest.raises(Poisonous):
        read_back(meant + added + b"\r\n", headers, sender, read_sender("a@a.example"))


_NASTY = st.text(
    st.one_of(st.sampled_from('=?utf-8bq_\r\n\t <>@,;:."\\()\u202e\u2028\x85é'), st.characters()), max_size=60
)


@given(subject=_NASTY, text=_NASTY, user=_NASTY, filename=_NASTY)
@settings(max_examples=150, deadline=None)
def test_whatever_people_type_a_mail_is_as_meant_or_poisonous(
    subject: str, text: str, user: str, filename: str
) -> None:
    letter = Attachment(filename, "application/pdf", b"%PDF")
    message = alter(mail_to(f"{user}@a.example"), subject=subject, text=text, attachments=(letter,))
    for each in (message, replace(message, address="a@a.example"), alter(mail_to("a@a.example"), text=text)):
        try:
            envelope = build(each, read_sender("SOS <sos@sos.example>"), datetime.now(UTC))
        except Poisonous:
            continue
        mail = message_from_bytes(envelope.content, policy=default)
        assert [address.addr_spec for address in mail["To"].addresses] == [each.address] == [envelope.recipient]
        assert "Bcc" not in mail
        assert envelope.content.isascii()
        assert b"\n" not in envelope.content.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "words", ["l’expulsion annoncée des familles d’à côté", "رسالة للتوقيع من أجلهم", "a plain one " * 7]
)
def test_a_subject_keeps_its_words_apart_wherever_its_line_is_folded(words: str) -> None:
    for length in range(1, 80):
        subject = f"Lettre à signer : {'x' * length} {words.strip()}"
        envelope = build(
            alter(mail_to("a@a.example"), subject=subject), read_sender("sos@a.example"), datetime.now(UTC)
        )
        assert str(message_from_bytes(envelope.content, policy=default)["Subject"]) == subject


def read(envelope: Envelope) -> EmailMessage:
    return message_from_bytes(envelope.content, policy=default)


def body(mail: EmailMessage, kind: str) -> list[str]:
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content()).rstrip().splitlines()


_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=90)
_TEXTS = st.lists(
    st.one_of(_WORDS, st.sampled_from([*MARKS.values(), "\n", "\n\n", ".", " ", "=", "\r\n", "From "]))
).map("".join)


@given(text=_TEXTS, html=_TEXTS, words=st.fixed_dictionaries(dict.fromkeys(SLOTS, _WORDS)))
@settings(max_examples=300, deadline=None)
def test_a_spliced_mail_says_what_the_standard_library_would_have_written(
    text: str, html: str, words: dict[str, str]
) -> None:
    message = replace(mail_to("ana@a.example"), wording=Wording(text, "Firma", f"<p>{html}</p>"), words=words)
    spliced, built = write(message, SENDER, NOW), build(message, SENDER, NOW)
    mine, theirs = read(spliced), read(built)
    assert [*mine.keys()].sort() == [*theirs.keys()].sort()
    for name in ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"):
        assert str(mine[name]) == str(theirs[name]), name
    for kind in ("plain", "html"):
        assert body(mine, kind) == body(theirs, kind)
    assert spliced.content.isascii()
    assert b"\n." not in spliced.content  # and so no dot has to be doubled on the way
    assert max(map(len, spliced.content.split(b"\r\n"))) <= 998
    assert max(map(len, spliced.content.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 78
    assert b"\n" not in spliced.content.replace(b"\r\n", b"")
    assert (spliced.sender, spliced.recipient) == (built.sender, built.recipient)


@given(address=st.text(st.one_of(st.sampled_from('ab.@<>,; =?-_\r\n"ñ\x7f'), st.characters()), max_size=30))
@settings(max_examples=500, deadline=None)
def test_an_address_is_taken_as_the_standard_library_reads_it_or_not_at_all(address: str) -> None:
    message = mail_to("ana@a.example")
    for each in (replace(message, address=address), replace(message, address=f"{address}@a.example")):
        try:
            spliced = write(each, SENDER, NOW)
        except Poisonous:
            continue
        assert spliced.recipient == build(each, SENDER, NOW).recipient
        assert [one.addr_spec for one in read(spliced)["To"].addresses] == [spliced.recipient]


def test_a_subject_with_her_own_words_in_it_is_hers() -> None:
    message = replace(
        mail_to("ana@a.example"), wording=Wording("x", f"Para {MARKS['name']}, «{MARKS['organisation']}»"),
        words={"name": "Ñusta", "organisation": "حقوق"},
    )  # fmt: skip
    assert read(write(message, SENDER, NOW))["Subject"] == "Para Ñusta, «حقوق»"
    with pytest.raises(Poisonous):
        write(replace(message, words={"name": "=?utf-8?q?x?=", "organisation": "y"}), SENDER, NOW)


def test_a_discreet_mail_comes_from_an_address_without_a_name() -> None:
    message = replace(mail_to("ana@a.example"), is_discreet=True)
    for written in (write(message, SENDER, NOW), build(message, SENDER, NOW)):
        assert read(written)["From"] == "sos@sos.example"
        assert b"SOS" not in written.content


def test_stop_can_be_said_by_one_click_and_by_mail() -> None:
    message = replace(mail_to("ana@a.example"), unsubscribe_mail="u+7.mac@in.sos.example")
    for written in (write(message, SENDER, NOW), build(message, SENDER, NOW)):
        mail = read(written)
        assert mail["List-Unsubscribe"] == f"<{message.unsubscribe_url}>, <mailto:u+7.mac@in.sos.example>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_line_that_begins_with_a_dot_arrives_with_it() -> None:
    message = replace(mail_to("ana@a.example"), wording=Wording(".\n..\n.x\n" + "." * 200, "x"))
    payload = write(message, SENDER, NOW).payload
    assert payload.endswith(b"\r\n.\r\n")
    assert b"\r\n.\r\n" not in payload[:-5]
    received = b"\r\n".join(line.removeprefix(b".") for line in payload[:-3].split(b"\r\n"))
    mail = message_from_bytes(received, policy=default)
    assert mail.get_content().splitlines() == [".", "..", ".x", "." * 200]


def test_many_mails_of_one_wording_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wording = Wording(f"Dear {MARKS['name']}", "s")
    messages = [
        Message(n, f"c{n}@a.example", "en", wording, {"name": f"N{n}"}, message_id=f"<{n}@a>") for n in range(3)
    ]
    first = [write(one, SENDER, NOW) for one in messages]
    monkeypatch.setattr("channels.mime.encode", None)
    assert [write(one, SENDER, NOW).content for one in messages] == [one.content for one in first]
    assert [read(one).get_content().strip() for one in first] == ["Dear N0", "Dear N1", "Dear N2"]
