"""The channels of this installation: real ones as configured, or the pages of a practice network."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pkgutil import resolve_name

from channels.base import MACHINES, Channel, ChannelName, Message
from channels.preview import PreviewChannel
from sos.database import run, value
from sos.runtime import Runtime
from sos.vault import Place

Channels = Mapping[ChannelName, Channel]


@asynccontextmanager
async def open_channels(runtime: Runtime) -> AsyncIterator[Channels]:
    """Open what can be sent by and verified here; a practice network has every channel, and none leaves it."""
    async with AsyncExitStack() as stack:
        channels = _previews(runtime) if runtime.network.is_practice else await _real_ones(runtime, stack)
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        yield channels


def _previews(runtime: Runtime) -> Channels:
    async def keep(name: ChannelName, message: Message) -> None:
        await keep_practice_message(runtime, name, message)

    return {name: PreviewChannel(name, keep) for name in MACHINES}


async def _real_ones(runtime: Runtime, stack: AsyncExitStack) -> Channels:
    """Each is found by name when it is configured, because its provider's package takes 20 MiB."""
    settings = runtime.settings
    found: dict[ChannelName, Channel] = {}
    if settings.smtp:
        found[ChannelName.EMAIL] = resolve_name("channels.email:EmailChannel")(settings.smtp)
    if settings.twilio:
        session = await stack.enter_async_context(resolve_name("aiohttp:ClientSession")(trust_env=False))
        found[ChannelName.SMS] = resolve_name("channels.sms:SmsChannel")(
            settings.twilio, session, per_second=settings.twilio.per_second
        )
    if settings.telegram:
        found[ChannelName.TELEGRAM] = resolve_name("channels.telegram:TelegramChannel")(settings.telegram)
    return found


async def keep_practice_message(runtime: Runtime, name: ChannelName, message: Message) -> None:
    """Put on this machine's pages what a real network would have sent."""
    words = {"channel": name, "buttons": [[asdict(button) for button in row] for row in message.buttons]}
    words |= {part: getattr(message, part) for part in ("address", "subject", "text", "html", "language")}
    async with runtime.record.pool.connection() as conn:
        row = await value(conn, "SELECT nextval(pg_get_serial_sequence('practice_messages', 'id'))")
        await run(
            conn,
            """
            INSERT INTO practice_messages (id, channel, address_index, sealed, came_at) OVERRIDING SYSTEM VALUE
            VALUES (%(id)s, %(channel)s, %(index)s, %(sealed)s, %(now)s)
            """,
            id=row, channel=name, index=runtime.keys.index(name, message.address), now=runtime.clock(),
            sealed=runtime.keys.seal(json.dumps(words), Place("practice_messages", "sealed", row)),
        )  # fmt: skip
