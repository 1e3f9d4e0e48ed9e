"""Twilio on a bad day: what it takes is noted at once, and any request may go wrong."""

from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from tests.faults.oracle import Inbox
from tests.providers import TwilioStandIn
from tests.providers.standin import Fault

Choice = Callable[[str], Fault | None]


class FaultyTwilio(TwilioStandIn):
    """Asks `choose` (with the method of the request) what goes wrong next."""

    def __init__(self, inbox: Inbox, *, reached_at: str = "") -> None:
        super().__init__(reached_at=reached_at)
        self.inbox = inbox
        self.choose: Choice = lambda _: None
        self.injected = 0
        self._noted = 0

    async def accept(self, request: web.Request) -> web.Response:
        """Note every message at the moment at which it is taken."""
        answer = await super().accept(request)
        for sms in self.messages[self._noted :]:
            self.inbox.take(sms.to, sms.body)
        self._noted = len(self.messages)
        return answer

    async def _receive(self, request: web.Request) -> web.Response:
        if fault := self.choose(request.method):
            self.injected += 1
            self.fail(fault)
        return await super()._receive(request)


def twilio_settings(directory: Path, twilio: TwilioStandIn, *, per_second: int) -> dict[str, str]:
    """The settings by which workers reach this Twilio."""
    token = directory / f"twilio-{id(twilio)}"
    token.write_text(twilio.account.token)
    return {
        "SOS_TWILIO_URL": twilio.account.url,
        "SOS_TWILIO_SID": twilio.account.sid,
        "SOS_TWILIO_FROM": twilio.account.sender,
        "SOS_TWILIO_TOKEN_FILE": str(token),
        "SOS_SMS_PER_SECOND": str(per_second),
    }
