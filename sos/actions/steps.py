"""Drafting, translating, reviewing, addressing and approving an action."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from channels.base import ChannelName
from sos import journal
from sos.actions import store
from sos.actions.action import (
    Action,
    Approval,
    Draft,
    Kind,
    MayNotApprove,
    NamesShown,
    NotOpenForChanges,
    NotReady,
    OwnText,
    State,
    Target,
    Text,
    TextMoved,
    TextState,
    Withheld,
    fingerprint,
    missing_for_approval,
)
from sos.config import Config
from sos.database import Connection, NoSuchRow
from sos.jobs import Record, Step
from sos.ledger import store as ledger
from sos.members.member import OwnerKind
from sos.members.sealed import open_address, seal_address
from sos.members.store import save_address
from sos.staff.staff import Person
from sos.triage import case as triage
from sos.triage import store as triage_store
from sos.triage.steps import withheld_subjects
from sos.vault import KeyFile, Place


@dataclass(frozen=True, slots=True)
class NewAction:
    """What an editor begins with."""

    kind: Kind
    names_shown: NamesShown
    regions: tuple[str, ...]
    groups: tuple[str, ...]
    deadline_at: datetime
    language: str
    text: Text
    waits_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An action with all that an approval is about."""

    action: Action
    drafts: tuple[Draft, ...]
    targets: tuple[Target, ...]
    approval: Approval | None
    case_country: str | None = None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.action, self.drafts, self.targets)

    @property
    def is_approved(self) -> bool:
        """Whether somebody has approved exactly what is here now."""
        if self.action.state is not State.APPROVED or self.approval is None:
            return False
        return self.approval.fingerprint == self.fingerprint


def _place(action_id: UUID, language: str) -> Place:
    """A draft moved to another action or language does not open."""
    return Place("drafts", language, action_id)


async def draft_action(
    record: Record, keys: KeyFile, person: Person, case_id: UUID, new: NewAction, now: datetime,
    *, withheld: Withheld | None,
) -> UUID:  # fmt: skip
    """Begin an action of a case with its first text; `withheld` where this person may read those names.

    Raises NoSuchRow.
    """
    async with record.step() as step:
        case = await triage_store.find_case(step.conn, case_id)
        if case is None:
            raise NoSuchRow
        action = Action(
            uuid4(), case_id, new.kind, case.urgency, State.DRAFT, new.names_shown, new.regions, new.groups,
            new.deadline_at, person.id, now, waits_until=new.waits_until,
        )  # fmt: skip
        await store.insert_action(step.conn, action)
        draft = seal_draft(keys, action.id, new.language, new.text, person, now, withheld=withheld, is_original=True)
        await store.write_draft(step.conn, action.id, draft)
        await journal.note(step.conn, "action.drafted", person.actor, action.id, now, kind=new.kind)
    return action.id


def seal_draft(
    keys: KeyFile, action_id: UUID, language: str, text: Text, person: Person, now: datetime,
    *, withheld: Withheld | None, is_original: bool,
) -> store.DraftRow:  # fmt: skip
    """A text on its way, as it lies."""
    return store.DraftRow(
        language=language,
        is_original=is_original,
        state=TextState.DRAFT,
        sealed=keys.seal(text.dump(), _place(action_id, language)),
        hash=text.hash,
        names_found=text.count_names(withheld.names) if withheld else None,
        names_looked_for=withheld.subjects if withheld else frozenset(),
        written_by=person.id,
        written_at=now,
        reviewed_by=None,
    )


async def write_text(
    record: Record, keys: KeyFile, person: Person, action_id: UUID, language: str, text: Text, now: datetime,
    *, withheld: Withheld | None,
) -> None:  # fmt: skip
    """Write or rewrite the text of one language; a changed original puts its translations out of date.

    Raises NotOpenForChanges.
    """
    async with record.step() as step:
        action = await _lock_for_text(step.conn, action_id, language)
        standing = {draft.language: draft for draft in await store.list_drafts(step.conn, action_id)}
        before = standing.get(language)
        is_original = before is not None and before.is_original
        draft = seal_draft(keys, action_id, language, text, person, now, withheld=withheld, is_original=is_original)
        await store.write_draft(step.conn, action_id, draft)
        if before and before.is_original and before.hash != draft.hash:
            await store.outdate_translations(step.conn, action_id)
        if action.is_open_for_changes:
            await _void_approval(step, action_id, person, now)
        await journal.note(step.conn, "text.written", person.actor, action_id, now, language=language)


async def review_text(
    record: Record, person: Person, action_id: UUID, language: str, hash_seen: bytes, now: datetime
) -> None:
    """Somebody who did not write it says that exactly this text is right; saying it twice is saying it once.

    Raises OwnText, TextMoved, NotOpenForChanges.
    """
    async with record.step() as step:
        action = await _lock_for_text(step.conn, action_id, language)
        drafts = {draft.language: draft for draft in await store.list_drafts(step.conn, action_id)}
        draft = drafts.get(language)
        if draft is None or draft.hash != hash_seen or draft.state is TextState.OUTDATED:
            raise TextMoved
        if draft.written_by == person.id:
            raise OwnText
        if not await store.mark_reviewed(step.conn, action_id, language, hash_seen, person.id):
            return
        if action.is_open_for_changes:
            await _void_approval(step, action_id, person, now)
        await journal.note(step.conn, "text.reviewed", person.actor, action_id, now, language=language)


async def check_names(
    record: Record, keys: KeyFile, person: Person, action_id: UUID, withheld: Withheld, now: datetime
) -> None:
    """Look for withheld names in every text, in the session of somebody who may read them."""
    async with record.step() as step:
        for draft in await open_drafts(step.conn, keys, action_id):
            await store.record_names_found(
                step.conn, action_id, draft.language, draft.text.hash, draft.text.count_names(withheld.names),
                looked_for=withheld.subjects,
            )  # fmt: skip
        await journal.note(step.conn, "texts.checked", person.actor, action_id, now)


async def change_audience(
    record: Record, person: Person, action_id: UUID, *, regions: Sequence[str], groups: Sequence[str],
    names_shown: NamesShown, deadline_at: datetime, now: datetime, waits_until: datetime | None = None,
) -> None:  # fmt: skip
    """Say anew who is asked, until when, and who sees the names. Raises NotOpenForChanges."""
    async with record.step() as step:
        await _lock_open(step.conn, action_id)
        await store.change_audience(
            step.conn, action_id, regions=list(regions), groups=list(groups), names_shown=names_shown,
            deadline_at=deadline_at, waits_until=waits_until,
        )  # fmt: skip
        await _void_approval(step, action_id, person, now)
        await journal.note(step.conn, "audience.changed", person.actor, action_id, now)


async def add_target(
    record: Record, keys: KeyFile, person: Person, action_id: UUID, target: Target, now: datetime
) -> None:
    """Address the letter to one more. Raises NotOpenForChanges."""
    async with record.step() as step:
        await _lock_open(step.conn, action_id)
        await store.insert_target(
            step.conn,
            action_id,
            target.id,
            name_sealed=keys.seal(target.name, Place("targets", "name", target.id)),
            title_sealed=keys.seal(target.title, Place("targets", "title", target.id)),
            language=target.language,
            country=target.country,
        )
        await save_address(
            step.conn, seal_address(keys, (OwnerKind.TARGET, target.id), ChannelName.EMAIL, target.email)
        )
        await _void_approval(step, action_id, person, now)
        await journal.note(step.conn, "target.added", person.actor, action_id, now, target=str(target.id))


async def approve(
    record: Record, keys: KeyFile, config: Config, person: Person, action_id: UUID, seen: bytes, now: datetime
) -> None:
    """Somebody else's word for exactly what she saw; what a colleague has approved just now stays hers.

    Raises MayNotApprove, NotReady, NotOpenForChanges.
    """
    async with record.step() as step:
        await _lock_open(step.conn, action_id)
        prepared = await find_prepared(step.conn, keys, action_id)
        await _require_another(step.conn, prepared, person)
        missing = await missing_now(step.conn, config, prepared, now)
        if prepared.fingerprint != seen:
            missing = ("approve.missing.changed", *missing)
        if missing:
            raise NotReady(missing)
        if prepared.is_approved:
            return
        await store.void_approval(step.conn, action_id, now)
        await store.insert_approval(step.conn, action_id, Approval(prepared.fingerprint, person.id, now))
        await store.set_state(step.conn, action_id, was=(State.DRAFT,), becomes=State.APPROVED)
        await journal.note(step.conn, "action.approved", person.actor, action_id, now)


async def _require_another(conn: Connection, prepared: Prepared, person: Person) -> None:
    if person.id in await find_barred(conn, prepared.action):
        raise MayNotApprove


async def find_barred(conn: Connection, action: Action) -> frozenset[UUID]:
    """Who may not approve this action: everybody who had a hand in it, or in verifying its case."""
    return await store.shapers_of(conn, action.id) | await triage_store.verifiers_of(conn, action.case_id)


async def missing_now(conn: Connection, config: Config, prepared: Prepared, now: datetime) -> tuple[str, ...]:
    """What still stands between this action and its approval."""
    action = prepared.action
    case = await triage_store.find_case(conn, action.case_id)
    assert case
    return missing_for_approval(
        action, prepared.drafts, prepared.targets,
        is_verified=case.state == triage.State.VERIFIED,
        is_permitted=await is_permitted(conn, config, action),
        withheld=await withheld_subjects(conn, action.case_id, config),
        reached=await ledger.reached_languages(conn, action.corrects) if action.corrects else (),
        now=now,
    )  # fmt: skip


async def is_permitted(conn: Connection, config: Config, action: Action) -> bool:
    """Whether every subject of the case has consented to what this kind of action needs."""
    for scope in config.consent.needed[action.kind]:
        values = await triage_store.consent_values(conn, action.case_id, scope)
        if not triage.permits(values.values()):
            return False
    return True


async def find_prepared(conn: Connection, keys: KeyFile, action_id: UUID) -> Prepared:
    """An action with its texts, its addressees and its approval, opened. Raises NoSuchRow."""
    action = await store.find_action(conn, action_id)
    if action is None:
        raise NoSuchRow
    drafts = tuple(await open_drafts(conn, keys, action_id))
    targets = tuple(await open_targets(conn, keys, action_id))
    case = await triage_store.find_case(conn, action.case_id)
    approval = await store.standing_approval(conn, action_id)
    return Prepared(action, drafts, targets, approval, case.country if case else None)


async def open_drafts(conn: Connection, keys: KeyFile, action_id: UUID) -> list[Draft]:
    """The texts on their way, the original first."""
    return [
        Draft(
            row.language, row.is_original, row.state,
            Text.load(keys.open(row.sealed, _place(action_id, row.language))),
            row.names_found, row.names_looked_for, row.written_by, row.written_at, row.reviewed_by,
        )
        for row in await store.list_drafts(conn, action_id)
    ]  # fmt: skip


async def open_targets(conn: Connection, keys: KeyFile, action_id: UUID) -> list[Target]:
    """Whom a letter is addressed to, in order."""
    return [
        Target(
            row.id,
            keys.open(row.name_sealed, Place("targets", "name", row.id)),
            keys.open(row.title_sealed, Place("targets", "title", row.id)),
            row.language,
            open_address(keys, row.address_id, row.email_sealed),
            row.country,
        )
        for row in await store.list_targets(conn, action_id)
    ]


async def _lock_open(conn: Connection, action_id: UUID) -> Action:
    action = await store.lock_action(conn, action_id)
    if action is None or not action.is_open_for_changes:
        raise NotOpenForChanges
    return action


async def _lock_for_text(conn: Connection, action_id: UUID, language: str) -> Action:
    """An action that may still get a text in this language: before it is sent, or while somebody waits for it."""
    action = await store.lock_action(conn, action_id)
    if action is None or not await may_get_text(conn, action, language):
        raise NotOpenForChanges
    return action


async def may_get_text(conn: Connection, action: Action, language: str) -> bool:
    """Whether a text in this language may still be written."""
    if action.state is State.LAUNCHED:
        return language in await ledger.awaited_languages(conn, action.id)
    return action.is_open_for_changes


async def _void_approval(step: Step, action_id: UUID, person: Person, now: datetime) -> None:
    if await store.void_approval(step.conn, action_id, now):
        await journal.note(step.conn, "approval.voided", person.actor, action_id, now)
