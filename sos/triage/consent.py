"""Consent of those in danger: each answer is kept with who, when and how; one that is taken back stops the sending."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sos.config import Config, Consent
from sos.database import Connection
from sos.jobs import Record
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.staff.staff import Person
from sos.triage import store
from sos.triage.case import CaseMoved, ConsentValue, NoteKind, StillActing, is_taken_back, require_owner
from sos.triage.folder import Folder, how_place, open_folder

WITHDRAWN = "consent_withdrawn"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subject says to some scopes, and how she was asked (or why she could not be)."""

    subject_id: UUID
    scopes: tuple[str, ...]
    value: ConsentValue
    how: str


async def record_consent(
    record: Record, config: Config, person: Person, case_id: UUID, *, answer: Answer, now: datetime
) -> None:
    """Keep an answer; taken back, it stops whatever this case still sends, in the same transaction.

    Open to a closed case too: consent may be withdrawn at any time. Raises CaseMoved for a subject of another case.
    """
    async with open_folder(record, person, case_id, now) as folder:
        if answer.subject_id not in {subject.id for subject in await store.list_subjects(folder.conn, case_id)}:
            raise CaseMoved
        for scope in answer.scopes:
            await _keep_answer(folder, answer, scope)
        subject, scopes = str(answer.subject_id), list(answer.scopes)
        await folder.journal("case.consent_recorded", subject=subject, scopes=scopes, value=answer.value)
        lost = set(taken_back(config.consent, await store.list_consents(folder.conn, case_id)))
        if lost & {(answer.subject_id, scope) for scope in answer.scopes}:
            await _hold(folder)


async def _keep_answer(folder: Folder, answer: Answer, scope: str) -> None:
    consent_id = uuid4()
    how_sealed = folder.seal(answer.how, how_place(consent_id))
    row = store.ConsentRow(consent_id, answer.subject_id, scope, answer.value, how_sealed, folder.person.id, folder.now)
    await store.insert_consent(folder.conn, row)


async def _hold(folder: Folder) -> None:
    if not await is_held(folder.conn, folder.case.id):
        case = str(folder.case.id)
        await hold_store.place_hold(
            folder.conn, HoldScope.CASE, case, WITHDRAWN, folder.now, placed_by=folder.person.id, people_needed=0
        )
        await folder.journal("case.held", reason=WITHDRAWN)


async def resume_sending(
    record: Record,
    config: Config,
    person: Person,
    case_id: UUID,
    *,
    reason: str,
    is_acting: Callable[[Connection, UUID], Awaitable[bool]],
    now: datetime,
) -> None:
    """Lift the hold that a withdrawal placed. Raises NotYours, CaseMoved, StillActing.

    While a consent is taken back, it is lifted only when no action of this case is on its way: what leant on that
    consent has to be stopped for good first, and whatever comes after is approved afresh.
    """
    async with open_folder(record, person, case_id, now) as folder:
        require_owner(folder.case, person.id)
        if not await is_held(folder.conn, case_id):
            raise CaseMoved
        answers = await store.list_consents(folder.conn, case_id)
        if taken_back(config.consent, answers) and await is_acting(folder.conn, case_id):
            raise StillActing
        await hold_store.lift_hold(folder.conn, HoldScope.CASE, str(case_id))
        await folder.write_note(NoteKind.RESUMED, reason)
        await folder.journal("case.resumed")


async def is_held(conn: Connection, case_id: UUID) -> bool:
    """Whether a withdrawal holds back what this case sends."""
    held = {(hold.scope, hold.target, hold.reason) for hold in await hold_store.holds(conn)}
    return (HoldScope.CASE, str(case_id), WITHDRAWN) in held


def taken_back(rules: Consent, answers: Iterable[store.ConsentRow]) -> Sequence[tuple[UUID, str]]:
    """Which subject has taken back which scope that actions, or names in their texts, lean on; oldest answer first."""
    leant_on = {rules.name, *(scope for scopes in rules.needed.values() for scope in scopes)}
    histories: dict[tuple[UUID, str], list[ConsentValue]] = {}
    for answer in answers:
        if answer.scope in leant_on:
            histories.setdefault((answer.subject_id, answer.scope), []).append(answer.value)
    return [
        (who, scope) for (who, scope), said in histories.items() if is_taken_back(said, plainly=scope == rules.name)
    ]
