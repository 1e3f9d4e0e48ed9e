"""A list of members as a file: what can be taken, and where exactly the rest is wrong."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import ChannelName
from sos.config import Config, read_config
from sos.members.importing import Parsed, parse_members

ListOf = Callable[..., str]
CONFIG = read_config()


def found(parsed: Parsed) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.column, problem.key) for problem in parsed.problems]


def remarked(parsed: Parsed) -> list[tuple[int, str, str]]:
    return [(remark.line, remark.column, remark.key) for remark in parsed.remarks]


def test_a_row_becomes_a_member_and_a_contact(list_of: ListOf, config: Config) -> None:
    text = list_of(
        {"name_fr": "Fleuve de justice", "groups": "women monitoring", "languages": "en fr", "channels": "sms email",
         "email": "achieng@example.org", "sms": "+44 7700 900123", "telegram": "9000000001",
         "may_sign": "yes", "gender": "woman"}
    )  # fmt: skip
    [row] = parse_members(text, config).rows
    assert (row.member.country, row.member.region) == ("KE", "africa")
    assert row.member.names == {"": "Mto wa Haki", "fr": "Fleuve de justice"}
    assert row.member.groups == ("women", "monitoring")
    assert row.contact.channels == (ChannelName.SMS, ChannelName.EMAIL, ChannelName.TELEGRAM)
    assert row.contact.addresses[ChannelName.SMS] == "+447700900123"
    assert (row.contact.usual_time_zone, row.contact.time_zone) == ("Africa/Nairobi", None)
    assert (row.contact.may_sign, row.contact.discreet) == (True, None)


def test_every_wrong_cell_of_a_row_is_reported_and_the_other_rows_are_taken(list_of: ListOf, config: Config) -> None:
    text = list_of(
        {"email": "not an address", "sms": "none", "kind": "club", "languages": ""},
        {"reference": "KE-2", "contact": "Juma"},
    )
    parsed = parse_members(text, config)
    assert [row.member.reference for row in parsed.rows] == ["KE-2"]
    assert found(parsed) == [
        (2, "languages", "import.cell.missing"),
        (2, "kind", "import.cell.not_one_of"),
        (2, "email", "import.email.not_an_address"),
        (2, "sms", "import.phone.not_a_number"),
    ]


@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_headings_may_differ_in_case_order_and_spaces_and_columns_in_their_divider(divider: str) -> None:
    lines = [
        ["Contact", "COUNTRY", "May Sign", "standing", "Name", "languages", "Kind", " Reference"],
        ["Lina", "Jordan", "yes", "ally", "Bayt", "ar", "ngo", "jo-1"],
    ]
    text = "\r\n".join(divider.join(line) for line in lines)
    [row] = parse_members(text, CONFIG).rows
    assert (row.member.reference, row.contact.may_sign) == ("JO-1", True)


def test_a_file_may_begin_with_a_byte_order_mark(list_of: ListOf, config: Config) -> None:
    assert parse_members(list_of({}).encode("utf-8-sig"), config).rows


def test_a_file_that_is_not_utf_8_is_named_as_such_with_the_line(list_of: ListOf, config: Config) -> None:
    parsed = parse_members(list_of({}, {"contact": "José"}).encode("latin-1"), config)
    assert parsed.rows == ()
    assert found(parsed) == [(3, "", "import.file.not_utf8")]


def test_a_missing_column_stops_the_list_and_an_unknown_one_is_remarked(list_of: ListOf, config: Config) -> None:
    parsed = parse_members("reference,kind,standing,country,name,contact,shoes\nA,ngo,member,KE,B,C,39\n", config)
    assert (parsed.rows, found(parsed)) == ((), [(1, "languages", "import.column.missing")])
    assert remarked(parsed) == [(1, "shoes", "import.column.unknown")]


def test_a_column_that_stands_twice_counts_once(list_of: ListOf, config: Config) -> None:
    first, second = list_of({"email": "a@example.org"}).splitlines()
    parsed = parse_members(f"{first},E-Mail\n{second},b@example.org\n", config)
    assert parsed.rows[0].contact.addresses == {ChannelName.EMAIL: "a@example.org"}
    assert remarked(parsed) == [(1, "E-Mail", "import.column.unknown")]


def test_a_quote_that_never_closes_is_reported_where_it_opens(list_of: ListOf, config: Config) -> None:
    good, bad = list_of({}), list_of({"reference": "KE-2"}).splitlines()[1].replace("Mto", '"Mto')
    parsed = parse_members(good + bad, config)
    assert (len(parsed.rows), found(parsed)) == (1, [(3, "", "import.file.unreadable")])


def test_a_row_with_more_cells_than_headings_is_reported(list_of: ListOf, config: Config) -> None:
    parsed = parse_members(list_of({}).rstrip() + ",more\n", config)
    assert found(parsed) == [(2, "", "import.file.unreadable")]


def test_lines_are_counted_as_an_editor_counts_them(list_of: ListOf, config: Config) -> None:
    text = list_of({"contact": "one\nbelow"}) + "\n,,,,,,\n" + list_of({"kind": "club"}).splitlines()[1]
    assert found(parse_members(text, config)) == [
        (2, "contact", "import.name.unusable"),
        (6, "kind", "import.cell.not_one_of"),
    ]


def test_a_row_that_repeats_a_contact_is_reported_with_the_line_it_repeats_and_a_shared_address_remarked_on(
    list_of: ListOf, config: Config
) -> None:
    text = list_of(
        {"email": "one@example.org"},
        {"email": "two@example.org"},
        {"reference": "KE-2", "contact": "Juma", "email": "ONE@example.org"},
    )
    parsed = parse_members(text, config)
    assert found(parsed) == [(3, "contact", "import.cell.twice")]
    assert (4, "email", "import.address.shared_with") in [(one.line, one.column, one.key) for one in parsed.remarks]
    assert {problem.facts["other"] for problem in (*parsed.problems, *parsed.remarks)} == {"2"}


def test_a_member_that_is_described_in_two_ways_is_reported(list_of: ListOf, config: Config) -> None:
    parsed = parse_members(list_of({}, {"contact": "Juma", "country": "Uganda"}), config)
    assert found(parsed) == [(3, "reference", "import.member.differs")]


def test_a_second_contact_need_not_repeat_all_that_is_said_of_the_member(list_of: ListOf, config: Config) -> None:
    parsed = parse_members(list_of({"groups": "women", "name_fr": "Fleuve"}, {"contact": "Juma"}), config)
    assert (len(parsed.rows), parsed.problems) == (2, ())


def test_two_members_with_nearly_the_same_name_are_remarked_but_taken(list_of: ListOf, config: Config) -> None:
    parsed = parse_members(list_of({}, {"reference": "KE-2", "name": "MTO WA HAKI", "contact": "Juma"}), config)
    assert (len(parsed.rows), parsed.problems) == (2, ())
    assert remarked(parsed) == [(3, "name", "import.member.similar")]


@given(st.text() | st.binary())
def test_no_file_whatever_breaks_the_reading(raw: str | bytes) -> None:
    assert parse_members(raw, CONFIG).rows == ()


@given(st.lists(st.text(max_size=20), min_size=7, max_size=7))
def test_no_cell_whatever_breaks_the_reading(cells: list[str]) -> None:
    header = "reference\tkind\tstanding\tcountry\tname\tcontact\tlanguages\n"
    parse_members(header + "\t".join(cells), CONFIG)
