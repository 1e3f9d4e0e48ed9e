"""Whether something about a life leaves in time while a long routine fan-out is under way."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from sos.bench import store
from sos.bench.fanout import Plan, launch_now, open_prepared, wait_until_idle
from sos.database import Connection, connect, value
from tests.bench.comparison import say
from tests.bench.machine import describe_machine
from tests.bench.sinks import open_smtp_sink

ROUTINE = 50_000
URGENT = 300
WITHIN_SECONDS = 5.0
UNDER_WAY = 1_000
LOOK_EVERY_SECONDS = 0.1
LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Overtaking:
    """Seconds from planning the urgent messages to the last one's outcome; how many routine ones still wait then."""

    seconds: float
    waiting: int
    postgres: str


async def overtake(routine: int) -> list[str]:
    """Whether 300 urgent messages leave in time, as lines to print."""
    async with open_smtp_sink() as server:
        found = await measure_overtaking(routine, server)
    met = "yes" if found.seconds <= WITHIN_SECONDS else "NO"
    return [
        *describe_machine(found.postgres),
        "",
        f"{URGENT} about a life left within {found.seconds:.2f} s, past {found.waiting:,} routine ones"
        f"   at most {WITHIN_SECONDS:.0f}: {met}",
    ]


async def measure_overtaking(routine: int, server: str, *, under_way: int = UNDER_WAY) -> Overtaking:
    """One worker, and so many routine messages, of which some have left. Raises TimeoutError."""
    async with (
        open_prepared(routine, Plan(routine, server).environment, say) as (installation, runtime, approved),
        connect(installation.settings.database_url) as conn,
    ):
        await installation.start_workers(1)
        await wait_until_idle([worker.pid for worker in installation.workers])
        await launch_now(runtime, approved)
        async with asyncio.timeout(LONGEST_SECONDS):
            await _until_accepted(conn, approved.action_id, under_way, is_urgent=False)
            await _plan_urgent(conn, approved.action_id)
            await _until_accepted(conn, approved.action_id, URGENT, is_urgent=True)
            waiting = await _count(conn, approved.action_id, "queued", is_urgent=False)
        return Overtaking(await _seconds(conn, approved.action_id), waiting, await store.server_version(conn))


async def _plan_urgent(conn: Connection, action_id: UUID) -> None:
    """The same action once more, as urgent as can be, for contacts who are spread over the whole network."""
    await conn.execute(
        """
        INSERT INTO deliveries (purpose, about, case_id, kind, recipient_kind, recipient_id, channel, address_id,
                                language, urgency, due_at, expires_at, planned_at)
        SELECT purpose, about, case_id, 'urgent', recipient_kind, recipient_id, channel, address_id, language, 0,
               clock_timestamp(), expires_at, clock_timestamp()
        FROM deliveries WHERE about = %(about)s ORDER BY recipient_id LIMIT %(most)s
        """,
        {"about": action_id, "most": URGENT},
    )


async def _until_accepted(conn: Connection, action_id: UUID, count: int, *, is_urgent: bool) -> None:
    while await _count(conn, action_id, "accepted", is_urgent=is_urgent) < count:  # noqa: ASYNC110 - it lies in the database
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _count(conn: Connection, action_id: UUID, state: str, *, is_urgent: bool) -> int:
    return int(
        await value(
            conn,
            """
            SELECT count(*) FROM deliveries
            WHERE about = %(about)s AND state = %(state)s AND (urgency = 0) = %(is_urgent)s
            """,
            about=action_id, state=state, is_urgent=is_urgent,
        )
    )  # fmt: skip


async def _seconds(conn: Connection, action_id: UUID) -> float:
    return float(
        await value(
            conn,
            """
            SELECT extract(epoch FROM max(settled_at) - min(planned_at)) FROM deliveries
            WHERE about = %(about)s AND urgency = 0
            """,
            about=action_id,
        )
    )
