"""The retry policy and the order of states, as tables."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from channels.base import (
    MACHINES,
    Accepted,
    Busy,
    ChannelName,
    Misconfigured,
    ReceiptState,
    Refused,
    Result,
    Unconfirmed,
)
from sos.ledger.delivery import (
    MOST_BY_POLICY,
    POLICY_TRIES,
    REMEMBERED,
    DeliveryState,
    Due,
    Purpose,
    Settlement,
    back_off,
    closes_channel,
    later_state,
    why_stop,
)
from sos.ledger.delivery import after as settlement_after
from sos.members.member import StopReason

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
SOME_ID = UUID(int=7)
EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
QUEUED, UNKNOWN, ENDED = DeliveryState.QUEUED, DeliveryState.UNKNOWN, DeliveryState.ENDED


def a_delivery(channel: ChannelName = EMAIL, *, attempts: int = 0, unconfirmed: int = 0, urgency: int = 2) -> Due:
    return Due(
        id=1, purpose=Purpose.ACTION, about=SOME_ID, kind="first", channel=channel, language="en", urgency=urgency,
        discreet=False, due_at=NOW - timedelta(minutes=1), expires_at=NOW + timedelta(days=1), attempts=attempts,
        unconfirmed=unconfirmed, marked_at=None,
    )  # fmt: skip


def after(due: Due, result: Result, now: datetime) -> Settlement:
    return settlement_after(due, 5, result, now)


def pause(settled: Settlement) -> timedelta:
    return settled.due_at - NOW


@pytest.mark.parametrize("channel", MACHINES)
def test_what_the_provider_took_is_accepted_under_its_id(channel: ChannelName) -> None:
    settled = after(a_delivery(channel), Accepted("id-1"), NOW)
    assert (settled.state, settled.provider_id, settled.attempts, settled.attempt) == ("accepted", "id-1", 1, 5)


@pytest.mark.parametrize("channel", MACHINES)
def test_what_is_refused_is_not_tried_again(channel: ChannelName) -> None:
    settled = after(a_delivery(channel), Refused("no such mailbox"), NOW)
    assert (settled.state, settled.reason) == (DeliveryState.REFUSED, "no such mailbox")


@pytest.mark.parametrize("channel", MACHINES)
@pytest.mark.parametrize(
    ("attempts", "asked_seconds", "waits_seconds"),
    [(0, 0, 10), (1, 0, 20), (2, 0, 40), (0, 300, 300), (5, 300, 320), (6, 0, 640), (7, 0, 900), (300, 0, 900)],
)
def test_a_busy_provider_is_tried_later_each_time_twice_as_late(
    channel: ChannelName, attempts: int, asked_seconds: int, waits_seconds: int
) -> None:
    settled = after(a_delivery(channel, attempts=attempts), Busy(timedelta(seconds=asked_seconds), "busy"), NOW)
    assert (settled.state, settled.attempts, settled.reason) == (QUEUED, attempts + 1, "busy")
    assert pause(settled) == timedelta(seconds=waits_seconds)


@pytest.mark.parametrize(
    "result", [Busy(timedelta(seconds=3), "429", wants_silence=True), Busy(timedelta(seconds=3), "unconfirmed")]
)
def test_what_was_no_attempt_at_this_message_makes_it_wait_no_longer_each_time(result: Busy) -> None:
    settled = after(a_delivery(SMS, attempts=4, unconfirmed=1), result, NOW)
    assert (settled.state, settled.attempts, settled.unconfirmed) == (QUEUED, 4, 1)
    assert pause(settled) == timedelta(seconds=3)


def test_back_off_never_passes_a_quarter_of_an_hour() -> None:
    assert max(back_off(attempts) for attempts in range(1, 200)) == timedelta(minutes=15)


@pytest.mark.parametrize("wait", [timedelta(days=1), timedelta(days=2)])
def test_nothing_is_tried_past_its_deadline(wait: timedelta) -> None:
    settled = after(a_delivery(), Busy(wait), NOW)
    assert (settled.state, settled.reason) == (ENDED, "expired")


def test_what_may_have_arrived_is_unknown_when_its_time_is_over() -> None:
    assert after(a_delivery(unconfirmed=1), Busy(timedelta(days=2)), NOW).state is UNKNOWN


@pytest.mark.parametrize(
    ("channel", "urgency", "unconfirmed", "state"),
    [
        (EMAIL, 2, 0, QUEUED), (EMAIL, 2, 1, QUEUED), (EMAIL, 2, 2, QUEUED), (EMAIL, 2, 3, UNKNOWN),
        (EMAIL, 0, 3, UNKNOWN),
        (SMS, 2, 0, QUEUED), (SMS, 2, 9, QUEUED),
        (TELEGRAM, 0, 0, QUEUED), (TELEGRAM, 0, 1, UNKNOWN), (TELEGRAM, 1, 0, UNKNOWN), (TELEGRAM, 2, 0, UNKNOWN),
    ],
)  # fmt: skip
def test_a_lost_answer_is_repeated_only_where_that_is_harmless_or_a_life_depends_on_it(
    channel: ChannelName, urgency: int, unconfirmed: int, state: DeliveryState
) -> None:
    delivery = a_delivery(channel, urgency=urgency, unconfirmed=unconfirmed)
    settled = after(delivery, Unconfirmed("no answer"), NOW)
    assert (settled.state, settled.unconfirmed) == (state, unconfirmed + 1)


def test_an_sms_without_an_answer_says_that_its_provider_is_to_be_asked() -> None:
    assert after(a_delivery(SMS), Unconfirmed("no answer: TimeoutError"), NOW).reason == "unconfirmed"


@pytest.mark.parametrize("channel", MACHINES)
def test_our_own_fault_closes_the_channel_and_costs_no_attempt(channel: ChannelName) -> None:
    delivery = a_delivery(channel, attempts=2)
    settled = after(delivery, Misconfigured("wrong password"), NOW)
    assert settled.closes_channel
    assert (settled.state, settled.attempts, settled.due_at) == (QUEUED, 2, delivery.due_at)


@pytest.mark.parametrize("result", [Accepted("x"), Refused("x"), Busy(timedelta()), Unconfirmed("x")])
def test_nothing_else_closes_a_channel(result: Result) -> None:
    assert not after(a_delivery(), result, NOW).closes_channel


def test_every_outcome_bears_the_fence_of_its_attempt() -> None:
    results: list[Result] = [Accepted("x"), Refused("x"), Busy(timedelta()), Unconfirmed("x"), Misconfigured("x")]
    assert {settlement_after(a_delivery(), 77, result, NOW).attempt for result in results} == {77}


@pytest.mark.parametrize("channel", MACHINES)
def test_after_a_crash_of_ours_nobody_waits(channel: ChannelName) -> None:
    assert pause(after(a_delivery(channel, urgency=0), Unconfirmed("interrupted"), NOW)) == timedelta()


def test_a_refusal_that_is_about_us_is_tried_a_few_times_more_and_condemns_no_address() -> None:
    refusals = [after(a_delivery(attempts=n), Refused("policy 550 5.7.1 to RCPT"), NOW) for n in range(POLICY_TRIES)]
    assert [one.state for one in refusals] == [QUEUED] * (POLICY_TRIES - 1) + [DeliveryState.REFUSED]
    assert {one.stops for one in refusals} == {None}


def test_one_in_twenty_refusals_by_policy_closes_a_channel_and_one_poison_recipient_does_not() -> None:
    assert MOST_BY_POLICY / REMEMBERED == 0.05
    assert not closes_channel([True] * (MOST_BY_POLICY - 1) + [False] * 100)
    assert closes_channel([True] * MOST_BY_POLICY)


@pytest.mark.parametrize(
    ("channel", "reason", "stop"),
    [
        (EMAIL, "550 5.1.1 to RCPT", StopReason.BOUNCED),
        (EMAIL, "550 to RCPT", StopReason.BOUNCED),
        (EMAIL, "552 5.2.2 to RCPT", None),
        (EMAIL, "550 5.2.1 to RCPT", StopReason.BOUNCED),
        (EMAIL, "5.1.1 in words", StopReason.BOUNCED),
        (EMAIL, "5.1.10", StopReason.BOUNCED),
        (EMAIL, "5.2.1", StopReason.BOUNCED),
        (EMAIL, "5.2.10", None),
        (EMAIL, "5.2.2", None),
        (EMAIL, "policy 5.7.1", None),
        (EMAIL, "policy 5.1.8", None),
        (EMAIL, "the finished mail has other headers than intended", None),
        (SMS, "Twilio 21610", StopReason.OPTED_OUT),
        (SMS, "30005", StopReason.WRONG_NUMBER),
        (SMS, "Twilio 30007", None),
        (TELEGRAM, "Forbidden: bot was blocked by the user", StopReason.BLOCKED),
        (TELEGRAM, "BadRequest: Chat not found", StopReason.WRONG_NUMBER),
        (TELEGRAM, "BadRequest: Can't parse entities", None),
        (SMS, "550 5.1.1 to RCPT", None),
    ],
)
def test_only_a_word_about_the_address_stops_the_address(
    channel: ChannelName, reason: str, stop: StopReason | None
) -> None:
    assert why_stop(channel, reason) is stop
    assert after(a_delivery(channel), Refused(reason), NOW).stops is stop


def test_receipts_in_any_order_end_in_the_same_state() -> None:
    for order in permutations(ReceiptState):
        state = DeliveryState.MARKED
        for receipt in (*order, *order):
            state = later_state(state, receipt)
        assert state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("current", "receipt", "later"),
    [
        (DeliveryState.MARKED, ReceiptState.SENT, DeliveryState.ACCEPTED),
        (DeliveryState.UNKNOWN, ReceiptState.DELIVERED, DeliveryState.DELIVERED),
        (DeliveryState.QUEUED, ReceiptState.FAILED, DeliveryState.FAILED),
        (DeliveryState.ACCEPTED, ReceiptState.FAILED, DeliveryState.FAILED),
        (DeliveryState.FAILED, ReceiptState.SENT, DeliveryState.FAILED),
        (DeliveryState.DELIVERED, ReceiptState.FAILED, DeliveryState.DELIVERED),
        (DeliveryState.ENDED, ReceiptState.DELIVERED, DeliveryState.DELIVERED),
        (DeliveryState.ANSWERED, ReceiptState.DELIVERED, DeliveryState.ANSWERED),
    ],
)
def test_a_state_never_goes_back(current: DeliveryState, receipt: ReceiptState, later: DeliveryState) -> None:
    assert later_state(current, receipt) is later
