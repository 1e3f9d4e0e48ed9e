"""The secretariat at work: from a report to a letter, or an alert, that may be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.demo.page import Page
from tests.demo.people import Browsers, Staff
from tests.demo.words import ADDRESSEES, COMMUNITY, NOTES, REPORT, SPOKESPERSON, Words


class StoryBroke(Exception):
    """Something did not happen as the story tells it."""


def require(is_so: object, what: str) -> None:
    """Raises StoryBroke."""
    if not is_so:
        raise StoryBroke(what)


@dataclass
class Receipt:
    """What the reporter keeps."""

    number: str
    code: str


async def file_report(browsers: Browsers) -> Receipt:
    """Five fields, sent twice as impatient thumbs do; then the receipt is opened."""
    reporter = browsers.new()
    form = (await reporter.open("/es/report")).form("/es/report")
    first = await reporter.post(form.action, form.fill(dict(REPORT)))
    again = await reporter.post(form.action, form.fill(dict(REPORT)))
    require(first.status == 200 and len(first.codes) == 2, "no receipt was shown")
    require(first.codes == again.codes, "the same form, sent twice, made two reports")
    receipt = Receipt(*first.codes)
    door = await reporter.open("/es/receipt")
    returned = await reporter.send(door, "/es/receipt", number=receipt.number, code=receipt.code)
    require(REPORT["what"] in returned.words, "the receipt does not open the report")
    return receipt


async def make_case(triager: Staff) -> str:
    """Open the one report, make it a case, reach the reporter, and record what those in danger allow."""
    queue = await triager.desk.open("/desk")
    reports = {link for link in queue.links if link.startswith("/desk/report/")}
    require(len(reports) == 1, f"the desk shows {len(reports)} reports instead of one")
    report = await triager.desk.open(reports.pop())
    require(REPORT["what"] in report.words, "the triager's key does not open the report")
    case = await triager.desk.send(
        report, "/case", urgency="serious", working_group="environment", kind="community", people="400", name=COMMUNITY
    )
    path = case.path
    await _act(triager, path, "/subject", kind="person", people="1", name=SPOKESPERSON)
    await _act(triager, path, "/first-contact", contact_note=NOTES["contact"])
    case = await triager.desk.open(path)
    for subject, value in zip(case.form("/consent").choices["subject"], ("yes", "anonymised"), strict=True):
        scopes = ["triage", "members", "target"]
        await _act(triager, path, "/consent", subject=subject, scopes=scopes, value=value, how=NOTES["consent"])
    return path


async def verify_case(verifier: Staff, path: str) -> None:
    """Verifying is refused with a list of what is missing, until all of it is there."""
    case = await verifier.desk.open(path)
    refused = await verifier.desk.send(case, "/verify")
    require(refused.status == 422, "a case without corroboration was called verified")
    await _act(verifier, path, "/mandate", mandate="inside", mandate_reason=NOTES["mandate"])
    for source in ("member", "document"):
        await _act(verifier, path, "/corroboration", source=source, corroboration=NOTES[source])
    await _act(verifier, path, "/grades", reliability="B", validity="2")
    await _act(verifier, path, "/risks", risk_act=NOTES["risk_act"], risk_wait=NOTES["risk_wait"])
    await _act(verifier, path, "/verify")


async def _act(person: Staff, path: str, ending: str, **values: str | list[str]) -> Page:
    """Do one thing on a page, and come back to it."""
    page = await person.desk.send(await person.desk.open(path), ending, **values)
    require(page.status == 200, f"{person.login} could not {ending}: {page.status}")
    return page


@dataclass
class Authors:
    """Who writes what, and who reads it over: nobody reviews her own text."""

    editor: Staff
    translator: Staff

    def writer(self, language: str) -> Staff:
        return self.editor if language in ("es", "en") else self.translator

    def reviewer(self, language: str) -> Staff:
        return self.translator if language in ("es", "en") else self.editor


async def draft(authors: Authors, case: str, kind: str, texts: Mapping[str, Words]) -> str:
    """Write an action in Spanish, add the other languages, have each reviewed; its path."""
    original, *others = texts
    editor = authors.editor.desk
    page = await editor.send(
        await editor.open(f"{case}/action"), "/action", kind=kind, language=original, **vars(texts[original])
    )
    require(page.path.startswith("/desk/action/"), f"the {kind} was not drafted")
    action = page.path
    for language in others:
        writer = authors.writer(language).desk
        form = await writer.open(f"{action}/text/{language}")
        await writer.send(form, f"/text/{language}", **vars(texts[language]))
    if any(authors.writer(language) is not authors.editor for language in others):
        await _act(authors.editor, action, "/check")
    for language in texts:
        await _act(authors.reviewer(language), action, f"/text/{language}/review")
    return action


async def address(editor: Staff, action: str) -> None:
    """Say whom the letter is addressed to."""
    for one in ADDRESSEES:
        form = await editor.desk.open(f"{action}/target")
        await editor.desk.send(form, "/target", **vars(one))


async def approve(author: Staff, approver: Staff, action: str) -> Page:
    """The author is refused, though she may approve what others wrote; the approver approves. The page, ready to send.

    An author's page has no button, so she sends what the approver's page holds.
    """
    page = await approver.desk.open(action)
    seen = page.form("/approve")
    proof = (await author.desk.open(action)).forms[0].filled[0]
    refused = await author.desk.post(f"{action}/approve", [proof, *(one for one in seen.filled if one[0] != "csrf")])
    require(refused.status == 403, f"the author's own approval was answered {refused.status}")
    page = await approver.desk.send(page, "/approve")
    require(page.form("/launch"), "the action was not approved")
    return page


def previewed(page: Page) -> dict[str, int]:
    """How many contacts the preview promises, by channel as the page calls it."""
    heads, *_, sums = page.tables[0]
    return {head: int(number.replace(",", "")) for head, number in zip(heads[1:-1], sums[1:-1], strict=True)}


def answers_on(page: Page) -> Sequence[Sequence[str]]:
    """The table of answers on an action's page, or nothing while there are none."""
    return next((table for table in page.tables if len(table[0]) == 4), [])
