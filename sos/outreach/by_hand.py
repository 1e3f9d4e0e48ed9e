"""Deliveries that a person makes: taken by one at a time, each with an outcome in the same ledger."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from channels.base import ChannelName
from sos import journal
from sos.jobs import Record
from sos.ledger import steps as ledger_steps
from sos.ledger import store as ledger
from sos.ledger.delivery import DeliveryState, Due, Settlement, new_attempt, why_stop
from sos.outreach import by_hand_store
from sos.staff.staff import Person

AGAIN_AFTER = timedelta(hours=2)


class Heard(StrEnum):
    """What came of a call."""

    TOLD = "told"
    NOT_REACHED = "not_reached"
    WRONG = "wrong_number"
    STOP = "opted_out"
    GIVEN_UP = "given_up"


class NotYours(Exception):
    """Somebody else has this call now, or it is not to be made any more; nothing was written."""


_STATES: Mapping[Heard, DeliveryState] = {
    Heard.TOLD: DeliveryState.DELIVERED,
    Heard.NOT_REACHED: DeliveryState.QUEUED,
    Heard.WRONG: DeliveryState.REFUSED,
    Heard.STOP: DeliveryState.REFUSED,
    Heard.GIVEN_UP: DeliveryState.FAILED,
}


def after_call(due: Due, attempt: int, heard: Heard, now: datetime) -> Settlement:
    """What an outcome makes of a delivery; whoever was not reached is called again, while there is time."""
    state, reason = _STATES[heard], "" if heard is Heard.TOLD else heard.value
    settled = Settlement(due.id, attempt, state, reason, due.due_at, due.attempts + 1, due.unconfirmed)
    if heard is Heard.NOT_REACHED:
        settled = replace(settled, due_at=now + AGAIN_AFTER)
        return settled if settled.due_at < due.expires_at else replace(settled, state=DeliveryState.FAILED)
    return replace(settled, stops=why_stop(ChannelName.BY_HAND, reason))


async def take(record: Record, person: Person, delivery: int, now: datetime) -> None:
    """This person makes this call. Raises NotYours."""
    async with record.step() as step:
        if not await by_hand_store.take(step.conn, delivery, person.id, new_attempt(), now):
            raise NotYours


async def say_outcome(
    record: Record, person: Person, delivery: int, attempt: int, heard: Heard, now: datetime
) -> None:  # fmt: skip
    """Write what came of a call. Raises NotYours."""
    async with record.step() as step:
        due = await by_hand_store.lock_taken(step.conn, delivery, person.id, attempt)
        if due is None and heard is Heard.TOLD:
            due = await by_hand_store.lock_taken(step.conn, delivery, person.id, attempt, state=DeliveryState.ENDED)
            if due:  # she knows, whatever has ended meanwhile: a correction must find her
                await ledger.set_reported(step.conn, delivery, DeliveryState.DELIVERED, "", "", now)
        if due is None:
            raise NotYours
        await ledger_steps.settle(step.conn, [after_call(due, attempt, heard, now)], ChannelName.BY_HAND, now)
        await by_hand_store.give_back(step.conn, delivery, person.id)
        if heard is Heard.TOLD:
            await ledger.end_other_ways(step.conn, delivery, now, later_only=True)
        await journal.note(step.conn, "call.made", person.actor, due.about, now, delivery=delivery, outcome=heard)
