"""One connection to a mail server, and what is said over it: one mail after another, each handed over at most once.

Where the server can pipeline (RFC 2920), the end of a mail and the commands of the next one leave together, so that a
mail costs one round trip. DATA is always the last command before an answer is waited for, as the RFC asks.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from channels.base import Accepted, Busy, Message, Result, Unconfirmed
from channels.mime import Envelope
from channels.replies import SHUTTING_DOWN, TRY_AGAIN, ReplyReader, Step, Unreadable, what_it_means
from channels.smtp import Connection

IDLE_SECONDS = 5.0  # after such a pause the server is asked first whether it is still there
PROBE_SECONDS = 2.0
NOTHING = b".\r\n"


@dataclass(slots=True, eq=False)
class Mail:
    """A message on its way, written as a mail, and who waits for its outcome."""

    message: Message
    envelope: Envelope
    sender: "Sender"

    def settle(self, result: Result) -> None:
        """Say what became of it."""
        self.sender.settle(self.message, result)


class Sender(Protocol):
    """Whoever waits for outcomes; once it `has_left`, nothing more of its may leave."""

    has_left: bool

    def settle(self, message: Message, result: Result) -> None: ...

    def let_go(self) -> None: ...


class Work(Protocol):
    """Where a lane gets its mails from, and whom it tells of its end."""

    def take(self) -> Mail | None: ...

    def put_back(self, mail: Mail) -> None: ...

    def has_ended(self, lane: "Lane") -> None: ...


class Awaited(Enum):
    """What the server is to answer next."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    END = auto()
    NOTHING = auto()


_STEPS = {Awaited.MAIL: Step.MAIL, Awaited.RCPT: Step.RCPT, Awaited.DATA: Step.DATA}
_EXPECTED = {Awaited.MAIL: (250,), Awaited.RCPT: (250, 251), Awaited.DATA: (354,)}


class Lane(asyncio.Protocol):
    """`opening` is the mail whose commands are under way, `flying` the one whose last dot is unanswered."""

    def __init__(self, connection: Connection, work: Work, within_seconds: float) -> None:
        self.opening: Mail | None = None
        self.flying: Mail | None = None
        self._connection = connection
        self._transport = connection.transport
        self._work = work
        self._within = within_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._awaited: deque[Awaited] = deque()
        self._refusal: Result | None = None
        self._must_reset = False
        self._is_used = False
        self._may_put_back = False  # a mail that is not the first here is not to blame where the connection is lost
        self._answered_at = self._loop.time()
        self._due_at = 0.0
        self._looks_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._has_ended = False
        self._transport.set_protocol(self)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a mail."""
        return not self._awaited

    def go_on(self) -> None:
        """Take the next mail, if there is one."""
        if self._awaited or self._has_ended:
            return
        if self._loop.time() - self._answered_at > IDLE_SECONDS:
            self._say(b"RSET\r\n", Awaited.RSET, within=PROBE_SECONDS)
        elif mail := self._work.take():
            self._open(mail, b"")

    def say_goodbye(self) -> None:
        """Leave the server, without waiting for its answer."""
        if not self._has_ended:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
            self._end("closed")

    def drop_what_was_left(self) -> None:
        """Break off at once where nobody waits any more for what is under way.

        Where somebody still waits for the mail that flies, that one may land; the one behind it is not handed over.
        """
        waited_for = self.flying or self.opening
        if waited_for and waited_for.sender.has_left:
            self._lose("broken off")

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except Unreadable:
            self._lose("Unreadable")
            return
        for code, text in replies:
            if self._has_ended:
                return
            if not self._awaited:
                self._lose("spoken to without asking")
                return
            self._answered(self._awaited.popleft(), code, text)
            if code == SHUTTING_DOWN:
                self._lose("shut down")
        self._answered_at = self._loop.time()
        if not self._awaited:
            self._rest()

    def eof_received(self) -> bool:
        self._lose("hung up")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(type(exc).__name__ if exc else "hung up")

    # The dialogue

    def _open(self, mail: Mail, before: bytes) -> None:
        """Say the commands of a mail, all at once or one by one, after what is to be said before them."""
        self.opening, self._refusal = mail, None
        self._may_put_back, self._is_used = self._is_used, True
        mail_command, rcpt_command = self._commands(mail.envelope)
        if self._must_reset:
            before += b"RSET\r\n"
            self._awaited.append(Awaited.RSET)
            self._must_reset = False
        if self._connection.can_pipeline:
            self._awaited.append(Awaited.MAIL)
            self._awaited.append(Awaited.RCPT)
            self._say(b"%b%b%bDATA\r\n" % (before, mail_command, rcpt_command), Awaited.DATA)
        else:
            self._say(before + mail_command, Awaited.MAIL)

    def _commands(self, envelope: Envelope) -> tuple[bytes, bytes]:
        sender, recipient = envelope.sender.encode("ascii"), envelope.recipient.encode("ascii")
        if self._connection.can_notify:  # only the headers come back: what a bounce quotes passes many hands
            return b"MAIL FROM:<%b> RET=HDRS\r\n" % sender, b"RCPT TO:<%b> NOTIFY=FAILURE\r\n" % recipient
        return b"MAIL FROM:<%b>\r\n" % sender, b"RCPT TO:<%b>\r\n" % recipient

    def _answered(self, what: Awaited, code: int, text: str) -> None:
        match what:
            case Awaited.RSET:
                if code != 250:
                    self._lose("no reset")
            case Awaited.NOTHING:
                pass
            case Awaited.END:
                self._landed(code, text)
            case Awaited.MAIL | Awaited.RCPT:
                self._understood(what, code, text)
            case Awaited.DATA:
                self._invited(code, text)

    def _understood(self, what: Awaited, code: int, text: str) -> None:
        """The answer to MAIL or RCPT; the first refusal says what becomes of the mail."""
        mail = self._mail()
        if code not in _EXPECTED[what]:
            self._refusal = self._refusal or what_it_means(code, text, _STEPS[what])
        if self._connection.can_pipeline:
            return
        if self._refusal:
            self._refuse(self._refusal)
        elif what is Awaited.MAIL:
            self._say(self._commands(mail.envelope)[1], Awaited.RCPT)
        else:
            self._say(b"DATA\r\n", Awaited.DATA)

    def _invited(self, code: int, text: str) -> None:
        """The answer to DATA: where it invites us the mail is handed over, together with the next one's commands."""
        mail = self._mail()
        if code != 354:
            self._refuse(self._refusal or what_it_means(code, text, Step.DATA))
            return
        if mail.sender.has_left:
            self._lose("broken off")
            return
        self.opening = None
        if self._refusal:  # RFC 2920, 3.1: invited although there is no recipient; an empty mail goes to nobody
            payload, awaited = NOTHING, Awaited.NOTHING
            mail.settle(self._refusal)
        else:
            payload, awaited = mail.envelope.payload, Awaited.END
            self.flying = mail
        following = self._work.take() if self._connection.can_pipeline else None
        if following:
            self._awaited.append(awaited)
            self._open(following, payload)
        else:
            self._say(payload, awaited)

    def _landed(self, code: int, text: str) -> None:
        mail, self.flying = self.flying, None
        assert mail
        mail.settle(Accepted(mail.envelope.message_id) if code == 250 else what_it_means(code, text, Step.HANDED_OVER))

    def _refuse(self, result: Result) -> None:
        """The mail that was opening ends here, before anything of it has left."""
        mail, self.opening = self._mail(), None
        self._must_reset = True
        mail.settle(result)

    def _rest(self) -> None:
        """Nothing is awaited: go on with the next mail."""
        self._due_at = 0.0
        self.go_on()

    def _mail(self) -> Mail:
        assert self.opening
        return self.opening

    def _say(self, words: bytes, awaited: Awaited, *, within: float | None = None) -> None:
        self._awaited.append(awaited)
        self._due_at = self._loop.time() + (within or self._within)
        if self._timer is None or self._looks_at > self._due_at:
            self._watch()
        self._transport.write(words)

    def _watch(self) -> None:
        """One timer for all that is said: it looks whether an answer is overdue, and comes again when one may be."""
        if self._timer:
            self._timer.cancel()
        self._looks_at = self._due_at
        self._timer = self._loop.call_at(self._looks_at, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._due_at and self._loop.time() >= self._due_at:
            self._lose("TimeoutError")
        elif self._due_at:
            self._watch()

    # The end

    def _lose(self, why: str) -> None:
        if not self._has_ended:
            self._transport.abort()
            self._end(why)

    def _end(self, why: str) -> None:
        """Each mail that was under way is settled, or put back where the loss was not about it."""
        self._has_ended = True
        if self._timer:
            self._timer.cancel()
        flying, opening = self.flying, self.opening
        self.flying = self.opening = None
        if flying:
            flying.settle(Unconfirmed(f"no answer after HANDED_OVER: {why}"))
        if opening:
            self._leave(opening, why)
        self._work.has_ended(self)

    def _leave(self, mail: Mail, why: str) -> None:
        """A mail of which nothing has left: refused already, not to blame, or tried in vain."""
        if self._refusal:
            mail.settle(self._refusal)
        elif self._may_put_back:
            self._work.put_back(mail)
        else:
            step = next((_STEPS[one] for one in self._awaited if one in _STEPS), Step.DATA)
            mail.settle(Busy(TRY_AGAIN, f"no answer after {step.name}: {why}"))
