"""Reaching a mail server: connected, encrypted as configured and logged in by aiosmtplib, then handed over."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from channels.base import Busy, Misconfigured, SmtpServer
from channels.replies import TRY_AGAIN


class NoConnection(Exception):
    """The mail server cannot be used; `result` is what this means for the mails that wait."""

    def __init__(self, result: Busy | Misconfigured) -> None:
        super().__init__(result.reason)
        self.result = result


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection in which nothing is under way, and what its server announced."""

    transport: asyncio.Transport
    can_pipeline: bool
    can_notify: bool


async def connect(server: SmtpServer, hostname: str, within: timedelta) -> Connection:
    """Connect under the name `hostname`, encrypt as configured and log in; raises NoConnection."""
    smtp = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=_trust(server) if server.security != "none" else None,
        username=server.username or None,
        password=server.password or None,
        local_hostname=hostname,
        timeout=None,
    )
    try:
        async with asyncio.timeout(within.total_seconds()):
            await smtp.connect()
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
    except (SMTPException, OSError, ValueError) as error:  # ValueError: a host that can be none, or no SMTP at all
        smtp.close()
        raise NoConnection(_why_unusable(error)) from error
    except asyncio.CancelledError:
        smtp.close()
        raise
    if smtp.transport is None:
        raise NoConnection(Busy(TRY_AGAIN, "no connection: it was closed at once"))
    return Connection(
        cast(asyncio.Transport, smtp.transport),
        can_pipeline=smtp.supports_extension("pipelining"),  # RFC 2920
        can_notify=smtp.supports_extension("dsn"),  # RFC 3461
    )


def _trust(server: SmtpServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_file or None)
    except OSError as error:
        raise NoConnection(Misconfigured("the file of trusted certificates cannot be read")) from error


def _why_unusable(error: Exception) -> Busy | Misconfigured:
    tls = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(tls, ssl.SSLError):
        return Misconfigured(f"no trusted TLS: {getattr(tls, 'verify_message', '') or tls.reason}")
    if isinstance(error, SMTPResponseException) and not 400 <= error.code <= 499:
        return Misconfigured(f"the server turned us away: {type(error).__name__} {error.code}")
    if isinstance(error, (SMTPResponseException, OSError)):
        return Busy(TRY_AGAIN, f"no connection: {type(error).__name__}")
    if isinstance(error, ValueError):
        return Misconfigured(f"the server cannot be named or spoken to: {type(error).__name__}")
    return Misconfigured(f"the server does not offer what is configured: {error}")
