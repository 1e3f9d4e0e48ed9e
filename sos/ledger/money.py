"""What messages cost, counted as they leave; when the month's money is spent only what is about a life goes on."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

import structlog

from sos.config import Config, Sending
from sos.database import Connection
from sos.ledger import hold_store, money_store, notice_store
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import PAGE_WITHIN

SPENT = "spent"
SPENDING = "spending"
USUAL_USD = Decimal("0.10")  # where nobody knows in which country a phone is

log = structlog.get_logger()


async def spend(conn: Connection, config: Config, channel: str, segments: Mapping[int, int], now: datetime) -> None:
    """Count what these deliveries cost that leave now, by the country of each phone; say when it becomes much."""
    before, after = await money_store.spend(
        conn, month_of(now), channel, segments,
        prices={code: country.sms_usd for code, country in config.countries.items()}, usual=USUAL_USD,
    )  # fmt: skip
    sending = config.sending
    warning = sending.sms_usd_a_month * sending.warn_at
    if before < warning <= after:
        await notice_store.plan_notices(conn, SPENDING, uuid4(), rank=1, now=now, until=now + PAGE_WITHIN)
    if after >= sending.sms_usd_a_month and await hold_store.place_hold(conn, HoldScope.BUDGET, channel, SPENT, now):
        log.error("money.spent", channel=channel)


async def begin_month(conn: Connection, sending: Sending, channel: str, now: datetime) -> None:
    """Where a new month has begun, or more may be spent now, everything goes on."""
    if await money_store.spent(conn, month_of(now), channel) < sending.sms_usd_a_month:
        await hold_store.lift_hold(conn, HoldScope.BUDGET, channel)


def month_of(now: datetime) -> date:
    """The first day of a month of UTC."""
    return now.date().replace(day=1)
