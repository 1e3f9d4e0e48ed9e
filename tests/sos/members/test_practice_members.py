"""The practice network: a list that imports as it stands, balanced, in many scripts, and that reaches nobody real."""

import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.base import ChannelName
from sos.actor import SYSTEM
from sos.config import Config
from sos.database import value
from sos.jobs import Record
from sos.members import store
from sos.members.importing import Parsed, Row, parse_members
from sos.members.member import OWN_SCRIPT, MemberKind, Standing, name_in
from sos.members.steps import import_members
from sos.vault import KeyFile

LIST = Path(__file__).parents[3] / "config" / "practice" / "members.csv"
NOW = datetime(2026, 3, 1, tzinfo=UTC)

# RFC 2606: example.com, example.net, example.org and the top-level domain .example are nobody's.
RESERVED_DOMAINS = re.compile(r"(.+\.)?example(\.com|\.net|\.org)?")

# Numbers that regulators keep for fiction.
RESERVED_PHONES = re.compile(
    r"""
    \+447700900\d{3}          # United Kingdom, Ofcom: 07700 900000 to 900999
    | \+3363998\d{4}          # France, ARCEP: 06 39 98 00 00 to 99 99
    | \+1[2-9]\d\d55501\d\d   # North American Numbering Plan: 555-0100 to 555-0199
    | \+49176040690\d\d       # Germany, Bundesnetzagentur: 0176 040690 00 to 99
    | \+3532091\d{5}          # Ireland, ComReg: 020 91x xxxx
    | \+467017406(0[5-9]|[1-9]\d)                   # Sweden, PTS: 070-174 06 05 to 06 99
    | \+61491570(006|110|156|157|158|159)           # Australia, ACMA: these numbers
    """,
    re.VERBOSE,
)

SCRIPTS = {
    *("ARABIC", "ARMENIAN", "BENGALI", "CANADIAN", "CJK", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "HANGUL"),
    *("HIRAGANA", "KANNADA", "KHMER", "LATIN", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAI", "TIFINAGH"),
}


@pytest.fixture(scope="module")
def parsed(config: Config) -> Parsed:
    return parse_members(LIST.read_bytes(), config)


@pytest.fixture(scope="module")
def members(parsed: Parsed) -> list[Row]:
    return list({row.member.reference: row for row in parsed.rows}.values())


def test_every_row_can_be_taken_without_a_remark(parsed: Parsed) -> None:
    assert (parsed.problems, parsed.remarks) == ((), ())


def test_no_address_can_reach_anybody(parsed: Parsed) -> None:
    for row in parsed.rows:
        addresses = row.contact.addresses
        if email := addresses.get(ChannelName.EMAIL):
            assert RESERVED_DOMAINS.fullmatch(email.rpartition("@")[2]), row.line
        if phone := addresses.get(ChannelName.SMS):
            assert RESERVED_PHONES.fullmatch(phone), row.line
        if chat := addresses.get(ChannelName.TELEGRAM):
            assert 9_000_000_001 <= int(chat) <= 9_000_009_999, row.line


def test_three_hundred_members_stand_in_eighty_countries_of_six_regions(members: list[Row], config: Config) -> None:
    assert len(members) == 300
    assert len({row.member.country for row in members}) == 80
    by_region = Counter(row.member.region for row in members)
    assert set(by_region) == set(config.regions)
    assert min(by_region.values()) >= 15
    assert max(by_region.values()) <= 80


def test_movements_and_grassroots_groups_are_most_of_the_network_and_allies_are_few(members: list[Row]) -> None:
    kinds = Counter(row.member.kind for row in members)
    assert set(kinds) == set(MemberKind)
    assert kinds[MemberKind.GRASSROOTS] + kinds[MemberKind.MOVEMENT] > 200
    assert sum(row.member.standing is Standing.ALLY for row in members) == 30


def test_every_working_group_has_members(members: list[Row], config: Config) -> None:
    assert {group for row in members for group in row.member.groups} == set(config.groups)


def test_women_and_men_are_in_balance_and_nobody_has_to_say(parsed: Parsed) -> None:
    genders = Counter(row.contact.gender for row in parsed.rows)
    assert set(genders) == {"woman", "man", "other", None}
    assert 0.8 < genders["woman"] / genders["man"] < 1.25  # type: ignore[index]  # a StrEnum is its text


def test_names_stand_in_many_scripts_and_can_be_read_in_english(members: list[Row]) -> None:
    own = "".join(row.member.names[OWN_SCRIPT] + row.contact.name for row in members)
    assert {unicodedata.name(char).split()[0] for char in own if char.isalpha()} >= SCRIPTS
    assert "\u200c" in own
    assert "\u200d" in own
    for row in members:
        english = unicodedata.normalize("NFKD", name_in(row.member.names, "en"))
        latin = [unicodedata.name(char).startswith("LATIN") for char in english if char.isalpha()]
        assert all(latin), row.line


def test_channels_are_mixed_and_a_few_people_have_none(parsed: Parsed) -> None:
    first = Counter(row.contact.channels[:1] for row in parsed.rows)
    assert (first[()], first[(ChannelName.BY_HAND,)]) == (8, 4)
    assert first[(ChannelName.EMAIL,)] > first[(ChannelName.SMS,)] > 70
    assert first[(ChannelName.TELEGRAM,)] > 70
    assert sum(bool(row.contact.discreet) for row in parsed.rows) == 25
    assert sum(bool(row.contact.may_sign) for row in parsed.rows) > 250


async def test_the_practice_network_is_imported_whole(record: Record, keys: KeyFile, parsed: Parsed) -> None:
    result = await import_members(record, keys, parsed, SYSTEM, NOW, partial=False)
    assert (result.is_written, result.members_added, result.contacts_added) == (True, 300, len(parsed.rows))
    async with record.reading() as conn:
        members = await store.members_by_reference(conn, {row.member.reference for row in parsed.rows})
        contacts = await store.contacts_of(conn, [member.id for member in members])
        expected = sum(len(row.contact.addresses) for row in parsed.rows)
        assert (len(members), len(contacts)) == (300, len(parsed.rows))
        assert await value(conn, "SELECT count(*) FROM addresses") == expected
    again = await import_members(record, keys, parsed, SYSTEM, NOW, partial=False)
    assert again.contacts_unchanged == len(parsed.rows)
