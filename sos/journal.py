"""The append-only record of who did what: ids, counts and labels, in the step's own transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from sos.actor import Actor
from sos.database import Connection, rows, run


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    at: datetime
    actor_kind: str
    actor_id: UUID | None
    did: str
    facts: dict[str, Any]


async def note(conn: Connection, did: str, actor: Actor, subject_id: UUID, now: datetime, **facts: object) -> None:
    """Append `did` (noun.past_verb) by `actor` about `subject_id`; facts are ids, counts and labels only."""
    await run(
        conn,
        """
        INSERT INTO journal (at, actor_kind, actor_id, did, subject_id, facts)
        VALUES (%(at)s, %(kind)s, %(actor)s, %(did)s, %(subject)s, %(facts)s)
        """,
        at=now, kind=actor.kind, actor=actor.id, did=did, subject=subject_id, facts=Jsonb(facts),
    )  # fmt: skip


async def entries(conn: Connection, subject_id: UUID) -> list[Entry]:
    """What happened to one subject, oldest first."""
    return await rows(
        conn,
        Entry,
        "SELECT at, actor_kind, actor_id, did, facts FROM journal WHERE subject_id = %(id)s ORDER BY id",
        id=subject_id,
    )
