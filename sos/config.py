"""What people edit in config/: urgencies, sending, consent, countries and working groups, checked as they are read."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from sos.settings import BadSetting

CONFIG = Path(__file__).parent.parent / "config"


@dataclass(frozen=True, slots=True)
class Urgency:
    """The clocks of one urgency, in hours; `rank` 0 leaves first. The rest is how a contact is tried."""

    rank: int
    first_contact_hours: int
    decision_hours: int
    deadline_hours: int
    ways: Literal["all", "first_then_email"]
    minutes_apart: int | None
    email_at_once: bool

    @property
    def first_contact(self) -> timedelta:
        return timedelta(hours=self.first_contact_hours)

    @property
    def decision(self) -> timedelta:
        return timedelta(hours=self.decision_hours)

    @property
    def deadline(self) -> timedelta:
        return timedelta(hours=self.deadline_hours)


@dataclass(frozen=True, slots=True)
class Consent:
    """The scopes in order, those that each kind of action needs, and the one about names."""

    scopes: tuple[str, ...]
    needed: dict[str, tuple[str, ...]]
    name: str


@dataclass(frozen=True, slots=True)
class Country:
    """A country's region, its usual time zone, and what SMS can do there: an estimated price a segment, and limits."""

    region: str
    time_zone: str
    sms_usd: Decimal
    sms_two_way: bool = True
    sms_links: bool = True
    sms_registration: bool = False


@dataclass(frozen=True, slots=True)
class FirstWave:
    """Who goes first where many are written to, and what keeps the others back."""

    over: int
    size: int
    most_refused: float
    patience_seconds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sending:
    """How the network writes to its members."""

    calls_a_week: int
    sms_usd_a_month: Decimal
    warn_at: Decimal
    first_wave: FirstWave
    sms_registered_in: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """All of config/."""

    urgencies: dict[str, Urgency]
    sending: Sending
    consent: Consent
    countries: dict[str, Country]
    groups: dict[str, dict[str, str]]

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The regions of the network, by key."""
        return tuple(sorted({country.region for country in self.countries.values()}))


def read_config(directory: Path = CONFIG) -> Config:
    """Raises BadSetting, which names the file."""
    return Config(
        urgencies=_read(directory / "urgency.yaml", dict[str, Urgency]),
        sending=_read(directory / "sending.yaml", Sending),
        consent=_read(directory / "consent.yaml", Consent),
        countries=_read(directory / "countries.yaml", dict[str, Country]),
        groups=_read(directory / "groups.yaml", dict[str, dict[str, str]]),
    )


def _read(path: Path, kind: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as wrong:
        raise BadSetting(f"config/{path.name} cannot be used: {type(wrong).__name__}") from wrong
