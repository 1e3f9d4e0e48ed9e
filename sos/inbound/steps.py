"""Giving what came in to exactly one stage: a receipt to the ledger, an answer to a letter, a stop to the addresses."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.base import Button, ChannelName, Incoming, Receipt
from sos import journal
from sos.actor import Actor
from sos.database import Connection
from sos.endorsements import store as endorsements
from sos.endorsements.endorsement import Answer, Became, Door, Ended, Invitation, NotHers
from sos.endorsements.steps import acknowledge, answer, names_of, withdraw
from sos.inbound import store
from sos.inbound.reading import TAPS, SaysSeen, SaysSign, SaysStop, Tap, read_sms, read_tap
from sos.ledger import steps as ledger
from sos.members import store as members
from sos.members.member import Contact, StopReason
from sos.members.sealed import open_address
from sos.messages import FIRST_TAP, SEEN_TAP, TAP, Links
from sos.runtime import Runtime
from sos.texts import LANGUAGES, isolate

TWILIO, TELEGRAM = "twilio", "telegram"
WRONG_CODES = 5
SILENCE = timedelta(hours=1)
REPLY_WITHIN = timedelta(hours=1)
REMEMBERED = timedelta(days=30)  # how long after a deadline somebody who signs by SMS is told that it has passed
COMMAND = "/"


async def take_receipts(runtime: Runtime, delivery_id: int, receipts: list[Receipt], now: datetime) -> None:
    """What a provider says became of a message; late, repeated and shuffled words change nothing."""
    async with runtime.record.step() as step:
        for receipt in receipts:
            await ledger.record_receipt(step.conn, delivery_id, receipt, now)


async def take_sms(runtime: Runtime, incoming: Incoming, now: datetime) -> None:
    """An SMS: a stop, a signature with its code, or something that is asked back.

    It counts as taken once all of that is committed; until then the provider may bring it again without harm.
    """
    if await _is_taken(runtime, TWILIO, incoming):
        return
    index = runtime.keys.index(ChannelName.SMS, incoming.sender)
    is_wrong_code = await _read_sms(runtime, index, incoming.text, now)
    async with runtime.record.step() as step:
        is_new = await store.take_once(step.conn, TWILIO, incoming.provider_id, now)
        if is_new and is_wrong_code:
            await endorsements.count_wrong_code(step.conn, index, now, SILENCE)


async def take_telegram_text(runtime: Runtime, incoming: Incoming, now: datetime) -> None:
    """What somebody typed to the bot: a stop, or something that is answered once with where the button is."""
    if await _is_taken(runtime, TELEGRAM, incoming):
        return
    index = runtime.keys.index(ChannelName.TELEGRAM, incoming.sender)
    said = read_sms(incoming.text)
    if isinstance(said, SaysStop):
        await _stop(runtime, ChannelName.TELEGRAM, index, now)
    elif not incoming.text.startswith(COMMAND):
        async with runtime.record.reading() as conn:
            invited = await endorsements.invitations_at(conn, ChannelName.TELEGRAM, index, since=now)
        await (_see if isinstance(said, SaysSeen) else _ask_back)(runtime, invited, now)
    async with runtime.record.step() as step:
        await store.take_once(step.conn, TELEGRAM, incoming.provider_id, now)


async def _is_taken(runtime: Runtime, provider: str, incoming: Incoming) -> bool:
    async with runtime.record.reading() as conn:
        return await store.is_taken(conn, provider, incoming.provider_id)


async def _read_sms(runtime: Runtime, index: bytes, text: str, now: datetime) -> bool:
    """Do what an SMS says; whether it held a code that is not one of hers."""
    said = read_sms(text)
    if isinstance(said, SaysStop):
        await _stop(runtime, ChannelName.SMS, index, now)
        return False
    async with runtime.record.reading() as conn:
        if await endorsements.wrong_codes(conn, index, now - SILENCE) >= WRONG_CODES:
            return False
        invited = await endorsements.invitations_at(conn, ChannelName.SMS, index, since=now - REMEMBERED)
    if isinstance(said, SaysSeen):
        await _see(runtime, invited, now)
        return False
    invitation = _with_code(runtime, invited, said.code)
    if invitation and isinstance(said, SaysSign):
        await _sign_by_sms(runtime, invitation, now)
    else:
        await _ask_back(runtime, invited, now)
    return bool(said.code and invited) and invitation is None


async def _stop(runtime: Runtime, channel: ChannelName, index: bytes, now: datetime) -> None:
    """No more to this address, whoever reads it; an unknown one too may say so. A contact is told once."""
    async with runtime.record.step() as step:
        contact = await members.contact_at(step.conn, channel, index)
        if contact:
            await _confirm_stop(step.conn, contact, channel, now)
            actor = Actor("contact", contact.id)
            await journal.note(step.conn, "address.opted_out", actor, contact.id, now, channel=channel)
        await ledger.suppress(step.conn, channel, index, StopReason.OPTED_OUT, now)


async def _confirm_stop(conn: Connection, contact: Contact, channel: ChannelName, now: datetime) -> None:
    addresses = await members.addresses_of(conn, [contact.id])
    language = next((one for one in contact.languages if one in LANGUAGES), "en")
    await store.plan_reply(
        conn, about=contact.id, kind="stopped", contact_id=contact.id, channel=channel, language=language,
        address_id=next(one.id for one in addresses if one.channel is channel), now=now, until=now + REPLY_WITHIN,
    )  # fmt: skip


def _with_code(runtime: Runtime, invited: Sequence[Invitation], code: str) -> Invitation | None:
    links = Links(runtime.keys, runtime.settings)
    matching = [one for one in invited if hmac.compare_digest(links.code(one.delivery), code)]
    return matching[0] if len(matching) == 1 else None


async def _sign_by_sms(runtime: Runtime, invitation: Invitation, now: datetime) -> None:
    """Sign, and say what came of it. Whoever had said "not this time" has changed her mind, in as many words."""
    given = TAPS["org"] if invitation.may_sign else TAPS["own"]
    try:
        became = await answer(runtime.record, runtime.keys, invitation, given, Door.SMS, now)
        if became is Became.ALREADY and await _has_declined(runtime, invitation):
            await withdraw(runtime.record, invitation, now)
            became = await answer(runtime.record, runtime.keys, invitation, given, Door.SMS, now)
    except Ended:
        await _reply(runtime, invitation, "ended", now)
        return
    await _reply(runtime, invitation, "signed" if became is Became.RECORDED else "already", now)


async def _has_declined(runtime: Runtime, invitation: Invitation) -> bool:
    async with runtime.record.reading() as conn:
        given = await endorsements.standing_answer(conn, invitation.action_id, invitation.contact_id)
    return given is not None and given.answer is Answer.DECLINE


async def _see(runtime: Runtime, invited: Sequence[Invitation], now: datetime) -> None:
    """She has the newest of what runs; of a letter she is told how one signs."""
    newest = next((one for one in invited if one.is_running(now)), None)
    if newest:
        await acknowledge(runtime.record, newest, now)
    await _ask_back(runtime, invited[:1], now)


async def _ask_back(runtime: Runtime, invited: Sequence[Invitation], now: datetime) -> None:
    """Say how one signs the newest letter that is still open, if there is one."""
    newest = next((one for one in invited if one.is_open(now)), None)
    if newest:
        await _reply(runtime, newest, "unsure", now)


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
    """A tap on a button: the first asks for whom, the second answers. None for what is not ours, not hers, or not new.

    It counts as taken once its answer is committed.
    """
    if await _is_taken(runtime, TELEGRAM, incoming):
        return None
    tap = read_tap(incoming.tap)
    invitation = await _tapped(runtime, tap, incoming.sender) if tap else None
    shown = await _follow_tap(runtime, tap, invitation, now) if tap and invitation else None
    async with runtime.record.step() as step:
        await store.take_once(step.conn, TELEGRAM, incoming.provider_id, now)
    return shown


async def _follow_tap(runtime: Runtime, tap: Tap, invitation: Invitation, now: datetime) -> Shown:
    if tap.verb == SEEN_TAP and invitation.is_running(now):
        await acknowledge(runtime.record, invitation, now)
        return _say(runtime, invitation, "seen.thanks")
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
