"""Giving a mail to one of our own addresses to exactly one stage: a receipt to the ledger, a stop to the addresses."""

from datetime import datetime

import structlog

from channels.base import ChannelName
from sos.database import Connection
from sos.inbound import store
from sos.inbound.bounce import POLICY_BOUNCES, POLICY_TIME, Fate, News, read_mail
from sos.ledger import steps as ledger
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import pause_by_itself
from sos.messages import BOUNCE
from sos.outreach.steps import opt_out
from sos.runtime import Runtime
from sos.vault import digest

MAIL = "mail"
POLICY = "policy"

log = structlog.get_logger()


async def take_mail(runtime: Runtime, purpose: str, delivery_id: int, raw: bytes, now: datetime) -> None:
    """A mail to a delivery's return path, or to its address for stopping; the same mail again changes nothing.

    Raises NoSuchRow where a stop is about a delivery that is not there.
    """
    mail = read_mail(raw)
    known_as = digest(purpose, str(delivery_id), mail.mark).hex()
    if purpose != BOUNCE:
        if not mail.is_report:
            await _take_stop(runtime, delivery_id, known_as, now)
    elif mail.news:
        await _take_news(runtime, delivery_id, mail.news, known_as, now)


async def _take_news(runtime: Runtime, delivery_id: int, news: News, known_as: str, now: datetime) -> None:
    receipt = news.receipt
    if receipt is None:
        return
    async with runtime.record.step() as step:
        if not await store.take_once(step.conn, MAIL, known_as, now):
            return
        reported = await ledger.record_receipt(step.conn, delivery_id, receipt, now)
        is_ours = reported is not None and news.fate is Fate.OUR_FAULT
        is_closed = is_ours and await _close_if_unwanted(step.conn, delivery_id, now)
    if is_closed:
        log.error("channel.closed", channel=ChannelName.EMAIL, reason=POLICY)


async def _close_if_unwanted(conn: Connection, delivery_id: int, now: datetime) -> bool:
    """Count a policy bounce; whether so many recipients' servers refuse us that the channel was closed for it."""
    bounces = await store.count_policy_bounce(conn, delivery_id, now, since=now - POLICY_TIME)
    if bounces < POLICY_BOUNCES:
        return False
    return await pause_by_itself(conn, HoldScope.CHANNEL, ChannelName.EMAIL, POLICY, now)


async def _take_stop(runtime: Runtime, delivery_id: int, known_as: str, now: datetime) -> None:
    """Whoever mails there wants no more (RFC 8058); it counts as taken once that is committed."""
    async with runtime.record.reading() as conn:
        if await store.is_taken(conn, MAIL, known_as):
            return
    await opt_out(runtime, delivery_id, now)
    async with runtime.record.step() as step:
        await store.take_once(step.conn, MAIL, known_as, now)
