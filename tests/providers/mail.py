"""A real mail server (aiosmtpd) that keeps what it is given and can be told to misbehave."""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import ClassVar, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.base import SmtpServer

SENDER = "System of Solidarity <alerts@sos.example>"


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that the server took: its envelope, its bytes and the mail as a mail program reads it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        """The mail as a mail program reads it."""
        mail = message_from_bytes(self.content, policy=default)
        assert isinstance(mail, EmailMessage)
        return mail


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do instead of answering properly: say `answer`, or hang up, or say nothing for long."""

    at: str
    answer: str = ""
    is_stall: bool = False
    about: str = ""


@dataclass
class MailSink:
    """A mail server on a free port of this machine; use it as `async with MailSink() as sink`."""

    can_pipeline: ClassVar[bool] = True

    tls: ssl.SSLContext | None = None
    security: str = "none"
    ca_file: str = ""
    login: tuple[str, str] | None = None
    mails: list[KeptMail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _faults: deque[Fault] = field(default_factory=deque)
    _open: set["_Talk"] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def server(self) -> SmtpServer:
        """The settings by which a channel reaches this server."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        username, password = self.login or ("", "")
        return SmtpServer("127.0.0.1", port, self.security, SENDER, username, password, self.ca_file)

    def answer(self, at: str, reply: str, *, about: str = "", times: int = 1) -> None:
        """Answer the next MAIL, RCPT, DATA or END (of the mail) with `reply`; only where it is `about` somebody."""
        self._faults.extend([Fault(at, reply, about=about)] * times)

    def hang_up(self, at: str) -> None:
        """Drop the connection instead of answering; at END the mail is kept, at PAYLOAD it never ends."""
        self._faults.append(Fault(at))

    def stall(self, at: str) -> None:
        """Answer only once `released` is set; at END the mail is kept."""
        self._faults.append(Fault(at, is_stall=True))

    async def __aenter__(self) -> Self:
        context = self.tls if self.security == "tls" else None
        self._server = await asyncio.get_running_loop().create_server(self._talk, "127.0.0.1", 0, ssl=context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for talk in tuple(self._open):
            talk.hang_up()
        await self._server.wait_closed()

    def drop_connections(self) -> None:
        """Close every open connection, as servers do with idle ones."""
        for talk in tuple(self._open):
            talk.hang_up()

    def fault(self, at: str, about: str) -> Fault | None:
        """The fault that is due here, used up."""
        for fault in self._faults:
            if fault.at == at and fault.about in about:
                self._faults.remove(fault)
                return fault
        return None

    async def handle_EHLO(
        self, talk: "_Talk", session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """What the server announces (aiosmtpd reads a line at a time, and so can be spoken to without waiting)."""
        session.host_name = hostname
        return [*responses[:-1], *(["250-PIPELINING"] if self.can_pipeline else []), responses[-1]]

    async def handle_DATA(self, talk: "_Talk", session: Session, envelope: Envelope) -> str:
        """Keep the mail (aiosmtpd calls this after the final dot)."""
        assert isinstance(envelope.original_content, bytes)
        fault = self.fault("END", " ".join(envelope.rcpt_tos))
        if fault is None or not fault.answer:
            kept = KeptMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.original_content)
            self.mails.append(kept)
        if fault:
            await talk.misbehave(fault)
            return fault.answer or "451 never heard"
        return "250 2.0.0 kept"

    def _talk(self) -> "_Talk":
        self.connections += 1
        return _Talk(self)

    def opened(self, talk: "_Talk") -> None:
        """A connection was made."""
        self._open.add(talk)

    def closed(self, talk: "_Talk") -> None:
        """A connection went away."""
        self._open.discard(talk)


class _Talk(SMTP):
    """One connection; the methods are named as aiosmtpd calls them."""

    def __init__(self, sink: MailSink) -> None:
        super().__init__(
            sink,
            hostname="mail.sos.example",
            loop=asyncio.get_running_loop(),
            tls_context=sink.tls if sink.security == "starttls" else None,
            require_starttls=sink.security == "starttls",
            auth_require_tls=sink.security == "starttls",
            authenticator=self._log_in,
        )
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._sink.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sink.closed(self)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self._is_sabotaged("MAIL", arg):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self._is_sabotaged("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if await self._is_sabotaged("DATA", arg):
            return
        if fault := self._sink.fault("PAYLOAD", ""):
            await self.push("354 go on")
            await self._reader.readline()
            await self.misbehave(fault)
            return
        await super().smtp_DATA(arg)

    def hang_up(self) -> None:
        """Drop this connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def misbehave(self, fault: Fault) -> None:
        """Stall or hang up, if the fault says so."""
        if fault.is_stall:
            self._sink.stalled.set()
            await self._sink.released.wait()
        elif not fault.answer:
            self.hang_up()

    async def _is_sabotaged(self, at: str, arg: str | None) -> bool:
        self._sink.commands.append(f"{at} {arg or ''}".strip())
        fault = self._sink.fault(at, arg or "")
        if fault is None:
            return False
        await self.misbehave(fault)
        if fault.answer:
            await self.push(fault.answer)
            if fault.answer.startswith("421"):
                self.hang_up()
        return not fault.is_stall

    def _log_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = (data.login.decode(), data.password.decode()) == self._sink.login
        return AuthResult(success=is_right, handled=False)
