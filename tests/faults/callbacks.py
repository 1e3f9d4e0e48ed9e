"""Callbacks of Twilio as they really come: before we know of the message, again and again, out of order, or forged."""

import asyncio
import random
from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from channels.base import ChannelName
from sos.database import Connection, run
from sos.members.member import OwnerKind
from sos.members.sealed import open_address, seal_address
from sos.members.store import save_address
from sos.runtime import Runtime
from tests.demo.instance import reserve_port
from tests.faults.oracle import Inbox, Verdict, judge
from tests.faults.relay import Relay
from tests.faults.rows import Measure, Row
from tests.faults.servers import Servers, by_sms, everybody
from tests.faults.stage import Stage, open_stage
from tests.faults.twilio import FaultyTwilio, twilio_settings
from tests.providers.twilio import Sms

MOST = 120
AT_ONCE = 8
SMS_A_SECOND = 50
ARRIVED = ("queued", "sending", "sent", "delivered")
FAILED = ("queued", "sending", "sent", "undelivered")
UNKNOWN_ERROR = 30008
FORBIDDEN = 403


class EagerTwilio(FaultyTwilio):
    """Reports *sent* before it has answered us: our own commit comes later."""

    async def accept(self, request: web.Request) -> web.Response:
        """Take a message, and report it at once."""
        known = len(self.messages)
        answer = await super().accept(request)
        for sms in self.messages[known:]:
            if sms.status_callback:
                await self.report(sms.sid, "sent")
        return answer

    async def forge(self, sms: Sms) -> int:
        """Somebody who does not know the token says that a message has failed; what we answer."""
        form = {"MessageSid": sms.sid, "MessageStatus": "undelivered", "ErrorCode": str(UNKNOWN_ERROR)}
        headers = {"X-Twilio-Signature": "Zm9yZ2Vk", "Content-Type": "application/x-www-form-urlencoded"}
        answer = await self.post(sms.status_callback, headers=headers, body=urlencode(form).encode())
        return answer.status


async def callbacks(servers: Servers, measure: Measure) -> Verdict:
    """Whom an SMS has not reached gets a mail, and nobody else does: so the sinks show which states we believe."""
    recipients = measure.recipients if measure.is_full else min(measure.recipients, MOST)
    phones, mails = Inbox(), Inbox()
    with reserve_port() as keeper:
        public_url = f"http://127.0.0.1:{keeper.getsockname()[1]}"
        async with EagerTwilio(phones) as provider, Relay(mails, 1000) as relay:
            given = twilio_settings(servers.directory, provider, per_second=SMS_A_SECOND)
            given |= {
                "SOS_SMTP_URL": relay.url,
                "SOS_PUBLIC_URL": public_url,
                "SOS_PORT": public_url.rpartition(":")[2],
            }
            async with open_stage(
                servers, "sms-and-mail", recipients, phones, given, reach=by_sms, alter=_add_mail
            ) as stage:
                forged = await _call_back(stage, provider, recipients)
    let_in = [f"{len(forged)} forged ones were let in"] if forged else []
    unreached = [_mail_of(number) for number in everybody(by_sms, recipients) if not _arrives(number)]
    return judge(unreached, mails.arrivals, complaints=let_in)


def _arrives(number: str) -> bool:
    return int(number[-3:]) % 2 == 0


def _mail_of(number: str) -> str:
    return f"c{number.removeprefix('+')}@faults.example.org"


async def _add_mail(conn: Connection, runtime: Runtime) -> None:
    cursor = await conn.execute("SELECT id, owner_id, value_sealed FROM addresses WHERE owner_kind = 'contact'")
    for address, contact, sealed in await cursor.fetchall():
        mail = _mail_of(open_address(runtime.keys, address, sealed))
        await save_address(conn, seal_address(runtime.keys, (OwnerKind.CONTACT, contact), ChannelName.EMAIL, mail))
    await run(conn, "UPDATE contacts SET channels = '{sms,email}'")


async def _call_back(stage: Stage, provider: EagerTwilio, recipients: int) -> list[int]:
    """Everything that a provider and a stranger may say; the answers to the stranger that were not a refusal."""
    members = set(everybody(by_sms, recipients))
    await stage.start_web()
    await stage.start_workers()
    await stage.launch()
    await stage.until(lambda: members <= stage.inbox.addresses)
    texts = [sms for sms in provider.messages if sms.to in members]
    dice = random.Random(7)
    forged = await asyncio.gather(*(provider.forge(sms) for sms in texts if _arrives(sms.to)))
    said = [(sms, status) for sms in texts for status in 3 * (ARRIVED if _arrives(sms.to) else FAILED)]
    dice.shuffle(said)
    await _report(provider, said)
    await stage.until_over()
    late = [(sms, status) for sms in texts if _arrives(sms.to) for status in ("sent", "undelivered")]
    await _report(provider, late)  # long after the end
    await stage.until_over()
    return [status for status in forged if status != FORBIDDEN]


async def _report(provider: EagerTwilio, said: Sequence[tuple[Sms, str]]) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def report(sms: Sms, status: str) -> None:
        async with free:
            await provider.report(sms.sid, status, UNKNOWN_ERROR if status == "undelivered" else None)

    await asyncio.gather(*(report(sms, status) for sms, status in said))


ROWS = (Row("callbacks", "callbacks three times, shuffled, late, before our commit, forged", callbacks),)
