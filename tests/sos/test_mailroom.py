"""Mail comes home: what a server sends to a return path that has left is taken once; what is forged changes nothing."""

import asyncio
import os
import signal
import smtplib
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from structlog.testing import capture_logs

from channels.base import ChannelName
from sos import mailroom
from sos.database import Connection
from sos.embedded import EmbeddedPostgres
from sos.inbound.store import count_policy_bounce
from sos.intake.report import Urgency
from sos.ledger import hold_store
from sos.letters.steps import release, typeset_letter
from sos.mailroom import open_mailroom
from sos.messages import Links
from tests.delivering import Delivering, open_delivering
from tests.sos.inbound.notifications import OUT_OF_OFFICE, Notification
from tests.story import Reached

DOMAIN = "bounces.sos.example"
EMAIL = ChannelName.EMAIL
DEAD = Notification().with_one("5.1.1", "smtp; 550 5.1.1 user unknown")
FULL = Notification().with_one("5.2.2")
POLICY = Notification().with_one("5.7.1")
STOP = b"From: amina@ngo.example\nSubject: unsubscribe\n\n"
UNKNOWN, NOT_THERE, TAKEN, LATER = (550, "RCPT 5.1.1"), (550, "5.1.1"), (250, "2.0.0"), (451, "4.3.0")

Answer = tuple[int, str]


@dataclass
class Home:
    """A network whose mail leaves and comes home."""

    delivering: Delivering
    port: int

    async def write(self, *recipients: str, mail: bytes, sender: str = "<>") -> list[Answer]:
        """Hand a mail over as a relay does; the answer for each recipient: to RCPT where refused, else to the mail."""
        return await asyncio.to_thread(hand_over, self.port, recipients, mail, sender)

    async def sent(self, **who: object) -> tuple[Reached, str]:
        """A contact who was written to, and the return path of that mail."""
        contact = await self.delivering.story.contact(**who)  # type: ignore[arg-type]
        await self.delivering.story.launched()
        await self.delivering.send()
        return contact, self.return_path(contact)

    def return_path(self, contact: Reached) -> str:
        """The sender that stood on the envelope of the last mail to her."""
        return [one.sender for one in self.delivering.mail.mails if one.recipients == (contact.addresses[EMAIL],)][-1]

    async def state(self, path: str) -> tuple[str, str]:
        """How the ledger has it."""
        story = self.delivering.story
        found = Links(story.runtime.keys, story.runtime.settings).read_mail_address(path)
        assert found
        (row,) = await story.rows("SELECT state::text AS state, reason FROM deliveries WHERE id = %(id)s", id=found[1])
        return str(row["state"]), str(row["reason"])

    async def suppressed(self) -> list[str]:
        """Why each address that is not written to any more is not."""
        return [str(one["reason"]) for one in await self.delivering.story.rows("SELECT reason FROM suppressions")]

    async def holds(self) -> list[tuple[str, str, str]]:
        """What is held."""
        async with self.delivering.story.runtime.record.reading() as conn:
            return [(one.scope, one.target, one.reason) for one in await hold_store.holds(conn)]


def hand_over(port: int, recipients: tuple[str, ...], mail: bytes, sender: str) -> list[Answer]:
    with smtplib.LMTP("127.0.0.1", port, timeout=30) as relay:
        relay.ehlo("relay.example")
        assert relay.docmd("MAIL", f"FROM:{sender}")[0] == 250
        answers = {one: relay.docmd("RCPT", f"TO:<{one}>") for one in recipients}
        accepted = [one for one in recipients if answers[one][0] == 250]
        if accepted:
            answers[accepted[0]] = relay.data(mail.replace(b"\n", b"\r\n"))
        for one in accepted[1:]:
            answers[one] = relay.getreply()
        assert relay.noop()[0] == 250  # no answer is left over
    said_when = [(answers[one], "" if one in accepted else "RCPT ") for one in recipients]
    return [(code, when + said.decode()[:5]) for (code, said), when in said_when]


@pytest.fixture
async def home(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Home]:
    """A real network with providers and a mailroom."""
    async with (
        open_delivering(database_url, redis_url, tmp_path, bounce_domain=DOMAIN) as delivering,
        open_mailroom(delivering.story.runtime, "127.0.0.1", 0) as server,
    ):
        yield Home(delivering, server.sockets[0].getsockname()[1])


# Bounces


async def test_a_bounce_comes_home_and_nothing_more_goes_to_that_address(home: Home) -> None:
    contact, path = await home.sent()
    other = await home.delivering.story.contact()
    assert path.endswith("@" + DOMAIN)
    assert await home.write(path, mail=DEAD.raw) == [TAKEN]
    assert await home.state(path) == ("failed", "5.1.1")
    assert await home.suppressed() == ["bounced"]

    await home.delivering.story.launched()
    await home.delivering.send()
    assert len(home.delivering.mails_to(contact.addresses[EMAIL])) == 1
    assert len(home.delivering.mails_to(other.addresses[EMAIL])) == 1


async def test_each_mail_has_a_return_path_of_its_own(home: Home) -> None:
    for _ in range(3):
        await home.delivering.story.contact()
    await home.delivering.story.launched()
    await home.delivering.send()
    assert len({one.sender for one in home.delivering.mail.mails}) == 3


@pytest.mark.parametrize(
    ("mail", "state"),
    [
        (FULL, ("failed", "5.2.2")), (POLICY, ("failed", "policy 5.7.1")),
        (Notification().with_one("4.4.1", action="delayed"), ("accepted", "")),
        (Notification().with_one("2.0.0", action="delivered"), ("delivered", "")),
        (Notification().with_one("2.1.5", action="relayed"), ("accepted", "")),
    ],
)  # fmt: skip
async def test_what_says_nothing_against_an_address_suppresses_nothing(
    home: Home, mail: Notification, state: tuple[str, str]
) -> None:
    _, path = await home.sent()
    assert await home.write(path, mail=mail.raw) == [TAKEN]
    assert await home.state(path) == state
    assert await home.suppressed() == []
    assert await home.holds() == []


@pytest.mark.parametrize("mail", [OUT_OF_OFFICE, STOP, b"", b"\xff\x00" * 500, DEAD.raw[: len(DEAD.raw) // 3]])
async def test_a_mail_to_a_return_path_that_is_no_notification_changes_nothing(home: Home, mail: bytes) -> None:
    _, path = await home.sent()
    assert await home.write(path, mail=mail, sender="<amina@ngo.example>") == [TAKEN]
    assert await home.state(path) == ("accepted", "")
    assert await home.suppressed() == []
    assert await home.delivering.story.count("incoming") == 0


async def test_a_return_path_in_capitals_is_the_same(home: Home) -> None:
    _, path = await home.sent()
    assert await home.write(path.upper(), mail=DEAD.raw) == [TAKEN]
    assert await home.state(path) == ("failed", "5.1.1")


async def test_a_bounce_that_comes_again_and_again_is_taken_once(home: Home) -> None:
    _, path = await home.sent()
    assert await asyncio.gather(*(home.write(path, mail=POLICY.raw) for _ in range(3))) == [[TAKEN]] * 3
    assert await home.write(path, path.upper(), mail=POLICY.raw) == [TAKEN] * 2
    assert await home.delivering.story.count("incoming") == 1
    assert await home.delivering.story.count("policy_bounces") == 1


async def test_a_late_bounce_takes_nothing_back_from_a_mail_that_was_delivered(home: Home) -> None:
    _, path = await home.sent()
    await home.write(path, mail=Notification(message_id="<n2@mx>").with_one("2.0.0", action="delivered").raw)
    await home.write(path, mail=DEAD.raw)
    assert await home.state(path) == ("delivered", "")


# Forged ones


async def test_an_address_that_we_did_not_give_out_is_refused_and_changes_nothing(home: Home) -> None:
    contact, path = await home.sent()
    local, token = path.split("@")[0], path.split("@")[0].partition("+")[2]
    last = "1" if token[-1] != "1" else "2"
    (row,) = await home.delivering.story.rows("SELECT max(id) AS id FROM deliveries")
    link = home.delivering.story.runtime.keys.mail_link("sign", int(str(row["id"])))
    forged = [
        f"{local[:-1]}{last}@{DOMAIN}", f"{local}0@{DOMAIN}", f"{local[:-1]}@{DOMAIN}", f"b+@{DOMAIN}", f"b@{DOMAIN}",
        f"u+{token}@{DOMAIN}", f"x+{token}@{DOMAIN}", f"{token}@{DOMAIN}", f"b+{link}@{DOMAIN}",
        f"b+b+{token}@{DOMAIN}",
        f"{local}@sos.example", f"{local}@x.{DOMAIN}", f"{local}@{DOMAIN}.example", local, f"postmaster@{DOMAIN}",
        f"b+{'0' * 36}@{DOMAIN}", contact.addresses[EMAIL], f'"b+ {token}"@{DOMAIN}',
    ]  # fmt: skip
    for one in forged:
        assert await home.write(one, mail=DEAD.raw) == [UNKNOWN], one
    assert await home.state(path) == ("accepted", "")
    assert await home.suppressed() == []
    assert await home.delivering.story.count("incoming") == 0


async def test_recipients_of_one_mail_are_answered_apart(home: Home) -> None:
    for _ in range(2):
        await home.delivering.story.contact()
    await home.delivering.story.launched()
    await home.delivering.send()
    first, second = (one.sender for one in home.delivering.mail.mails)
    answers = await home.write(first, f"b+{'0' * 36}@{DOMAIN}", second, mail=DEAD.raw)
    assert answers == [TAKEN, UNKNOWN, TAKEN]
    assert await home.state(first) == await home.state(second) == ("failed", "5.1.1")


# The database is away


@contextmanager
def away(postgres: EmbeddedPostgres, database_url: str) -> Iterator[None]:
    """Nobody can work in the database."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    assert isinstance(name, str)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name)))
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(Identifier(name)))


async def test_while_the_database_is_away_the_relay_keeps_the_mail(
    home: Home, postgres: EmbeddedPostgres, database_url: str
) -> None:
    contact, path = await home.sent()
    stop = await stop_address(home, contact)
    with away(postgres, database_url):
        assert await home.write(path, stop, mail=DEAD.raw) == [LATER, TAKEN]  # the second says nothing, and is done
        assert await home.write(stop, mail=STOP) == [LATER]
    assert await until_taken(home, path) == [TAKEN]
    assert await home.state(path) == ("failed", "5.1.1")


async def until_taken(home: Home, path: str) -> list[Answer]:
    """As a relay tries again."""
    for _ in range(40):
        if (answers := await home.write(path, mail=DEAD.raw)) != [LATER]:
            return answers
        await asyncio.sleep(0.25)
    raise AssertionError("the database did not come back")


# Policy


async def bounce_for_policy(home: Home, count: int) -> None:
    """So many contacts' servers do not want our mail."""
    contacts = [await home.delivering.story.contact() for _ in range(count)]
    await home.delivering.story.launched()
    await home.delivering.send()
    for contact in contacts:
        assert await home.write(home.return_path(contact), mail=POLICY.raw) == [TAKEN]


async def test_ten_policy_bounces_within_an_hour_close_the_channel_and_nine_do_not(home: Home) -> None:
    await bounce_for_policy(home, 9)
    assert await home.holds() == []
    await home.write(*[one.sender for one in home.delivering.mail.mails], mail=POLICY.raw)
    assert await home.holds() == []
    home.delivering.story.clock.advance(timedelta(minutes=59))
    await bounce_for_policy(home, 1)
    assert await home.holds() == [("channel", "email", "policy")]
    assert await home.suppressed() == []
    assert await home.delivering.story.rows("SELECT facts FROM journal WHERE did = 'sending.paused'")


async def test_policy_bounces_of_more_than_an_hour_ago_are_forgotten(home: Home) -> None:
    await bounce_for_policy(home, 9)
    home.delivering.story.clock.advance(timedelta(minutes=61))
    await bounce_for_policy(home, 1)
    assert await home.holds() == []


async def test_one_recipients_server_cannot_close_the_channel(home: Home) -> None:
    await home.delivering.story.contact()
    case_id = await home.delivering.story.case(urgency=Urgency.LIFE)
    for _ in range(11):
        await home.delivering.story.launched(case_id=case_id)
    await home.delivering.send()
    for one in home.delivering.mail.mails:
        assert await home.write(one.sender, mail=POLICY.raw) == [TAKEN]
    assert await home.delivering.story.count("policy_bounces") == 11
    assert await home.holds() == []


async def test_policy_bounces_at_the_same_moment_are_counted_one_after_another(home: Home) -> None:
    story = home.delivering.story
    for _ in range(2):
        await story.contact()
    await story.launched()
    first, second = (int(str(row["id"])) for row in await story.rows("SELECT id FROM deliveries"))

    async def count(conn: Connection, delivery: int) -> int:
        return await count_policy_bounce(conn, delivery, story.now, since=story.now - timedelta(hours=1))

    async def count_by_itself() -> int:
        async with story.runtime.record.step() as step:
            return await count(step.conn, second)

    async with story.runtime.record.step() as step:
        assert await count(step.conn, first) == 1
        other = asyncio.create_task(count_by_itself())
        await asyncio.sleep(0.2)
        assert not other.done()
    assert await other == 2


# Stopping by mail


async def stop_address(home: Home, contact: Reached) -> str:
    (row,) = await home.delivering.story.rows(
        "SELECT max(id) AS id FROM deliveries WHERE recipient_id = %(id)s", id=contact.id
    )
    runtime = home.delivering.story.runtime
    return Links(runtime.keys, runtime.settings).unsubscribe_mail(int(str(row["id"])))


@pytest.mark.parametrize("mail", [STOP, b"", OUT_OF_OFFICE])
async def test_whoever_mails_to_the_address_for_stopping_is_not_written_to_again(home: Home, mail: bytes) -> None:
    contact, path = await home.sent()
    stop = await stop_address(home, contact)
    for _ in range(3):
        assert await home.write(stop, mail=mail, sender="<somebody@else.example>") == [TAKEN]
    assert await home.suppressed() == ["opted_out"]
    assert await home.state(path) == ("accepted", "")
    (noted,) = await home.delivering.story.rows("SELECT subject_id FROM journal WHERE did = 'address.opted_out'")
    assert noted["subject_id"] == contact.id
    await home.delivering.story.launched()
    await home.delivering.send()
    assert len(home.delivering.mails_to(contact.addresses[EMAIL])) == 1


@pytest.mark.parametrize("mail", [DEAD, FULL, Notification().with_one("4.4.1", action="delayed")])
async def test_a_notification_does_not_say_stop(home: Home, mail: Notification) -> None:
    contact, path = await home.sent()
    assert await home.write(await stop_address(home, contact), mail=mail.raw) == [TAKEN]
    assert await home.suppressed() == []
    assert await home.state(path) == ("accepted", "")


async def test_a_stop_about_a_delivery_that_is_not_there_is_refused(home: Home) -> None:
    runtime = home.delivering.story.runtime
    stop = Links(runtime.keys, runtime.settings).unsubscribe_mail(10**6)
    assert await home.write(stop, mail=STOP) == [NOT_THERE]


# The mails themselves


async def test_only_who_may_unsubscribe_gets_an_address_for_it_and_everybody_a_return_path(home: Home) -> None:
    story = home.delivering.story
    contact = await story.contact()
    action_id = await story.launched()
    asked = (await story.messages(action_id))[contact.id]
    await story.answer(action_id, contact)
    letter_id = await story.freeze(action_id)
    await typeset_letter(story.runtime, letter_id)
    await release(story.runtime, story.approver, letter_id, story.now)
    messages = await story.messages(letter_id)
    thanks = messages.pop(contact.id)
    (to_target,) = messages.values()
    for message in (asked, thanks, to_target):
        assert message.return_path.startswith("b+")
    assert asked.unsubscribe_mail.startswith("u+")
    assert len(asked.return_path.partition("@")[0]) <= 64
    assert to_target.unsubscribe_mail == ""


# Limits


async def test_a_mail_that_is_too_large_is_refused_once_for_each_recipient(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailroom, "LARGEST_MAIL_BYTES", 20_000)
    for _ in range(2):
        await home.delivering.story.contact()
    await home.delivering.story.launched()
    await home.delivering.send()
    paths = [one.sender for one in home.delivering.mail.mails]
    large = DEAD.raw + b"x" * 70 + b"\n"
    assert {code for code, _ in await home.write(*paths, mail=large * 200)} == {552}
    assert await home.write(*paths, mail=DEAD.raw) == [TAKEN] * 2
    assert await asyncio.to_thread(ask_for_room, home.port, 20_001) == ("20000", 552)


def ask_for_room(port: int, size: int) -> tuple[str, int]:
    """How large a mail may be, and the answer to one that is announced as larger."""
    with smtplib.LMTP("127.0.0.1", port, timeout=30) as relay:
        relay.ehlo("relay.example")
        return relay.esmtp_features["size"], relay.docmd("MAIL", f"FROM:<> SIZE={size}")[0]


async def test_long_lines_do_not_keep_a_bounce_out(home: Home) -> None:
    _, path = await home.sent()
    assert await home.write(path, mail=Notification(words="word " * 5000).with_one("5.1.1").raw) == [TAKEN]
    assert await home.state(path) == ("failed", "5.1.1")
    code, _ = (await home.write(path, mail=b"x" * 100_000))[0]
    assert code == 500


# The process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_the_process_takes_mail_until_it_is_told_to_stop_and_says_nothing_of_it(home: Home) -> None:
    contact, path = await home.sent()
    settings, port = home.delivering.story.runtime.settings, free_port()
    assert settings.smtp
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sos.cli", "mail", stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ, "SOS_DATABASE_URL": settings.database_url, "SOS_REDIS_URL": settings.redis_url,
            "SOS_KEY_FILE": str(settings.key_file), "SOS_SMTP_URL": f"smtp://localhost:{settings.smtp.port}",
            "SOS_MAIL_FROM": "sos@sos.example", "SOS_BOUNCE_DOMAIN": DOMAIN, "SOS_LMTP_PORT": str(port),
        },
    )  # fmt: skip
    taken = Home(home.delivering, port)
    try:
        for _ in range(200):
            try:
                answers = await taken.write(path, "b+forged@" + DOMAIN, mail=DEAD.raw + b"\nSecretWord\n")
                break
            except OSError:
                await asyncio.sleep(0.05)
        assert answers == [TAKEN, UNKNOWN]
        assert await taken.write(path, mail=b"\xff" * 500 + b"SecretWord") == [TAKEN]
    finally:
        process.send_signal(signal.SIGTERM)
        _, logged = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert await home.state(path) == ("failed", "5.1.1")
    for word in (path.partition("@")[0], "SecretWord", contact.addresses[EMAIL], "forged", "Traceback"):
        assert word not in logged.decode()


async def test_a_failure_of_ours_is_logged_without_the_mail_and_the_mail_is_kept(home: Home) -> None:
    _, path = await home.sent()
    async with home.delivering.story.runtime.record.step() as step:
        await step.conn.execute("ALTER TABLE policy_bounces RENAME TO policy_bounces_away")
    with capture_logs() as logged:
        assert await home.write(path, mail=POLICY.raw) == [LATER]
    assert await home.state(path) == ("accepted", "")
    assert await home.delivering.story.count("incoming") == 0
    [failed] = [line for line in logged if line["event"] == "mail.failed"]
    assert path not in str(failed)
