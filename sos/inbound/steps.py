"""Giving what came in to exactly one stage: a receipt to the ledger, an answer to a letter, a stop to the addresses."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.base import Button, ChannelName, Incoming, Receipt
from sos import journal
from sos.actor import Actor
from sos.endorsements import store as endorsements
from sos.endorsements.endorsement import Answer, Became, Door, Ended, Invitation, NotHers
from sos.endorsements.steps import answer, names_of
from sos.inbound import store
from sos.inbound.reading import TAPS, SaysSign, SaysStop, Tap, read_sms, read_tap
from sos.jobs import Step
from sos.ledger import steps as ledger
from sos.members import store as members
from sos.members.member import StopReason
from sos.members.sealed import open_address
from sos.messages import TAP, Links
from sos.outreach.messages import FIRST_TAP
from sos.runtime import Runtime
from sos.texts import isolate

TWILIO, TELEGRAM = "twilio", "telegram"
WRONG_CODES = 5
SILENCE = timedelta(hours=1)
REPLY_WITHIN = timedelta(hours=1)


async def take_receipts(runtime: Runtime, delivery_id: int, receipts: list[Receipt], now: datetime) -> None:
    """What a provider says became of a message; late, repeated and shuffled words change nothing."""
    async with runtime.record.step() as step:
        for receipt in receipts:
            await ledger.record_receipt(step.conn, delivery_id, receipt, now)


async def take_sms(runtime: Runtime, incoming: Incoming, now: datetime) -> None:
    """An SMS: a stop, a signature with its code, or something that is asked back.

    It counts as taken once all of that is committed; until then the provider may bring it again without harm.
    """
    async with runtime.record.reading() as conn:
        if await store.is_taken(conn, TWILIO, incoming.provider_id):
            return
    await _read_sms(runtime, incoming, now)
    async with runtime.record.step() as step:
        await store.take_once(step.conn, TWILIO, incoming.provider_id, now)


async def _read_sms(runtime: Runtime, incoming: Incoming, now: datetime) -> None:
    index = runtime.keys.index(ChannelName.SMS, incoming.sender)
    said = read_sms(incoming.text)
    async with runtime.record.step() as step:
        if isinstance(said, SaysStop):
            await _stop(step, index, now)
            return
        if await endorsements.wrong_codes(step.conn, index, now - SILENCE) >= WRONG_CODES:
            return
        invited = await endorsements.invitations_by_sms(step.conn, index, now)
        invitation = _with_code(runtime, invited, said.code)
        if said.code and invitation is None:
            await endorsements.count_wrong_code(step.conn, index, now, SILENCE)
    await _answer_sms(runtime, invitation if isinstance(said, SaysSign) else None, invited, now)


async def _stop(step: Step, index: bytes, now: datetime) -> None:
    """No more to this number, whoever reads it; an unknown number too may say so."""
    await members.suppress(step.conn, ChannelName.SMS, index, StopReason.OPTED_OUT, now)
    contact = await members.contact_at(step.conn, ChannelName.SMS, index)
    if contact:
        actor = Actor("contact", contact.id)
        await journal.note(step.conn, "address.opted_out", actor, contact.id, now, channel="sms")


def _with_code(runtime: Runtime, invited: list[Invitation], code: str) -> Invitation | None:
    links = Links(runtime.keys, runtime.settings)
    matching = [one for one in invited if hmac.compare_digest(links.code(one.delivery), code)]
    return matching[0] if len(matching) == 1 else None


async def _answer_sms(
    runtime: Runtime, invitation: Invitation | None, invited: list[Invitation], now: datetime
) -> None:
    """Sign, and say what came of it; or ask back about the newest letter."""
    if not invited:
        return
    if invitation is None:
        await _reply(runtime, invited[0], "unsure", now)
        return
    given = TAPS["org"] if invitation.may_sign else TAPS["own"]
    try:
        became = await answer(runtime.record, runtime.keys, invitation, given, Door.SMS, now)
    except Ended:
        await _reply(runtime, invitation, "ended", now)
        return
    await _reply(runtime, invitation, "signed" if became is Became.RECORDED else "already", now)


async def _reply(runtime: Runtime, invitation: Invitation, kind: str, now: datetime) -> None:
    async with runtime.record.step() as step:
        await store.plan_reply(
            step.conn, about=invitation.action_id, kind=kind, contact_id=invitation.contact_id,
            address_id=invitation.address_id, channel=invitation.channel, language=invitation.language, now=now,
            until=now + REPLY_WITHIN,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tap shows in its place: a plain text and the next buttons."""

    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()


async def take_tap(runtime: Runtime, incoming: Incoming, now: datetime) -> Shown | None:
    """A tap on a button: the first asks for whom, the second answers. None for what is not ours or not hers."""
    tap = read_tap(incoming.tap)
    invitation = await _tapped(runtime, tap, incoming.sender) if tap else None
    async with runtime.record.step() as step:
        is_new = await store.take_once(step.conn, TELEGRAM, incoming.provider_id, now)
    if tap is None or invitation is None or not is_new:
        return None
    if not invitation.is_open(now):
        return _say(runtime, invitation, "sign.ended")
    if tap.verb == FIRST_TAP:
        return _ask(runtime, invitation)
    return await _answer_tap(runtime, invitation, TAPS[tap.verb], now)


async def _tapped(runtime: Runtime, tap: Tap, sender: str) -> Invitation | None:
    """The invitation whose button was tapped, if it was tapped by whom it was sent to."""
    delivery = runtime.keys.read_link(TAP, tap.token)
    if delivery is None:
        return None
    async with runtime.record.reading() as conn:
        invitation = await endorsements.find_invitation(conn, delivery)
    if invitation is None or invitation.channel != ChannelName.TELEGRAM:
        return None
    chat = open_address(runtime.keys, invitation.address_id, invitation.address_sealed)
    return invitation if hmac.compare_digest(chat, sender) else None


def _say(runtime: Runtime, invitation: Invitation, key: str) -> Shown:
    _, organisation = names_of(runtime.keys, invitation)
    said = runtime.templates.catalogue.say(invitation.language, key, organisation=isolate(organisation))
    return Shown(said.unescape())


def _ask(runtime: Runtime, invitation: Invitation) -> Shown:
    """Second question: for whom. Nothing is chosen yet."""
    person, organisation = names_of(runtime.keys, invitation)
    links, catalogue, language = Links(runtime.keys, runtime.settings), runtime.templates.catalogue, invitation.language

    def button(verb: str, key: str, **values: object) -> tuple[Button, ...]:
        label = catalogue.say(language, key, **values).unescape()
        return (Button(label, tap=links.tap(verb, invitation.delivery)),)

    choices = [button("own", "letter.sign_individually"), button("no", "letter.decline")]
    if invitation.may_sign:
        choices.insert(0, button("org", "letter.sign", organisation=organisation))
    text = catalogue.say(language, "letter.you", name=isolate(person), organisation=isolate(organisation)).unescape()
    return Shown(text, tuple(choices))


async def _answer_tap(runtime: Runtime, invitation: Invitation, given: Answer, now: datetime) -> Shown:
    try:
        became = await answer(runtime.record, runtime.keys, invitation, given, Door.TELEGRAM, now)
    except Ended:
        return _say(runtime, invitation, "sign.ended")
    except NotHers:
        return _say(runtime, invitation, "sign.not_hers")
    keys = {Became.RECORDED: "sign.recorded", Became.ALREADY: "sign.already", Became.COLLEAGUE: "sign.colleague"}
    return _say(runtime, invitation, keys[became])
