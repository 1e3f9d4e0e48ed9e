"""The mail process: the relay hands it mail for the bounce domain by LMTP (RFC 2033), each recipient answered alone."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from psycopg import OperationalError

from sos.database import NoSuchRow
from sos.inbound.mail_steps import take_mail
from sos.messages import Links
from sos.runtime import Runtime, open_runtime
from sos.settings import BadSetting, Settings

LARGEST_MAIL_BYTES = 16 * 1024 * 1024  # a bounce may bring back a letter with its attachment
LONGEST_LINE_BYTES = 64 * 1024
TAKEN = "250 2.0.0 taken"
NOBODY = "550 5.1.1 nobody has this address"
LATER = "451 4.3.0 not now"

log = structlog.get_logger()


class Mailroom:
    """Takes mail for addresses that we gave out; the methods are named as aiosmtpd calls them.

    What the envelope's sender is does not matter: whoever forges bounces chooses it. The address is what proves.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._links = Links(runtime.keys, runtime.settings)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a recipient that we did not make up, before anything else is looked at."""
        if self._links.read_mail_address(address) is None:
            return NOBODY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 known"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """One answer for each recipient; what is answered 250 is committed."""
        mail = envelope.original_content or b""
        return "\r\n".join([await self._take(address, mail) for address in envelope.rcpt_tos])

    async def _take(self, address: str, mail: bytes) -> str:
        """The outer edge of one mail: whatever fails is kept by the relay, which comes again."""
        known = self._links.read_mail_address(address)
        if known is None:
            return NOBODY
        try:
            await take_mail(self._runtime, *known, mail, self._runtime.clock())
        except NoSuchRow:
            return NOBODY
        except OperationalError:
            log.warning("mail.deferred", delivery=known[1])
            return LATER
        except Exception:
            log.exception("mail.failed", delivery=known[1])
            return LATER
        return TAKEN


class _Talk(LMTP):
    """One connection of the relay's."""

    line_length_limit = LONGEST_LINE_BYTES

    def __init__(self, mailroom: Mailroom, domain: str) -> None:
        super().__init__(
            mailroom, hostname=domain, ident="LMTP", data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )  # fmt: skip
        self._owed = 0

    async def push(self, status: str | bytes) -> None:
        """Say the one answer to a mail that is too large once for each recipient, as after any final dot."""
        text = status if isinstance(status, str) else status.decode()
        if text.startswith("354"):
            self._owed = len(self.envelope.rcpt_tos) if self.envelope else 0
        elif self._owed:
            text = text if "\r\n" in text else "\r\n".join([text] * self._owed)
            self._owed = 0
        await super().push(text)


@asynccontextmanager
async def open_mailroom(runtime: Runtime, host: str, port: int) -> AsyncIterator[asyncio.Server]:
    """Listen until the block is left; a mail that is being taken then is not answered, and comes again."""
    mailroom, domain = Mailroom(runtime), runtime.settings.bounce_domain
    server = await asyncio.get_running_loop().create_server(lambda: _Talk(mailroom, domain), host, port)
    try:
        yield server
    finally:
        server.close()


async def receive_until_stopped(settings: Settings) -> None:
    """Take mail until INT or TERM. Raises BadSetting where no domain is set."""
    if not settings.bounce_domain:
        raise BadSetting("SOS_BOUNCE_DOMAIN is missing: no mail comes home without it")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        open_runtime(settings) as runtime,
        open_mailroom(runtime, settings.lmtp_host, settings.lmtp_port),
    ):
        await stop.wait()
