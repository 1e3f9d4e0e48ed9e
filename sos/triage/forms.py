"""What is typed into the forms of a report and of a case, parsed."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from sos.intake.report import Urgency
from sos.texts import plain_digits
from sos.triage.case import (
    MOST_PEOPLE,
    ConsentValue,
    Ending,
    Mandate,
    Reliability,
    Source,
    SubjectKind,
    Validity,
)

Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
Name = Annotated[str, StringConstraints(max_length=500)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=5_000)]
PerhapsReason = Annotated[str, StringConstraints(max_length=5_000)]


def _digits(typed: object) -> object:
    """A number in any script, with or without spaces."""
    return "".join(plain_digits(typed).split()) if isinstance(typed, str) else typed


People = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=MOST_PEOPLE)]


class SubjectForm(BaseModel):
    """Who is in danger."""

    kind: SubjectKind
    people: People = 1
    name: Name = ""


class CaseForm(SubjectForm):
    """What a report needs to become a case."""

    urgency: Urgency
    working_group: str
    country: Country | None = None


class ConsentForm(BaseModel):
    """One answer to some scopes, of one subject, and how it was asked."""

    subject: UUID
    scopes: Annotated[tuple[str, ...], Field(min_length=1)]
    value: ConsentValue
    how: Reason


class MandateForm(BaseModel):
    """Whether this is the network's to do."""

    mandate: Mandate
    mandate_reason: PerhapsReason = ""


class CorroborationForm(BaseModel):
    """What another source says."""

    source: Source
    corroboration: Reason


class GradesForm(BaseModel):
    """The source, and apart from it the information."""

    reliability: Reliability
    validity: Validity


class RisksForm(BaseModel):
    """What may happen."""

    risk_act: Reason
    risk_wait: Reason


class VerifyForm(BaseModel):
    """Why it is verified without two corroborations, if it is."""

    exception: PerhapsReason = ""


class ContactForm(BaseModel):
    """How the reporter was reached."""

    contact_note: PerhapsReason = ""


class WaitForm(BaseModel):
    """What we wait for."""

    waiting_note: PerhapsReason = ""


class HandOverForm(BaseModel):
    """To whom, and what she should know."""

    to: UUID
    handover_note: Reason


class TakeOverForm(BaseModel):
    """Why a case is taken without being handed over."""

    taken_over_reason: Reason


class CloseForm(BaseModel):
    """What was decided, and why."""

    ending: Ending
    closing_reason: Reason


class ResumeForm(BaseModel):
    """Why sending may go on."""

    resume_reason: Reason


class NoForm(BaseModel):
    """A button alone."""
