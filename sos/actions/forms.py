"""What may be sent about an action: texts, an audience, an addressee, and which exact thing somebody saw."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from sos.actions.action import SUMMARY_WORDS, Kind, NamesShown, Text
from sos.members.cells import parse_email
from sos.members.member import Unacceptable, clean_name
from sos.texts import clean_line, clean_text

YEARS = range(2000, 2200)  # what is typed outside of these was typed by mistake
Title = Annotated[str, StringConstraints(min_length=1, max_length=140), BeforeValidator(clean_line)]
Summary = Annotated[str, StringConstraints(min_length=1, max_length=600), BeforeValidator(clean_line)]
Body = Annotated[str, StringConstraints(min_length=1, max_length=12_000), BeforeValidator(clean_text)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Tongue = Annotated[str, StringConstraints(pattern="^(en|es|fr|ar|pt)$")]


class TextForm(BaseModel):
    """A text in one language."""

    title: Title
    summary: Summary
    body: Body

    @field_validator("summary")
    @classmethod
    def is_short(cls, summary: str) -> str:
        if len(summary.split()) > SUMMARY_WORDS:
            raise PydanticCustomError("problem.too_many_words", "too many words", {"most": SUMMARY_WORDS})
        return summary

    @property
    def text(self) -> Text:
        return Text(self.title, self.summary, self.body)


class AudienceForm(BaseModel):
    """Who is asked, until when, who sees the names, and until when somebody waits for her own language."""

    names_shown: NamesShown
    regions: list[str] = []
    groups: list[str] = []
    deadline: datetime
    waits_until: datetime | None = None

    @field_validator("deadline", "waits_until")
    @classmethod
    def is_near(cls, deadline: datetime | None) -> datetime | None:
        if deadline and deadline.year not in YEARS:
            raise PydanticCustomError("problem.time", "not a year of ours")
        return deadline

    @field_validator("waits_until")
    @classmethod
    def ends_before_all_does(cls, waits_until: datetime | None, info: ValidationInfo) -> datetime | None:
        """Whoever waits for as long as an action runs would get nothing at all."""
        deadline = info.data.get("deadline")
        if waits_until and deadline and waits_until >= deadline:
            raise PydanticCustomError("problem.waits_until", "not before the deadline")
        return waits_until


class ActionForm(TextForm, AudienceForm):
    """The first text of an action, and its audience."""

    kind: Kind
    language: Tongue


class CorrectionForm(TextForm):
    """What puts something right, in its first language, and until when it is of use."""

    language: Tongue
    deadline: datetime

    @field_validator("deadline")
    @classmethod
    def is_near(cls, deadline: datetime) -> datetime:
        if deadline.year not in YEARS:
            raise PydanticCustomError("problem.time", "not a year of ours")
        return deadline


class TargetForm(BaseModel):
    """Whom a letter is addressed to."""

    name: Line
    title: Line
    language: Tongue
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = None
    email: Line

    @field_validator("name", "title")
    @classmethod
    def is_a_name(cls, name: str) -> str:
        try:
            return clean_name(name)
        except Unacceptable as wrong:
            raise PydanticCustomError("problem.wrong", "unusable") from wrong

    @field_validator("email")
    @classmethod
    def is_an_address(cls, email: str) -> str:
        try:
            return parse_email(email)
        except Unacceptable as wrong:
            raise PydanticCustomError("problem.email", "not an email address") from wrong


class ReviewForm(BaseModel):
    """Which exact text the reviewer read."""

    hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class SeenForm(BaseModel):
    """What exactly the approver saw."""

    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
