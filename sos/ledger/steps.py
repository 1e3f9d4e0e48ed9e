"""What happens to deliveries, inside the transaction of whoever calls: outcomes, receipts, and what a crash left."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from channels.base import Receipt, ReceiptState, Unconfirmed
from sos.database import Connection
from sos.ledger import store
from sos.ledger.delivery import (
    MISCONFIGURED,
    Delivery,
    DeliveryState,
    HoldScope,
    Settlement,
    after,
    later_state,
    why_stop,
)

log = structlog.get_logger()


async def settle(conn: Connection, settlements: Sequence[Settlement], channel: str, now: datetime) -> None:
    """Write the outcomes of one channel: rows, addresses that take no more, and the hold if the fault is ours."""
    if not settlements:
        return
    await store.settle(conn, settlements, now)
    if stops := {one.id: one.stops for one in settlements if one.stops}:
        await store.suppress_addresses(conn, stops, now)
    faults = [one.reason for one in settlements if one.closes_channel]
    if faults and await store.place_hold(conn, HoldScope.CHANNEL, channel, MISCONFIGURED, now):
        log.error("channel.closed", channel=channel, reason=faults[0])


async def recover(conn: Connection, now: datetime) -> list[int]:
    """Settle by the policy what was marked under a lease that is over; answer which."""
    lost = await store.lapsed(conn, now)
    if lost:
        await store.settle(conn, [after(delivery, Unconfirmed("interrupted"), now) for delivery in lost], now)
    return [delivery.id for delivery in lost]


async def record_receipt(
    conn: Connection, delivery_id: int, receipt: Receipt, now: datetime
) -> tuple[Delivery, DeliveryState] | None:
    """Take a provider's word, if it is new: the delivery as it was and its state now, else None."""
    delivery = await store.lock(conn, delivery_id)
    if delivery is None:
        return None
    state = later_state(delivery.state, receipt.state)
    if state is delivery.state:
        return None
    await store.set_reported(conn, delivery.id, state, receipt.reason, receipt.provider_id, now)
    stop = why_stop(delivery.channel, receipt.reason) if receipt.state is ReceiptState.FAILED else None
    if stop:
        await store.suppress_addresses(conn, {delivery.id: stop}, now)
    return delivery, state
