"""What happens to deliveries, inside the transaction of whoever calls: outcomes, receipts, and what a crash left."""

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog

from channels.base import ChannelName, Receipt, ReceiptState, Unconfirmed
from sos.database import Connection
from sos.ledger import hold_store, settling_store, store
from sos.ledger.delivery import (
    INTERRUPTED,
    MISCONFIGURED,
    Delivery,
    DeliveryState,
    HoldScope,
    Settlement,
    after,
    later_state,
    why_stop,
)
from sos.ledger.pausing import pause_by_itself
from sos.members import store as members
from sos.members.member import Spot, StopReason

NOT_REACHED = frozenset({DeliveryState.REFUSED, DeliveryState.FAILED})

log = structlog.get_logger()


async def settle(conn: Connection, settlements: Sequence[Settlement], channel: str, now: datetime) -> None:
    """Write the outcomes of one channel: rows, addresses that take no more, and the hold if the fault is ours."""
    if not settlements:
        return
    await settling_store.settle(conn, settlements, now)
    lost = [one.id for one in settlements if one.state in NOT_REACHED]
    if lost:
        await store.bring_next_forward(conn, lost, now)
    if stops := {one.id: one.stops for one in settlements if one.stops}:
        await _end_suppressed(conn, await hold_store.suppress_addresses(conn, stops, now), now)
    faults = [one.reason for one in settlements if one.closes_channel]
    if faults:
        await close_channel(conn, channel, faults[0], now)


async def close_channel(conn: Connection, channel: str, reason: str, now: datetime) -> None:
    """Send nothing more by a channel whose fault is ours, until somebody has mended it."""
    if await pause_by_itself(conn, HoldScope.CHANNEL, channel, MISCONFIGURED, now):
        log.error("channel.closed", channel=channel, reason=reason)


async def suppress(
    conn: Connection, channel: ChannelName, value_index: bytes, reason: StopReason, now: datetime
) -> None:
    """Write to this address no more: what waits for it ends, and whoever has another way is tried by that."""
    await members.suppress(conn, channel, value_index, reason, now)
    await _end_suppressed(conn, [(channel, value_index)], now)


async def _end_suppressed(conn: Connection, spots: Collection[Spot], now: datetime) -> None:
    for channel in {channel for channel, _ in spots}:
        indexes = [index for at, index in spots if at == channel]
        ended = await store.end_suppressed(conn, channel, indexes, now)
        await store.bring_next_forward(conn, ended, now)


async def recover(conn: Connection, now: datetime) -> list[int]:
    """Settle by the policy what was marked under a lease that is over; answer which."""
    lost: list[int] = []
    for attempt in await settling_store.lapsed(conn, now):
        settlements = [
            after(due, attempt, Unconfirmed(INTERRUPTED), now)
            for due in await settling_store.still_marked(conn, attempt)
        ]
        await settling_store.settle(conn, settlements, now)
        await settling_store.forget_attempts(conn, [attempt])
        lost += [one.id for one in settlements]
    return lost


async def record_answer(conn: Connection, delivery_id: int, now: datetime) -> bool:
    """She has answered, or said that she has seen it: whatever else was on its way to her about it ends at once."""
    is_new = await store.set_answered(conn, delivery_id, now)
    await store.end_other_ways(conn, delivery_id, now, later_only=False)
    return is_new


async def record_receipt(
    conn: Connection, delivery_id: int, receipt: Receipt, now: datetime
) -> tuple[Delivery, DeliveryState] | None:
    """Take a provider's word, if it is new: the delivery as it was and its state now, else None.

    Who has a message needs no later way to it; whom it did not reach is tried by the next.
    """
    delivery = await store.lock(conn, delivery_id)
    if delivery is None or _is_of_an_earlier_message(delivery, receipt):
        return None
    state = later_state(delivery.state, receipt.state)
    if state is delivery.state:
        return None
    await store.set_reported(conn, delivery.id, state, receipt.reason, receipt.provider_id, now)
    if state is DeliveryState.DELIVERED:
        await store.end_other_ways(conn, delivery.id, now, later_only=True)
    if state is DeliveryState.FAILED:
        await store.bring_next_forward(conn, [delivery.id], now)
    stop = why_stop(delivery.channel, receipt.reason) if receipt.state is ReceiptState.FAILED else None
    if stop:
        await _end_suppressed(conn, await hold_store.suppress_addresses(conn, {delivery.id: stop}, now), now)
    return delivery, state


def _is_of_an_earlier_message(delivery: Delivery, receipt: Receipt) -> bool:
    """That one message failed says nothing of another one, which was sent, or is about to be, in its place.

    Until that one is settled, the number in the record is the earlier one's.
    """
    if receipt.state is not ReceiptState.FAILED or not (receipt.provider_id and delivery.provider_id):
        return False
    is_unsettled = delivery.state in (DeliveryState.QUEUED, DeliveryState.MARKED)
    return (receipt.provider_id == delivery.provider_id) is is_unsettled
