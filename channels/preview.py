"""A channel that goes nowhere: it puts each message on a page of this machine."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from channels.base import Accepted, Callback, ChannelName, Forged, Message, Outcome, Receipt

Keep = Callable[[ChannelName, Message], Awaitable[None]]


class PreviewChannel:
    """Stands where the channel `name` would, for practice."""

    in_flight = 64

    def __init__(self, name: ChannelName, keep: Keep) -> None:
        self.name = name
        self._keep = keep

    async def send(self, messages: Sequence[Message]) -> AsyncGenerator[Outcome, None]:
        """Keep each message; it counts as accepted."""
        for message in messages:
            await self._keep(self.name, message)
            yield Outcome(message, Accepted(f"preview:{self.name}:{message.delivery}"))

    def receipts(self, callback: Callback) -> list[Receipt]:
        """No provider stands behind a preview; raises Forged."""
        raise Forged

    async def close(self) -> None:
        """Nothing is held."""
