"""What providers call: each call bears their signature, and is answered once it is committed."""

from typing import Protocol, runtime_checkable

from aiohttp import web

from channels.base import Button, Callback, ChannelName, Forged, Incoming, Receipt, Result
from sos.http import CHANNELS, posted, runtime_of
from sos.inbound.steps import take_receipts, take_sms, take_tap, take_telegram_text
from sos.ledger.turn_store import silence_left
from sos.messages import RECEIPT
from sos.runtime import Runtime


@runtime_checkable
class Listens(Protocol):
    """A channel by which people write back."""

    def incoming(self, callback: Callback) -> Incoming: ...

    def receipts(self, callback: Callback) -> list[Receipt]: ...


@runtime_checkable
class Taps(Listens, Protocol):
    """A channel with buttons."""

    async def answer(self, incoming: Incoming, text: str = "") -> Result: ...

    async def show_buttons(self, incoming: Incoming, text: str, buttons: tuple[tuple[Button, ...], ...]) -> Result: ...


def _sms_channel(request: web.Request) -> Listens:
    """Raises HTTPNotFound where no SMS provider is configured."""
    channel = request.app[CHANNELS].get(ChannelName.SMS)
    if not isinstance(channel, Listens):
        raise web.HTTPNotFound
    return channel


def _telegram_channel(request: web.Request) -> Taps:
    """Raises HTTPNotFound where no bot is configured."""
    channel = request.app[CHANNELS].get(ChannelName.TELEGRAM)
    if not isinstance(channel, Taps):
        raise web.HTTPNotFound
    return channel


async def _callback(request: web.Request) -> Callback:
    """The call as it came, under the address that we configured: the Host header is not believed."""
    form = {key: str(value) for key, value in (await posted(request)).items()}
    url = f"{runtime_of(request).settings.public_url}{request.path_qs}"
    return Callback(url, request.headers, form, await request.read())


async def sms_status(request: web.Request) -> web.Response:
    """What became of an SMS. The delivery is in the address, signed by us; the form is signed by the provider."""
    runtime, channel = runtime_of(request), _sms_channel(request)
    delivery = runtime.keys.read_link(RECEIPT, request.match_info["token"])
    try:
        receipts = channel.receipts(await _callback(request))
    except Forged as forged:
        raise web.HTTPForbidden from forged
    if delivery is None:
        raise web.HTTPNotFound
    await take_receipts(runtime, delivery, receipts, runtime.clock())
    return web.Response(status=204)


async def sms(request: web.Request) -> web.Response:
    """An SMS that somebody sent. What we answer goes through the ledger, so this answer is empty."""
    runtime, channel = runtime_of(request), _sms_channel(request)
    try:
        incoming = channel.incoming(await _callback(request))
    except Forged as forged:
        raise web.HTTPForbidden from forged
    await take_sms(runtime, incoming, runtime.clock())
    return web.Response(text="<Response/>", content_type="text/xml")


async def _is_silent(runtime: Runtime) -> bool:
    """Whether Telegram has asked one of us to be silent. What was tapped is taken; her button is answered next time."""
    async with runtime.record.reading() as conn:
        return bool(await silence_left(conn, ChannelName.TELEGRAM, runtime.clock()))


async def telegram(request: web.Request) -> web.Response:
    """An update of the bot: a tap is answered, and then its message changes."""
    runtime, channel = runtime_of(request), _telegram_channel(request)
    try:
        incoming = channel.incoming(await _callback(request))
    except Forged as forged:
        raise web.HTTPForbidden from forged
    if incoming.tap:
        shown = await take_tap(runtime, incoming, runtime.clock())
        if await _is_silent(runtime):
            return web.Response(status=200)
        await channel.answer(incoming)
        if shown:
            await channel.show_buttons(incoming, shown.text, shown.buttons)
    elif incoming.text:
        await take_telegram_text(runtime, incoming, runtime.clock())
    return web.Response(status=200)
