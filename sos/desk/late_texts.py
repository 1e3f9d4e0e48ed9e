"""The translations for which somebody waits after an action was sent, and how far each has come."""

from collections.abc import Mapping
from dataclasses import dataclass

from sos.actions.action import Action, Draft
from sos.actions.steps import find_barred, open_drafts
from sos.database import Connection
from sos.ledger import store as ledger
from sos.outreach.late import missing_for_late
from sos.runtime import Runtime
from sos.staff.staff import Person


@dataclass(frozen=True, slots=True)
class LateTexts:
    """How many wait for which language, what is written already, and what each text still needs."""

    awaited: Mapping[str, int]
    drafts: Mapping[str, Draft]
    missing: Mapping[str, tuple[str, ...]]
    is_barred: bool


async def find_late_texts(conn: Connection, runtime: Runtime, person: Person, action: Action) -> LateTexts | None:
    """None where nobody waits."""
    awaited = await ledger.awaited_languages(conn, action.id)
    if not awaited:
        return None
    drafts = {draft.language: draft for draft in await open_drafts(conn, runtime.keys, action.id)}
    missing = {
        language: await missing_for_late(conn, runtime.config, action, draft) for language, draft in drafts.items()
    }
    return LateTexts(awaited, drafts, missing, person.id in await find_barred(conn, action))
