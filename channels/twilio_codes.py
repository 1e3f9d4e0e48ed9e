"""What Twilio's error codes ask of us (twilio.com/docs/api/errors)."""

from datetime import timedelta

from channels.base import Busy, Misconfigured, Refused, Unconfirmed

A_MOMENT = timedelta(seconds=1)  # after too many requests, where no Retry-After says otherwise
BACK_OFF = timedelta(minutes=1)
SECOND_TRY = timedelta(minutes=15)

# What our account, our number or our callback address lacks: no word about the recipient.
_OUR_FAULT = {21212, 21408, 21603, 21606, 21609, 21659, 21660, 21661}
_TOO_FAST = {14107, 20429}
_QUEUE_FULL = {21611}
_NEVER_AGAIN = {30004, 30005, 30006, 30007}


def what_it_means(code: int, status: int = 400) -> Busy | Refused | Unconfirmed | Misconfigured:
    """What a refusal asks of us, by Twilio's error code, from an answer (with its HTTP status) or from a receipt."""
    reason = f"Twilio {code}"
    if status == 429 or code in _TOO_FAST:
        return Busy(A_MOMENT, reason, wants_silence=True)
    if code in _QUEUE_FULL:
        return Busy(BACK_OFF, reason, wants_silence=True)
    if status >= 500:
        return Unconfirmed(reason)
    if code in _OUR_FAULT or not 21000 <= code < 40000:
        return Misconfigured(reason)
    if code >= 30000 and code not in _NEVER_AGAIN:
        return Busy(SECOND_TRY, reason)
    return Refused(reason)
