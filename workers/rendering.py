"""Turning deliveries into messages: each purpose by the stage that planned it, and one bad row alone."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol

import structlog

from channels.base import Message
from sos.database import Connection
from sos.ledger.delivery import Due
from sos.runtime import Runtime
from workers.going import DATABASE_LOST

log = structlog.get_logger()


class Renderer(Protocol):
    """Renders the deliveries of one purpose, by id; one that is missing in the answer cannot be rendered."""

    async def __call__(
        self, runtime: Runtime, conn: Connection, deliveries: Sequence[Due], /
    ) -> Mapping[int, Message]: ...


Renderers = Mapping[str, Renderer]


async def render(runtime: Runtime, renderers: Renderers, deliveries: Sequence[Due]) -> dict[int, Message]:
    """What can be rendered, by id. Raises what a lost database raises, and nothing else."""
    messages: dict[int, Message] = {}
    for purpose, alike in groupby(sorted(deliveries, key=attrgetter("purpose")), key=attrgetter("purpose")):
        messages |= await _render_alike(runtime, renderers[purpose], list(alike))
    return messages


async def _render_alike(runtime: Runtime, renderer: Renderer, deliveries: Sequence[Due]) -> Mapping[int, Message]:
    """All at once; if that fails, each half by itself, until the one is found that hurts its neighbours."""
    try:
        async with runtime.record.reading() as conn:
            return await renderer(runtime, conn, deliveries)
    except DATABASE_LOST:
        raise
    except Exception:
        if len(deliveries) == 1:
            log.exception("rendering.failed", delivery=deliveries[0].id)
            return {}
    middle = len(deliveries) // 2
    return {
        **await _render_alike(runtime, renderer, deliveries[:middle]),
        **await _render_alike(runtime, renderer, deliveries[middle:]),
    }
