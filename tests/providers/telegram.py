"""A stand-in for Telegram: takes a bot's calls by the published contract, and posts what people write and tap."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

from aiohttp import web

from channels.base import TelegramBot
from tests.providers.contract import read_contract, telegram_object_problems, telegram_problems, visible_text
from tests.providers.standin import Answer, StandIn

TOKEN = "123456:token-of-the-stand-in"
SECRET = "secret-of-the-webhook"
DELETED_WITHIN_SECONDS = 48 * 3600  # core.telegram.org/bots/api#deletemessage

Json = dict[str, Any]


@dataclass
class ChatMessage:
    """A message of the bot as it stands in a chat; `shown` holds every button's data that it ever had."""

    chat: int
    message_id: int
    text: str
    parameters: Json
    edits: int = 0
    sent_at: float = field(default_factory=time.time)
    shown: set[str] = field(default_factory=set)

    @property
    def buttons(self) -> list[list[Json]]:
        """The rows of buttons under it."""
        rows: list[list[Json]] = json.loads(self.parameters.get("reply_markup") or "{}").get("inline_keyboard", [])
        return rows

    def note_buttons(self) -> None:
        """Remember what can be tapped now."""
        self.shown |= {button["callback_data"] for row in self.buttons for button in row if "callback_data" in button}


@dataclass
class _Refusal(Exception):
    status: int
    description: str
    parameters: Json | None = None


class TelegramStandIn(StandIn):
    """A Bot API with its chats: `blocked` have blocked the bot, `absent` never started it, `moved` have a new id.

    With `floods` true it limits as Telegram does; `inside_window` counts requests that came while it wanted silence.
    """

    def __init__(self, *, webhook_url: str = "", reached_at: str = "", floods: bool = False) -> None:
        super().__init__(webhook_url=webhook_url, reached_at=reached_at)
        self.messages: list[ChatMessage] = []
        self.answers: list[tuple[str, str]] = []
        self.updates: list[Json] = []
        self.blocked: set[int] = set()
        self.absent: set[int] = set()
        self.moved: dict[int, int] = {}
        self.retry_after = 1
        self.inside_window = 0
        self._silent_until = 0.0
        self._floods = floods
        self._sent_at: deque[tuple[float, int]] = deque()
        self._open_queries: set[str] = set()
        self._ids = count(1)

    @property
    def bot(self) -> TelegramBot:
        """The settings by which a channel reaches this Telegram."""
        return TelegramBot(self.url, TOKEN, SECRET)

    async def message_in(self, chat: int, text: str) -> Answer:
        """Somebody writes to the bot."""
        return await self.post_update({"message": self._message(chat, text, from_=_person(chat))})

    async def tap(self, chat: int, message_id: int, data: str, *, user: int = 0) -> Answer:
        """Somebody taps a button that this message has or had; raises LookupError where there never was one."""
        message = self._find(chat, message_id)
        if message is None or data not in message.shown:
            raise LookupError("no such button")
        query_id = str(next(self._ids))
        self._open_queries.add(query_id)
        below = self._message(chat, message.text, from_=_BOT, message_id=message_id)
        query = {"id": query_id, "from": _person(user or chat), "chat_instance": str(chat), "message": below}
        return await self.post_update({"callback_query": query | {"data": data}})

    async def post_update(self, update: Json) -> Answer:
        """Post an update with the secret; one that was posted before is repeated as it was."""
        if "update_id" not in update:
            update = {"update_id": next(self._ids)} | update
            self.updates.append(update)
        problems = telegram_object_problems("Update", update)
        assert not problems, problems
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
        return await self.post(self.webhook_url, headers=headers, body=json.dumps(update).encode())

    async def accept(self, request: web.Request) -> web.Response:
        """Run one method of the Bot API."""
        now = time.monotonic()
        if now < self._silent_until:
            self.inside_window += 1
            return self._wait(round(self._silent_until - now) or 1)
        try:
            method, parameters = await self._read(request)
            result = getattr(self, f"_{method}")(parameters)
        except _Refusal as refusal:
            return _refused(refusal)
        return web.json_response({"ok": True, "result": result})

    def busy(self) -> web.Response:
        """Too many requests: silence for `retry_after` seconds from now."""
        self._silent_until = time.monotonic() + self.retry_after
        return self._wait(self.retry_after)

    def broken(self) -> web.Response:
        """Telegram itself fails."""
        return _refused(_Refusal(502, "Bad Gateway"))

    def _wait(self, seconds: int) -> web.Response:
        return _refused(_Refusal(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds}))

    def _violate(self, refusal: _Refusal) -> NoReturn:
        self.violations.append(refusal.description)
        raise refusal

    async def _read(self, request: web.Request) -> tuple[str, Json]:
        bot, _, method = request.path.removeprefix("/").partition("/")
        if bot != f"bot{TOKEN}":
            self._violate(_Refusal(401, "Unauthorized"))
        if method not in read_contract("telegram")["methods"]:
            self._violate(_Refusal(404, "Not Found"))
        parameters = {name: str(value) for name, value in (await request.post()).items()}
        if problems := telegram_problems(method, parameters):
            self._violate(_Refusal(400, "Bad Request: " + "; ".join(problems)))
        return method, parameters

    def _reach(self, chat: int) -> None:
        if chat in self.moved:
            new = {"migrate_to_chat_id": self.moved[chat]}
            raise _Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", new)
        if chat in self.absent:
            raise _Refusal(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise _Refusal(403, "Forbidden: bot was blocked by the user")

    def _count_flood(self, chat: int) -> None:
        now = time.monotonic()
        while self._sent_at and self._sent_at[0][0] < now - 1:
            self._sent_at.popleft()
        # One part in ten of tolerance for clocks and sockets.
        in_chat = [at for at, each in self._sent_at if each == chat and at > now - 0.9]
        if self._floods and (len(self._sent_at) >= 33 or in_chat):
            self._silent_until = now + self.retry_after
            raise _Refusal(429, "Too Many Requests", {"retry_after": self.retry_after})
        self._sent_at.append((now, chat))

    def _sendMessage(self, parameters: Json) -> Json:
        chat = int(parameters["chat_id"])
        self._reach(chat)
        self._count_flood(chat)
        message = ChatMessage(chat, next(self._ids), _visible(parameters), parameters)
        message.note_buttons()
        self.messages.append(message)
        return self._message(chat, message.text, from_=_BOT, message_id=message.message_id)

    def _editMessageText(self, parameters: Json) -> Json:
        chat, message_id = int(parameters["chat_id"]), int(parameters["message_id"])
        self._reach(chat)
        message = self._find(chat, message_id)
        if message is None:
            raise _Refusal(400, "Bad Request: message to edit not found")
        markup = parameters.get("reply_markup"), _visible(parameters)
        if markup == (message.parameters.get("reply_markup"), message.text):
            raise _Refusal(400, "Bad Request: message is not modified: specified new message content is the same")
        message.text, message.parameters = _visible(parameters), message.parameters | parameters
        if "reply_markup" not in parameters:
            message.parameters.pop("reply_markup", None)
        message.edits += 1
        message.note_buttons()
        return self._message(chat, message.text, from_=_BOT, message_id=message_id)

    def _deleteMessage(self, parameters: Json) -> bool:
        chat, message_id = int(parameters["chat_id"]), int(parameters["message_id"])
        self._reach(chat)
        message = self._find(chat, message_id)
        if message is None:
            raise _Refusal(400, "Bad Request: message to delete not found")
        if time.time() - message.sent_at > DELETED_WITHIN_SECONDS:
            raise _Refusal(400, "Bad Request: message can't be deleted for everyone")
        self.messages.remove(message)
        return True

    def _answerCallbackQuery(self, parameters: Json) -> bool:
        query_id = parameters["callback_query_id"]
        if query_id not in self._open_queries:
            raise _Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._open_queries.discard(query_id)
        self.answers.append((query_id, parameters.get("text", "")))
        return True

    def _find(self, chat: int, message_id: int) -> ChatMessage | None:
        found = (each for each in self.messages if (each.chat, each.message_id) == (chat, message_id))
        return next(found, None)

    def _message(self, chat: int, text: str, *, from_: Json, message_id: int = 0) -> Json:
        kind = {"id": chat, "type": "private" if chat > 0 else "supergroup"}
        base = {"message_id": message_id or next(self._ids), "date": int(time.time())}
        return base | {"chat": kind, "from": from_, "text": text}


_BOT: Json = {"id": 123456, "is_bot": True, "first_name": "SOS"}


def _person(user: int) -> Json:
    return {"id": user, "is_bot": False, "first_name": "Somebody", "language_code": "es"}


def _visible(parameters: Json) -> str:
    text: str = parameters["text"]
    return visible_text(text) if parameters.get("parse_mode") == "HTML" else text


def _refused(refusal: _Refusal) -> web.Response:
    body: Json = {"ok": False, "error_code": refusal.status, "description": refusal.description}
    return web.json_response(
        body | ({"parameters": refusal.parameters} if refusal.parameters else {}), status=refusal.status
    )
