"""What is done on the page of a case: each form calls one step and comes back to the page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aiohttp import web

from sos.config import Config
from sos.http import BadForm, Problem, id_in, runtime_of
from sos.jobs import Record
from sos.staff.staff import Person
from sos.staff.web import person_of
from sos.triage import consent, forms, handover, steps, verification
from sos.triage.web import act


@dataclass(frozen=True, slots=True)
class Desk:
    """Who works on which case, and when."""

    record: Record
    config: Config
    person: Person
    case_id: UUID
    now: datetime


def desk_of(request: web.Request) -> Desk:
    """What every step on a case is given."""
    runtime = runtime_of(request)
    return Desk(runtime.record, runtime.config, person_of(request), id_in(request), runtime.clock())


async def add_subject(request: web.Request) -> web.Response:
    """Somebody else is in danger too."""
    at = desk_of(request)
    return await act(
        request, forms.SubjectForm, section="subjects",
        step=lambda form: steps.add_subject(
            at.record, at.person, at.case_id, steps.NewSubject(form.kind, form.people, form.name), at.now
        ),
    )  # fmt: skip


async def record_consent(request: web.Request) -> web.Response:
    """What somebody in danger allows, or takes back."""
    at = desk_of(request)

    async def record(form: forms.ConsentForm) -> None:
        if not set(form.scopes) <= set(at.config.consent.scopes):
            raise BadForm(form.model_dump(mode="json", exclude={"scopes"}), {"scopes": Problem("problem.choose")})
        answer = consent.Answer(form.subject, form.scopes, form.value, form.how)
        await consent.record_consent(at.record, at.config, at.person, at.case_id, answer=answer, now=at.now)

    return await act(request, forms.ConsentForm, record, section="subjects", many=("scopes",))


async def answer_mandate(request: web.Request) -> web.Response:
    """Whether this is the network's to do."""
    at = desk_of(request)
    return await act(
        request, forms.MandateForm, section="verify",
        step=lambda form: verification.answer_mandate(
            at.record, at.person, at.case_id, mandate=form.mandate, reason=form.mandate_reason, now=at.now
        ),
    )  # fmt: skip


async def corroborate(request: web.Request) -> web.Response:
    """What another source says."""
    at = desk_of(request)
    return await act(
        request, forms.CorroborationForm, section="verify",
        step=lambda form: verification.corroborate(
            at.record, at.person, at.case_id, source=form.source, note=form.corroboration, now=at.now
        ),
    )  # fmt: skip


async def grade(request: web.Request) -> web.Response:
    """Two grades: the source, and apart from it the information."""
    at = desk_of(request)
    return await act(
        request, forms.GradesForm, section="verify",
        step=lambda form: verification.grade(
            at.record, at.person, at.case_id, reliability=form.reliability, validity=form.validity, now=at.now
        ),
    )  # fmt: skip


async def weigh_risks(request: web.Request) -> web.Response:
    """What may happen if the network acts, and if it does not."""
    at = desk_of(request)
    return await act(
        request, forms.RisksForm, section="verify",
        step=lambda form: verification.weigh_risks(
            at.record, at.person, at.case_id, if_we_act=form.risk_act, if_we_do_not=form.risk_wait, now=at.now
        ),
    )  # fmt: skip


async def verify(request: web.Request) -> web.Response:
    """Call the case verified, or be told everything that is missing."""
    at = desk_of(request)
    return await act(
        request, forms.VerifyForm, section="verify",
        step=lambda form: verification.verify(at.record, at.person, at.case_id, exception=form.exception, now=at.now),
    )  # fmt: skip


async def make_first_contact(request: web.Request) -> web.Response:
    """A person has reached the reporter."""
    at = desk_of(request)
    return await act(
        request, forms.ContactForm,
        step=lambda form: steps.make_first_contact(
            at.record, at.person, at.case_id, note=form.contact_note, now=at.now
        ),
    )  # fmt: skip


async def wait_for_reporter(request: web.Request) -> web.Response:
    """The next word is hers."""
    at = desk_of(request)
    return await act(
        request, forms.WaitForm,
        step=lambda form: steps.wait_for_reporter(at.record, at.person, at.case_id, note=form.waiting_note, now=at.now),
    )  # fmt: skip


async def go_on(request: web.Request) -> web.Response:
    """The wait is over."""
    at = desk_of(request)
    return await act(request, forms.NoForm, lambda _: steps.go_on(at.record, at.person, at.case_id, at.now))


async def hand_over(request: web.Request) -> web.Response:
    """Offer the case to a colleague."""
    at = desk_of(request)
    return await act(
        request, forms.HandOverForm,
        step=lambda form: handover.hand_over(
            at.record, at.person, at.case_id, to_id=form.to, note=form.handover_note, now=at.now
        ),
    )  # fmt: skip


async def take_back(request: web.Request) -> web.Response:
    """Keep the case after all."""
    at = desk_of(request)
    return await act(request, forms.NoForm, lambda _: handover.take_back(at.record, at.person, at.case_id, at.now))


async def accept(request: web.Request) -> web.Response:
    """Take what a colleague hands over."""
    at = desk_of(request)
    return await act(request, forms.NoForm, lambda _: handover.accept(at.record, at.person, at.case_id, at.now))


async def take_over(request: web.Request) -> web.Response:
    """Take a colleague's case without being asked."""
    at = desk_of(request)
    return await act(
        request, forms.TakeOverForm,
        step=lambda form: handover.take_over(
            at.record, at.person, at.case_id, reason=form.taken_over_reason, now=at.now
        ),
    )  # fmt: skip


async def close(request: web.Request) -> web.Response:
    """Decide that this is the end, and why."""
    at = desk_of(request)
    return await act(
        request, forms.CloseForm,
        step=lambda form: steps.close_case(
            at.record, at.person, at.case_id, ending=form.ending, reason=form.closing_reason, now=at.now
        ),
    )  # fmt: skip
