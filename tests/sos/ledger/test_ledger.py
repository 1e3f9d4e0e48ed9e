"""What the ledger lets leave, and what it writes, on a real PostgreSQL."""

from dataclasses import dataclass
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
from sos.ledger import hold_store, leaving_store, settling_store, steps, store, watching_store
from sos.ledger.delivery import Delivery, DeliveryState, Due, HoldScope, after, new_attempt
from sos.members.member import StopReason
from tests import make
from tests.make import ACTION

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
LEASE = timedelta(seconds=12)
EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
CASE = UUID("c0000000-0000-4000-8000-000000000001")

plan_deliveries = partial(make.plan_deliveries, now=NOW)


@dataclass(frozen=True)
class Marked:
    """What was marked under one attempt."""

    attempt: int
    due: list[Due]

    @property
    def ids(self) -> list[int]:
        return [one.id for one in self.due]


async def look(conn: Connection, channel: ChannelName = EMAIL, now: datetime = NOW) -> list[Due]:
    """What may leave next, with nobody kept from it."""
    found = await leaving_store.look(conn, channel, purposes=["action"], now=now)
    if found is None:
        return []
    await leaving_store.look_away(conn, channel, found[0])
    return found[1]


async def mark(conn: Connection, due: list[Due], now: datetime = NOW) -> Marked:
    """Mark what may leave of these."""
    ids = [one.id for one in due]
    attempt = new_attempt()
    marked = await leaving_store.mark(conn, due[0].channel, attempt, ids, now=now, until=now + LEASE)
    return Marked(attempt, [one for one in due if one.id in marked])


async def settle(conn: Connection, marked: Marked, result: Result, now: datetime = NOW) -> None:
    outcomes = [after(one, marked.attempt, result, now) for one in marked.due]
    await steps.settle(conn, outcomes, marked.due[0].channel, now)


async def find(conn: Connection, delivery_id: int) -> Delivery:
    found = await store.find(conn, delivery_id)
    assert found
    return found


async def state_of(conn: Connection, delivery_id: int) -> tuple[str, str]:
    found = await find(conn, delivery_id)
    return found.state.value, found.reason


async def test_what_is_most_urgent_is_looked_at_first_and_by_itself(conn: Connection) -> None:
    routine = await plan_deliveries(conn, 2)
    earlier = await plan_deliveries(conn, 1, due_at=NOW - timedelta(hours=1))
    life = await plan_deliveries(conn, 1, urgency=0)
    first = await look(conn)
    assert [one.id for one in first] == life
    await mark(conn, first)
    assert [one.id for one in await look(conn)] == [*earlier, *routine]


async def test_one_statement_writes_what_was_accepted_forgets_its_attempt_and_marks_what_is_next(
    conn: Connection,
) -> None:
    first, second = await plan_deliveries(conn, 2)
    due = await look(conn)
    begun, attempt = await mark(conn, due[:1]), new_attempt()
    accepted = [after(begun.due[0], begun.attempt, Accepted("<1@sos.example>"), NOW)]
    late = [after(due[1], 7, Accepted("of another attempt"), NOW)]
    marked = await leaving_store.mark(
        conn, EMAIL, attempt, [first, second], now=NOW, until=NOW + LEASE, accepted=accepted + late,
        over=[begun.attempt],
    )  # fmt: skip
    assert marked == {second}  # the first has just been accepted, whatever was known when it was looked at
    found = await find(conn, first)
    assert (found.state, found.provider_id, found.settled_at) == (DeliveryState.ACCEPTED, "<1@sos.example>", NOW)
    assert (await find(conn, second)).attempt == attempt
    assert await value(conn, "SELECT array_agg(id) FROM attempts") == [attempt]


async def test_what_is_marked_is_nobody_elses(conn: Connection) -> None:
    await plan_deliveries(conn, 3)
    due = await look(conn)
    first, second = await mark(conn, due[:2]), await mark(conn, due)
    assert [len(first.due), len(second.due)] == [2, 1]
    assert second.attempt != first.attempt
    assert (await mark(conn, due)).due == []
    assert await look(conn) == []


async def test_a_row_that_another_transaction_is_marking_is_left_alone(conn: Connection, database_url: str) -> None:
    await plan_deliveries(conn, 2)
    due = await look(conn)
    async with connect(database_url) as other, other.transaction():
        assert len((await mark(other, due[:1])).due) == 1
        assert (await mark(conn, due)).due == due[1:]


async def test_workers_look_at_different_blocks_of_numbers(conn: Connection, database_url: str) -> None:
    planned = await plan_deliveries(conn, leaving_store.BLOCK * 2)
    async with connect(database_url) as other:
        first, second = [await leaving_store.look(one, EMAIL, purposes=["action"], now=NOW) for one in (conn, other)]
        assert first
        assert second
        assert not {one.id for one in first[1]} & {one.id for one in second[1]}
    await leaving_store.look_away(conn, EMAIL, first[0])
    assert [one.id for one in await look(conn)] == [one.id for one in first[1]]
    assert {one.id for one in first[1]} < set(planned)


async def test_nothing_leaves_before_it_is_due_after_its_deadline_or_by_another_channel(conn: Connection) -> None:
    await plan_deliveries(conn, due_at=NOW + timedelta(minutes=1))
    await plan_deliveries(conn, lasts=timedelta(0))
    await plan_deliveries(conn, channel=SMS)
    assert await look(conn) == []


async def test_a_purpose_that_nobody_here_can_render_is_not_looked_at(conn: Connection) -> None:
    await plan_deliveries(conn)
    assert await leaving_store.look(conn, EMAIL, purposes=["letter"], now=NOW) is None


@pytest.mark.parametrize("scope", [one for one in HoldScope if one not in (HoldScope.WAVE, HoldScope.BUDGET)])
async def test_a_hold_of_every_kind_stops_the_look_and_the_mark_until_it_is_lifted(
    conn: Connection, scope: HoldScope
) -> None:
    [delivery_id] = await plan_deliveries(conn, case_id=CASE)
    recipient = str((await find(conn, delivery_id)).recipient_id)
    target = {"everything": "", "channel": "email", "about": str(ACTION), "case": str(CASE), "recipient": recipient}[
        scope
    ]
    due = await look(conn)
    await hold_store.place_hold(conn, scope, target, "recalled", NOW)
    assert (await mark(conn, due)).due == []
    assert await look(conn) == []
    assert await hold_store.lift_hold(conn, scope, target)
    assert (await mark(conn, await look(conn))).ids == [delivery_id]


@pytest.mark.parametrize(
    ("scope", "target"),
    [("channel", "sms"), *((scope, str(UUID(int=7))) for scope in ("about", "case", "recipient", "wave"))],
)
async def test_a_hold_on_something_else_stops_nothing(conn: Connection, scope: str, target: str) -> None:
    planned = await plan_deliveries(conn, 2, case_id=CASE)
    planned += await plan_deliveries(conn)
    await hold_store.place_hold(conn, HoldScope(scope), target, "paused", NOW)
    assert (await mark(conn, await look(conn))).ids == planned


async def test_a_hold_on_the_later_waves_lets_the_first_one_go(conn: Connection) -> None:
    first, second = await plan_deliveries(conn, 2)
    await run(conn, "UPDATE deliveries SET is_canary = true WHERE id = %(id)s", id=first)
    due = await look(conn)
    await hold_store.place_hold(conn, HoldScope.WAVE, str(ACTION), "canary", NOW)
    assert [one.id for one in await look(conn)] == (await mark(conn, due)).ids == [first]
    await hold_store.lift_hold(conn, HoldScope.WAVE, str(ACTION))
    assert [one.id for one in await look(conn)] == [second]


async def test_when_the_money_is_spent_only_what_is_about_a_life_leaves(conn: Connection) -> None:
    await plan_deliveries(conn, channel=SMS)
    life = await plan_deliveries(conn, channel=SMS, urgency=0, about=CASE)
    due = await look(conn, SMS)
    await hold_store.place_hold(conn, HoldScope.BUDGET, "sms", "spent", NOW)
    assert [one.id for one in await look(conn, SMS)] == (await mark(conn, due)).ids == life


async def test_a_persons_hold_takes_the_place_of_the_services_own_and_not_the_other_way(conn: Connection) -> None:
    person = uuid4()
    place = partial(hold_store.place_hold, conn, HoldScope.CHANNEL, "sms")
    assert await place("misconfigured", NOW)
    assert await place("paused", NOW, placed_by=person, people_needed=2)
    assert not await place("misconfigured", NOW)
    [hold] = await hold_store.holds(conn)
    assert (hold.reason, hold.placed_by, hold.people_needed) == ("paused", person, 2)


async def test_a_suppressed_address_is_neither_looked_at_nor_marked(conn: Connection) -> None:
    first, second = await plan_deliveries(conn, 2)
    due = await look(conn)
    await suppress(conn, second)
    assert (await mark(conn, due)).ids == [first]
    assert await look(conn) == []


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
    await settle(conn, await mark(conn, await look(conn, channel)), Refused(reason))
    assert await state_of(conn, delivery_id) == ("refused", reason)
    assert await value(conn, "SELECT min(reason) FROM suppressions") == stop


async def test_what_waits_for_an_address_that_takes_no_more_ends_with_it(conn: Connection) -> None:
    first, second = await plan_deliveries(conn, 2, channel=SMS)
    address = await row_of_address(conn, first)
    await steps.suppress(conn, SMS, address, StopReason.OPTED_OUT, NOW)
    assert await state_of(conn, first) == ("suppressed", "opted_out")
    assert await state_of(conn, second) == ("queued", "")


async def row_of_address(conn: Connection, delivery_id: int) -> bytes:
    index: bytes = await value(
        conn,
        "SELECT a.value_index FROM addresses a JOIN deliveries d ON d.address_id = a.id WHERE d.id = %(id)s",
        id=delivery_id,
    )
    return index


async def test_an_expired_row_is_not_marked(conn: Connection) -> None:
    await plan_deliveries(conn, lasts=timedelta(minutes=1))
    assert (await mark(conn, await look(conn), now=NOW + timedelta(minutes=2))).due == []


async def test_a_marked_row_is_not_marked_again_before_it_is_settled(conn: Connection) -> None:
    await plan_deliveries(conn)
    due = await look(conn)
    first = await mark(conn, due)
    assert (await mark(conn, due, now=NOW + LEASE)).due == []
    await settle(conn, first, Busy(timedelta(), "451"))
    assert len((await mark(conn, due, now=NOW + timedelta(hours=0.5))).due) == 1


async def test_the_outcome_of_a_stale_attempt_does_not_overwrite_a_later_one(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    due = await look(conn)
    stale = await mark(conn, due)
    later = NOW + LEASE
    assert await steps.recover(conn, later) == [delivery_id]
    latest = await mark(conn, due, now=later)
    await settle(conn, stale, Refused("late"))
    await settle(conn, latest, Accepted("second"))
    await settle(conn, stale, Refused("late"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id) == (DeliveryState.ACCEPTED, "second")


async def test_a_late_outcome_is_written_while_nobody_has_marked_the_row_again(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=TELEGRAM)
    marked = await mark(conn, await look(conn, TELEGRAM))
    await steps.recover(conn, NOW + LEASE)
    assert (await find(conn, delivery_id)).state is DeliveryState.UNKNOWN
    await settle(conn, marked, Accepted("12:34"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id, found.unconfirmed) == (DeliveryState.ACCEPTED, "12:34", 0)


async def test_writing_an_outcome_twice_is_writing_it_once(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    marked = await mark(conn, await look(conn))
    for _ in range(2):
        await settle(conn, marked, Busy(timedelta(seconds=30), "451"))
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
    await mark(conn, await look(conn, channel))
    assert await steps.recover(conn, NOW + LEASE / 2) == []
    assert await steps.recover(conn, NOW + LEASE) == [delivery_id]
    assert await state_of(conn, delivery_id) == (state, reason)
    assert (await find(conn, delivery_id)).unconfirmed == 1
    assert await value(conn, "SELECT count(*) FROM attempts") == 0


async def test_a_renewed_lease_keeps_rows_from_being_recovered(conn: Connection) -> None:
    await plan_deliveries(conn, 2)
    marked = await mark(conn, await look(conn))
    await settling_store.renew(conn, [marked.attempt], NOW + 2 * LEASE)
    assert await steps.recover(conn, NOW + LEASE) == []


async def test_what_was_marked_and_did_not_leave_is_free_at_once(conn: Connection) -> None:
    ids = await plan_deliveries(conn, 3)
    marked = await mark(conn, await look(conn))
    await settling_store.release(conn, marked.attempt, ids)
    assert [(one.id, one.attempts, one.unconfirmed) for one in await look(conn)] == [(each, 0, 0) for each in ids]


async def test_releasing_leaves_alone_what_somebody_else_has_marked_since(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    due = await look(conn)
    stale = await mark(conn, due)
    await steps.recover(conn, NOW + LEASE)
    latest = await mark(conn, due, now=NOW + LEASE)
    await settling_store.release(conn, stale.attempt, [delivery_id])
    await settle(conn, latest, Accepted("x"))
    assert (await find(conn, delivery_id)).state is DeliveryState.ACCEPTED


async def test_our_own_fault_closes_the_channel_and_leaves_the_queue_as_it_was(conn: Connection) -> None:
    ids = await plan_deliveries(conn, 3)
    due = await look(conn)
    await settle(conn, await mark(conn, due[:1]), Misconfigured("wrong password"))
    assert [(hold.scope, hold.target, hold.reason) for hold in await hold_store.holds(conn)] == [
        (HoldScope.CHANNEL, "email", "misconfigured")
    ]
    assert await look(conn) == []
    await hold_store.lift_hold(conn, HoldScope.CHANNEL, "email")
    assert [(one.id, one.attempts) for one in await look(conn)] == [(each, 0) for each in ids]


async def test_receipts_before_our_own_settlement_out_of_order_and_repeated_end_right(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    marked = await mark(conn, await look(conn, SMS))
    delivered = Receipt("SM1", ReceiptState.DELIVERED)
    recorded = await steps.record_receipt(conn, delivery_id, delivered, NOW)
    assert recorded
    assert recorded[1] is DeliveryState.DELIVERED
    for receipt in (Receipt("SM1", ReceiptState.SENT), delivered, Receipt("SM1", ReceiptState.FAILED, "30008")):
        assert await steps.record_receipt(conn, delivery_id, receipt, NOW) is None
    await settle(conn, marked, Accepted("SM1"))
    found = await find(conn, delivery_id)
    assert (found.state, found.provider_id, found.reason) == (DeliveryState.DELIVERED, "SM1", "")
    assert await steps.recover(conn, NOW + LEASE) == []


async def test_a_receipt_for_what_was_queued_again_keeps_it_from_being_sent_again(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    marked = await mark(conn, await look(conn, SMS))
    await settle(conn, marked, Unconfirmed("no answer"))
    await steps.record_receipt(conn, delivery_id, Receipt("SM1", ReceiptState.SENT), NOW)
    assert await look(conn, SMS, now=NOW + timedelta(minutes=30)) == []


async def test_a_late_receipt_of_a_message_that_failed_says_nothing_of_the_one_in_its_place(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    await settle(conn, await mark(conn, await look(conn, SMS)), Accepted("SM1"))
    failed = Receipt("SM1", ReceiptState.FAILED, "30003")
    await steps.record_receipt(conn, delivery_id, failed, NOW)
    assert await watching_store.try_again(conn, [delivery_id], NOW) == [delivery_id]
    assert await steps.record_receipt(conn, delivery_id, failed, NOW) is None
    await settle(conn, await mark(conn, await look(conn, SMS)), Accepted("SM2"))
    assert await steps.record_receipt(conn, delivery_id, failed, NOW) is None
    assert await state_of(conn, delivery_id) == ("accepted", "")


async def test_a_message_in_the_place_of_another_can_fail_before_its_own_settlement(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    await settle(conn, await mark(conn, await look(conn, SMS)), Accepted("SM1"))
    await steps.record_receipt(conn, delivery_id, Receipt("SM1", ReceiptState.FAILED, "30003"), NOW)
    await watching_store.try_again(conn, [delivery_id], NOW)
    marked = await mark(conn, await look(conn, SMS))
    assert await steps.record_receipt(conn, delivery_id, Receipt("SM2", ReceiptState.FAILED, "30005"), NOW)
    await settle(conn, marked, Accepted("SM2"))
    assert await state_of(conn, delivery_id) == ("failed", "30005")


async def test_a_receipt_that_condemns_the_number_suppresses_it(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn, channel=SMS)
    await steps.record_receipt(conn, delivery_id, Receipt("SM1", ReceiptState.FAILED, "30005"), NOW)
    assert await value(conn, "SELECT reason FROM suppressions") == "wrong_number"


async def test_a_receipt_for_nothing_of_ours_changes_nothing(conn: Connection) -> None:
    assert await steps.record_receipt(conn, 99, Receipt("SM1", ReceiptState.SENT), NOW) is None


async def test_what_is_overdue_ends_but_not_while_somebody_is_sending_it(conn: Connection) -> None:
    [held] = await plan_deliveries(conn, lasts=timedelta(seconds=5))
    await mark(conn, await look(conn))
    [free] = await plan_deliveries(conn, lasts=timedelta(seconds=5))
    [doubtful] = await plan_deliveries(conn, channel=SMS, lasts=timedelta(minutes=1))
    await settle(conn, await mark(conn, await look(conn, SMS)), Unconfirmed("no answer"))
    [lasting] = await plan_deliveries(conn)
    assert await store.expire(conn, NOW + timedelta(seconds=6)) == 1
    assert await state_of(conn, free) == ("ended", "expired")
    assert (await find(conn, held)).state is DeliveryState.MARKED
    assert await store.expire(conn, NOW + timedelta(minutes=2)) == 1
    assert await state_of(conn, doubtful) == ("unknown", "expired")
    assert await state_of(conn, lasting) == ("queued", "")


async def test_a_recall_ends_what_is_queued_but_not_what_was_handed_over(conn: Connection) -> None:
    await plan_deliveries(conn, 4)
    [other] = await plan_deliveries(conn, about=uuid4())
    due = await look(conn)
    marked = await mark(conn, due[:1])
    assert await store.end_queued(conn, ACTION, "recalled", NOW) == 3
    assert (await mark(conn, due[1:])).ids == [other]
    await settle(conn, marked, Accepted("x"))
    counted = {(count.state.value, count.count) for count in await store.counts(conn, "action", ACTION)}
    assert counted == {("accepted", 1), ("ended", 3)}


async def test_what_was_on_its_way_when_its_time_was_cut_short_is_not_tried_again(conn: Connection) -> None:
    [delivery_id] = await plan_deliveries(conn)
    marked = await mark(conn, await look(conn))
    await store.end_queued(conn, ACTION, "closed", NOW)
    await settle(conn, marked, Busy(timedelta(seconds=30), "451"))
    assert await look(conn, now=NOW + timedelta(minutes=30)) == []
    await store.expire(conn, NOW + timedelta(minutes=30))
    assert (await find(conn, delivery_id)).state is DeliveryState.ENDED


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
        return await leaving_store.is_overtaken(conn, EMAIL, 2, purposes=["action"], now=NOW)

    await plan_deliveries(conn)
    assert not await is_overtaken()
    await plan_deliveries(conn, urgency=0, about=CASE)
    assert await is_overtaken()
    await hold_store.place_hold(conn, HoldScope.ABOUT, str(CASE), "recalled", NOW)
    assert not await is_overtaken()


@pytest.mark.parametrize("wakes", ["planned", "lifted"])
async def test_whoever_sends_is_woken_when_there_is_something_to_send(
    conn: Connection, database_url: str, wakes: str
) -> None:
    await hold_store.place_hold(conn, HoldScope.EVERYTHING, "", "paused", NOW)
    async with connect(database_url) as listener:
        await listener.execute("LISTEN deliveries")
        if wakes == "planned":
            await plan_deliveries(conn, 5)
        else:
            await hold_store.lift_hold(conn, HoldScope.EVERYTHING, "")
        heard = [notice.payload async for notice in listener.notifies(timeout=10, stop_after=1)]
    assert heard == [""]


async def test_whoever_answers_while_another_message_is_on_its_way_is_not_sent_that_one_again(
    conn: Connection,
) -> None:
    email, sms = await plan_deliveries(conn), await plan_deliveries(conn, channel=SMS)
    await run(conn, "UPDATE deliveries SET recipient_id = %(id)s", id=uuid4())
    marked = await mark(conn, await look(conn, SMS))
    assert marked.ids == sms
    await steps.record_answer(conn, email[0], NOW)
    await settle(conn, marked, Busy(timedelta(seconds=10)))
    later = NOW + timedelta(minutes=1)
    assert await look(conn, SMS, later) == []
    assert await store.expire(conn, later) == 1
