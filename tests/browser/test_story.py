"""The whole journey on phones: somebody reports danger, and a contact of a member signs a letter about it."""

import asyncio
import re
from io import BytesIO
from urllib.parse import urljoin

import pytest
from pypdf import PdfReader

from tests.browser.people import People, Visitor
from tests.browser.words import Words

MINISTER = "minister@ministry.example"


async def test_a_report_becomes_a_signed_letter_on_phones(people: People, words: Words) -> None:
    receipt = await report_danger(await people.visitor(words.language), words)
    triager = await people.staff(words.triager, words.language)
    case = await make_case(triager, words)
    await verify_case(triager, words)
    editor = await people.staff("noor", "en")
    action = await draft_letter(editor, case, words)
    await review_text(await people.staff("ines", "pt"), action)
    approver = await people.staff("yannick", "fr")
    await approve_and_send(approver, action)
    signer = await people.visitor(words.language)
    await sign_on_a_phone(signer, words)
    await look_around(editor, action)
    await compare(signer, await send_letter(approver, action))
    await come_back(await people.visitor(words.language), receipt, words)
    assert not people.faults, "\n".join(people.faults)


async def report_danger(reporter: Visitor, words: Words) -> tuple[str, str]:
    """Choose a language, send an empty form, then a full one; the receipt's number and code."""
    await reporter.open("/")
    await reporter.look("languages")
    await reporter.follow(f"a[lang={words.language}]")
    await reporter.look("start")
    await reporter.follow("a[href$='/report']")
    await reporter.look("report")
    assert await reporter.weigh() < 50_000
    await reporter.send("/report", where=words.where)
    await reporter.look("report-with-errors")
    await reporter.send(
        "/report", what=words.what, whom=words.whom, where=words.where, urgency="serious", reach=words.reach
    )
    await reporter.look("receipt")
    number, code = await reporter.page.locator(".code").all_inner_texts()
    return number, code


async def make_case(triager: Visitor, words: Words) -> str:
    """Open the report on the desk and make it a case; the case's address."""
    await triager.look("queue")
    await triager.follow("main a[href*='/desk/report/']")
    assert words.what in await triager.words()
    await triager.look("desk-report")
    await triager.send("/case", kind="community", people="400", name=words.place, working_group="environment")
    await triager.look("case")
    return triager.page.url


async def verify_case(triager: Visitor, words: Words) -> None:
    """Record what a case needs before anybody may act on it."""
    await triager.send("/consent", scopes="triage members target", value="yes", how=words.note)
    await triager.send("/mandate", mandate="inside", mandate_reason=words.note)
    await triager.send("/corroboration", source="member_near", corroboration=words.note)
    await triager.send("/grades", reliability="B", validity="2")
    await triager.send("/risks", risk_act=words.note, risk_wait=words.note)
    await triager.send("/verify")
    await triager.page.locator(".tag.good").first.wait_for()
    await triager.look("case-verified")


async def draft_letter(editor: Visitor, case: str, words: Words) -> str:
    """Write a letter and say to whom it is addressed; the action's address."""
    await editor.open(case)
    await editor.open(f"{case}/action")
    await editor.look("new-action")
    await editor.send(
        "/action", kind="letter", language=words.language, title=words.title, summary=words.summary, body=words.body,
        regions=words.region, names_shown="target",
    )  # fmt: skip
    action = editor.page.url
    await editor.open(f"{action}/target")
    await editor.look("target")
    await editor.open(f"{action}/text/fr")
    await editor.look("translation")
    await editor.open(f"{action}/audience")
    await editor.look("audience")
    await editor.open(f"{action}/target")
    await editor.send("/target", name=words.target, title=words.office, language=words.language, email=MINISTER)
    await editor.look("draft")
    return action


async def review_text(translator: Visitor, action: str) -> None:
    """Somebody who did not write the text has read it."""
    await translator.open(action)
    await translator.look("draft-of-translator")
    await translator.send("/review")


async def approve_and_send(approver: Visitor, action: str) -> None:
    """Somebody who had no part in it approves the letter and sends it."""
    await approver.open(action)
    await approver.look("draft-of-approver")
    await approver.send("/approve")
    await approver.look("approved")
    await approver.send("/launch")
    await approver.page.locator("rect.accepted").first.wait_for(state="attached")  # the page follows by itself


async def sign_on_a_phone(signer: Visitor, words: Words) -> None:
    """A message comes to a phone; its link shows the letter; one press signs it."""
    await find_invitation(signer, words)
    assert words.summary in await signer.words()
    await signer.look("sign")
    assert await signer.weigh() < 40_000
    await signer.page.locator("button[value=sign]").click()
    await signer.page.locator(".banner.good").wait_for()
    await signer.look("signed")


async def find_invitation(signer: Visitor, words: Words) -> None:
    """Look from phone to phone for a message to somebody who may sign for her organisation, and follow its link."""
    await signer.open("/demo/phones")
    await signer.look("phones")
    for phone in await signer.links(f"li:has([lang={words.language}]) h3 a"):
        await signer.open(phone)
        await signer.look("phone")
        for invitation in await signer.links("article a[href*='/s/']"):
            await signer.open(invitation)
            if await signer.page.locator("button[value=sign]").count():
                return
    pytest.fail("no message invites anybody to sign")


async def look_around(editor: Visitor, action: str) -> None:
    """Whoever drafted the letter sees how far it has come, and the rest of the desk."""
    await editor.open(action)
    await editor.page.locator("table").wait_for()
    await editor.look("running")
    for name, path in {"actions": "/desk/actions", "colleagues": "/desk/staff", "missing": "/desk/nothing"}.items():
        await editor.open(path)
        await editor.look(name)


async def send_letter(approver: Visitor, action: str) -> str:
    """Freeze the signatures, read the letter, let it go; the address where anybody may compare it."""
    await approver.send("/close")
    await _reload_until(approver, action, "a[href$='.pdf']")
    await approver.look("letter")
    [pages] = await approver.links("a[href$='.pdf']")
    comparison = await _address_in(approver, pages)
    await approver.send("/release")
    await _reload_until(approver, "/demo/phones", f"h3 a:has-text('{MINISTER}')")
    return comparison


async def _address_in(reader: Visitor, pages: str) -> str:
    """The address that is printed in a letter, where anybody may compare it."""
    answer = await reader.page.request.get(urljoin(reader.page.url, pages))
    printed = "".join(page.extract_text() for page in PdfReader(BytesIO(await answer.body())).pages)
    found = re.search(r"/v/[0-9a-f]{24}", printed)
    assert found, printed
    return found[0]


async def _reload_until(visitor: Visitor, path: str, sight: str) -> None:
    """Look again until it is there: what a worker does is seen a moment later."""
    async with asyncio.timeout(15):
        await visitor.open(path)
        while not await visitor.page.locator(sight).count():
            await asyncio.sleep(0.2)
            await visitor.open(path)


async def compare(reader: Visitor, comparison: str) -> None:
    """Anybody who holds the letter sees what was signed."""
    await reader.open(comparison)
    await reader.look("verify")
    for name, path in {"tour": "/demo", "sign-in": "/desk/sign-in"}.items():
        await reader.open(path)
        await reader.look(name)


async def come_back(reporter: Visitor, receipt: tuple[str, str], words: Words) -> None:
    """The receipt opens the reporter's own words, on another phone."""
    await reporter.open(f"/{words.language}/receipt")
    await reporter.look("ask-receipt")
    number, code = receipt
    await reporter.send("/receipt", number=number, code=code)
    assert words.what in await reporter.words()
    await reporter.look("returned")
