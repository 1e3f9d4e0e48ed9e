"""A letter brought to its approval through the real steps: report, case, consent, verification, texts, reviews."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sos.actions import steps as actions
from sos.actions.action import Kind, NamesShown, Target, Withheld
from sos.bench.words import LETTER, MINISTER, REPORT
from sos.intake import store as intake
from sos.intake.report import Urgency, new_form_secret
from sos.intake.steps import file_report
from sos.runtime import Runtime
from sos.staff.staff import Person, Role
from sos.staff.steps import NewStaff, current_code, find_person, join_staff, sign_in
from sos.triage import case as triage
from sos.triage import steps as cases
from sos.triage import store as triage_store
from sos.triage import verification
from sos.triage.consent import Answer, record_consent
from sos.vault import digest

LASTS = timedelta(days=3)
ORIGINAL = "en"
WHO = {
    "desk": (Role.TRIAGE, Role.VERIFIER),
    "editor": (Role.EDITOR,),
    "reviewer": (Role.TRANSLATOR,),
    "approver": (Role.APPROVER,),
}


@dataclass(frozen=True, slots=True)
class Approved:
    """An action that waits for nothing but being sent, and who sends it."""

    action_id: UUID
    sender: Person


@dataclass(frozen=True, slots=True)
class Secretariat:
    """Who does what, in the order of WHO; the person who approves has had no hand in it."""

    desk: Person
    editor: Person
    reviewer: Person
    approver: Person


async def prepare_action(runtime: Runtime, now: datetime) -> Approved:
    """Everything from a report to an approval."""
    people = Secretariat(*await asyncio.gather(*(_join(runtime, login, now, *roles) for login, roles in WHO.items())))
    case_id = await _open_case(runtime, people.desk, now)
    await _verify(runtime, people.desk, case_id, now)
    action_id = await _write(runtime, people, case_id, now)
    await _approve(runtime, people.approver, action_id, now)
    return Approved(action_id, people.editor)


async def _join(runtime: Runtime, login: str, now: datetime, *roles: Role) -> Person:
    """Somebody joins and signs in; she has no address, so that no notice to her is among what is measured."""
    record, keys, passphrase = runtime.record, runtime.keys, secrets.token_urlsafe()
    new = NewStaff(login, login.capitalize(), passphrase, frozenset(roles), ORIGINAL, "UTC")
    await join_staff(record, keys, new, now)
    async with record.reading() as conn:
        code = await current_code(conn, keys, login, now)
    person = await find_person(record, keys, await sign_in(record, keys, login, passphrase, code, now), now)
    assert person
    return person


async def _open_case(runtime: Runtime, person: Person, now: datetime) -> UUID:
    record, secret = runtime.record, new_form_secret()
    await file_report(record, REPORT, form_secret=secret, language=ORIGINAL, urgency=Urgency.SERIOUS, now=now)
    async with record.reading() as conn:
        report = await intake.find_by_form(conn, digest("form", secret))
    assert report
    return await cases.open_case(
        record, runtime.config, person, report.id, urgency=Urgency.SERIOUS, working_group="environment", now=now,
        subject=cases.NewSubject(triage.SubjectKind.COMMUNITY, 400, "Agua Serena"),
    )  # fmt: skip


async def _verify(runtime: Runtime, person: Person, case_id: UUID, now: datetime) -> None:
    """Those in danger agree, and everything is answered that makes a case a verified one."""
    record, config = runtime.record, runtime.config
    async with record.reading() as conn:
        (subject,) = await triage_store.list_subjects(conn, case_id)
    agreed = Answer(subject.id, tuple(config.consent.needed[Kind.LETTER]), triage.ConsentValue.YES, "by phone")
    await record_consent(record, config, person, case_id, answer=agreed, now=now)
    await verification.answer_mandate(record, person, case_id, mandate=triage.Mandate.INSIDE, reason="", now=now)
    await verification.corroborate(record, person, case_id, source=triage.Source.MEMBER_NEAR, note="seen", now=now)
    await verification.grade(
        record, person, case_id, reliability=triage.Reliability.B, validity=triage.Validity.PROBABLE, now=now
    )
    await verification.weigh_risks(record, person, case_id, if_we_act="few", if_we_do_not="many", now=now)
    await verification.verify(record, person, case_id, exception="", now=now)


async def _write(runtime: Runtime, people: Secretariat, case_id: UUID, now: datetime) -> UUID:
    """A letter to everybody, in every language, each text reviewed by somebody who did not write it."""
    record, keys, editor = runtime.record, runtime.keys, people.editor
    withheld = await _find_withheld(runtime, editor, case_id)
    new = actions.NewAction(Kind.LETTER, NamesShown.TARGET, (), (), now + LASTS, ORIGINAL, LETTER[ORIGINAL])
    action_id = await actions.draft_action(record, keys, editor, case_id, new, now, withheld=withheld)
    for language in LETTER.keys() - {ORIGINAL}:
        await actions.write_text(
            record, keys, editor, action_id, language, LETTER[language], now, withheld=withheld
        )  # fmt: skip
    for language, text in LETTER.items():
        await actions.review_text(record, people.reviewer, action_id, language, text.hash, now)
    target = Target(uuid4(), *MINISTER, ORIGINAL, "minister@bench.example.org")
    await actions.add_target(record, keys, editor, action_id, target, now)
    return action_id


async def _find_withheld(runtime: Runtime, editor: Person, case_id: UUID) -> Withheld:
    async with runtime.record.reading() as conn:
        subjects = await cases.withheld_subjects(conn, case_id, runtime.config)
        names = await cases.withheld_names(conn, editor, case_id, runtime.config)
    return Withheld(tuple(names), subjects)


async def _approve(runtime: Runtime, approver: Person, action_id: UUID, now: datetime) -> None:
    record, keys = runtime.record, runtime.keys
    async with record.reading() as conn:
        seen = (await actions.find_prepared(conn, keys, action_id)).fingerprint
    await actions.approve(record, keys, runtime.config, approver, action_id, seen, now)
