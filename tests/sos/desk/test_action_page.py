"""An action's page, over real HTTP: drafted, reviewed, approved, sent, watched and stopped by those who may."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from sos.staff.staff import Role
from sos.triage import store as triage_store
from sos.triage.case import ConsentValue
from sos.triage.consent import Answer, record_consent
from tests.secretariat import Seat, Secretariat
from tests.sos.triage.make import case_id_in, make_case, verify_case

TEXT = {
    "title": "Stop the eviction at the old port",
    "summary": "Four hundred families may lose their homes.",
    "body": "Dear Minister,\r\n\r\nStop.",
}
AUDIENCE = {"names_shown": "target", "deadline": "2031-03-20T12:00"}
DRAFT = {"kind": "letter", "language": "en", **TEXT, **AUDIENCE}
TARGET = {"name": "José Pérez", "title": "Minister of Housing", "language": "en", "email": "jose@example.org"}


@dataclass
class Desk:
    """Who works on one action."""

    secretariat: Secretariat
    owner: Seat
    editor: Seat
    reviewer: Seat
    approver: Seat
    case: str
    action: str = ""

    async def draft(self, **changes: str) -> str:
        """The editor begins an action; the path of its page."""
        await self.editor.read(f"{self.case}/action")
        made = await self.editor.send(f"{self.case}/action", **DRAFT | changes)
        assert made.status == 200, made.text
        self.action = made.path
        return made.path

    async def make_ready(self) -> None:
        """Everything but the approval."""
        await self.draft()
        await self.editor.send(f"{self.action}/target", **TARGET)
        await self.review()

    async def review(self, language: str = "en") -> int:
        """The reviewer says that the text she sees is right."""
        page = await self.reviewer.read(self.action)
        seen = re.search(rf'/text/{language}/review".*?name="hash" value="(\w+)"', page.text, re.DOTALL)
        assert seen, page.text
        return (await self.reviewer.send(f"{self.action}/text/{language}/review", hash=seen[1])).status

    async def fingerprint(self) -> str:
        """What the approver sees."""
        page = await self.approver.read(self.action)
        seen = re.search(r'name="fingerprint" value="(\w+)"', page.text)
        assert seen, page.text
        return seen[1]


@pytest.fixture
async def desk(secretariat: Secretariat) -> Desk:
    """A verified case with consent, and four people."""
    owner = await secretariat.seat("Amara", Role.TRIAGE, Role.VERIFIER)
    case = await make_case(secretariat, owner)
    await verify_case(owner, case)
    runtime = secretariat.runtime
    async with runtime.record.reading() as conn:
        (subject,) = await triage_store.list_subjects(conn, case_id_in(case))
    said = Answer(subject.id, ("members", "target"), ConsentValue.YES, "by phone")
    person = await secretariat.person(owner)
    await record_consent(
        runtime.record, runtime.config, person, case_id_in(case), answer=said, now=secretariat.clock.now
    )
    editor = await secretariat.seat("Noor", Role.EDITOR)
    await owner.read("/desk/staff")
    await owner.send(f"/desk/staff/{editor.id}/keys")
    return Desk(
        secretariat, owner, editor, await secretariat.seat("Inês", Role.TRANSLATOR),
        await secretariat.seat("Yannick", Role.APPROVER), case,
    )  # fmt: skip


async def test_an_action_goes_from_a_draft_to_the_network_through_the_hands_of_four(desk: Desk) -> None:
    await desk.draft()
    page = await desk.editor.read(desk.action)
    assert "The letter is addressed to nobody." in page.text
    assert "The original text is not reviewed." in page.text
    await desk.editor.send(f"{desk.action}/target", **TARGET)
    assert await desk.review() == 200
    assert (
        "Somebody who did not draft, write or verify it has to approve it."
        in (await desk.editor.read(desk.action)).text
    )
    approved = await desk.approver.send(f"{desk.action}/approve", fingerprint=await desk.fingerprint())
    assert "Yannick</bdi> on March 14, 2031, 09:00 (UTC)" in approved.text
    sent = await desk.editor.send(f"{desk.action}/launch")
    assert (sent.status, "Stop sending" in sent.text) == (200, True)
    again = await desk.editor.send(f"{desk.action}/launch")
    assert again.status == 200
    stopped = await desk.approver.send(f"{desk.action}/stop")
    assert "Sending was stopped. Nothing more leaves." in stopped.text


async def test_whoever_may_not_approve_is_shown_no_button_and_refused(desk: Desk) -> None:
    await desk.make_ready()
    for seat in (desk.editor, desk.reviewer, desk.owner):
        assert 'name="fingerprint"' not in (await seat.read(desk.action)).text
        assert (await seat.send(f"{desk.action}/approve", fingerprint=await desk.fingerprint())).status == 403
    both = await desk.secretariat.seat("Olga", Role.TRANSLATOR, Role.APPROVER)
    await both.send(f"{desk.action}/text/es", **TEXT)
    page = await both.read(desk.action)
    assert "Somebody else has to approve it." in page.text
    refused = await both.send(f"{desk.action}/approve", fingerprint=await desk.fingerprint())
    assert refused.status == 403
    assert "Somebody else has to approve it." in refused.text


async def test_an_old_page_approves_nothing(desk: Desk) -> None:
    await desk.make_ready()
    seen = await desk.fingerprint()
    await desk.editor.send(f"{desk.action}/audience", **AUDIENCE | {"names_shown": "public"})
    refused = await desk.approver.send(f"{desk.action}/approve", fingerprint=seen)
    assert refused.status == 409
    assert "Something has changed since you opened the page." in refused.text


async def test_an_old_page_reviews_nothing(desk: Desk) -> None:
    await desk.draft()
    page = await desk.reviewer.read(desk.action)
    seen = re.search(r'name="hash" value="(\w+)"', page.text)
    assert seen
    await desk.editor.send(f"{desk.action}/text/en", **TEXT | {"title": "Another title"})
    refused = await desk.reviewer.send(f"{desk.action}/text/en/review", hash=seen[1])
    assert refused.status == 409
    assert "This text has changed" in refused.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"summary": "word " * 41}, "Too many words. At most 40"),
        ({"title": ""}, "Please fill in this field."),
        ({"title": "x" * 141}, "This is too long. At most 140 characters."),
        ({"title": "\u202e\u2066 \ue000"}, "Please fill in this field."),
        ({"deadline": "soon"}, "Please write a date and a time."),
        ({"deadline": "9999-12-31T23:59"}, "Please write a date and a time."),
        ({"deadline": "0001-01-01T00:00"}, "Please write a date and a time."),
        (
            {"waits_until": "2031-03-20T12:00", "deadline": "2031-03-20T12:00"},
            "Please choose a time before the deadline",
        ),
        ({"kind": "petition"}, "Please choose one of these."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(
    desk: Desk, changes: dict[str, str], said: str
) -> None:
    await desk.editor.read(f"{desk.case}/action")
    sent = DRAFT | {"title": "A title to keep"} | changes
    wrong = await desk.editor.send(f"{desk.case}/action", regions=["africa"], groups=["women"], **sent)
    assert wrong.status == 422
    assert said in wrong.text
    assert sent["title"].strip("\u202e\u2066\ue000 ") in wrong.text
    for ticked in ("africa", "women"):
        assert re.search(rf'value="{ticked}" checked', wrong.text)
    assert 'value="asia_pacific" checked' not in wrong.text


async def test_an_audience_that_no_page_offers_is_refused(desk: Desk) -> None:
    await desk.draft()
    assert (await desk.editor.send(f"{desk.action}/audience", regions="mars", **AUDIENCE)).status == 400
    assert (await desk.editor.send(f"{desk.case}/action", groups="'; DROP", **DRAFT)).status == 400


async def test_a_pasted_text_comes_in_without_what_nobody_sees(desk: Desk) -> None:
    path = await desk.draft(title="Stop\u202e the\ue000name\ue001\x07 eviction", body="a\r\n\r\nb\u2066c")
    page = await desk.editor.read(f"{path}/text/en")
    assert 'value="Stop thename eviction"' in page.text
    assert not set("\u202e\ue000\ue001\u2066\x07") & set(page.text)


@pytest.mark.parametrize(
    "wrong",
    [{"email": "nobody"}, {"email": "a@b.example\r\nBcc: c@d.example"}, {"name": "a\u202eb"}, {"name": ""},
     {"name": "=?utf-8?q?x?="}, {"language": "xx"}],
)  # fmt: skip
async def test_an_addressee_who_cannot_be_written_to_is_refused(desk: Desk, wrong: dict[str, str]) -> None:
    await desk.draft()
    refused = await desk.editor.send(f"{desk.action}/target", **TARGET | wrong)
    assert refused.status == 422
    assert "addressed to nobody" in (await desk.editor.read(desk.action)).text


async def test_a_withheld_name_is_found_as_it_is_written_and_the_page_says_so(desk: Desk) -> None:
    await desk.draft(body="They took MARISOL from her house.")
    page = await desk.editor.read(desk.action)
    assert 'class="late">one withheld name' in page.text
    await desk.reviewer.send(f"{desk.action}/text/es", **TEXT)
    page = await desk.editor.read(desk.action)
    assert f'action="{desk.action}/check"' in page.text
    checked = await desk.editor.send(f"{desk.action}/check")
    assert f'action="{desk.action}/check"' not in checked.text


async def test_forms_without_what_they_need_are_answered_and_change_nothing(desk: Desk) -> None:
    await desk.make_ready()
    for path in ("approve", "text/en/review"):
        assert (await desk.reviewer.send(f"{desk.action}/{path}")).status in (400, 403, 422)
    assert (await desk.approver.send(f"{desk.action}/approve", fingerprint="zz")).status == 400
    assert (await desk.approver.send(f"{desk.action}/approve", fingerprint="0" * 64)).status == 409
    assert (await desk.editor.send(f"{desk.action}/launch")).status == 409


async def test_what_does_not_exist_is_not_found(desk: Desk) -> None:
    nothing = f"/desk/action/{uuid4()}"
    for path in (nothing, f"{nothing}/text/en", f"{nothing}/audience", f"{nothing}/live"):
        assert (await desk.editor.read(path)).status == 404, path
    for path in (f"{nothing}/launch", f"{nothing}/stop"):
        assert (await desk.editor.send(path)).status == 404, path
    assert (await desk.editor.send(f"{nothing}/text/en", **TEXT)).status == 404
    assert (await desk.editor.send(f"/desk/case/{uuid4()}/action", **DRAFT)).status == 404


async def test_the_part_that_changes_is_sent_as_it_changes(desk: Desk) -> None:
    await desk.make_ready()
    await desk.approver.send(f"{desk.action}/approve", fingerprint=await desk.fingerprint())
    await desk.editor.send(f"{desk.action}/launch")
    async with desk.editor.client.get(f"{desk.action}/live") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        line = await response.content.readline()
    assert line.startswith(b"data: ")
    desk.secretariat.clock.advance(timedelta(minutes=6))


async def test_the_list_shows_each_action_by_its_title(desk: Desk) -> None:
    await desk.draft(title="The first title")
    assert "The first title" in (await desk.approver.read("/desk/actions")).text
