"""What an approval is bound to: everything that will be sent, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from sos.actions.action import Action, Draft, Kind, NamesShown, State, Target, Text, TextState, fingerprint

words = st.text(max_size=8)
labels = st.lists(st.sampled_from(["africa", "asia", "groups", "regions", "texts"]), max_size=3, unique=True).map(tuple)
texts = st.builds(Text, words, words, words)
ID = UUID(int=7)
NOW = datetime(2031, 3, 14, tzinfo=UTC)
moments = st.timedeltas(timedelta(), timedelta(days=500)).map(lambda later: NOW + later)


def make_action(regions: tuple[str, ...], groups: tuple[str, ...], names: NamesShown, deadline: datetime) -> Action:
    return Action(ID, ID, Kind.LETTER, "serious", State.DRAFT, names, regions, groups, deadline, ID, NOW)


def make_draft(language: str, text: Text) -> Draft:
    return Draft(language, language == "en", TextState.REVIEWED, text, 0, frozenset(), ID, NOW, ID)


actions = st.builds(make_action, labels, labels, st.sampled_from(NamesShown), moments)
all_drafts = st.dictionaries(st.sampled_from(["en", "es", "ar"]), texts, max_size=3).map(
    lambda found: tuple(make_draft(language, text) for language, text in found.items())
)
all_targets = st.lists(st.builds(Target, st.just(ID), words, words, st.just("en"), words), max_size=2).map(tuple)
prepared = st.tuples(actions, all_drafts, all_targets)

Prepared = tuple[Action, tuple[Draft, ...], tuple[Target, ...]]


def what_leaves(one: Prepared) -> object:
    """All that an approval is about, in one comparable value."""
    action, drafts, targets = one
    return (
        frozenset(action.regions), frozenset(action.groups), action.names_shown, action.deadline_at,
        frozenset((draft.language, draft.text) for draft in drafts),
        tuple((target.name, target.title, target.language, target.email) for target in targets),
    )  # fmt: skip


@given(prepared, prepared)
def test_two_fingerprints_are_equal_exactly_where_the_same_would_leave(one: Prepared, other: Prepared) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) == (what_leaves(one) == what_leaves(other))


def test_a_region_is_no_group_whatever_it_is_called() -> None:
    one = make_action(("groups",), (), NamesShown.TARGET, NOW)
    other = make_action((), ("groups",), NamesShown.TARGET, NOW)
    assert fingerprint(one, (), ()) != fingerprint(other, (), ())


@given(prepared, st.integers(-12, 12))
def test_who_wrote_and_when_and_in_which_order_changes_nothing(one: Prepared, hours: int) -> None:
    action, drafts, targets = one
    zone = timezone(timedelta(hours=hours))
    same = replace(
        action, deadline_at=action.deadline_at.astimezone(zone), regions=action.regions[::-1], drafted_by=uuid4(),
        state=State.APPROVED,
    )  # fmt: skip
    told = tuple(replace(draft, written_by=uuid4(), reviewed_by=uuid4(), names_found=3) for draft in drafts[::-1])
    assert fingerprint(same, told, targets) == fingerprint(action, drafts, targets)


@given(prepared, texts)
def test_a_text_that_is_not_ready_is_not_part_of_it(one: Prepared, text: Text) -> None:
    action, drafts, targets = one
    unready = replace(make_draft("fr", text), state=TextState.DRAFT)
    assert fingerprint(action, (*drafts, unready), targets) == fingerprint(*one)
