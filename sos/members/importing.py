"""A list of members as a file: every row that can be taken, and for every other one the cell and the reason."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import time
from typing import Any
from zoneinfo import available_timezones

from channels.base import ChannelName
from sos.config import Config
from sos.members import cells
from sos.members.countries import CountryNames
from sos.members.member import OWN_SCRIPT, Gender, MemberKind, Standing, Unacceptable, clean_name, fold
from sos.members.table import Problem, read_table
from sos.texts import LANGUAGES

NAMES = {"name": OWN_SCRIPT, **{f"name_{language}": language for language in LANGUAGES}}
COLUMNS = (
    *("reference", "kind", "standing", "country", *NAMES, "groups"),
    *("contact", "languages", "channels", "time_zone", "quiet_hours", "wake", *ChannelName),
    *("may_sign", "discreet", "gender"),
)
REQUIRED = ("reference", "kind", "standing", "country", "name", "contact", "languages")

Parsers = Mapping[str, Callable[[str], Any]]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """What a row says of a member; no groups means that it does not say."""

    reference: str
    kind: MemberKind
    standing: Standing
    country: str
    region: str
    groups: tuple[str, ...]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContactRow:
    """What a row says of a contact; None means that it does not say."""

    name: str
    languages: tuple[str, ...]
    channels: tuple[ChannelName, ...]
    addresses: Mapping[ChannelName, str]
    usual_time_zone: str
    time_zone: str | None
    quiet_hours: tuple[time, time] | None
    may_wake: bool | None
    may_sign: bool | None
    discreet: bool | None
    gender: Gender | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file that can be taken."""

    line: int
    member: MemberRow
    contact: ContactRow


@dataclass(frozen=True, slots=True)
class Parsed:
    """What can be taken, what cannot and why, and what is worth a look but stops nothing."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def parse_members(raw: bytes | str, config: Config) -> Parsed:
    """Read a CSV file of members, one contact a row; nothing is imported yet."""
    table = read_table(raw, COLUMNS, REQUIRED)
    reader = _RowReader(config)
    problems = list(table.problems)
    rows: list[Row] = []
    for line, filled in table.lines:
        found = reader.read(line, filled)
        if isinstance(found, Row):
            rows.append(found)
        else:
            problems += found
    kept, doubled = _without_doubles(rows)
    by_line = sorted([*problems, *doubled], key=lambda problem: problem.line)
    return Parsed(tuple(kept), tuple(by_line), (*table.remarks, *_shared(kept), *_look_alikes(kept)))


class _RowReader:
    """Reads rows with the vocabularies that all of them share."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._countries = CountryNames(frozenset(config.countries))
        self._languages = cells.language_names()
        self._zones = available_timezones()

    def _parsers(self, country: str | None) -> Parsers:
        return {
            "reference": cells.parse_reference,
            "kind": lambda text: cells.parse_choice(text, MemberKind),
            "standing": lambda text: cells.parse_choice(text, Standing),
            "country": self._countries.find,
            **dict.fromkeys(NAMES, clean_name),
            "groups": lambda text: cells.parse_keys(text, self._config.groups),
            "contact": clean_name,
            "languages": lambda text: cells.parse_languages(text, self._languages),
            "channels": lambda text: cells.parse_keys(text, tuple(ChannelName)),
            "time_zone": lambda text: cells.parse_time_zone(text, self._zones),
            "quiet_hours": cells.parse_quiet_hours,
            "wake": cells.parse_yes_no,
            "email": cells.parse_email,
            "sms": lambda text: cells.parse_phone(text, country),
            "telegram": cells.parse_telegram,
            "by_hand": cells.parse_by_hand,
            "may_sign": cells.parse_yes_no,
            "discreet": cells.parse_yes_no,
            "gender": lambda text: cells.parse_choice(text, Gender),
        }

    def read(self, line: int, filled: Mapping[str, str]) -> Row | list[Problem]:
        """The row, or everything that is wrong with it."""
        problems = [Problem(line, column, "import.cell.missing") for column in REQUIRED if column not in filled]
        values: dict[str, Any] = {}
        for column, parse in self._parsers(self._country_of(filled)).items():
            try:
                values[column] = parse(filled[column]) if column in filled else None
            except Unacceptable as no:
                problems.append(Problem(line, column, no.key, no.facts))
        return problems or Row(line, self._member(values), _contact(values, self._config))

    def _country_of(self, filled: Mapping[str, str]) -> str | None:
        try:
            return self._countries.find(filled.get("country", ""))
        except Unacceptable:
            return None

    def _member(self, values: Mapping[str, Any]) -> MemberRow:
        return MemberRow(
            reference=values["reference"],
            kind=values["kind"],
            standing=values["standing"],
            country=values["country"],
            region=self._config.countries[values["country"]].region,
            groups=values["groups"] or (),
            names={language: values[column] for column, language in NAMES.items() if values[column]},
        )


def _contact(values: Mapping[str, Any], config: Config) -> ContactRow:
    addresses = {channel: values[channel] for channel in ChannelName if values[channel]}
    preferred = map(ChannelName, values["channels"] or ())
    return ContactRow(
        name=values["contact"],
        languages=values["languages"],
        channels=tuple(dict.fromkeys([*preferred, *addresses])),
        addresses=addresses,
        usual_time_zone=config.countries[values["country"]].time_zone,
        time_zone=values["time_zone"],
        quiet_hours=values["quiet_hours"],
        may_wake=values["wake"],
        may_sign=values["may_sign"],
        discreet=values["discreet"],
        gender=values["gender"],
    )


def _without_doubles(rows: list[Row]) -> tuple[list[Row], list[Problem]]:
    """Rows whose contact stands in no earlier row, and whose member is described as before."""
    kept: list[Row] = []
    problems: list[Problem] = []
    lines: dict[tuple[str, str], int] = {}
    members: dict[str, Row] = {}
    for row in rows:
        first = members.setdefault(row.member.reference, row)
        line = lines.setdefault((row.member.reference, row.contact.name), row.line)
        if not _agrees(row.member, first.member):
            problems.append(Problem(row.line, "reference", "import.member.differs", {"other": str(first.line)}))
        elif line != row.line:
            problems.append(Problem(row.line, "contact", "import.cell.twice", {"other": str(line)}))
        else:
            kept.append(row)
    return kept, problems


def _agrees(member: MemberRow, first: MemberRow) -> bool:
    """Whether a later row of a member says nothing that its first row does not."""
    filled = replace(member, groups=member.groups or first.groups, names={**first.names, **member.names})
    return filled == first


def _shared(rows: list[Row]) -> Iterator[Problem]:
    """Addresses that stand in an earlier row too: both are reached there, by one message."""
    first: dict[tuple[ChannelName, str], Row] = {}
    for row in rows:
        for spot in row.contact.addresses.items():
            if (other := first.setdefault(spot, row)) is not row:
                yield Problem(row.line, spot[0], "import.address.shared_with", {"other": str(other.line)})


def _look_alikes(rows: list[Row]) -> Iterator[Problem]:
    """Members of one country whose names are nearly the same under two references."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        same = first.setdefault((row.member.country, fold(row.member.names[OWN_SCRIPT])), row)
        if same.member.reference != row.member.reference:
            yield Problem(row.line, "name", "import.member.similar", {"other": str(same.line)})
