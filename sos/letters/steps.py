"""Freezing the signatures, typesetting the letter, releasing it to those it is addressed to."""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from multiprocessing import get_context
from uuid import UUID, uuid4

from pypdf import PdfReader

from sos import journal
from sos.actions import store as actions
from sos.actions.action import Action, Kind, NamesShown, State
from sos.actions.action import Target as Addressee
from sos.actions.steps import is_permitted, open_targets
from sos.actor import SYSTEM, Actor
from sos.database import Connection, NoSuchRow
from sos.endorsements import store as endorsements
from sos.endorsements.endorsement import Answer
from sos.jobs import Step
from sos.ledger import store as ledger
from sos.letters import store
from sos.letters.letter import (
    ConsentGone,
    Letter,
    NobodySigned,
    NotTypeset,
    Stopped,
    dump_signatories,
    hash_of,
    load_signatories,
)
from sos.letters.letter import State as LetterState
from sos.letters.typeset import LetterPage, Signatory, Target, typeset, uncovered
from sos.outreach import steps as outreach
from sos.runtime import Runtime
from sos.staff.staff import Person
from sos.triage import store as triage
from sos.triage.consent import taken_back
from sos.vault import KeyFile, Place

TYPESET_LETTER = "typeset_letter"
SENT_WITHIN = timedelta(days=7)  # how long a relay may be away before a letter that was released is given up


async def close(runtime: Runtime, action_id: UUID, now: datetime, *, actor: Actor = SYSTEM) -> UUID | None:
    """The time for answers is over: nothing more is sent, and the signatures of a letter are frozen.

    Safe to run twice; answers the letter's id, or None where there is no letter (an alert, or it was stopped).
    """
    async with runtime.record.step() as step:
        action = await actions.lock_action(step.conn, action_id)
        is_closed = await actions.set_state(step.conn, action_id, was=(State.LAUNCHED,), becomes=State.CLOSED)
        if action is None or not is_closed:
            return None
        await ledger.end_queued(step.conn, action_id, "closed", now)
        await journal.note(step.conn, "action.closed", actor, action_id, now)
        return await _freeze(runtime, step, action, now) if action.kind is Kind.LETTER else None


async def _freeze(runtime: Runtime, step: Step, action: Action, now: datetime) -> UUID:
    letter_id, signatories = uuid4(), await _signatories(step.conn, runtime.keys, action.id)
    letter = Letter(
        id=letter_id,
        action_id=action.id,
        state=LetterState.FROZEN,
        signatories_hash=hash_of(letter_id, signatories),
        organisations=sum(not one.individual for one in signatories),
        individuals=sum(one.individual for one in signatories),
        countries=len({one.country for one in signatories}),
        frozen_at=now,
        released_at=None,
    )
    await store.insert_letter(step.conn, letter, _seal(runtime.keys, letter.id, signatories))
    await journal.note(step.conn, "letter.frozen", SYSTEM, letter.id, now, signatures=letter.signatures)
    await step.ask(TYPESET_LETTER, letter.id, now)
    return letter.id


async def _signatories(conn: Connection, keys: KeyFile, action_id: UUID) -> list[Signatory]:
    return [
        Signatory(
            keys.open(one.name_sealed, Place("endorsements", "name", one.id)), one.country, one.region,
            individual=one.answer == Answer.SIGN_INDIVIDUALLY,
        )
        for one in await endorsements.signatures(conn, action_id)
    ]  # fmt: skip


def _seal(keys: KeyFile, letter_id: UUID, signatories: Sequence[Signatory]) -> bytes:
    return keys.seal(dump_signatories(signatories), Place("letters", "signatories", letter_id))


async def open_signatories(conn: Connection, keys: KeyFile, letter_id: UUID) -> tuple[Signatory, ...]:
    """The signatories as they were frozen."""
    sealed = await store.signatories_of(conn, letter_id)
    return load_signatories(keys.open(sealed, Place("letters", "signatories", letter_id)))


async def typeset_letter(runtime: Runtime, letter_id: UUID) -> None:
    """Make the pages in each language in which the letter is addressed to somebody. Raises SpellOtherwise."""
    async with runtime.record.reading() as conn:
        pages = await _pages(conn, runtime, letter_id)
        done = await store.files_of(conn, letter_id)
    for page in pages:
        if page.language in done:
            continue
        pdf = await _typeset_apart(page)
        sealed = runtime.keys.seal_bytes(pdf, _file_place(letter_id, page.language))
        file = store.LetterFile(page.language, len(PdfReader(BytesIO(pdf)).pages), hashlib.sha256(pdf).digest(), sealed)
        async with runtime.record.step() as step:
            await store.insert_file(step.conn, letter_id, file)


async def _typeset_apart(page: LetterPage) -> bytes:
    """In a process of its own, which ends afterwards: the typesetter keeps what it has seen in memory."""
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, typeset, page)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _pages(conn: Connection, runtime: Runtime, letter_id: UUID) -> list[LetterPage]:
    letter = await store.find_letter(conn, letter_id)
    assert letter
    targets = await open_targets(conn, runtime.keys, letter.action_id)
    languages = sorted({one.language for one in targets})
    return [await _page(conn, runtime, letter, language, targets) for language in languages]


async def _page(
    conn: Connection, runtime: Runtime, letter: Letter, language: str, targets: Sequence[Addressee]
) -> LetterPage:
    action = await actions.find_action(conn, letter.action_id)
    assert action
    text = (await actions.published_texts(conn, action.id))[language]
    say = runtime.templates.catalogue.say
    return LetterPage(
        language=language,
        title=text.title,
        date=letter.frozen_at.date(),
        targets=tuple(Target(one.name, one.title) for one in targets if one.language == language),
        body=text.body,
        signatories=await open_signatories(conn, runtime.keys, letter.id),
        confidential_count=0,
        lists_names=action.names_shown is not NamesShown.COUNTED,
        text_hash=text.hash.hex(),
        verify_url=verify_url(runtime, letter),
        notice=str(say(language, "site.practice")) if runtime.network.is_practice else "",
    )


def verify_url(runtime: Runtime, letter: Letter) -> str:
    """Where anybody who holds the letter can compare it."""
    return f"{runtime.settings.public_url}/v/{letter.signatories_hash.hex()[:24]}"


def _file_place(letter_id: UUID, language: str) -> Place:
    return Place("letter_files", language, letter_id)


def open_pdf(keys: KeyFile, letter_id: UUID, file: store.LetterFile) -> bytes:
    """The pages of a letter."""
    return keys.open_bytes(file.pdf_sealed, _file_place(letter_id, file.language))


async def unprintable(conn: Connection, runtime: Runtime, letter: Letter) -> tuple[str, ...]:
    """Names that no font of ours covers: a letter whose pages are not made waits until they are spelt otherwise."""
    if not await languages_missing(conn, runtime, letter):
        return ()
    signatories = await open_signatories(conn, runtime.keys, letter.id)
    return await asyncio.to_thread(uncovered, [one.name for one in signatories])


async def release(runtime: Runtime, person: Person, letter_id: UUID, now: datetime) -> bool:
    """A person lets the letter go: to those it is addressed to, and the news of it to those who signed.

    Raises NoSuchRow, Stopped, ConsentGone, NobodySigned, NotTypeset. False if it was released before.
    """
    async with runtime.record.step() as step:
        letter = await store.find_letter(step.conn, letter_id)
        if letter is None:
            raise NoSuchRow
        await _require_releasable(step.conn, runtime, letter)
        if not await store.mark_released(step.conn, letter_id, person.id, now):
            return False
        until = now + SENT_WITHIN
        sent = await store.plan_to_targets(step.conn, letter, rank=0, now=now, until=until)
        told = await store.plan_thanks(step.conn, letter, rank=2, now=now, until=until)
        await journal.note(step.conn, "letter.released", person.actor, letter_id, now, targets=sent, thanks=told)
    return True


async def _require_releasable(conn: Connection, runtime: Runtime, letter: Letter) -> None:
    """Raises Stopped, ConsentGone, NobodySigned, NotTypeset."""
    action = await actions.lock_action(conn, letter.action_id)  # a stop waits for this, or this for it
    if action is None or action.state is State.STOPPED:
        raise Stopped
    consents = await triage.list_consents(conn, action.case_id)
    if taken_back(runtime.config.consent, consents) or not await is_permitted(conn, runtime.config, action):
        raise ConsentGone
    if not letter.signatures:
        raise NobodySigned
    if await languages_missing(conn, runtime, letter):
        raise NotTypeset


async def languages_missing(conn: Connection, runtime: Runtime, letter: Letter) -> frozenset[str]:
    """The languages in which the letter's pages are still to be made."""
    targets = await open_targets(conn, runtime.keys, letter.action_id)
    return frozenset(target.language for target in targets) - set(await store.files_of(conn, letter.id))


async def stop(runtime: Runtime, person: Person, action_id: UUID, now: datetime) -> int:
    """Stop sending: the action's messages, and its letter's if there is one already; answer how many that ends."""
    async with runtime.record.step() as step:
        ended = await outreach.stop_action(step, person, action_id, now)
        letter = await store.find_letter_of(step.conn, action_id)
        if ended is None or letter is None:
            return ended or 0
        return ended + await outreach.stop_about(step.conn, person, letter.id, now)
