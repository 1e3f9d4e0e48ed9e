"""Looking at what a launch would send, sending now, stopping, and saying stop oneself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from channels.base import ChannelName
from sos import journal
from sos.actions import store as actions
from sos.actions.action import Action, NotReady, State, ready_languages
from sos.actions.steps import Prepared, find_prepared, missing_now
from sos.actor import Actor
from sos.config import Config
from sos.database import Connection, NoSuchRow
from sos.intake import store as intake
from sos.intake.report import Stage
from sos.jobs import Step
from sos.ledger import hold_store
from sos.ledger import steps as ledger_steps
from sos.ledger import store as ledger
from sos.ledger.delivery import HoldScope
from sos.members.member import StopReason, name_in
from sos.members.sealed import open_names, open_person
from sos.outreach import store
from sos.outreach.messages import longest_sms
from sos.outreach.plan import Preview, price
from sos.runtime import Runtime
from sos.staff.staff import Person
from sos.triage import store as triage
from sos.vault import KeyFile

CLOSE_ACTION = "close_action"
RECALLED = "recalled"


class NotApproved(Exception):
    """There is no standing approval of exactly these texts, this audience and these addressees."""


def audience_of(prepared: Prepared) -> store.Audience:
    """Who is asked, and in which languages."""
    original = next(draft.language for draft in prepared.drafts if draft.is_original)
    ready = list(ready_languages(prepared.drafts))
    return store.Audience(list(prepared.action.regions), list(prepared.action.groups), ready, original)


async def preview(conn: Connection, runtime: Runtime, prepared: Prepared) -> Preview:
    """Exactly who would get what: counts by channel and language, SMS segments and money."""
    groups = await store.preview(conn, audience_of(prepared))
    texts = {draft.language: draft.text for draft in prepared.drafts}
    wanted = {group.language for group in groups if group.channel is ChannelName.SMS}
    sms = {language: longest_sms(runtime, prepared.action, language, texts[language]) for language in wanted}
    return price(groups, sms, runtime.config.countries)


async def list_unreached(conn: Connection, keys: KeyFile, prepared: Prepared, language: str) -> list[tuple[str, str]]:
    """Whom no channel reaches: each contact's name, and her organisation's in this language."""
    return [
        (
            open_person(keys, one.contact_id, one.contact_sealed),
            name_in(open_names(keys, one.member_id, one.member_sealed), language),
        )
        for one in await store.unreached(conn, audience_of(prepared))
    ]


async def launch(runtime: Runtime, person: Person, action_id: UUID, now: datetime) -> int:
    """Send now: publish the approved texts and write the ledger in one statement; answer how many messages.

    Raises NotApproved, NotReady, NoSuchRow. Launching twice launches once.
    """
    async with runtime.record.step() as step:
        conn = step.conn
        await actions.lock_action(conn, action_id)
        prepared = await find_prepared(conn, runtime.keys, action_id)
        if prepared.action.state is State.LAUNCHED:
            return 0
        await _require_approval(conn, runtime.config, prepared, now)
        action, audience = prepared.action, audience_of(prepared)
        if not await actions.mark_launched(conn, action_id, person.id, now):
            raise NotApproved
        await _publish(conn, prepared, audience.ready)
        planned = await store.plan_deliveries(
            conn, audience, action_id=action_id, case_id=action.case_id,
            rank=runtime.config.urgencies[action.urgency].rank, now=now, until=action.deadline_at,
        )  # fmt: skip
        await _tell_reporter(conn, action, now)
        await step.ask(CLOSE_ACTION, action_id, action.deadline_at)
        await journal.note(conn, "action.launched", person.actor, action_id, now, deliveries=planned)
    return planned


async def _require_approval(conn: Connection, config: Config, prepared: Prepared, now: datetime) -> None:
    """The approval is of exactly what is there now, and nothing that it rested on has gone since."""
    if not prepared.is_approved:
        raise NotApproved
    missing = await missing_now(conn, config, prepared, now)
    if missing:
        raise NotReady(missing)


async def _publish(conn: Connection, prepared: Prepared, ready: Sequence[str]) -> None:
    for draft in prepared.drafts:
        if draft.language in ready:
            await actions.publish_text(conn, prepared.action.id, draft.language, draft.text)
    await actions.erase_drafts(conn, prepared.action.id)


async def _tell_reporter(conn: Connection, action: Action, now: datetime) -> None:
    case = await triage.find_case(conn, action.case_id)
    if case:
        await intake.set_stage(conn, case.report_id, Stage.ACTING)
        await triage.mark_decided(conn, case.id, now)


async def stop_action(step: Step, person: Person, action_id: UUID, now: datetime) -> int | None:
    """Stop what an action sends, in the caller's transaction; how many messages that ends. None if it had ended."""
    if not await actions.mark_stopped(step.conn, action_id, person.id, now):
        return None
    ended = await stop_about(step.conn, person, action_id, now)
    await journal.note(step.conn, "action.stopped", person.actor, action_id, now, ended=ended)
    return ended


async def stop_about(conn: Connection, person: Person, about: UUID, now: datetime) -> int:
    """Hold whatever is about this, and end what is queued or waits to be tried again; answer how many."""
    await hold_store.place_hold(conn, HoldScope.ABOUT, str(about), RECALLED, now, placed_by=person.id, people_needed=0)
    return await ledger.end_queued(conn, about, RECALLED, now)


async def opt_out(runtime: Runtime, delivery_id: int, now: datetime) -> None:
    """Whoever got this delivery wants no more by that address. Raises NoSuchRow."""
    async with runtime.record.step() as step:
        found = await store.find_address(step.conn, delivery_id)
        if found is None:
            raise NoSuchRow
        await ledger_steps.suppress(step.conn, found.channel, found.value_index, StopReason.OPTED_OUT, now)
        actor = Actor("contact", found.owner_id)
        await journal.note(step.conn, "address.opted_out", actor, found.owner_id, now, channel=found.channel)
