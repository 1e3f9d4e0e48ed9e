"""A translation that comes late: to those who wait for it, once somebody else has approved it, and to nobody twice."""

from datetime import datetime, timedelta
from uuid import UUID

from sos import journal
from sos.actions import store as actions
from sos.actions.action import (
    Action,
    Draft,
    MayNotApprove,
    NotOpenForChanges,
    NotReady,
    State,
    TextMoved,
    TextState,
    is_checked,
)
from sos.actions.steps import find_barred, is_permitted, open_drafts
from sos.config import Config
from sos.database import Connection
from sos.ledger import store as ledger
from sos.runtime import Runtime
from sos.staff.staff import Person
from sos.triage.steps import withheld_subjects


async def send_late_text(
    runtime: Runtime, person: Person, action_id: UUID, language: str, seen: bytes, now: datetime
) -> int:
    """Publish exactly the late text that was seen, and let those go who wait for it; how many messages.

    Raises NotOpenForChanges, TextMoved, MayNotApprove, NotReady.
    """
    async with runtime.record.step() as step:
        action = await actions.lock_action(step.conn, action_id)
        if action is None or action.state is not State.LAUNCHED or action.waits_until is None:
            raise NotOpenForChanges
        drafts = {draft.language: draft for draft in await open_drafts(step.conn, runtime.keys, action_id)}
        draft = drafts.get(language)
        if draft is None or draft.text.hash != seen:
            raise TextMoved
        if person.id in await find_barred(step.conn, action):
            raise MayNotApprove
        if missing := await missing_for_late(step.conn, runtime.config, action, draft):
            raise NotReady(missing)
        await actions.publish_text(step.conn, action_id, language, draft.text)
        await actions.erase_draft(step.conn, action_id, language)
        sooner = max(action.waits_until - now, timedelta())
        released = await ledger.release_language(step.conn, action_id, language, sooner=sooner, now=now)
        await journal.note(step.conn, "text.sent", person.actor, action_id, now, language=language, deliveries=released)
    return released


async def missing_for_late(conn: Connection, config: Config, action: Action, draft: Draft) -> tuple[str, ...]:
    """What still stands between a late text and those who wait for it."""
    withheld = await withheld_subjects(conn, action.case_id, config)
    checks = {
        "approve.missing.consent": await is_permitted(conn, config, action),
        "approve.missing.reviewed": draft.state is TextState.REVIEWED,
        "approve.missing.checked": is_checked(draft, withheld),
        "approve.missing.withheld": not draft.names_found,
    }
    return tuple(key for key, is_done in checks.items() if not is_done)
