"""The SQL of actions, their drafts, addressees and approvals."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sos.actions.action import Action, Approval, Text, TextState
from sos.database import Connection, row, rows, run, value


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as it lies, sealed."""

    language: str
    is_original: bool
    state: TextState
    sealed: bytes
    hash: bytes
    names_found: int | None
    names_looked_for: frozenset[UUID]
    written_by: UUID
    written_at: datetime
    reviewed_by: UUID | None


@dataclass(frozen=True, slots=True)
class TargetRow:
    """An addressee as it lies, sealed, with the address of its email."""

    id: UUID
    name_sealed: bytes
    title_sealed: bytes
    language: str
    country: str | None
    position: int
    address_id: UUID
    email_sealed: bytes


@dataclass(frozen=True, slots=True)
class PublishedText:
    """A text that was approved and sent, in the clear."""

    language: str
    title: str
    summary: str
    body: str
    hash: bytes

    @property
    def text(self) -> Text:
        return Text(self.title, self.summary, self.body)


async def insert_action(conn: Connection, action: Action) -> None:
    await run(
        conn,
        """
        INSERT INTO actions (id, case_id, kind, urgency, state, names_shown, regions, groups, deadline_at, drafted_by,
                             drafted_at, waits_until, corrects)
        VALUES (%(id)s, %(case)s, %(kind)s, %(urgency)s, %(state)s, %(names)s, %(regions)s, %(groups)s, %(deadline)s,
                %(by)s, %(now)s, %(waits)s, %(corrects)s)
        """,
        id=action.id, case=action.case_id, kind=action.kind, urgency=action.urgency, state=action.state,
        names=action.names_shown, regions=list(action.regions), groups=list(action.groups),
        deadline=action.deadline_at, by=action.drafted_by, now=action.drafted_at, waits=action.waits_until,
        corrects=action.corrects,
    )  # fmt: skip


async def find_action(conn: Connection, action_id: UUID) -> Action | None:
    return await row(
        conn,
        Action,
        """
        SELECT id, case_id, kind, urgency, state, names_shown, regions, groups, deadline_at, drafted_by, drafted_at,
               launched_at, stopped_at, waits_until, corrects
        FROM actions WHERE id = %(id)s
        """,
        id=action_id,
    )


async def lock_action(conn: Connection, action_id: UUID) -> Action | None:
    """The action, locked until the step ends, so that changes and approvals come one after another."""
    return await row(
        conn,
        Action,
        """
        SELECT id, case_id, kind, urgency, state, names_shown, regions, groups, deadline_at, drafted_by, drafted_at,
               launched_at, stopped_at, waits_until, corrects
        FROM actions WHERE id = %(id)s FOR UPDATE
        """,
        id=action_id,
    )


async def find_correction(conn: Connection, action_id: UUID) -> UUID | None:
    """What puts this action right, if somebody has begun it."""
    found: UUID | None = await value(conn, "SELECT id FROM actions WHERE corrects = %(id)s", id=action_id)
    return found


async def list_actions(conn: Connection) -> list[Action]:
    """The newest first."""
    return await rows(
        conn,
        Action,
        """
        SELECT id, case_id, kind, urgency, state, names_shown, regions, groups, deadline_at, drafted_by, drafted_at,
               launched_at, stopped_at, waits_until, corrects
        FROM actions ORDER BY drafted_at DESC LIMIT 200
        """,
    )


async def change_audience(
    conn: Connection, action_id: UUID, *, regions: list[str], groups: list[str], names_shown: str,
    deadline_at: datetime, waits_until: datetime | None,
) -> None:  # fmt: skip
    await run(
        conn,
        """
        UPDATE actions SET regions = %(regions)s, groups = %(groups)s, names_shown = %(names)s, deadline_at = %(at)s,
            waits_until = %(waits)s
        WHERE id = %(id)s
        """,
        id=action_id, regions=regions, groups=groups, names=names_shown, at=deadline_at, waits=waits_until,
    )  # fmt: skip


async def set_state(conn: Connection, action_id: UUID, *, was: tuple[str, ...], becomes: str) -> bool:
    """Whether the action was in one of the states that this change starts from."""
    return await run(
        conn,
        "UPDATE actions SET state = %(becomes)s WHERE id = %(id)s AND state = ANY(%(was)s)",
        id=action_id, was=list(was), becomes=becomes,
    ) == 1  # fmt: skip


async def mark_launched(conn: Connection, action_id: UUID, by: UUID, now: datetime) -> bool:
    """Whether this was the launch: an approved action is launched once."""
    return await run(
        conn,
        """
        UPDATE actions SET state = 'launched', launched_by = %(by)s, launched_at = %(now)s
        WHERE id = %(id)s AND state = 'approved'
        """,
        id=action_id, by=by, now=now,
    ) == 1  # fmt: skip


async def mark_stopped(conn: Connection, action_id: UUID, by: UUID, now: datetime) -> bool:
    """Whether this stopped it: while it is sent, or later, while its letter waits or is on its way."""
    return await run(
        conn,
        """
        UPDATE actions SET state = 'stopped', stopped_by = %(by)s, stopped_at = %(now)s
        WHERE id = %(id)s AND state IN ('launched', 'closed')
        """,
        id=action_id, by=by, now=now,
    ) == 1  # fmt: skip


async def write_draft(conn: Connection, action_id: UUID, draft: DraftRow) -> None:
    """Put a text in its place; whatever stood there before is gone, and its review with it."""
    await run(
        conn,
        """
        INSERT INTO drafts (action_id, language, is_original, state, sealed, hash, names_found, names_looked_for,
                            written_by, written_at)
        VALUES (%(action)s, %(language)s, %(original)s, 'draft', %(sealed)s, %(hash)s, %(found)s, %(looked_for)s,
                %(by)s, %(now)s)
        ON CONFLICT (action_id, language) DO UPDATE SET
            state = 'draft', sealed = excluded.sealed, hash = excluded.hash, names_found = excluded.names_found,
            names_looked_for = excluded.names_looked_for, written_by = excluded.written_by,
            written_at = excluded.written_at, reviewed_by = NULL
        """,
        action=action_id, language=draft.language, original=draft.is_original, sealed=draft.sealed, hash=draft.hash,
        found=draft.names_found, looked_for=list(draft.names_looked_for), by=draft.written_by, now=draft.written_at,
    )  # fmt: skip


async def outdate_translations(conn: Connection, action_id: UUID) -> None:
    """The original has changed: its translations are out of date."""
    await run(
        conn,
        "UPDATE drafts SET state = 'outdated', reviewed_by = NULL WHERE action_id = %(id)s AND NOT is_original",
        id=action_id,
    )


async def mark_reviewed(conn: Connection, action_id: UUID, language: str, hash_seen: bytes, by: UUID) -> bool:
    """Whether exactly the text that the reviewer saw is now reviewed, and by somebody who did not write it."""
    return await run(
        conn,
        """
        UPDATE drafts SET state = 'reviewed', reviewed_by = %(by)s
        WHERE action_id = %(id)s AND language = %(language)s AND hash = %(hash)s AND state = 'draft'
          AND written_by <> %(by)s
        """,
        id=action_id, language=language, hash=hash_seen, by=by,
    ) == 1  # fmt: skip


async def record_names_found(
    conn: Connection, action_id: UUID, language: str, hash_seen: bytes, found: int, *, looked_for: Collection[UUID]
) -> None:
    """The result of a check is bound to the text's hash, and to those whose names were looked for."""
    await run(
        conn,
        """
        UPDATE drafts SET names_found = %(found)s, names_looked_for = %(looked_for)s
        WHERE action_id = %(id)s AND language = %(language)s AND hash = %(hash)s
        """,
        id=action_id, language=language, hash=hash_seen, found=found, looked_for=list(looked_for),
    )  # fmt: skip


async def list_drafts(conn: Connection, action_id: UUID) -> list[DraftRow]:
    """The original first."""
    return await rows(
        conn,
        DraftRow,
        """
        SELECT language, is_original, state, sealed, hash, names_found, names_looked_for, written_by, written_at,
               reviewed_by
        FROM drafts WHERE action_id = %(id)s ORDER BY NOT is_original, language
        """,
        id=action_id,
    )


async def insert_target(
    conn: Connection, action_id: UUID, target_id: UUID, *, name_sealed: bytes, title_sealed: bytes, language: str,
    country: str | None,
) -> None:  # fmt: skip
    await run(
        conn,
        """
        INSERT INTO targets (id, action_id, name_sealed, title_sealed, language, country, position)
        SELECT %(id)s, %(action)s, %(name)s, %(title)s, %(language)s, %(country)s, count(*)
        FROM targets WHERE action_id = %(action)s
        """,
        id=target_id, action=action_id, name=name_sealed, title=title_sealed, language=language,
        country=country,
    )  # fmt: skip


async def list_targets(conn: Connection, action_id: UUID) -> list[TargetRow]:
    return await rows(
        conn,
        TargetRow,
        """
        SELECT t.id, t.name_sealed, t.title_sealed, t.language, t.country, t.position, a.id AS address_id,
               a.value_sealed AS email_sealed
        FROM targets t JOIN addresses a ON a.owner_id = t.id AND a.channel = 'email'
        WHERE t.action_id = %(id)s ORDER BY t.position
        """,
        id=action_id,
    )


@dataclass(frozen=True, slots=True)
class Shaper:
    """Somebody who had a hand in an action."""

    id: UUID


async def shapers_of(conn: Connection, action_id: UUID) -> frozenset[UUID]:
    """Everybody who ever had a hand in this action, also in what was rewritten since."""
    found = await rows(
        conn,
        Shaper,
        """
        SELECT DISTINCT actor_id AS id FROM journal
        WHERE subject_id = %(id)s AND actor_kind = 'staff'
          AND did IN ('action.drafted', 'text.written', 'audience.changed', 'target.added')
        """,
        id=action_id,
    )
    return frozenset(one.id for one in found)


async def insert_approval(conn: Connection, action_id: UUID, approval: Approval) -> None:
    await run(
        conn,
        """
        INSERT INTO approvals (action_id, fingerprint, approved_by, approved_at)
        VALUES (%(id)s, %(fingerprint)s, %(by)s, %(now)s)
        """,
        id=action_id, fingerprint=approval.fingerprint, by=approval.approved_by, now=approval.approved_at,
    )  # fmt: skip


async def standing_approval(conn: Connection, action_id: UUID) -> Approval | None:
    return await row(
        conn,
        Approval,
        """
        SELECT fingerprint, approved_by, approved_at FROM approvals
        WHERE action_id = %(id)s AND voided_at IS NULL
        """,
        id=action_id,
    )


async def void_approval(conn: Connection, action_id: UUID, now: datetime) -> bool:
    """Whether there was one to void. The action is a draft again."""
    await set_state(conn, action_id, was=("approved",), becomes="draft")
    return await run(
        conn,
        "UPDATE approvals SET voided_at = %(now)s WHERE action_id = %(id)s AND voided_at IS NULL",
        id=action_id, now=now,
    ) == 1  # fmt: skip


async def publish_text(conn: Connection, action_id: UUID, language: str, text: Text) -> None:
    """Put an approved text in the clear."""
    await run(
        conn,
        """
        INSERT INTO texts (action_id, language, title, summary, body, hash)
        VALUES (%(id)s, %(language)s, %(title)s, %(summary)s, %(body)s, %(hash)s)
        """,
        id=action_id, language=language, title=text.title, summary=text.summary, body=text.body, hash=text.hash,
    )  # fmt: skip


async def erase_drafts(conn: Connection, action_id: UUID) -> None:
    """What was not sent is nobody's any more."""
    await run(conn, "DELETE FROM drafts WHERE action_id = %(id)s", id=action_id)


async def erase_draft(conn: Connection, action_id: UUID, language: str) -> None:
    """A late text was published: its draft is nobody's any more."""
    await run(
        conn, "DELETE FROM drafts WHERE action_id = %(id)s AND language = %(language)s", id=action_id, language=language
    )


async def published_texts(conn: Connection, action_id: UUID) -> dict[str, PublishedText]:
    """The texts that were sent, by language."""
    found = await rows(
        conn,
        PublishedText,
        "SELECT language, title, summary, body, hash FROM texts WHERE action_id = %(id)s ORDER BY language",
        id=action_id,
    )
    return {text.language: text for text in found}
