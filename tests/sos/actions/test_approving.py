"""Approving an action: by somebody else, exactly what she saw, and nothing while something is missing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from sos.actions import store
from sos.actions.action import (
    Kind,
    MayNotApprove,
    NamesShown,
    NotOpenForChanges,
    NotReady,
    OwnText,
    State,
    TextMoved,
    TextState,
)
from sos.actions.steps import change_audience, check_names, review_text, write_text
from sos.outreach import steps as outreach
from sos.staff.staff import Person
from sos.triage import steps as cases
from sos.triage.case import ConsentValue, SubjectKind
from tests.story import ENGLISH, SPANISH, SUBJECT, Story

Change = Callable[[Story, UUID], Awaitable[None]]


async def states(story: Story, action_id: UUID) -> dict[str, TextState]:
    return {draft.language: draft.state for draft in (await story.prepared(action_id)).drafts}


async def test_somebody_else_approves_a_letter_of_which_nothing_is_missing(story: Story) -> None:
    action_id = await story.ready()
    await story.approve(action_id)
    prepared = await story.prepared(action_id)
    assert prepared.action.state is State.APPROVED
    assert prepared.approval
    assert (prepared.approval.approved_by, prepared.approval.fingerprint) == (story.approver.id, prepared.fingerprint)


async def test_a_changed_original_puts_its_translations_out_of_date_and_makes_the_approval_void(story: Story) -> None:
    action_id = await story.ready(texts={"en": ENGLISH, "es": SPANISH})
    await story.approve(action_id)
    await story.write(action_id, "en", replace(ENGLISH, body="Another letter."))
    prepared = await story.prepared(action_id)
    assert await states(story, action_id) == {"en": TextState.DRAFT, "es": TextState.OUTDATED}
    assert (prepared.action.state, prepared.approval) == (State.DRAFT, None)


async def test_an_original_that_was_kept_as_it_was_leaves_its_translations_in_peace(story: Story) -> None:
    action_id = await story.ready(texts={"en": ENGLISH, "es": SPANISH})
    await story.write(action_id, "en", ENGLISH)
    assert await states(story, action_id) == {"en": TextState.DRAFT, "es": TextState.REVIEWED}


async def test_a_text_out_of_date_is_not_reviewed_until_somebody_has_written_it_anew(story: Story) -> None:
    action_id = await story.ready(texts={"en": ENGLISH, "es": SPANISH})
    await story.write(action_id, "en", replace(ENGLISH, body="Another letter."))
    with pytest.raises(TextMoved):
        await story.review(action_id, "es")
    await story.write(action_id, "es", SPANISH)
    await story.review(action_id, "es")
    assert (await states(story, action_id))["es"] is TextState.REVIEWED


async def test_nobody_reviews_her_own_text(story: Story) -> None:
    action_id = await story.draft()
    with pytest.raises(OwnText):
        await story.review(action_id, by=story.editor)


async def test_a_reviewer_must_have_seen_exactly_the_text_that_stands_there(story: Story) -> None:
    action_id = await story.draft()
    await story.write(action_id, "en", replace(ENGLISH, title="Changed meanwhile"))
    with pytest.raises(TextMoved):
        await review_text(story.runtime.record, story.reviewer, action_id, "en", ENGLISH.hash, story.now)
    assert await states(story, action_id) == {"en": TextState.DRAFT}


async def test_reviewing_twice_is_reviewing_once_and_leaves_an_approval_standing(story: Story) -> None:
    action_id = await story.ready()
    await story.approve(action_id)
    await story.review(action_id, by=story.approver)
    assert (await story.prepared(action_id)).is_approved


WHO: dict[str, Callable[[Story], Person]] = {
    "drafted": lambda story: story.editor,
    "translated": lambda story: story.reviewer,
    "verified": lambda story: story.verifier,
}


@pytest.mark.parametrize("did", WHO)
async def test_whoever_had_a_hand_in_it_does_not_approve_it(story: Story, did: str) -> None:
    action_id = await story.ready()
    await story.write(action_id, "es", SPANISH, by=story.reviewer)
    await story.review(action_id, "es", by=story.editor)
    with pytest.raises(MayNotApprove):
        await story.approve(action_id, by=WHO[did](story))
    await story.approve(action_id)


async def test_whoever_wrote_a_text_that_a_colleague_has_rewritten_since_does_not_approve_it(story: Story) -> None:
    action_id = await story.ready()
    await story.write(action_id, "es", SPANISH, by=story.reviewer)
    await story.write(action_id, "es", replace(SPANISH, body="Otra."), by=story.editor)
    with pytest.raises(MayNotApprove):
        await story.approve(action_id, by=story.reviewer)


async def test_whoever_chose_the_audience_does_not_approve_it(story: Story) -> None:
    action_id = await story.ready()
    await change_audience(
        story.runtime.record, story.approver, action_id, regions=["africa"], groups=[], names_shown=NamesShown.PUBLIC,
        deadline_at=story.now + timedelta(days=1), now=story.now,
    )  # fmt: skip
    with pytest.raises(MayNotApprove):
        await story.approve(action_id)


async def test_an_approver_who_looks_at_an_old_page_is_told_so(story: Story) -> None:
    action_id = await story.ready()
    seen = (await story.prepared(action_id)).fingerprint
    await story.address(action_id, email="another@example.org")
    with pytest.raises(NotReady) as refused:
        await story.approve(action_id, seen=seen)
    assert refused.value.missing == ("approve.missing.changed",)
    assert (await story.prepared(action_id)).approval is None


async def test_everything_that_is_missing_is_said_at_once(story: Story) -> None:
    case_id = await story.case(consent=False, verified=False)
    action_id = await story.draft(case_id=case_id, text=replace(ENGLISH, body=f"{SUBJECT} was taken."))
    await story.address(action_id, language="fr")
    story.clock.advance(timedelta(days=4))
    with pytest.raises(NotReady) as refused:
        await story.approve(action_id)
    assert refused.value.missing == (
        "approve.missing.verified", "approve.missing.consent", "approve.missing.reviewed", "approve.missing.languages",
        "approve.missing.deadline",
    )  # fmt: skip


async def test_a_letter_to_nobody_is_not_approved(story: Story) -> None:
    action_id = await story.draft()
    await story.review(action_id)
    with pytest.raises(NotReady) as refused:
        await story.approve(action_id)
    assert refused.value.missing == ("approve.missing.addressed",)


async def test_an_alert_needs_no_addressee(story: Story) -> None:
    action_id = await story.ready(kind=Kind.ALERT)
    await story.approve(action_id)
    assert (await story.prepared(action_id)).is_approved


@pytest.mark.parametrize("value", [ConsentValue.WITHDRAWN, ConsentValue.NO, ConsentValue.NOT_ASKED])
async def test_without_consent_nothing_is_approved_and_nothing_is_sent(story: Story, value: ConsentValue) -> None:
    await story.contact()
    case_id = await story.case()
    first, second = await story.ready(case_id=case_id), await story.ready(case_id=case_id)
    await story.approve(first)
    await story.consent(case_id, "target", value=value)
    with pytest.raises(NotReady) as unapproved:
        await story.approve(second)
    with pytest.raises(NotReady) as unsent:
        await story.launch(first)
    assert unapproved.value.missing == unsent.value.missing == ("approve.missing.consent",)
    assert await story.count("deliveries") == 0
    assert await story.count("texts") == 0


async def test_a_text_with_a_withheld_name_is_not_approved(story: Story) -> None:
    action_id = await story.ready(texts={"en": replace(ENGLISH, body="They took MARISOL QUÍSPE's house.")})
    with pytest.raises(NotReady) as refused:
        await story.approve(action_id)
    assert refused.value.missing == ("approve.missing.withheld",)


async def test_a_text_with_a_name_that_may_be_shown_is_approved(story: Story) -> None:
    case_id = await story.case()
    await story.consent(case_id, "letter_name", value=ConsentValue.YES)
    action_id = await story.ready(case_id=case_id, texts={"en": replace(ENGLISH, body=f"{SUBJECT} was taken.")})
    await story.approve(action_id)


async def test_a_text_that_nobody_has_checked_for_names_is_not_approved(story: Story) -> None:
    action_id = await story.ready()
    await story.write(action_id, "es", SPANISH)
    await write_text(
        story.runtime.record, story.runtime.keys, story.editor, action_id, "es", SPANISH, story.now, withheld=None
    )
    await story.review(action_id, "es")
    with pytest.raises(NotReady) as refused:
        await story.approve(action_id)
    assert refused.value.missing == ("approve.missing.checked",)


async def test_a_check_is_bound_to_the_text_that_was_checked(story: Story) -> None:
    action_id = await story.draft()
    withheld = await story.withheld((await story.prepared(action_id)).action.case_id)
    await story.write(action_id, "en", replace(ENGLISH, body=f"{SUBJECT} again."))
    async with story.runtime.record.step() as step:
        await store.record_names_found(step.conn, action_id, "en", ENGLISH.hash, 0, looked_for=withheld.subjects)
    assert (await story.prepared(action_id)).drafts[0].names_found == 1


@pytest.mark.parametrize("how", ["somebody joins the case", "her consent to be named is taken back"])
async def test_a_name_that_is_withheld_since_the_check_is_looked_for_again(story: Story, how: str) -> None:
    case_id = await story.case()
    await story.consent(case_id, "letter_name", value=ConsentValue.YES)
    action_id = await story.ready(case_id=case_id, texts={"en": replace(ENGLISH, body=f"{SUBJECT} and Tomás Rueda.")})
    if how == "somebody joins the case":
        subject = cases.NewSubject(SubjectKind.PERSON, 1, "Tomás Rueda")
        await cases.add_subject(story.runtime.record, story.owner, case_id, subject, story.now)
        await story.consent(
            case_id, "members", "target", value=ConsentValue.YES, subject=(await story.subjects(case_id))[1]
        )
    else:
        await story.consent(case_id, "letter_name", value=ConsentValue.WITHDRAWN)
    with pytest.raises(NotReady) as unchecked:
        await story.approve(action_id)
    assert unchecked.value.missing == ("approve.missing.checked",)
    await check_names(
        story.runtime.record, story.runtime.keys, story.editor, action_id, await story.withheld(case_id), story.now
    )
    with pytest.raises(NotReady) as found:
        await story.approve(action_id)
    assert found.value.missing == ("approve.missing.withheld",)


async def rewrite(story: Story, action_id: UUID) -> None:
    await story.write(action_id, "en", replace(ENGLISH, summary="Another."))


async def translate(story: Story, action_id: UUID) -> None:
    await story.write(action_id, "es", SPANISH)


async def address(story: Story, action_id: UUID) -> None:
    await story.address(action_id, email="two@example.org")


async def ask_others(story: Story, action_id: UUID) -> None:
    await change_audience(
        story.runtime.record, story.editor, action_id, regions=[], groups=["women"], names_shown=NamesShown.TARGET,
        deadline_at=story.now + timedelta(days=3), now=story.now,
    )  # fmt: skip


@pytest.mark.parametrize("change", [rewrite, translate, address, ask_others])
async def test_whatever_is_changed_after_the_approval_makes_it_void(story: Story, change: Change) -> None:
    action_id = await story.ready()
    await story.approve(action_id)
    await change(story, action_id)
    prepared = await story.prepared(action_id)
    assert (prepared.action.state, prepared.approval) == (State.DRAFT, None)
    with pytest.raises(outreach.NotApproved):
        await story.launch(action_id)


async def test_two_who_approve_at_once_leave_one_approval_standing(story: Story) -> None:
    action_id = await story.ready()
    await asyncio.gather(story.approve(action_id), story.approve(action_id, by=story.owner))
    approvals = await story.rows("SELECT voided_at FROM approvals")
    assert approvals == [{"voided_at": None}]
    assert len(await story.rows("SELECT FROM journal WHERE did = 'action.approved'")) == 1


@pytest.mark.parametrize("change", [rewrite, translate, address, ask_others])
async def test_what_was_sent_is_not_changed_any_more(story: Story, change: Change) -> None:
    action_id = await story.launched()
    with pytest.raises(NotOpenForChanges):
        await change(story, action_id)
    with pytest.raises(NotOpenForChanges):
        await story.approve(action_id, seen=b"whatever")
