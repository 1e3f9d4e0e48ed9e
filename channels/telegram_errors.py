"""What an error of Telegram's library asks of us."""

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta

import httpx
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter, TelegramError

from channels.base import Busy, Misconfigured, Refused, Unconfirmed

TRY_AGAIN = timedelta(minutes=1)

_NOTHING_LEFT = (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ConnectError)
_BAD_ADDRESS = (httpx.InvalidURL, httpx.UnsupportedProtocol)


def what_it_means(error: TelegramError) -> Busy | Refused | Unconfirmed | Misconfigured:
    """Refused for this chat or text, Busy where nothing left us, Unconfirmed where Telegram may have the message."""
    if isinstance(error, RetryAfter):
        return Busy(_duration(error.retry_after), "Telegram asked us to wait", wants_silence=True)
    causes = list(_causes(error))
    # An answer that is no JSON is none of Telegram's, whatever its status: something stood between us.
    if any(isinstance(cause, json.JSONDecodeError) for cause in causes):
        return Unconfirmed("no answer: unreadable")
    if isinstance(error, (BadRequest, Forbidden)):
        return Refused(_without_details(error))
    if isinstance(error, (InvalidToken, Conflict)):
        return Misconfigured(_without_details(error))
    return _why_unanswered(causes)


def _why_unanswered(causes: list[BaseException]) -> Busy | Unconfirmed | Misconfigured:
    reason = f"no answer: {type(causes[min(1, len(causes) - 1)]).__name__}"
    if any(isinstance(cause, (ssl.SSLCertVerificationError, *_BAD_ADDRESS)) for cause in causes):
        return Misconfigured(reason)
    if any(isinstance(cause, _NOTHING_LEFT) for cause in causes):
        return Busy(TRY_AGAIN, reason)
    return Unconfirmed(reason)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _without_details(error: TelegramError) -> str:
    # What follows a colon may quote the text or the address.
    said = error.message.removeprefix("Forbidden: ").partition(":")[0]
    return f"{type(error).__name__}: {said}"


def _duration(after: int | timedelta) -> timedelta:
    return after if isinstance(after, timedelta) else timedelta(seconds=after)
