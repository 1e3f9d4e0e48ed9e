"""One kept connection to a mail server: a mail at a time, step by step, and what the server's answers mean."""

import asyncio
import re
import ssl
from datetime import timedelta
from enum import IntEnum
from typing import Self

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException

from channels.base import Accepted, Busy, Misconfigured, Refused, Result, SmtpServer, Unconfirmed
from channels.mime import Envelope

TRY_AGAIN = timedelta(minutes=5)
_LONGEST_GOODBYE = timedelta(seconds=2)


class Step(IntEnum):
    """How far a mail has come: up to DATA nothing has left, once HANDED_OVER nobody but the server knows."""

    MAIL = 1
    RCPT = 2
    DATA = 3
    HANDED_OVER = 4


class NoConnection(Exception):
    """The mail server cannot be used; `result` is what this means for the mails that wait."""

    def __init__(self, result: Busy | Misconfigured) -> None:
        super().__init__(result.reason)
        self.result = result


class SmtpConnection:
    """A connection that carries one mail at a time and closes itself after any command that was not answered.

    A faster way to carry mails (RFC 2920) takes the place of `deliver` and keeps everything else.
    """

    def __init__(self, smtp: aiosmtplib.SMTP, within: timedelta) -> None:
        self._smtp = smtp
        self._within = within
        self._step = Step.MAIL
        self._is_clean = True

    @classmethod
    async def open(cls, server: SmtpServer, hostname: str, within: timedelta) -> Self:
        """Connect, encrypt as configured and log in, under the name `hostname`; raises NoConnection."""
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
        except (SMTPException, OSError) as error:
            smtp.close()
            raise NoConnection(_why_unusable(error)) from error
        return cls(smtp, within)

    @property
    def is_open(self) -> bool:
        """Whether another mail may be carried."""
        return self._smtp.is_connected

    async def is_alive(self) -> bool:
        """Ask the server whether it is still there, after a pause."""
        try:
            async with asyncio.timeout(_LONGEST_GOODBYE.total_seconds()):
                await self._reset()
        except (SMTPException, OSError):
            self._smtp.close()
        except asyncio.CancelledError:
            self._smtp.close()
            raise
        return self.is_open

    async def deliver(self, envelope: Envelope) -> Result:
        """One attempt at one mail."""
        self._step = Step.MAIL
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                return await self._transact(envelope)
        except (SMTPException, OSError) as error:
            self._smtp.close()
            return self._why_unanswered(error)
        except asyncio.CancelledError:
            self._smtp.close()
            raise

    async def close(self) -> None:
        """Say goodbye, shortly."""
        try:
            async with asyncio.timeout(_LONGEST_GOODBYE.total_seconds()):
                await self._smtp.quit()
        except (SMTPException, OSError):
            pass
        finally:
            self._smtp.close()

    async def _transact(self, envelope: Envelope) -> Result:
        if not self._is_clean:
            await self._reset()
        self._is_clean = False
        for step, expected, command in _dialogue(envelope):
            self._step = step
            reply = await self._smtp.execute_command(*command)
            if reply.code not in expected:
                return what_it_means(reply, step)
        reply = await self._hand_over(envelope.content)
        self._is_clean = True
        return Accepted(envelope.message_id) if reply.code == 250 else what_it_means(reply, self._step)

    async def _hand_over(self, content: bytes) -> SMTPResponse:
        protocol = self._smtp.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("closed before the payload")
        payload = re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"
        self._step = Step.HANDED_OVER
        protocol.write(payload)
        reply = await protocol.read_response()
        if reply.code == 421:
            self._smtp.close()
        return reply

    async def _reset(self) -> None:
        await self._smtp.rset()
        self._is_clean = True

    def _why_unanswered(self, error: Exception) -> Result:
        reason = f"no answer after {self._step.name}: {type(error).__name__}"
        return Unconfirmed(reason) if self._step is Step.HANDED_OVER else Busy(TRY_AGAIN, reason)


def what_it_means(reply: SMTPResponse, step: Step) -> Busy | Refused | Misconfigured:
    """What a server's refusal asks of us, by reply code (RFC 5321) and enhanced code (RFC 3463).

    Only what is said about the recipient or this one mail condemns the address; policy is always our fault.
    """
    enhanced = re.match(r"[245]\.(\d{1,3})\.(\d{1,3})\b", reply.message)
    reason = f"{reply.code} {enhanced[0] if enhanced else ''} to {step.name}".replace("  ", " ")
    if 400 <= reply.code <= 499:
        return Busy(TRY_AGAIN, reason)
    if step is Step.MAIL or not 550 <= reply.code <= 559:
        return Misconfigured(reason)
    if enhanced and enhanced[1] != "0":
        is_about_us = enhanced[1] in ("5", "7") or enhanced[0] in ("5.1.7", "5.1.8")
    else:
        is_about_us = reply.code == 554 or (step is not Step.RCPT and reply.code != 552)
    return Misconfigured(reason) if is_about_us else Refused(reason)


def _dialogue(envelope: Envelope) -> tuple[tuple[Step, tuple[int, ...], tuple[bytes, ...]], ...]:
    return (
        (Step.MAIL, (250,), (b"MAIL", b"FROM:<%b>" % envelope.sender.encode("ascii"))),
        (Step.RCPT, (250, 251), (b"RCPT", b"TO:<%b>" % envelope.recipient.encode("ascii"))),
        (Step.DATA, (354,), (b"DATA",)),
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
    return Misconfigured(f"the server does not offer what is configured: {error}")
