"""SMS through Twilio, one at a time, and what Twilio reports back."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.base.values import unset
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from channels.base import (
    Accepted,
    Busy,
    Callback,
    ChannelName,
    Forged,
    Incoming,
    Message,
    Misconfigured,
    Outcome,
    Receipt,
    ReceiptState,
    Result,
    TwilioAccount,
    Unconfirmed,
)
from channels.pace import Pace
from channels.twilio_codes import A_MOMENT, BACK_OFF, what_it_means
from channels.twilio_http import TwilioHttp

_STATES = {
    "sent": ReceiptState.SENT,
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.DELIVERED,
    "undelivered": ReceiptState.FAILED,
    "failed": ReceiptState.FAILED,
    "canceled": ReceiptState.FAILED,
}


class AskLater(Exception):
    """Twilio could not say whether it has the message; ask again before sending it again."""


class SmsChannel:
    """Sends SMS in order at `per_second`; the session belongs to whoever opened it."""

    name = ChannelName.SMS

    def __init__(
        self,
        account: TwilioAccount,
        session: aiohttp.ClientSession,
        *,
        per_second: float = 1.0,
        within: timedelta = timedelta(seconds=30),
    ) -> None:
        self._account = account
        self._pace = Pace(per_second)
        self.in_flight = max(2, int(per_second))  # what a second lets out, so that a recall is felt at once
        # A mapping that is not empty keeps the library from reading TWILIO_EDGE and the like from the environment.
        self._http = TwilioHttp(session, within)
        self._client = Client(
            account.sid, account.token, http_client=self._http, environment={"TWILIO_EDGE": ""}
        )  # fmt: skip
        self._client.api.base_url = account.url

    async def send(self, messages: Sequence[Message]) -> AsyncGenerator[Outcome, None]:
        """One attempt at each message, in order."""
        for message in messages:
            yield Outcome(message, await self._attempt(message))

    async def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """Whether Twilio took this message since then; raises AskLater.

        It is known by the reference in its text, or by the whole text where that holds none (no link, no code).
        """
        if await self._silence():
            raise AskLater
        try:
            candidates = await self._client.messages.list_async(
                to=message.address, date_sent_after=since.astimezone(UTC)
            )
        except (TwilioException, aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
            if isinstance(error, TwilioRestException):
                self._refused(what_it_means(int(error.code or error.status), error.status))
            raise AskLater from error
        text = message.text.strip()
        mark = message.reference if message.reference and message.reference in text else text
        found = [each for each in candidates if mark in (each.body or "")]
        return Accepted(str(found[0].sid)) if found else None

    def receipts(self, callback: Callback) -> list[Receipt]:
        """What Twilio says became of a message; raises Forged."""
        form = self._signed_form(callback)
        state = _STATES.get(form.get("MessageStatus", ""))
        return [Receipt(form["MessageSid"], state, form.get("ErrorCode", ""))] if state else []

    def incoming(self, callback: Callback) -> Incoming:
        """An SMS that somebody sent us; raises Forged."""
        form = self._signed_form(callback)
        return Incoming(provider_id=form["MessageSid"], sender=form.get("From", ""), text=form.get("Body", ""))

    async def close(self) -> None:
        """Nothing is held: the session is closed by whoever opened it."""

    async def _attempt(self, message: Message) -> Result:
        await self._pace.turn(message.address)
        if silence := await self._silence():
            return Busy(silence, "Twilio asked us to wait", wants_silence=True)
        try:
            return await self._create(message)
        except (TwilioRestException, TwilioServiceException) as error:
            return self._refused(what_it_means(int(error.code or error.status), error.status))
        except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
            return _why_unanswered(error)

    async def _silence(self) -> timedelta:
        """How long Twilio still wants silence; a moment is waited for right here."""
        while timedelta() < (left := self._pace.rest_left) <= A_MOMENT:  # noqa: ASYNC110 - it may grow meanwhile
            await asyncio.sleep(left.total_seconds())
        return left

    def _refused(self, result: Result) -> Result:
        """Where Twilio asks for fewer requests, we are silent for as long as it says."""
        if isinstance(result, Busy) and result.wants_silence:
            result = replace(result, after=max(result.after, self._http.retry_after))
            self._pace.rest(result.after)
        return result

    async def _create(self, message: Message) -> Result:
        is_service = self._account.sender.startswith("MG")
        created = await self._client.messages.create_async(
            to=message.address,
            body=message.text,
            status_callback=message.callback_url or unset,
            **{"messaging_service_sid" if is_service else "from_": self._account.sender},
        )
        return Accepted(str(created.sid))

    def _signed_form(self, callback: Callback) -> Mapping[str, str]:
        signature = callback.headers.get("X-Twilio-Signature", "")
        validator = RequestValidator(self._account.token)
        is_signed = bool(self._account.token) and validator.validate(callback.url, callback.form, signature)
        if not is_signed or not callback.form.get("MessageSid"):
            raise Forged
        return callback.form


def _why_unanswered(error: Exception) -> Result:
    reason = f"no answer: {type(error).__name__}"
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.InvalidURL)):
        return Misconfigured(reason)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return Busy(BACK_OFF, reason)
    return Unconfirmed(reason)
