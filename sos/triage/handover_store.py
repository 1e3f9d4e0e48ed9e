"""The SQL of hand-overs: who gave which case to whom."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, rows, run


@dataclass(frozen=True, slots=True)
class Handed:
    """A case that somebody handed to a colleague, and when it was accepted."""

    case_id: UUID
    to_id: UUID
    handed_at: datetime
    accepted_at: datetime | None


async def insert(conn: Connection, handover_id: UUID, handed: Handed, *, from_id: UUID) -> None:
    await run(
        conn,
        """
        INSERT INTO handovers (id, case_id, from_id, to_id, handed_at, accepted_at)
        VALUES (%(id)s, %(case)s, %(giver)s, %(taker)s, %(handed_at)s, %(accepted_at)s)
        """,
        id=handover_id, case=handed.case_id, giver=from_id, taker=handed.to_id, handed_at=handed.handed_at,
        accepted_at=handed.accepted_at,
    )  # fmt: skip


async def accept(conn: Connection, case_id: UUID, to_id: UUID, now: datetime) -> bool:
    """Whether the case was on its way to her."""
    return await run(
        conn,
        """
        UPDATE handovers SET accepted_at = %(now)s
        WHERE case_id = %(case)s AND to_id = %(taker)s AND accepted_at IS NULL AND taken_back_at IS NULL
        """,
        case=case_id, taker=to_id, now=now,
    ) == 1  # fmt: skip


async def take_back(conn: Connection, case_id: UUID, now: datetime) -> bool:
    """Whether there was one that nobody had accepted."""
    return await run(
        conn,
        """
        UPDATE handovers SET taken_back_at = %(now)s
        WHERE case_id = %(case)s AND accepted_at IS NULL AND taken_back_at IS NULL
        """,
        case=case_id, now=now,
    ) == 1  # fmt: skip


async def list_handed_by(conn: Connection, person_id: UUID) -> list[Handed]:
    """The open cases that somebody handed on (or a colleague took over), each by its latest hand-over."""
    return await rows(
        conn,
        Handed,
        """
        SELECT DISTINCT ON (h.case_id) h.case_id, h.to_id, h.handed_at, h.accepted_at
        FROM handovers h JOIN cases c ON c.id = h.case_id
        WHERE h.from_id = %(person)s AND h.taken_back_at IS NULL AND c.state <> 'closed'
        ORDER BY h.case_id, h.handed_at DESC
        """,
        person=person_id,
    )
