"""Making ready what leaves next: each delivery with its message, or with the result that is known without sending."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import structlog

from channels.base import Accepted, Busy, Channel, Message, Refused, Result
from sos.ledger.delivery import UNCONFIRMED, UNRENDERABLE, Due
from sos.runtime import Runtime
from workers.rendering import Renderers, render

ASK_AGAIN = timedelta(seconds=20)
CLOCK_SKEW = timedelta(minutes=1)
SILENT_SECONDS = 5.0  # a refusal to answer comes sooner, and says nothing about the next question

_NO_ANSWER = Busy(ASK_AGAIN, UNCONFIRMED)

log = structlog.get_logger()


@runtime_checkable
class AnswersLater(Protocol):
    """A channel whose provider can be asked whether it has taken a message; raises if it cannot say."""

    async def look_up(self, message: Message, since: datetime) -> Accepted | None: ...


@dataclass(slots=True)
class Prepared:
    """A delivery with its message, or with what has become of it already."""

    due: Due
    message: Message | None
    result: Result | None = None


async def prepare(runtime: Runtime, channel: Channel, renderers: Renderers, due: Sequence[Due]) -> list[Prepared]:
    """In the same order. What cannot be rendered is refused; what may have arrived is asked about."""
    messages = await render(runtime, renderers, due)
    prepared = [_prepare(one, messages.get(one.id)) for one in due]
    if not isinstance(channel, AnswersLater):
        return prepared
    return await _ask_about(channel, prepared)


def _prepare(due: Due, message: Message | None) -> Prepared:
    if message:
        return Prepared(due, message)
    log.error("delivery.unrenderable", delivery=due.id)
    return Prepared(due, None, Refused(UNRENDERABLE))


async def _ask_about(channel: AnswersLater, prepared: Sequence[Prepared]) -> list[Prepared]:
    """Those that may have arrived with the provider's word; once it has been silent, the others are asked for later.

    Each silence costs half a minute, and whoever has not been written to yet must not wait for all of them.
    """
    asked: list[Prepared] = []
    is_silent = False
    for one in prepared:
        if not (one.due.unconfirmed and one.message and one.due.marked_at):
            asked.append(one)
            continue
        began = time.monotonic()
        answer = _NO_ANSWER if is_silent else await _ask(channel, one.message, one.due.marked_at)
        is_silent = is_silent or (answer is _NO_ANSWER and time.monotonic() - began > SILENT_SECONDS)
        asked.append(Prepared(one.due, None if answer else one.message, answer))
    return asked


async def _ask(channel: AnswersLater, message: Message, left_at: datetime) -> Accepted | Busy | None:
    try:
        return await channel.look_up(message, left_at - CLOCK_SKEW)
    except Exception as error:  # whatever it is: what may have arrived is not sent again without an answer
        log.warning("delivery.not_looked_up", delivery=message.delivery, error=type(error).__name__)
        return _NO_ANSWER
