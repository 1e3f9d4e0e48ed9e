"""Mail servers that are slow, that put us off, that drop us at the worst moment, or that are not who they say."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zlib import crc32

from tests.faults.oracle import Inbox, Verdict, judge
from tests.faults.relay import Fault, Point, Relay
from tests.faults.rows import Measure, Row
from tests.faults.servers import ON_DUTY, Servers, by_email, everybody
from tests.faults.stage import WORKER, Stage, open_stage
from tests.faults.twilio import FaultyTwilio, twilio_settings
from tests.providers.certificates import make_authority
from tests.providers.mail import MailSink

ENTRY = ("-m", "tests.faults.worker")
SHORT_PAUSE_SECONDS = 2.0
OUR_PAUSE_SECONDS = 10.0
STORM_SECONDS = 3.0
THREE_BACK_OFFS = 1 + 2 + 4  # each is twice as long as the one before


class Once:
    """Does something to so many in a hundred recipients, to each of them the first time only."""

    def __init__(self, fault: Fault, percent: int, salt: str) -> None:
        self._fault = fault
        self._percent = percent
        self._salt = salt
        self._done: set[str] = set()

    def __call__(self, recipient: str) -> Fault | None:
        is_chosen = crc32(f"{self._salt}{recipient}".encode()) % 100 < self._percent
        if recipient in self._done or not is_chosen:
            return None
        self._done.add(recipient)
        return self._fault


def storm(_: str) -> Fault:
    """Everybody is turned away."""
    return Fault(reply="421 4.3.2 going down")


async def slow(servers: Servers, measure: Measure) -> Verdict:
    """Some connections wait for their banner, some mails for their answer, and some answers come byte by byte."""
    async with _relaying(servers, measure) as (stage, relay):
        await stage.until_arrived(measure.recipients // 10)
        banner, dot = measure.lasting(65, 2), measure.lasting(5, 2)
        few = max(3, 1000 // measure.recipients)
        relay.rules = {
            Point.BANNER: lambda _: Fault(stalls_seconds=banner) if relay.connections % 2 else None,
            Point.RCPT: Once(Fault(drips=True), few, "drip"),
            Point.END: Once(Fault(stalls_seconds=dot), 1, "dot"),
        }
        began = time.monotonic()
        await stage.until_over(600)
    missing = [f"nothing was injected at {point}" for point in (Point.RCPT, Point.END) if not relay.injected.get(point)]
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, complaints=missing,
        went_on=stage.inbox.longest_silence(began), within=measure.lasting(65, 10),
    )  # fmt: skip


async def unwilling(servers: Servers, measure: Measure) -> Verdict:
    """Three in ten are greylisted, twice everybody is turned away, and some connections end after the final dot."""
    async with _relaying(servers, measure) as (stage, relay):
        await stage.until_arrived(measure.recipients // 10)
        greylist = Once(Fault(reply="451 4.7.1 greylisted, try again later"), 30, "grey")
        relay.rules = {Point.RCPT: greylist, Point.END: Once(Fault(drops=True), 2, "drop")}
        began = time.monotonic()
        for part in (4, 3):
            await stage.until_arrived(measure.recipients // part)
            relay.rules |= {Point.BANNER: storm, Point.RCPT: storm}
            await asyncio.sleep(STORM_SECONDS)
            del relay.rules[Point.BANNER]
            relay.rules[Point.RCPT] = greylist
        await stage.until_over(1200)
    dropped = relay.injected.get(Point.END, 0)
    verdict = judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=dropped,
        went_on=stage.inbox.longest_silence(began),
        within=THREE_BACK_OFFS * measure.lasting(OUR_PAUSE_SECONDS, SHORT_PAUSE_SECONDS),
    )  # fmt: skip
    if verdict.repeated == dropped > 0:
        return verdict
    return judge([], [], complaints=[f"{dropped} were dropped after the dot, and {verdict.repeated} came again"])


async def stranger(servers: Servers, measure: Measure) -> Verdict:
    """The mail server shows a certificate that nobody vouches for."""
    trusted, other = servers.directory / "trusted", servers.directory / "other"
    for place in (trusted, other):
        place.mkdir()
    ours, theirs = make_authority(trusted), make_authority(other)
    mail, phones = MailSink(tls=theirs.server, security="starttls"), Inbox()
    async with mail, FaultyTwilio(phones) as twilio:
        given = {
            "SOS_SMTP_URL": f"smtp+starttls://127.0.0.1:{mail.server.port}",
            "SOS_SMTP_CA_FILE": str(ours.ca_file),
            **twilio_settings(servers.directory, twilio, per_second=10),
        }
        async with open_stage(servers, "mail", measure.recipients, phones, given) as stage:
            await stage.start_workers()
            await stage.until(lambda: len(phones) == 1, 30)  # that there was a report
            began = time.monotonic()
            await stage.launch()
            await stage.until(lambda: len(phones) == 2, 30)  # that email is paused
            await asyncio.sleep(2)
    spoken = [f"{len(mail.commands)} commands were sent in clear text"] if mail.commands else []
    spoken += [f"{len(mail.mails)} mails were handed over"] if mail.mails else []
    return judge(
        [ON_DUTY], phones.arrivals[1:], went_on=phones.first_after(began), within=30, complaints=spoken
    )  # fmt: skip


@asynccontextmanager
async def _relaying(servers: Servers, measure: Measure) -> AsyncIterator[tuple[Stage, Relay]]:
    """A relay, and a fan-out on its way to it; where outages are short, so are our pauses."""
    inbox = Inbox()
    entry, given = (WORKER, {}) if measure.is_full else (ENTRY, {"SOS_FAULTS_PAUSE_SECONDS": str(SHORT_PAUSE_SECONDS)})
    async with Relay(inbox, measure.recipients / measure.seconds) as relay:
        given |= {"SOS_SMTP_URL": relay.url}
        async with open_stage(servers, "mail", measure.recipients, inbox, given) as stage:
            await asyncio.gather(*(stage.start_worker(number, entry) for number in range(2)))
            await stage.launch()
            yield stage, relay


ROWS = (
    Row("slow-relay", "SMTP stalls in the banner and after the dot, drips", slow),
    Row("unwilling-relay", "SMTP: 30 % greylisted, 421 storms, drops after the dot", unwilling, waits=True),
    Row("certificate", "SMTP certificate wrong", stranger),
)
