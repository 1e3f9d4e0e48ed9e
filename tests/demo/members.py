"""Who should get what: read from the list of members alone, without the product's code."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import phonenumbers

from tests.demo.counting import Wanted

CHANNELS = ("email", "sms", "telegram")
# Where the list writes a number without the code of its country.
AT_HOME = {"Canada": "CA", "Germany": "DE", "Ireland": "IE", "Jamaica": "JM", "Sweden": "SE", "USA": "US"}


@dataclass(frozen=True)
class Contact:
    """One line of the list."""

    line: int
    member: str
    country: str
    name: str
    organisation: Mapping[str, str]
    languages: tuple[str, ...]
    channels: tuple[str, ...]
    addresses: Mapping[str, str]
    may_sign: bool
    discreet: bool
    by_hand: bool

    @property
    def who(self) -> str:
        """How she is called in a count: never by name."""
        return f"{self.member} line {self.line}"

    @property
    def channel(self) -> str:
        """The first channel that reaches her, or nothing."""
        return self.channels[0] if self.channels else ""

    def language(self, ready: Sequence[str], original: str) -> str:
        """The first of her languages that is ready, else the original."""
        return next((one for one in self.languages if one in ready), original)

    def organisation_in(self, language: str) -> str:
        """Her organisation as it calls itself in a language, else in its own script."""
        return self.organisation.get(language) or self.organisation[""]


def read_members(path: Path) -> list[Contact]:
    """Every contact of the list."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_contact(line, row) for line, row in enumerate(csv.DictReader(file), start=2)]


def wanted_of(contacts: Sequence[Contact], ready: Sequence[str], original: str = "es") -> list[Wanted]:
    """Who should get an action: everybody whom a channel reaches, by the first of them, in her first ready language."""
    reachable = [one for one in contacts if one.channel]
    return [Wanted(one.who, one.channel, one.language(ready, original), one.addresses) for one in reachable]


def _contact(line: int, row: Mapping[str, str]) -> Contact:
    addresses = dict(_addresses(row))
    wanted = [one for one in (*row["channels"].split(), *CHANNELS) if one in addresses]
    names = {language: row[f"name_{language}"] for language in ("en", "es", "fr", "ar", "pt")}
    return Contact(
        line=line,
        member=row["reference"],
        country=row["country"],
        name=row["contact"],
        organisation={"": row["name"], **{language: name for language, name in names.items() if name}},
        languages=tuple(row["languages"].split()),
        channels=tuple(dict.fromkeys(wanted)),
        addresses=addresses,
        may_sign=row["may_sign"] == "yes",
        discreet=row["discreet"] == "yes",
        by_hand=bool(row["by_hand"]),
    )


def _addresses(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if row["email"]:
        yield "email", row["email"].lower()
    if row["sms"]:
        typed = row["sms"]
        number = phonenumbers.parse(f"+{typed[2:]}" if typed.startswith("00") else typed, AT_HOME.get(row["country"]))
        yield "sms", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if row["telegram"]:
        yield "telegram", row["telegram"]


def write_some(source: Path, to: Path, count: int) -> None:
    """A shorter list: whole members, spread over the whole of it, with about `count` contacts."""
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames or []
    members = list(dict.fromkeys(row["reference"] for row in rows))
    with_two = [one for one in members if sum(row["reference"] == one for row in rows) > 1]
    some = {*members[:: max(1, len(rows) // count)], *with_two[:2]}
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(row for row in rows if row["reference"] in some)
