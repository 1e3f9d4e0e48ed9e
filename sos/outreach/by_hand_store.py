"""The SQL of deliveries that a person makes: due, taken by somebody, given back, done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows, run
from sos.ledger.delivery import DeliveryState, Due
from sos.ledger.leaving_store import may_leave
from sos.ledger.settling_store import DUE

TAKEN_FOR = timedelta(hours=2)  # then somebody else may take it


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery by hand, with whom it is for, as they lie sealed. `taken_at`: since when somebody has it."""

    id: int
    about: UUID
    language: str
    urgency: int
    discreet: bool
    attempt: int
    attempts: int
    expires_at: datetime
    taken_by: UUID | None
    taken_at: datetime | None
    contact_id: UUID
    contact_sealed: bytes
    member_id: UUID
    member_sealed: bytes
    country: str
    time_zone: str
    address_id: UUID
    address_sealed: bytes


_CALL: LiteralString = """
    SELECT d.id, d.about, d.language, d.urgency, d.discreet OR coalesce(c.discreet, false) AS discreet, d.attempt,
           d.attempts, d.expires_at, d.taken_by, d.marked_at AS taken_at, c.id AS contact_id,
           c.name_sealed AS contact_sealed, m.id AS member_id, m.names_sealed AS member_sealed, m.country, c.time_zone,
           a.id AS address_id, a.value_sealed AS address_sealed
    FROM deliveries d JOIN contacts c ON c.id = d.recipient_id JOIN members m ON m.id = c.member_id
    JOIN addresses a ON a.id = d.address_id
    WHERE d.purpose = 'action' AND
"""
_LEAVES = may_leave(ChannelName.BY_HAND)


async def list_due(conn: Connection, person: UUID, now: datetime, limit: int) -> list[Call]:
    """What this person has taken, and what nobody has; the most urgent first."""
    return await rows(
        conn,
        Call,
        _CALL + _LEAVES + """
        AND (d.taken_by IS NULL OR d.taken_by = %(person)s OR d.marked_at < %(stale)s)
        ORDER BY d.taken_by = %(person)s DESC NULLS LAST, d.urgency, d.due_at, d.id LIMIT %(limit)s
        """,
        channel=ChannelName.BY_HAND, person=person, now=now, stale=now - TAKEN_FOR, limit=limit,
    )  # fmt: skip


async def find_taken(conn: Connection, delivery: int, person: UUID, now: datetime) -> Call | None:
    """A call that this person has taken and that may still be made."""
    return await row(
        conn,
        Call,
        _CALL + _LEAVES + "AND d.id = %(id)s AND d.taken_by = %(person)s",
        channel=ChannelName.BY_HAND, person=person, now=now, id=delivery,
    )  # fmt: skip


async def take(conn: Connection, delivery: int, person: UUID, attempt: int, now: datetime) -> bool:
    """The claim: with every condition of whatever leaves, and only where nobody else has it."""
    return await run(
        conn,
        """
        UPDATE deliveries d SET taken_by = %(person)s, marked_at = %(now)s, attempt = %(attempt)s
        WHERE d.id = (
            SELECT d.id FROM deliveries d WHERE d.id = %(id)s AND """ + _LEAVES + """
              AND (d.taken_by IS NULL OR d.taken_by = %(person)s OR d.marked_at < %(stale)s)
            FOR UPDATE
        )
        """,
        channel=ChannelName.BY_HAND, person=person, attempt=attempt, now=now, id=delivery, stale=now - TAKEN_FOR,
    ) == 1  # fmt: skip


async def give_back(conn: Connection, delivery: int, person: UUID) -> None:
    """Leave it to others."""
    await run(
        conn,
        "UPDATE deliveries SET taken_by = NULL WHERE id = %(id)s AND taken_by = %(person)s AND state = 'queued'",
        id=delivery, person=person,
    )  # fmt: skip


async def lock_taken(
    conn: Connection, delivery: int, person: UUID, attempt: int, *, state: DeliveryState = DeliveryState.QUEUED
) -> Due | None:
    """The delivery whose outcome this person brings, locked; None where others have it now.

    One that was stopped, or whose time was over, while she had it has *ended*.
    """
    return await row(
        conn,
        Due,
        "SELECT " + DUE + """
        FROM deliveries d WHERE d.id = %(id)s AND d.taken_by = %(person)s AND d.attempt = %(attempt)s
          AND d.state = %(state)s FOR UPDATE
        """,
        id=delivery, person=person, attempt=attempt, state=state,
    )  # fmt: skip
