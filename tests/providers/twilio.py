"""A stand-in for Twilio: takes messages by the published contract, reports on them, and texts us."""

import asyncio
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import token_hex
from typing import Any, NoReturn
from urllib.parse import urlencode

from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.base import TwilioAccount
from channels.segments import segments
from tests.providers.contract import read_contract, twilio_problems
from tests.providers.standin import Answer, StandIn

SID = "AC" + "0" * 32
TOKEN = "token-of-the-stand-in"
NUMBER = "+15005550006"
LONGEST = 1600

# Twilio honours these by itself, for numbers of the United States: twilio.com/docs/messaging/tutorials/advanced-opt-out
_STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
_START = {"START", "UNSTOP"}


@dataclass
class Sms:
    """A message that the stand-in has accepted."""

    sid: str
    to: str
    sender: str
    body: str
    status_callback: str
    sent_at: datetime
    status: str = "queued"
    error_code: int | None = None


@dataclass
class _Refusal(Exception):
    code: int
    message: str
    status: int = 400


class TwilioStandIn(StandIn):
    """Twilio's messages: `messages` were accepted, `opted_out` and `refusals` (number to error code) are refused."""

    def __init__(self, *, webhook_url: str = "", reached_at: str = "", delivers_at_once: bool = False) -> None:
        super().__init__(webhook_url=webhook_url, reached_at=reached_at)
        self.messages: list[Sms] = []
        self.opted_out: set[str] = set()
        self.refusals: dict[str, int] = {}
        self.retry_after = 0
        self._delivers_at_once = delivers_at_once
        self._reporting: set[asyncio.Task[None]] = set()

    @property
    def account(self) -> TwilioAccount:
        """The settings by which a channel reaches this Twilio."""
        return TwilioAccount(self.url, SID, TOKEN, NUMBER)

    async def report(self, sid: str, status: str, error_code: int | None = None) -> Answer:
        """Call a message's status callback, signed; repeat it or call it out of order at will."""
        sms = next(each for each in self.messages if each.sid == sid)
        sms.status, sms.error_code = status, error_code
        form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
        form |= {"To": sms.to, "From": sms.sender, "AccountSid": SID, "ApiVersion": "2010-04-01"}
        return await self._call(sms.status_callback, form | ({"ErrorCode": str(error_code)} if error_code else {}))

    async def text_in(self, from_: str, to: str, body: str, *, sid: str = "") -> Answer:
        """Somebody texts us; the same `sid` again is the repetition of a webhook call."""
        word = body.strip().upper()
        self.opted_out |= {from_} if word in _STOP else set()
        self.opted_out -= {from_} if word in _START else set()
        sid = sid or "SM" + token_hex(16)
        form = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "SmsStatus": "received", "Body": body}
        form |= {"From": from_, "To": to, "AccountSid": SID, "ApiVersion": "2010-04-01", "NumMedia": "0"}
        form |= {"NumSegments": str(segments(body).count), "FromCity": "", "FromState": "", "FromZip": "", "ToCity": ""}
        return await self._call(self.webhook_url, form)

    async def accept(self, request: web.Request) -> web.Response:
        """Create a message or list messages."""
        try:
            self._authenticate(request)
            if request.path != read_contract("twilio")["path"].format(AccountSid=SID):
                self._violate(_Refusal(20404, "The requested resource was not found", 404))
            if request.method == "POST":
                return await self._create(request)
            return self._list(request)
        except _Refusal as refusal:
            return _error(refusal)

    def busy(self) -> web.Response:
        """Too many requests, in Twilio's words; with `retry_after` it says how many seconds of silence it wants."""
        answer = _error(_Refusal(20429, "Too Many Requests", 429))
        if self.retry_after:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    def broken(self) -> web.Response:
        """Twilio itself fails."""
        return _error(_Refusal(20500, "Internal Server Error", 503))

    async def __aexit__(self, *details: Any) -> None:
        for task in tuple(self._reporting):
            task.cancel()
        await super().__aexit__(*details)

    def _authenticate(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != "Basic " + b64encode(f"{SID}:{TOKEN}".encode()).decode():
            self._violate(_Refusal(20003, "Authenticate", 401))

    def _violate(self, refusal: _Refusal) -> NoReturn:
        self.violations.append(refusal.message)
        raise refusal

    async def _create(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if problems := twilio_problems("form", form):
            self._violate(_Refusal(20001, "; ".join(problems)))
        self._refuse(form)
        sms = Sms(
            sid="SM" + token_hex(16),
            to=form["To"],
            sender=form["From"],
            body=form["Body"],
            status_callback=form.get("StatusCallback", ""),
            sent_at=datetime.now(UTC).replace(microsecond=0),
        )
        self.messages.append(sms)
        if self._delivers_at_once and sms.status_callback:
            task = asyncio.create_task(self._deliver(sms))
            self._reporting.add(task)
            task.add_done_callback(self._reporting.discard)
        return web.json_response(_as_answered(sms), status=201)

    def _refuse(self, form: dict[str, str]) -> None:
        """Raise what Twilio says to this form; a form that no client of ours may ever send is a violation."""
        if not form.get("Body"):
            self._violate(_Refusal(21602, "Message body is required."))
        if len(form["Body"]) > LONGEST:
            self._violate(_Refusal(21617, "The concatenated message body exceeds the 1600 character limit"))
        if form.get("From") != NUMBER:
            self._violate(_Refusal(21606, "The 'From' phone number is not a valid, message-capable number"))
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form["To"]):
            raise _Refusal(21211, "Invalid 'To' Phone Number")
        if form["To"] in self.opted_out:
            raise _Refusal(21610, "Attempt to send to unsubscribed recipient")
        if code := self.refusals.get(form["To"]):
            raise _Refusal(code, "Refused")

    def _list(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if problems := twilio_problems("query", query):
            self._violate(_Refusal(20001, "; ".join(problems)))
        found = [_as_answered(sms) for sms in reversed(self.messages) if _matches(sms, query)]
        page: dict[str, object] = {"messages": found, "next_page_uri": None, "previous_page_uri": None}
        return web.json_response(page | {"page": 0, "page_size": 50, "start": 0, "end": max(0, len(found) - 1)})

    async def _deliver(self, sms: Sms) -> None:
        for status in ("sent", "delivered"):
            await self.report(sms.sid, status)

    async def _call(self, url: str, form: dict[str, str]) -> Answer:
        signature = RequestValidator(TOKEN).compute_signature(url, form)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        return await self.post(url, headers=headers, body=urlencode(form).encode())


def _matches(sms: Sms, query: dict[str, str]) -> bool:
    after, before = query.get("DateSent>"), query.get("DateSent<")
    return (
        query.get("To", sms.to) == sms.to
        and query.get("From", sms.sender) == sms.sender
        and (not after or sms.sent_at >= datetime.fromisoformat(after))
        and (not before or sms.sent_at <= datetime.fromisoformat(before))
    )


def _as_answered(sms: Sms) -> dict[str, object]:
    sent_at = format_datetime(sms.sent_at)
    answered: dict[str, object] = {"sid": sms.sid, "account_sid": SID, "to": sms.to, "from": sms.sender}
    answered |= {"body": sms.body, "status": sms.status, "direction": "outbound-api", "api_version": "2010-04-01"}
    answered |= {"num_segments": str(segments(sms.body).count), "num_media": "0", "error_code": sms.error_code}
    answered |= {"date_created": sent_at, "date_sent": sent_at, "date_updated": sent_at}
    problems = twilio_problems("message", answered)
    assert not problems, problems
    return answered


def _error(refusal: _Refusal) -> web.Response:
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
        "status": refusal.status,
    }
    return web.json_response(body, status=refusal.status)
