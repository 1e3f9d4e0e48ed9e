"""How fast a provider may be asked, and when not at all."""

import asyncio
import time
from datetime import timedelta

_REMEMBERED = 1_000


class Pace:
    """Grants turns: so many a second in all, so many to one address, none while the provider wants rest."""

    def __init__(self, per_second: float, per_second_each: float | None = None) -> None:
        self._interval = 1 / per_second
        self._interval_each = 1 / per_second_each if per_second_each else 0.0
        self._next_at = 0.0
        self._next_at_for: dict[str, float] = {}
        self._rests_until = 0.0

    async def turn(self, address: str, *, slower: float = 1.0) -> None:
        """Wait until one message may leave for this address; `slower` stretches this address's own interval."""
        now = time.monotonic()
        at = max(now, self._next_at, self._next_at_for.get(address, 0.0))
        self._next_at = at + self._interval
        if self._interval_each:
            self._forget_what_is_past(now)
            self._next_at_for[address] = at + self._interval_each * slower
        await asyncio.sleep(at - now)

    def rest(self, how_long: timedelta) -> None:
        """The provider has asked for silence."""
        self._rests_until = max(self._rests_until, time.monotonic() + how_long.total_seconds())

    @property
    def rest_left(self) -> timedelta:
        """How long the provider still wants silence; zero when it does not."""
        return timedelta(seconds=max(0.0, self._rests_until - time.monotonic()))

    def _forget_what_is_past(self, now: float) -> None:
        if len(self._next_at_for) > _REMEMBERED:
            self._next_at_for = {address: at for address, at in self._next_at_for.items() if at > now}
