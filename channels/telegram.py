"""Telegram through a bot: sending at its pace, and what people write and tap."""

import hmac
import html
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, Update
from telegram.constants import CallbackQueryLimit, ParseMode
from telegram.error import BadRequest, ChatMigrated, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from channels.base import (
    Accepted,
    Busy,
    Button,
    Callback,
    ChannelName,
    Forged,
    Incoming,
    Message,
    Outcome,
    Receipt,
    Refused,
    Result,
    TelegramBot,
    Unconfirmed,
)
from channels.pace import Pace
from channels.telegram_errors import what_it_means

Buttons = Sequence[Sequence[Button]]
Call = Callable[[str], Awaitable[str]]

_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the header's name)
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_LOGS_THAT_HOLD_THE_TOKEN_OR_TEXT = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "telegram": logging.CRITICAL,  # it logs an answer that it cannot read, whole
}
_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)  # JSON, but not what the Bot API answers


class TelegramChannel:
    """Sends in order, and sends nothing while Telegram asks for silence.

    An accepted message's provider id is its number in the chat; the chat itself is an address, and is told to nobody.
    """

    name = ChannelName.TELEGRAM
    in_flight = 1  # nobody can be asked afterwards whether a message has arrived

    def __init__(
        self,
        bot: TelegramBot,
        *,
        per_second: float = 30.0,
        per_second_each: float = 1.0,
        within: timedelta = timedelta(seconds=20),
    ) -> None:
        for logger, least in _LOGS_THAT_HOLD_THE_TOKEN_OR_TEXT.items():
            logging.getLogger(logger).setLevel(least)
        seconds = within.total_seconds()
        # The process environment names no proxy for us: messages go where the settings say.
        self._http = HTTPXRequest(
            connection_pool_size=4, read_timeout=seconds, write_timeout=seconds, httpx_kwargs={"trust_env": False}
        )
        self._bot = Bot(bot.token, base_url=f"{bot.url}/bot", request=self._http, get_updates_request=self._http)
        self._secret = bot.webhook_secret
        self._pace = Pace(per_second, per_second_each)

    async def send(self, messages: Sequence[Message]) -> AsyncGenerator[Outcome, None]:
        """One attempt at each message, in order."""
        for message in messages:
            text = message.html or html.escape(message.text)
            post = self._posting(text, message.buttons)
            if message.replaces:
                post = self._after(self._taking_back(int(message.replaces), text, message.buttons), post)
            yield Outcome(message, await self._attempt(message.address, post))

    async def answer(self, incoming: Incoming, text: str = "") -> Result:
        """Answer a tap at once, so that the button stops turning; Telegram shows up to 200 characters."""
        shown = text[: CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH]

        async def answer_tap(_: str) -> str:
            await self._bot.answer_callback_query(incoming.answer_to, text=shown or None)
            return incoming.answer_to

        return await self._call(incoming.sender, answer_tap)

    async def show_buttons(self, incoming: Incoming, text: str, buttons: Buttons) -> Result:
        """Ask again: change the message that was tapped, or write to whoever wrote to us; `text` is plain."""
        if not incoming.about:
            return await self._attempt(incoming.sender, self._posting(html.escape(text), buttons))
        chat, _, message_id = incoming.about.partition(":")
        return await self._attempt(chat, self._changing(int(message_id), html.escape(text), buttons))

    def receipts(self, callback: Callback) -> list[Receipt]:
        """Telegram reports no deliveries; raises Forged for a call that is not from it."""
        self._check(callback)
        return []

    def incoming(self, callback: Callback) -> Incoming:
        """What somebody wrote or tapped; without text and tap where it was anything else; raises Forged."""
        self._check(callback)
        try:
            update = Update.de_json(json.loads(callback.body), self._bot)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Forged from error
        return _incoming(update)

    async def close(self) -> None:
        """Close the connections to Telegram."""
        await self._http.shutdown()

    def _check(self, callback: Callback) -> None:
        given = callback.headers.get(_SECRET_HEADER, "")
        if not self._secret or not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise Forged

    def _posting(self, text: str, buttons: Buttons) -> Call:
        async def post(chat: str) -> str:
            sent = await self._bot.send_message(
                chat,
                text,
                parse_mode=ParseMode.HTML,
                reply_markup=_keyboard(buttons),
                link_preview_options=_NO_PREVIEW,
                protect_content=True,
            )
            return str(sent.message_id)

        return post

    def _after(self, first: Call, then: Call) -> Call:
        async def both(chat: str) -> str:
            await first(chat)
            return await then(chat)

        return both

    def _taking_back(self, message_id: int, text: str, buttons: Buttons) -> Call:
        """An earlier message disappears, or where that is not possible any more, shows this text instead.

        It can be deleted for 48 hours after it was sent (core.telegram.org/bots/api#deletemessage).
        """

        async def take_back(chat: str) -> str:
            try:
                await self._bot.delete_message(chat, message_id)
            except BadRequest:
                with suppress(BadRequest):  # she has deleted it herself
                    await self._changing(message_id, text, buttons)(chat)
            return str(message_id)

        return take_back

    def _changing(self, message_id: int, text: str, buttons: Buttons) -> Call:
        async def change(chat: str) -> str:
            try:
                await self._bot.edit_message_text(
                    text,
                    chat,
                    message_id,
                    parse_mode=ParseMode.HTML,
                    reply_markup=_keyboard(buttons),
                    link_preview_options=_NO_PREVIEW,
                )
            except BadRequest as error:
                if "not modified" not in error.message:
                    raise
            return str(message_id)

        return change

    async def _attempt(self, chat: str, call: Call) -> Result:
        """One call within the pace; a chat that has moved did not get it, so that its new place is tried once."""
        await self._turn(chat)
        try:
            return await self._call(chat, call)
        except ChatMigrated as moved:
            chat = str(moved.new_chat_id)
        await self._turn(chat)
        try:
            return await self._call(chat, call)
        except ChatMigrated:
            return Refused("the chat has moved twice")

    async def _turn(self, chat: str) -> None:
        if not self._pace.rest_left:
            # core.telegram.org/bots/faq: one message a second to a person, 20 a minute to a group (a negative id).
            await self._pace.turn(chat, slower=3.0 if chat.startswith("-") else 1.0)

    async def _call(self, chat: str, call: Call) -> Result:
        """One request, none while Telegram wants silence; raises ChatMigrated."""
        if rest_left := self._pace.rest_left:
            return Busy(rest_left, "Telegram asked us to wait", wants_silence=True)
        try:
            return Accepted(await call(chat))
        except ChatMigrated:
            raise
        except _UNREADABLE as error:
            return Unconfirmed(f"no answer: {type(error).__name__}")
        except TelegramError as error:
            result = what_it_means(error)
            if isinstance(error, RetryAfter) and isinstance(result, Busy):
                self._pace.rest(result.after)
            return result


def _keyboard(buttons: Buttons) -> InlineKeyboardMarkup | None:
    rows = [
        [InlineKeyboardButton(each.label, url=each.url or None, callback_data=each.tap or None) for each in row]
        for row in buttons
    ]
    return InlineKeyboardMarkup(rows) if rows else None


def _incoming(update: Update) -> Incoming:
    provider_id = str(update.update_id)
    sender = update.effective_user or update.effective_chat
    sender_id = str(sender.id) if sender else ""
    if tap := update.callback_query:
        about = f"{tap.message.chat.id}:{tap.message.message_id}" if tap.message else ""
        return Incoming(provider_id, sender_id, tap=tap.data or "", answer_to=tap.id, about=about)
    text = (update.message.text or update.message.caption or "") if update.message else ""
    return Incoming(provider_id, sender_id, text)
