"""The judge finds what is lost, what came again, what came changed, and what was for somebody else."""

from tests.faults.oracle import Arrival, Inbox, judge

EVERYBODY = ("ana", "bea", "eve")
ONCE = (("ana", "1"), ("bea", "2"), ("eve", "3"))


def arrived(*found: tuple[str, str]) -> list[Arrival]:
    return [Arrival(address, identity, float(at)) for at, (address, identity) in enumerate(found)]


def test_everybody_once_is_what_was_promised() -> None:
    assert judge(EVERYBODY, arrived(*ONCE)).holds


def test_one_who_got_nothing_is_lost() -> None:
    verdict = judge(EVERYBODY, arrived(*ONCE[:2]), allowed=9)
    assert (verdict.lost, verdict.holds) == (1, False)


def test_a_repetition_counts_and_may_be_allowed() -> None:
    again = arrived(*ONCE, ONCE[0], ONCE[0])
    assert judge(EVERYBODY, again, allowed=2).holds
    assert not judge(EVERYBODY, again, allowed=1).holds


def test_a_repetition_that_is_another_message_is_never_allowed() -> None:
    assert not judge(EVERYBODY, arrived(*ONCE, ("ana", "4")), allowed=9).holds


def test_what_was_for_nobody_in_the_audience_is_told() -> None:
    assert not judge(EVERYBODY, arrived(*ONCE, ("mallory", "5")), allowed=9).holds


def test_going_on_too_late_or_never_is_a_miss() -> None:
    assert judge(EVERYBODY, arrived(*ONCE), went_on=9.9, within=10).holds
    assert not judge(EVERYBODY, arrived(*ONCE), went_on=10.1, within=10).holds
    assert not judge(EVERYBODY, arrived(*ONCE), went_on=None, within=10).holds


def test_silence_is_measured_until_the_last_has_hers() -> None:
    inbox = Inbox([Arrival("ana", "1", 10.0), Arrival("bea", "2", 14.0), Arrival("bea", "2", 30.0)])
    assert inbox.longest_silence(9.0) == 4.0
    assert inbox.first_after(11.0) == 3.0
    assert inbox.first_after(30.0) is None
