"""Putting right what was sent: a correction, drafted as an action of its own and approved like any other."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sos import journal
from sos.actions import store
from sos.actions.action import Action, AlreadyCorrected, Kind, NotStopped, State, Text, Withheld
from sos.actions.steps import seal_draft
from sos.database import NoSuchRow
from sos.jobs import Record
from sos.staff.staff import Person
from sos.vault import KeyFile


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """What an editor begins a correction with."""

    language: str
    text: Text
    deadline_at: datetime


async def draft_correction(
    record: Record, keys: KeyFile, person: Person, action_id: UUID, new: NewCorrection, now: datetime,
    *, withheld: Withheld | None,
) -> UUID:  # fmt: skip
    """Begin to put right an action that was stopped. Raises NoSuchRow, NotStopped, AlreadyCorrected."""
    async with record.step() as step:
        wrong = await store.lock_action(step.conn, action_id)
        if wrong is None:
            raise NoSuchRow
        if wrong.state is not State.STOPPED:
            raise NotStopped
        if earlier := await store.find_correction(step.conn, action_id):
            raise AlreadyCorrected(earlier)
        action = Action(
            uuid4(), wrong.case_id, Kind.CORRECTION, wrong.urgency, State.DRAFT, wrong.names_shown, (), (),
            new.deadline_at, person.id, now, corrects=action_id,
        )  # fmt: skip
        await store.insert_action(step.conn, action)
        draft = seal_draft(keys, action.id, new.language, new.text, person, now, withheld=withheld, is_original=True)
        await store.write_draft(step.conn, action.id, draft)
        await journal.note(step.conn, "action.drafted", person.actor, action.id, now, kind=Kind.CORRECTION)
    return action.id
