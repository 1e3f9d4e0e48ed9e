"""The story from report to letter runs, and its counting cannot be deceived."""

import pytest

from tests.demo.__main__ import complaints, table
from tests.demo.counting import Arrival, Wanted, count
from tests.demo.members import read_members
from tests.demo.story import MEMBERS, notice_a_double
from tests.demo.words import ADDRESSEES
from tests.journey.conftest import Played

ANA = Wanted("ana", "email", "es", {"email": "ana@a.example", "sms": "+447700900001"})
BO = Wanted("bo", "sms", "en", {"sms": "+447700900002"})
FOR_ANA, FOR_BO = Arrival("email", "ana@a.example", "es"), Arrival("sms", "+447700900002", "en")


def test_a_report_becomes_a_letter_and_nobody_is_lost_or_written_to_twice(played: Played) -> None:
    told = played.told
    assert told.call
    assert told.thanks
    assert len(told.counts) == 3
    assert complaints(told.counts) == []
    assert told.call.arrived == told.call.wanted > 25
    assert told.thanks.arrived == len(told.answers.signed) > 10
    assert {letter.to for letter in told.letters} == {one.email for one in ADDRESSEES}
    assert {"on the page", "by two taps", "by a word and a code"} == set(told.answers.doors)
    assert told.answers.refused_twice
    assert 0 < told.stopped_after < told.would_have_reached
    assert any("lost" in line and line.endswith(" 0") for line in table(told))


def test_a_mail_that_comes_twice_is_noticed(played: Played) -> None:
    doubled = played.run(notice_a_double(played.instance, played.told))
    assert len(complaints((doubled,))) == 1


def test_what_arrives_as_it_should_is_counted_by_channel_and_language() -> None:
    counted = count([ANA, BO], [FOR_ANA, FOR_BO])
    assert counted.is_clean
    assert counted.delivered == {("email", "es"): 1, ("sms", "en"): 1}


def test_somebody_who_got_nothing_is_lost() -> None:
    counted = count([ANA, BO], [FOR_BO])
    assert (counted.lost, counted.duplicates, counted.misdirected) == (("ana",), (), ())
    assert complaints((counted,)) == ["lost: ana"]


@pytest.mark.parametrize("second", [FOR_ANA, Arrival("sms", "+447700900001", "es")])
def test_somebody_who_was_written_to_twice_is_a_duplicate_by_whatever_channel(second: Arrival) -> None:
    assert count([ANA, BO], [FOR_ANA, FOR_BO, second]).duplicates == ("ana",)


@pytest.mark.parametrize(
    "astray",
    [
        Arrival("email", "ana@a.example", "en"),
        Arrival("email", "ana@a.example", "?"),
        Arrival("sms", "+447700900001", "es"),
    ],
)
def test_another_language_or_channel_than_hers_is_misdirected(astray: Arrival) -> None:
    counted = count([ANA, BO], [astray, FOR_BO])
    assert (counted.lost, len(counted.misdirected), counted.arrived) == ((), 1, 1)


def test_a_message_to_somebody_who_is_not_on_the_list_is_misdirected() -> None:
    assert len(count([ANA], [FOR_ANA, FOR_BO]).misdirected) == 1


def test_the_list_of_members_has_contacts_for_every_channel_and_language() -> None:
    contacts = read_members(MEMBERS)
    assert {one.channel for one in contacts} == {"email", "sms", "telegram", ""}
    assert {one.languages[0] for one in contacts} == {"en", "es", "fr", "ar", "pt"}
