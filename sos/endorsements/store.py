"""The SQL of answers and signatures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from channels.base import ChannelName
from sos.database import Connection, row, rows, run, value
from sos.endorsements.endorsement import Given, Invitation

# While a case is held, because somebody in danger took her consent back, its letters stand as stopped; what puts
# something right is shown all the same.
INVITED: LiteralString = """
    SELECT d.id AS delivery, d.channel, d.language, x.id AS action_id, x.kind, x.names_shown, x.deadline_at,
           CASE WHEN x.kind <> 'correction'
                    AND EXISTS (SELECT FROM holds h WHERE h.scope = 'case' AND h.target = x.case_id::text)
                THEN 'stopped' ELSE x.state END AS state,
           c.id AS contact_id, c.name_sealed AS contact_sealed, m.id AS member_id, m.names_sealed AS member_sealed,
           m.country, m.region, c.may_sign, c.time_zone, a.id AS address_id, a.value_sealed AS address_sealed
    FROM deliveries d
    JOIN actions x ON x.id = d.about
    JOIN contacts c ON c.id = d.recipient_id
    JOIN members m ON m.id = c.member_id
    JOIN addresses a ON a.id = d.address_id
    WHERE d.purpose = 'action'
"""


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer on its way into the database."""

    id: UUID
    answer: str
    text_hash: bytes
    name_sealed: bytes
    door: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as the letter needs it."""

    id: UUID
    contact_id: UUID
    member_id: UUID
    answer: str
    name_sealed: bytes
    country: str
    region: str
    language: str


async def find_invitation(conn: Connection, delivery_id: int) -> Invitation | None:
    return await row(conn, Invitation, INVITED + "AND d.id = %(id)s", id=delivery_id)


async def invitations_at(
    conn: Connection, channel: ChannelName, value_index: bytes, *, since: datetime
) -> list[Invitation]:
    """What this address was written to about and whose deadline was not before `since`, the newest first."""
    return await rows(
        conn,
        Invitation,
        INVITED
        + """
        AND a.channel = %(channel)s AND a.value_index = %(index)s AND d.state <> 'shared' AND x.deadline_at > %(since)s
        ORDER BY d.id DESC
        """,
        channel=channel, index=value_index, since=since,
    )  # fmt: skip


async def is_shown(conn: Connection, action_id: UUID) -> bool:
    """Whether the text of an action may be read: it was neither stopped, nor is its case held."""
    return bool(
        await value(
            conn,
            """
            SELECT EXISTS (
                SELECT FROM actions x WHERE x.id = %(id)s AND x.state <> 'stopped'
                AND (x.kind = 'correction' OR NOT EXISTS (
                    SELECT FROM holds h WHERE h.scope = 'case' AND h.target = x.case_id::text
                ))
            )
            """,
            id=action_id,
        )
    )


async def lock_letter(conn: Connection, action_id: UUID) -> str | None:
    """The action's state, held until the step ends: a freeze waits for answers under way, and they for it."""
    state: str | None = await value(conn, "SELECT state FROM actions WHERE id = %(id)s FOR SHARE", id=action_id)
    return state


async def insert_answer(conn: Connection, invitation: Invitation, new: NewAnswer) -> bool:
    """False if she, or for a signature somebody of her organisation, has answered already."""
    return await run(
        conn,
        """
        INSERT INTO endorsements (id, action_id, contact_id, member_id, answer, language, text_hash, name_sealed,
                                  country, region, door, delivery_id, answered_at)
        VALUES (%(id)s, %(action)s, %(contact)s, %(member)s, %(answer)s, %(language)s, %(hash)s, %(name)s, %(country)s,
                %(region)s, %(door)s, %(delivery)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        id=new.id, action=invitation.action_id, contact=invitation.contact_id, member=invitation.member_id,
        answer=new.answer, language=invitation.language, hash=new.text_hash, name=new.name_sealed,
        country=invitation.country, region=invitation.region, door=new.door, delivery=invitation.delivery, now=new.now,
    ) == 1  # fmt: skip


async def standing_answer(conn: Connection, action_id: UUID, contact_id: UUID) -> Given | None:
    """What this contact has answered."""
    return await row(
        conn,
        Given,
        """
        SELECT answer, answered_at, contact_id FROM endorsements
        WHERE action_id = %(action)s AND contact_id = %(contact)s AND withdrawn_at IS NULL
        """,
        action=action_id, contact=contact_id,
    )  # fmt: skip


async def organisation_signature(conn: Connection, action_id: UUID, member_id: UUID) -> Given | None:
    """The signature that stands for this organisation."""
    return await row(
        conn,
        Given,
        """
        SELECT answer, answered_at, contact_id FROM endorsements
        WHERE action_id = %(action)s AND member_id = %(member)s AND withdrawn_at IS NULL AND answer = 'sign'
        """,
        action=action_id, member=member_id,
    )  # fmt: skip


async def withdraw(conn: Connection, action_id: UUID, contact_id: UUID, now: datetime) -> bool:
    """Whether there was an answer to take back."""
    return await run(
        conn,
        """
        UPDATE endorsements SET withdrawn_at = %(now)s
        WHERE action_id = %(action)s AND contact_id = %(contact)s AND withdrawn_at IS NULL
        """,
        action=action_id, contact=contact_id, now=now,
    ) == 1  # fmt: skip


async def signatures(conn: Connection, action_id: UUID) -> list[Signature]:
    """Every signature that stands, in the order in which they came."""
    return await rows(
        conn,
        Signature,
        """
        SELECT id, contact_id, member_id, answer, name_sealed, country, region, language FROM endorsements
        WHERE action_id = %(id)s AND withdrawn_at IS NULL AND answer IN ('sign', 'sign_individually')
        ORDER BY answered_at, id
        """,
        id=action_id,
    )


@dataclass(frozen=True, slots=True)
class Answers:
    """How many of one answer came from one region."""

    region: str
    answer: str
    count: int


async def count_answers(conn: Connection, action_id: UUID) -> list[Answers]:
    """Answers that stand, by region."""
    return await rows(
        conn,
        Answers,
        """
        SELECT region, answer, count(*) AS count FROM endorsements
        WHERE action_id = %(id)s AND withdrawn_at IS NULL GROUP BY region, answer ORDER BY region, answer
        """,
        id=action_id,
    )


async def wrong_codes(conn: Connection, value_index: bytes, since: datetime) -> int:
    """How many wrong codes this number has sent since then."""
    tries: int | None = await value(
        conn,
        "SELECT tries FROM wrong_codes WHERE value_index = %(index)s AND last_at > %(since)s",
        index=value_index, since=since,
    )  # fmt: skip
    return tries or 0


async def count_wrong_code(conn: Connection, value_index: bytes, now: datetime, window: timedelta) -> None:
    """One more wrong code; the count begins anew after a quiet `window`."""
    await run(
        conn,
        """
        INSERT INTO wrong_codes (value_index, tries, last_at) VALUES (%(index)s, 1, %(now)s)
        ON CONFLICT (value_index) DO UPDATE SET last_at = %(now)s,
            tries = CASE WHEN wrong_codes.last_at > %(now)s - %(window)s THEN wrong_codes.tries + 1 ELSE 1 END
        """,
        index=value_index, now=now, window=window,
    )  # fmt: skip
