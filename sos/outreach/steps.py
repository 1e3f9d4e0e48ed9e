"""Looking at what a launch would send, sending now, stopping, and saying stop oneself."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from channels.segments import segments
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
from sos.outreach import planning_store, store
from sos.outreach.messages import longest_sms
from sos.outreach.plan import Preview
from sos.outreach.planning_store import Audience
from sos.outreach.waves import FIRST_WAVE
from sos.runtime import Runtime
from sos.staff.staff import Person
from sos.texts import LANGUAGES
from sos.triage import store as triage

CLOSE_ACTION = "close_action"
RECALLED = "recalled"
WEEK = timedelta(days=7)


class NotApproved(Exception):
    """There is no standing approval of exactly these texts, this audience and these addressees."""


async def preview(conn: Connection, runtime: Runtime, prepared: Prepared) -> Preview:
    """Exactly who would get what: counts by channel and language, SMS segments and money."""
    segments = sms_segments(runtime, prepared)
    audience = audience_of(prepared, runtime.config, segments, runtime.clock())
    return Preview(tuple(await planning_store.preview(conn, audience)), segments)


def audience_of(prepared: Prepared, config: Config, segments: Mapping[str, int], now: datetime) -> Audience:
    """Who is asked and how, by the action and by what config/ says of its urgency and of countries."""
    action, urgency = prepared.action, config.urgencies[prepared.action.urgency]
    near = [prepared.case_country] if prepared.case_country else []
    return Audience(
        regions=list(action.regions),
        groups=list(action.groups),
        ready=list(ready_languages(prepared.drafts)),
        original=next(draft.language for draft in prepared.drafts if draft.is_original),
        tongues=list(LANGUAGES),
        discreet_in=sorted({*near, *(one.country for one in prepared.targets if one.country)}),
        near=near,
        rank=urgency.rank,
        every_way=urgency.ways == "all",
        minutes_apart=urgency.minutes_apart,
        email_at_once=urgency.email_at_once,
        waits_until=action.waits_until,
        calls=config.sending.calls_a_week,
        now=now,
        week_ago=now - WEEK,
        until=action.deadline_at,
        languages=list(segments),
        segments=list(segments.values()),
        countries=list(config.countries),
        usd=[country.sms_usd for country in config.countries.values()],
        corrects=action.corrects,
    )


def sms_segments(runtime: Runtime, prepared: Prepared) -> dict[str, int]:
    """How many segments an SMS of each text takes at most."""
    return {
        draft.language: segments(longest_sms(runtime, prepared.action, draft.language, draft.text)).count
        for draft in prepared.drafts
    }


async def list_unreached(
    conn: Connection, runtime: Runtime, prepared: Prepared, language: str
) -> list[tuple[str, str]]:  # fmt: skip
    """Whom no channel reaches: each contact's name, and her organisation's in this language."""
    if prepared.action.corrects:
        return []
    keys, audience = runtime.keys, audience_of(prepared, runtime.config, {}, runtime.clock())
    return [
        (
            open_person(keys, one.contact_id, one.contact_sealed),
            name_in(open_names(keys, one.member_id, one.member_sealed), language),
        )
        for one in await planning_store.unreached(conn, audience)
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
        action = prepared.action
        audience = audience_of(prepared, runtime.config, sms_segments(runtime, prepared), now)
        if not await actions.mark_launched(conn, action_id, person.id, now):
            raise NotApproved
        await _publish(conn, prepared, audience.ready)
        planned = await planning_store.plan_deliveries(
            conn, audience, runtime.config.sending.first_wave, action_id=action_id,
            case_id=None if action.corrects else action.case_id,  # what takes something back is held by no case
        )  # fmt: skip
        if planned.first_wave:
            await hold_store.place_hold(conn, HoldScope.WAVE, str(action_id), FIRST_WAVE, now, people_needed=0)
        if not action.corrects:
            await _tell_reporter(conn, action, now)
        await step.ask(CLOSE_ACTION, action_id, action.deadline_at)
        await journal.note(conn, "action.launched", person.actor, action_id, now, deliveries=planned.messages)
    return planned.messages


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
