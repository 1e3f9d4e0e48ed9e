"""What the ledger lets leave, and what it writes, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from channels.base import (
    Accepted,
    Busy,
    ChannelName,
    Misconfigured,
    Receipt,
    ReceiptState,
    Refused,
    Result,
    Unconfirmed,
)
from sos.database import Connection, connect, run, value
from sos.ledger import steps, store
from sos.ledger.delivery import Delivery, DeliveryState, HoldScope, after
from tests import make
from tests.make import ACTION

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
LEASE = timedelta(seconds=12)
EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
CASE = UUID("c0000000-0000-4000-8000-000000000001")

plan_deliveries = partial(make.plan_deliveries, now=NOW)


async def claim(
    conn: Connection, channel: ChannelName = EMAIL, now: datetime = NOW, limit: int = 512
) -> list[Delivery]:
    return await store.claim(conn, channel, purposes=["action"], now=now, until=now + LEASE, limit=limit)


async def mark(conn: Connection, claimed: list[Delivery], now: datetime = NOW) -> set[int]:
    ids = [delivery.id for delivery in claimed]
    return await store.mark(conn, claimed[0].channel, claimed[0].attempt, ids, now=now, until=now + LEASE)


async def settle(conn: Connection, claimed: list[Delivery], result: Result, now: datetime = NOW) -> None:
    await steps.settle(conn, [after(delivery, result, now) for delivery in claimed], claimed[0].channel, now)


async def find(conn: Connection, delivery_id: int) -> Delivery:
    found = await store.find(conn, delivery_id)
    assert found
    return found


async def state_of(conn: Connection, delivery_id: int) -> tuple[str, str]:
    found = await find(conn, delivery_id)
    return found.state.value, found.reason


async def test_a_window_is_claimed_in_the_order_of_leaving_under_one_attempt(conn: Connection) -> None:
    routine = await plan_deliveries(conn, 2)
    earlier = await plan_deliveries(conn, 1, due_at=NOW - timedelta(hours=1))
    life = await plan_deliveries(conn, 1, urgency=0)
    claimed = await claim(conn)
    assert [delivery.id for delivery in claimed] == [*life, *earlier, *routine]
    assert len({delivery.attempt for delivery in claimed}) == 1


async def test_what_is_claimed_is_nobody_elses_until_its_lease_is_over(conn: Connection) -> None:
    await plan_deliveries(conn, 3)
    first = await claim(conn, limit=2)
    second = await claim(conn)
    assert (len(first), len(second)) == (2, 1)
    again = await claim(conn, now=NOW + LEASE)
    assert len(again) == 3
    assert again[0].attempt > second[0].attempt > first[0].attempt


async def test_a_row_that_another_transaction_is_claiming_is_left_alone(conn: Connection, database_url: str) -> None:
    await plan_deliveries(conn, 2)
    async with connect(database_url) as other, other.transaction():
        assert len(await claim(other, limit=1)) == 1
        assert len(await claim(conn)) == 1


async def test_nothing_leaves_before_it_is_due_after_its_deadline_or_by_another_channel(conn: Connection) -> None:
    await plan_deliveries(conn, due_at=NOW + timedelta(minutes=1))
    await plan_deliveries(conn, lasts=timedelta(0))
    await plan_deliveries(conn, channel=SMS)
    assert await claim(conn) == []


async def test_a_purpose_that_nobody_here_can_render_is_not_claimed(conn: Connection) -> None:
    await plan_deliveries(conn)
    assert await store.claim(conn, EMAIL, purposes=["letter"], now=NOW, until=NOW + LEASE) == []


@pytest.mark.parametrize("scope", HoldScope)
async def test_a_hold_of_every_kind_stops_the_claim_and_the_mark_until_it_is_lifted(
    conn: Connection, scope: HoldScope
) -> None:
    [delivery_id] = await plan_deliveries(conn, case_id=CASE)
    recipient = str((await find(conn, delivery_id)).recipient_id)
    target = {"everything": "", "channel": "email", "about": str(ACTION), "case": str(CASE), "recipient": recipient}[
        scope
    ]
    claimed = await claim(conn)
    await store.place_hold(conn, scope, target, "recalled", NOW)
    assert await mark(conn, claimed) == set()
    await store.release(conn, claimed[0].attempt, [delivery_id])
    assert await claim(conn) == []
    assert await store.lift_hold(conn, scope, target)
    assert await mark(conn, await claim(conn)) == {delivery_id}


@pytest.mark.parametrize(
    ("scope", "target"),
    [("channel", "sms"), *((scope, str(UUID(int=7))) for scope in ("about", "case", "recipient"))],
)
async def test_a_hold_on_something_else_stops_nothing(conn: Connection, scope: str, target: str) -> None:
    planned = await plan_deliveries(conn, 2, case_id=CASE)
    await plan_deliveries(conn)
    await store.place_hold(conn, HoldScope(scope), target, "paused", NOW)
    claimed = await claim(conn)
    assert await mark(conn, claimed) > set(planned)


async def test_a_persons_hold_takes_the_place_of_the_services_own_and_not_the_other_way(conn: Connection) -> None:
    person = uuid4()
    assert await store.place_hold(conn, HoldScope.CHANNEL, "sms", "misconfigured", NOW)
    assert await store.place_hold(conn, HoldScope.CHANNEL, "sms", "paused", NOW, placed_by=person)
    assert not await store.place_hold(conn, HoldScope.CHANNEL, "sms", "misconfigured", NOW)
    assert [(hold.reason, hold.placed_by) for hold in await store.holds(conn)] == [("paused", person)]


async def test_a_suppressed_address_is_neither_claimed_nor_marked(conn: Connection) -> None:
    first, second = await plan_deliveries(conn, 2)
    claimed = await claim(conn)
    await suppress(conn, second)
    assert await mark(conn, claimed) == {first}
    await store.release(conn, claimed[0].attempt, [second])
    assert await claim(conn) == []


async def suppress(conn: Connection, delivery_id: int) -> None:
    await run(
        conn,
        """
        INSERT INTO suppressions SELECT a.channel, a.value_index, 'opted_out', now()
        FROM addresses a JOIN deliveries d ON d.address_id = a.id WHERE d.id = %(id)s
        """,
        id=delivery_id,
    )


@pytest.mark.parametrize(
    ("channel", "reason", "stop"),
    [(EMAIL, "550 5.1.1 to RCPT", "bounced"), (SMS, "Twilio 21610", "opted_out"), (EMAIL, "unrenderable", None)],
)
async def test_an_address_that_refuses_us_for_good_is_suppressed(
    conn: Connection, channel: ChannelName, reason: str, stop: str | None
) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=channel)
    claimed = await claim(conn, channel)
    await mark(conn, claimed)
    await settle(conn, claimed, Refused(reason))
    assert await state_of(conn, delivery_id) == ("refused", reason)
    assert await value(conn, "SELECT min(reason) FROM suppressions") == stop


async def test_an_expired_row_is_not_marked(conn: Connection) -> None:
    await plan_deliveries(conn, lasts=timedelta(minutes=1))
    assert await mark(conn, await claim(conn), now=NOW + timedelta(minutes=2)) == set()


async def test_only_the_attempt_that_claimed_it_may_mark_a_row(conn: Connection) -> None:
    await plan_deliveries(conn)
    stale = await claim(conn)
    latest = await claim(conn, now=NOW + LEASE)
    assert await mark(conn, stale, now=NOW + LEASE) == set()
    assert await mark(conn, latest, now=NOW + LEASE) == {latest[0].id}


async def test_the_outcome_of_a_stale_attempt_does_not_overwrite_a_later_one(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    stale = await claim(conn)
    await mark(conn, stale)
    later = NOW + LEASE
    assert await steps.recover(conn, later) == [delivery_id]
    latest = await claim(conn, now=later + timedelta(minutes=1))
    await settle(conn, stale, Refused("late"))
    assert await state_of(conn, delivery_id) == ("queued", "interrupted")
    await mark(conn, latest)
    await settle(conn, stale, Refused("late"))
    await settle(conn, latest, Accepted("second"))
    await settle(conn, stale, Refused("late"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id) == (DeliveryState.ACCEPTED, "second")


async def test_a_late_outcome_is_written_while_nobody_has_claimed_the_row_again(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=TELEGRAM)
    claimed = await claim(conn, TELEGRAM)
    await mark(conn, claimed)
    await steps.recover(conn, NOW + LEASE)
    assert (await find(conn, delivery_id)).state is DeliveryState.UNKNOWN
    await settle(conn, claimed, Accepted("12:34"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id, found.unconfirmed) == (DeliveryState.ACCEPTED, "12:34", 0)


async def test_writing_an_outcome_twice_is_writing_it_once(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    claimed = await claim(conn)
    await mark(conn, claimed)
    for _ in range(2):
        await settle(conn, claimed, Busy(timedelta(seconds=30), "451"))
    found = await find(conn, delivery_id)
    assert (found.state, found.attempts, found.due_at) == (DeliveryState.QUEUED, 1, NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("channel", "urgency", "state", "reason"),
    [
        (EMAIL, 2, "queued", "interrupted"),
        (SMS, 2, "queued", "unconfirmed"),
        (TELEGRAM, 2, "unknown", "interrupted"),
        (TELEGRAM, 0, "queued", "interrupted"),
    ],
)
async def test_what_a_crash_left_marked_is_settled_by_the_policy_when_its_lease_is_over(
    conn: Connection, channel: ChannelName, urgency: int, state: str, reason: str
) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=channel, urgency=urgency)
    await mark(conn, await claim(conn, channel))
    assert await steps.recover(conn, NOW + LEASE / 2) == []
    assert await steps.recover(conn, NOW + LEASE) == [delivery_id]
    assert await state_of(conn, delivery_id) == (state, reason)
    assert (await find(conn, delivery_id)).unconfirmed == 1


async def test_a_renewed_lease_keeps_rows_from_being_recovered(conn: Connection) -> None:
    await plan_deliveries(conn, 2)
    claimed = await claim(conn)
    await mark(conn, claimed[:1])
    ids = [delivery.id for delivery in claimed]
    await store.renew(conn, claimed[0].attempt, ids, NOW + 2 * LEASE)
    assert await steps.recover(conn, NOW + LEASE) == []
    assert await claim(conn, now=NOW + LEASE) == []


async def test_what_was_not_handed_over_is_free_at_once(conn: Connection) -> None:
    ids = await plan_deliveries(conn, 3)
    claimed = await claim(conn)
    await mark(conn, claimed[:1])
    await store.release(conn, claimed[0].attempt, ids)
    again = await claim(conn)
    assert [(delivery.id, delivery.attempts, delivery.unconfirmed) for delivery in again] == [
        (delivery_id, 0, 0) for delivery_id in ids
    ]


async def test_releasing_leaves_alone_what_somebody_else_has_claimed_since(conn: Connection) -> None:
    ids = await plan_deliveries(conn)
    stale = await claim(conn)
    latest = await claim(conn, now=NOW + LEASE)
    await store.release(conn, stale[0].attempt, ids)
    assert await mark(conn, latest, now=NOW + LEASE) == set(ids)


async def test_our_own_fault_closes_the_channel_and_leaves_the_queue_as_it_was(conn: Connection) -> None:
    ids = await plan_deliveries(conn, 3)
    claimed = await claim(conn)
    await mark(conn, claimed[:1])
    await settle(conn, claimed[:1], Misconfigured("wrong password"))
    await store.release(conn, claimed[0].attempt, ids)
    assert [(hold.scope, hold.target, hold.reason) for hold in await store.holds(conn)] == [
        (HoldScope.CHANNEL, "email", "misconfigured")
    ]
    assert await claim(conn) == []
    await store.lift_hold(conn, HoldScope.CHANNEL, "email")
    assert [(delivery.id, delivery.attempts) for delivery in await claim(conn)] == [(each, 0) for each in ids]


async def test_receipts_before_our_own_settlement_out_of_order_and_repeated_end_right(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    claimed = await claim(conn, SMS)
    await mark(conn, claimed)
    delivered = Receipt("SM1", ReceiptState.DELIVERED)
    recorded = await steps.record_receipt(conn, delivery_id, delivered, NOW)
    assert recorded
    assert recorded[1] is DeliveryState.DELIVERED
    for receipt in (Receipt("SM1", ReceiptState.SENT), delivered, Receipt("SM1", ReceiptState.FAILED, "30008")):
        assert await steps.record_receipt(conn, delivery_id, receipt, NOW) is None
    await settle(conn, claimed, Accepted("SM1"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id, found.reason) == (DeliveryState.DELIVERED, "SM1", "")
    assert await steps.recover(conn, NOW + LEASE) == []


async def test_a_receipt_for_what_was_queued_again_keeps_it_from_being_sent_again(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    claimed = await claim(conn, SMS)
    await mark(conn, claimed)
    await settle(conn, claimed, Unconfirmed("no answer"))
    await steps.record_receipt(conn, delivery_id, Receipt("SM1", ReceiptState.SENT), NOW)
    assert await claim(conn, SMS, now=NOW + timedelta(minutes=30)) == []


async def test_a_receipt_that_condemns_the_number_suppresses_it(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    await steps.record_receipt(conn, delivery_id, Receipt("SM1", ReceiptState.FAILED, "30005"), NOW)
    assert await value(conn, "SELECT reason FROM suppressions") == "wrong_number"


async def test_a_receipt_for_nothing_of_ours_changes_nothing(conn: Connection) -> None:
    assert await steps.record_receipt(conn, 99, Receipt("SM1", ReceiptState.SENT), NOW) is None


async def test_what_is_overdue_ends_but_not_while_somebody_is_sending_it(conn: Connection) -> None:
    [held] = await plan_deliveries(conn, lasts=timedelta(seconds=5))
    await claim(conn)
    [free] = await plan_deliveries(conn, lasts=timedelta(seconds=5))
    [doubtful] = await plan_deliveries(conn, channel=SMS, lasts=timedelta(minutes=1))
    claimed = await claim(conn, SMS)
    await mark(conn, claimed)
    await settle(conn, claimed, Unconfirmed("no answer"))
    [lasting] = await plan_deliveries(conn)
    assert await store.expire(conn, NOW + timedelta(seconds=6)) == 1
    assert await state_of(conn, free) == ("ended", "expired")
    assert await state_of(conn, held) == ("queued", "")
    assert await store.expire(conn, NOW + timedelta(minutes=2)) == 2
    assert await state_of(conn, doubtful) == ("unknown", "expired")
    assert await state_of(conn, lasting) == ("queued", "")


async def test_a_recall_ends_what_is_queued_and_claimed_but_not_what_was_handed_over(conn: Connection) -> None:
    await plan_deliveries(conn, 4)
    [other] = await plan_deliveries(conn, about=uuid4())
    claimed = await claim(conn)
    await mark(conn, claimed[:1])
    assert await store.end_queued(conn, ACTION, "recalled", NOW) == 3
    assert await mark(conn, claimed[1:]) == {other}
    await settle(conn, claimed[:1], Accepted("x"))
    counted = {(count.state.value, count.count) for count in await store.counts(conn, "action", ACTION)}
    assert counted == {("accepted", 1), ("ended", 3)}


async def test_one_recipients_answer_ends_only_what_is_still_queued_for_her(conn: Connection) -> None:
    first, second = await plan_deliveries(conn, 2)
    her = (await find(conn, first)).recipient_id
    assert await store.end_queued(conn, ACTION, "answered", NOW, recipient_id=her) == 1
    assert [await state_of(conn, each) for each in (first, second)] == [("ended", "answered"), ("queued", "")]


async def test_counts_are_by_channel_language_and_state(conn: Connection) -> None:
    await plan_deliveries(conn, 2)
    await plan_deliveries(conn, 3, channel=SMS, language="ar")
    found = await store.counts(conn, "action", ACTION)
    assert [(one.channel, one.language, one.state, one.count) for one in found] == [
        ("email", "en", "queued", 2), ("sms", "ar", "queued", 3),
    ]  # fmt: skip


async def test_only_something_more_urgent_that_may_leave_overtakes(conn: Connection) -> None:
    async def is_overtaken() -> bool:
        return await store.is_overtaken(conn, EMAIL, 2, purposes=["action"], now=NOW)

    await plan_deliveries(conn)
    assert not await is_overtaken()
    await plan_deliveries(conn, urgency=0, about=CASE)
    assert await is_overtaken()
    await store.place_hold(conn, HoldScope.ABOUT, str(CASE), "recalled", NOW)
    assert not await is_overtaken()


@pytest.mark.parametrize("wakes", ["planned", "lifted"])
async def test_whoever_sends_is_woken_when_there_is_something_to_send(
    conn: Connection, database_url: str, wakes: str
) -> None:
    await store.place_hold(conn, HoldScope.EVERYTHING, "", "paused", NOW)
    async with connect(database_url) as listener:
        await listener.execute("LISTEN deliveries")
        if wakes == "planned":
            await plan_deliveries(conn, 5)
        else:
            await store.lift_hold(conn, HoldScope.EVERYTHING, "")
        heard = [notice.payload async for notice in listener.notifies(timeout=10, stop_after=1)]
    assert heard == [""]
