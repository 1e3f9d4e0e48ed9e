"""The SQL of letters: frozen, typeset, released."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.database import Connection, row, rows, run, value
from sos.letters.letter import Letter


@dataclass(frozen=True, slots=True)
class LetterFile:
    """A letter's pages in one language, sealed."""

    language: str
    pages: int
    sha256: bytes
    pdf_sealed: bytes


async def insert_letter(conn: Connection, letter: Letter, signatories_sealed: bytes) -> None:
    await run(
        conn,
        """
        INSERT INTO letters (id, action_id, state, signatories_sealed, signatories_hash, organisations, individuals,
                             countries, frozen_at)
        VALUES (%(id)s, %(action)s, %(state)s, %(sealed)s, %(hash)s, %(organisations)s, %(individuals)s, %(countries)s,
                %(now)s)
        """,
        id=letter.id, action=letter.action_id, state=letter.state, sealed=signatories_sealed,
        hash=letter.signatories_hash, organisations=letter.organisations, individuals=letter.individuals,
        countries=letter.countries, now=letter.frozen_at,
    )  # fmt: skip


async def find_letter(conn: Connection, letter_id: UUID) -> Letter | None:
    return await row(
        conn,
        Letter,
        """
        SELECT id, action_id, state, signatories_hash, organisations, individuals, countries, frozen_at, released_at
        FROM letters WHERE id = %(id)s
        """,
        id=letter_id,
    )


async def find_letter_of(conn: Connection, action_id: UUID) -> Letter | None:
    return await row(
        conn,
        Letter,
        """
        SELECT id, action_id, state, signatories_hash, organisations, individuals, countries, frozen_at, released_at
        FROM letters WHERE action_id = %(id)s
        """,
        id=action_id,
    )


async def signatories_of(conn: Connection, letter_id: UUID) -> bytes:
    """The signatories as they lie sealed."""
    sealed: bytes = await value(conn, "SELECT signatories_sealed FROM letters WHERE id = %(id)s", id=letter_id)
    return sealed


async def insert_file(conn: Connection, letter_id: UUID, file: LetterFile) -> None:
    """Keep a letter's pages; typesetting twice keeps the first."""
    await run(
        conn,
        """
        INSERT INTO letter_files (letter_id, language, pages, sha256, pdf_sealed)
        VALUES (%(id)s, %(language)s, %(pages)s, %(sha256)s, %(pdf)s)
        ON CONFLICT DO NOTHING
        """,
        id=letter_id, language=file.language, pages=file.pages, sha256=file.sha256, pdf=file.pdf_sealed,
    )  # fmt: skip


async def files_of(conn: Connection, letter_id: UUID) -> dict[str, LetterFile]:
    """A letter's pages by language."""
    found = await rows(
        conn,
        LetterFile,
        "SELECT language, pages, sha256, pdf_sealed FROM letter_files WHERE letter_id = %(id)s ORDER BY language",
        id=letter_id,
    )
    return {file.language: file for file in found}


async def mark_released(conn: Connection, letter_id: UUID, by: UUID, now: datetime) -> bool:
    """Whether this was the release: a letter is released once."""
    return await run(
        conn,
        """
        UPDATE letters SET state = 'released', released_by = %(by)s, released_at = %(now)s
        WHERE id = %(id)s AND state = 'frozen'
        """,
        id=letter_id, by=by, now=now,
    ) == 1  # fmt: skip


async def plan_to_targets(conn: Connection, letter: Letter, *, rank: int, now: datetime, until: datetime) -> int:
    """One email to each whom the letter is addressed to, in her language."""
    return await run(
        conn,
        """
        INSERT INTO deliveries (purpose, about, case_id, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at)
        SELECT 'letter', %(letter)s, x.case_id, 'target', t.id, a.channel, a.id, t.language, %(rank)s, %(now)s,
               %(until)s, %(now)s
        FROM targets t
        JOIN actions x ON x.id = t.action_id
        JOIN addresses a ON a.owner_kind = 'target' AND a.owner_id = t.id AND a.channel = 'email'
        WHERE t.action_id = %(action)s
        ON CONFLICT DO NOTHING
        """,
        letter=letter.id, action=letter.action_id, rank=rank, now=now, until=until,
    )  # fmt: skip


async def plan_thanks(conn: Connection, letter: Letter, *, rank: int, now: datetime, until: datetime) -> int:
    """One message to everybody whose signature stands, by the way in which she was asked."""
    return await run(
        conn,
        """
        INSERT INTO deliveries (purpose, about, case_id, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at, discreet, may_wake)
        SELECT 'thanks', %(letter)s, d.case_id, 'contact', e.contact_id, d.channel, d.address_id, e.language, %(rank)s,
               %(now)s, %(until)s, %(now)s, d.discreet, false
        FROM endorsements e
        JOIN deliveries d ON d.id = e.delivery_id
        JOIN contacts c ON c.id = e.contact_id
        JOIN addresses a ON a.id = d.address_id
        WHERE e.action_id = %(action)s AND e.withdrawn_at IS NULL AND e.answer IN ('sign', 'sign_individually')
          AND NOT c.paused AND d.channel <> 'by_hand'
          AND NOT EXISTS (SELECT FROM suppressions s WHERE s.channel = a.channel AND s.value_index = a.value_index)
        ON CONFLICT DO NOTHING
        """,
        letter=letter.id, action=letter.action_id, rank=rank, now=now, until=until,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A delivery of thanks, and the one by which she was asked."""

    delivery: int
    asked_by: int


async def asked_by(conn: Connection, delivery_ids: list[int]) -> dict[int, int]:
    """For these deliveries of thanks, the deliveries whose link she answered by."""
    found = await rows(
        conn,
        Asked,
        """
        SELECT d.id AS delivery, e.delivery_id AS asked_by
        FROM deliveries d
        JOIN letters l ON l.id = d.about
        JOIN endorsements e ON e.action_id = l.action_id AND e.contact_id = d.recipient_id AND e.withdrawn_at IS NULL
        WHERE d.id = ANY(%(ids)s) AND e.delivery_id IS NOT NULL
        """,
        ids=delivery_ids,
    )
    return {one.delivery: one.asked_by for one in found}


@dataclass(frozen=True, slots=True)
class TargetRecipient:
    """An addressee of a letter's delivery, sealed."""

    delivery: int
    target_id: UUID
    name_sealed: bytes
    title_sealed: bytes
    address_id: UUID
    address_sealed: bytes


async def target_recipients(conn: Connection, delivery_ids: list[int]) -> list[TargetRecipient]:
    """Who is behind these deliveries of letters."""
    return await rows(
        conn,
        TargetRecipient,
        """
        SELECT d.id AS delivery, t.id AS target_id, t.name_sealed, t.title_sealed, a.id AS address_id,
               a.value_sealed AS address_sealed
        FROM deliveries d JOIN targets t ON t.id = d.recipient_id JOIN addresses a ON a.id = d.address_id
        WHERE d.id = ANY(%(ids)s)
        """,
        ids=delivery_ids,
    )


async def find_released(conn: Connection, hash_start: str) -> Letter | None:
    """The released letter whose fingerprint begins like this (24 hexadecimal digits)."""
    return await row(
        conn,
        Letter,
        """
        SELECT id, action_id, state, signatories_hash, organisations, individuals, countries, frozen_at, released_at
        FROM letters WHERE state = 'released' AND left(encode(signatories_hash, 'hex'), 24) = %(start)s
        """,
        start=hash_start,
    )
