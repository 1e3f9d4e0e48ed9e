"""Answering a letter and taking an answer back: once, for whom one may, on one exact text."""

from datetime import datetime
from uuid import uuid4

from sos import journal
from sos.actions import store as actions
from sos.actor import Actor
from sos.database import Connection
from sos.endorsements import store
from sos.endorsements.endorsement import Answer, Became, Door, Ended, Invitation
from sos.jobs import Record
from sos.ledger import steps as ledger
from sos.members.member import name_in
from sos.members.sealed import open_names, open_person
from sos.vault import KeyFile, Place


def names_of(keys: KeyFile, invitation: Invitation) -> tuple[str, str]:
    """Her own name, and her organisation's as it writes it in the language of her text."""
    names = open_names(keys, invitation.member_id, invitation.member_sealed)
    person = open_person(keys, invitation.contact_id, invitation.contact_sealed)
    return person, name_in(names, invitation.language)


async def answer(
    record: Record, keys: KeyFile, invitation: Invitation, given: Answer, door: Door, now: datetime
) -> Became:
    """Record an answer once. Raises Ended, NotHers.

    Several answers at the same moment end in one: the database lets one contact answer once, and one signature stand
    for one organisation.
    """
    invitation.require(given, now)
    async with record.step() as step:
        if await store.lock_letter(step.conn, invitation.action_id) != "launched":
            raise Ended
        new = await _new_answer(step.conn, keys, invitation, given, door, now)
        if not await store.insert_answer(step.conn, invitation, new):
            return await _why_not(step.conn, invitation)
        await ledger.record_answer(step.conn, invitation.delivery, now)
        actor = Actor("contact", invitation.contact_id)
        await journal.note(
            step.conn, "letter.answered", actor, invitation.action_id, now, answer=given, door=door,
            delivery=invitation.delivery,
        )  # fmt: skip
    return Became.RECORDED


async def _new_answer(
    conn: Connection, keys: KeyFile, invitation: Invitation, given: Answer, door: Door, now: datetime
) -> store.NewAnswer:
    person, organisation = names_of(keys, invitation)
    text = (await actions.published_texts(conn, invitation.action_id))[invitation.language]
    id, name = uuid4(), organisation if given is Answer.SIGN else person
    sealed = keys.seal(name, Place("endorsements", "name", id))
    return store.NewAnswer(id, given, text.hash, sealed, door, now)


async def _why_not(conn: Connection, invitation: Invitation) -> Became:
    """She has answered before; or a colleague has signed for the organisation."""
    hers = await store.standing_answer(conn, invitation.action_id, invitation.contact_id)
    return Became.ALREADY if hers else Became.COLLEAGUE


async def acknowledge(record: Record, invitation: Invitation, now: datetime) -> bool:
    """She has seen it, and is not rung for again; it is no answer. False where she had said so. Raises Ended."""
    if not invitation.is_running(now):
        raise Ended
    async with record.step() as step:
        is_new = await ledger.record_answer(step.conn, invitation.delivery, now)
        if is_new:
            actor = Actor("contact", invitation.contact_id)
            await journal.note(
                step.conn, "message.seen", actor, invitation.action_id, now, delivery=invitation.delivery
            )  # fmt: skip
    return is_new


async def withdraw(record: Record, invitation: Invitation, now: datetime) -> bool:
    """Take an answer back while the letter is open. Raises Ended."""
    if not invitation.is_open(now):
        raise Ended
    async with record.step() as step:
        if await store.lock_letter(step.conn, invitation.action_id) != "launched":
            raise Ended
        is_withdrawn = await store.withdraw(step.conn, invitation.action_id, invitation.contact_id, now)
        if is_withdrawn:
            actor = Actor("contact", invitation.contact_id)
            await journal.note(step.conn, "answer.withdrawn", actor, invitation.action_id, now)
    return is_withdrawn
