"""The SQL of looking at deliveries: how fast, what waits and why, the list behind a number, one person's timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows
from sos.ledger.delivery import DeliveryState, Purpose

A_WHILE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """How an action's messages go on: what left within the last minute, and why the others still wait.

    `ready` may leave now; `again` was tried and is tried later; `later` is a further way, for whoever does not answer;
    `language` waits for a translation; `night` until it is day where she is; `by_hand` for a person who calls. `woken`
    phones rang at night.
    """

    left: int
    ready: int
    again: int
    later: int
    language: int
    night: int
    by_hand: int
    woken: int
    next_at: datetime | None

    @property
    def minutes_left(self) -> int | None:
        """How long those take that may leave now, at the pace of the last minute; None before there is a pace."""
        return -(-self.ready // self.left) if self.left and self.ready else None


async def find_flow(conn: Connection, about: UUID, now: datetime) -> Flow:
    """How the messages about something go on."""
    found = await row(
        conn,
        Flow,
        """
        SELECT count(*) FILTER (WHERE state = 'queued' AND NOT is_later AND NOT is_night AND NOT is_by_hand) AS ready,
               count(*) FILTER (WHERE state = 'queued' AND NOT is_later AND NOT is_night AND is_by_hand) AS by_hand,
               count(*) FILTER (WHERE state = 'queued' AND is_later AND attempts > 0) AS again,
               count(*) FILTER (WHERE state = 'queued' AND is_later AND attempts = 0 AND awaits IS NULL) AS later,
               count(*) FILTER (WHERE state = 'queued' AND is_later AND attempts = 0 AND awaits IS NOT NULL)
                   AS language,
               count(*) FILTER (WHERE state = 'queued' AND NOT is_later AND is_night) AS night,
               count(*) FILTER (WHERE was_night) AS woken,
               count(*) FILTER (WHERE state IN ('accepted', 'delivered', 'answered') AND settled_at > %(since)s)
                   AS left,
               min(due_at) FILTER (WHERE state = 'queued' AND is_later) AS next_at
        FROM (
            SELECT d.state, d.attempts, d.awaits, d.due_at, d.settled_at, d.due_at > %(now)s AS is_later,
                   d.channel = 'by_hand' AS is_by_hand,
                   d.state = 'queued' AND NOT d.may_wake AND d.channel <> 'email'
                       AND coalesce(is_quiet(%(now)s, c.time_zone, c.quiet_from, c.quiet_until), false) AS is_night,
                   d.marked_at IS NOT NULL AND d.may_wake AND d.channel <> 'email'
                       AND coalesce(is_quiet(d.marked_at, c.time_zone, c.quiet_from, c.quiet_until), false) AS was_night
            FROM deliveries d LEFT JOIN contacts c ON c.id = d.recipient_id
            WHERE d.about = %(about)s AND d.purpose = 'action'
        ) AS one
        """,
        about=about, now=now, since=now - A_WHILE,
    )  # fmt: skip
    assert found
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A delivery in a list, with whom it is for, as they lie sealed; no contact where it is for somebody else."""

    id: int
    about: UUID
    purpose: Purpose
    kind: str
    channel: ChannelName
    language: str
    state: DeliveryState
    reason: str
    attempts: int
    step: int
    planned_at: datetime
    due_at: datetime
    expires_at: datetime
    marked_at: datetime | None
    settled_at: datetime | None
    set_aside_at: datetime | None
    contact_id: UUID | None
    contact_sealed: bytes | None
    member_id: UUID | None
    member_sealed: bytes | None
    reference: str | None
    country: str | None


_LINE: LiteralString = """
    SELECT d.id, d.about, d.purpose, d.kind, d.channel, d.language, d.state, d.reason, d.attempts, d.step, d.planned_at,
           d.due_at, d.expires_at, d.marked_at, d.settled_at, d.set_aside_at, c.id AS contact_id,
           c.name_sealed AS contact_sealed, m.id AS member_id, m.names_sealed AS member_sealed, m.reference, m.country
    FROM deliveries d LEFT JOIN contacts c ON c.id = d.recipient_id LEFT JOIN members m ON m.id = c.member_id
"""


async def list_behind(
    conn: Connection, about: UUID, *, channel: str, language: str, state: str, after: int, limit: int
) -> list[Line]:
    """The deliveries behind a number, from the one after `after` on; an empty filter takes all."""
    return await rows(
        conn,
        Line,
        _LINE + """
        WHERE d.about = %(about)s AND d.id > %(after)s
          AND %(channel)s IN ('', d.channel) AND %(language)s IN ('', d.language) AND %(state)s IN ('', d.state::text)
        ORDER BY d.id LIMIT %(limit)s
        """,
        about=about, after=after, channel=channel, language=language, state=state, limit=limit,
    )  # fmt: skip


async def list_of_contact(conn: Connection, contact_id: UUID, limit: int) -> list[Line]:
    """Everything that was ever to be sent to somebody, the latest first."""
    return await rows(
        conn,
        Line,
        _LINE + "WHERE d.recipient_id = %(contact)s ORDER BY d.planned_at DESC, d.id DESC LIMIT %(limit)s",
        contact=contact_id, limit=limit,
    )  # fmt: skip


# What did not arrive, or may not have, and whose recipient nothing else about it has reached or is on its way to.
_DEAD: LiteralString = """
    WHERE d.state IN ('failed', 'refused', 'unknown') AND d.set_aside_at IS NULL
      AND NOT EXISTS (
          SELECT FROM deliveries o
          WHERE o.about = d.about AND o.purpose = d.purpose AND o.recipient_id = d.recipient_id AND o.kind = d.kind
            AND o.id <> d.id AND o.state IN ('queued', 'marked', 'accepted', 'delivered', 'answered')
      )
"""


async def list_dead(conn: Connection, limit: int) -> list[Line]:
    """What has ended without reaching its recipient by any way, the latest first."""
    return await rows(conn, Line, _LINE + _DEAD + "ORDER BY d.settled_at DESC, d.id DESC LIMIT %(limit)s", limit=limit)


async def count_dead(conn: Connection) -> int:
    """How many have."""
    found = await rows(conn, dict[str, int], "SELECT count(*) AS count FROM deliveries d " + _DEAD)
    return found[0]["count"]


async def try_again(conn: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Queue anew what has ended so; what was stopped for good, has said stop or is over its time stays as it is.

    So does what another way, a colleague or an answer has settled since. Which were queued. Of an SMS that may have
    arrived the provider is asked first, as after a crash.
    """
    found = await rows(
        conn,
        dict[str, int],
        """
        UPDATE deliveries d SET state = 'queued', reason = '', due_at = %(now)s, settled_at = NULL, attempts = 0,
            unconfirmed = CASE WHEN d.channel = 'sms' THEN d.unconfirmed ELSE 0 END
        """ + _DEAD + """
          AND d.id = ANY(%(ids)s) AND d.expires_at > %(now)s
          AND NOT EXISTS (
              SELECT FROM addresses a JOIN suppressions s ON s.channel = a.channel AND s.value_index = a.value_index
              WHERE a.id = d.address_id
          )
          AND NOT EXISTS (
              SELECT FROM holds h WHERE h.people_needed = 0
                AND (h.scope, h.target) IN (('about', d.about::text), ('case', coalesce(d.case_id, d.about)::text))
          )
        RETURNING d.id
        """,
        ids=list(ids), now=now,
    )  # fmt: skip
    return [one["id"] for one in found]


async def set_aside(conn: Connection, ids: Sequence[int], person: UUID, now: datetime) -> list[int]:
    """Somebody has looked at these and leaves them as they are. Which they were."""
    found = await rows(
        conn,
        dict[str, int],
        """
        UPDATE deliveries SET set_aside_by = %(person)s, set_aside_at = %(now)s
        WHERE id = ANY(%(ids)s) AND state IN ('failed', 'refused', 'unknown') AND set_aside_at IS NULL RETURNING id
        """,
        ids=list(ids), person=person, now=now,
    )  # fmt: skip
    return [one["id"] for one in found]
