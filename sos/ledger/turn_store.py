"""The SQL of turns: advisory locks of a session, which end with it, and sessions that have fallen silent."""

from datetime import datetime, timedelta

from channels.base import ChannelName
from sos.database import Connection, run, value

TURN = 7_305_010  # the first key of the lock that lets one worker send by a channel; the second is the channel's
BLOCKS = {ChannelName.EMAIL: 7_305_021, ChannelName.SMS: 7_305_022, ChannelName.TELEGRAM: 7_305_023}
SILENT_SECONDS = 12  # whoever has a turn is heard of every few seconds


async def take_turn(conn: Connection, channel: ChannelName) -> bool:
    """Whether this session is now the one that sends by a channel."""
    return bool(await value(conn, "SELECT pg_try_advisory_lock(%(turn)s, %(key)s)", turn=TURN, key=BLOCKS[channel]))


async def take_block(conn: Connection, channel: ChannelName, block: int) -> bool:
    """Whether this session is now the one that looks at a block of numbers."""
    return bool(await value(conn, "SELECT pg_try_advisory_lock(%(key)s, %(block)s)", key=BLOCKS[channel], block=block))


async def leave_block(conn: Connection, channel: ChannelName, block: int) -> None:
    """Leave a block to others."""
    await conn.execute("SELECT pg_advisory_unlock(%s, %s)", [BLOCKS[channel], block])


async def end_silent(conn: Connection, channel: ChannelName) -> int:
    """End the sessions that hold a channel's turn or blocks and have said nothing for long; how many.

    Their process is stopped or cut off. When it goes on it finds its session gone, and can mark nothing by it.
    """
    return await run(
        conn,
        """
        SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
          AND (l.classid = %(key)s OR l.classid = %(turn)s AND l.objid = %(key)s)
          AND a.state_change < clock_timestamp() - make_interval(secs => %(silent)s)
        """,
        key=BLOCKS[channel], turn=TURN, silent=SILENT_SECONDS,
    )  # fmt: skip


async def keep_silence(conn: Connection, channel: ChannelName, until: datetime) -> None:
    """The provider of a channel wants to be asked nothing until then, by none of us."""
    await run(
        conn,
        """
        INSERT INTO silences (channel, until) VALUES (%(channel)s, %(until)s)
        ON CONFLICT (channel) DO UPDATE SET until = greatest(silences.until, EXCLUDED.until)
        """,
        channel=channel, until=until,
    )  # fmt: skip


async def silence_left(conn: Connection, channel: ChannelName, now: datetime) -> timedelta:
    """How long a channel's provider still wants to be asked nothing."""
    until: datetime | None = await value(
        conn, "SELECT until FROM silences WHERE channel = %(channel)s AND until > %(now)s", channel=channel, now=now
    )
    return until - now if until else timedelta()
