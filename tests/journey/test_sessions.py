"""Who can read what, over several processes and after restarts: sessions, new colleagues, the recovery key."""

import pytest
from aiohttp import TCPConnector

from sos.database import connect, value
from sos.intake.report import Told as Report
from sos.intake.store import words_of
from sos.recovery import from_words
from sos.staff.custody import recover_key
from sos.vault import Place, unseal
from tests.demo.instance import Failed, Process, reserve_port
from tests.demo.page import Page
from tests.demo.people import Browsers, Staff
from tests.demo.words import COMMUNITY, REPORT
from tests.journey.conftest import Played


async def open_at(port: int, cookies: dict[str, str], path: str) -> Page:
    """A page as one web process shows it to whoever keeps these cookies."""
    connector = TCPConnector()
    browser = Browsers(f"http://127.0.0.1:{port}", connector).new(cookies)
    try:
        return await browser.open(path)
    finally:
        await browser.session.close()
        await connector.close()


def test_a_session_opens_her_cases_at_every_web_process_and_after_they_were_started_anew(played: Played) -> None:
    triager, instance = played.told.staff["triager"], played.instance

    async def start(number: int, port: int) -> Process:
        return await instance.start("web", f"alone-{number}", port=port)

    async def look(ports: list[int]) -> None:
        processes = [await start(number, port) for number, port in enumerate(ports)]
        for port in ports:
            page = await open_at(port, triager.desk.cookies(), played.told.case)
            assert (page.status, page.path) == (200, played.told.case)
            assert COMMUNITY in page.words
        for process in processes:
            instance.processes.remove(process)
            await process.stop()

    with reserve_port() as one, reserve_port() as other:
        ports = [keeper.getsockname()[1] for keeper in (one, other)]
        played.run(look(ports))
        played.run(look(ports))


def test_a_session_needs_both_halves_of_its_cookie(played: Played) -> None:
    name, _, secret = played.told.staff["triager"].desk.cookies()["sos"].partition(".")
    halved = {"sos": f"{name}.{secret[::-1]}"}
    page = played.run(open_at(played.instance.port, halved, played.told.case))
    assert page.path == "/desk/sign-in"


def test_a_new_colleague_reads_an_old_case_once_another_has_given_her_the_key(played: Played) -> None:
    new = Staff("wairimu", "Wairimu Gathoni", ("triage",), "four winds and a red door")
    triager = played.told.staff["triager"].desk

    async def join() -> None:
        await played.instance.add_staff(new)
        await new.sign_in(played.browsers)

    played.run(join())
    closed = played.run(new.desk.open(played.told.case))
    assert closed.status == 403
    assert COMMUNITY not in closed.words

    colleagues = played.run(triager.open("/desk/staff"))
    played.run(triager.send(colleagues, "/keys"))
    assert COMMUNITY in played.run(new.desk.open(played.told.case)).words
    assert not [form for form in played.run(triager.open("/desk/staff")).forms if form.action.endswith("/keys")]


def test_the_recovery_key_is_rehearsed_and_another_is_refused(played: Played) -> None:
    words = played.instance.recovery_words
    said = played.run(played.instance.command("recovery", "rehearse", typed=f"{words}\n"))
    assert "It opened 2 of the newest reports and cases" in said
    with pytest.raises(Failed):
        played.run(played.instance.command("recovery", "rehearse", typed=f"{words[:-1]}\n"))


def test_the_recovery_key_opens_the_reporters_words(played: Played) -> None:
    async def recover() -> Report:
        async with connect(played.instance.database_url) as conn:
            report_id = await value(conn, "SELECT id FROM reports")
            key = await recover_key(conn, from_words(played.instance.recovery_words), report_id)
            sealed = await words_of(conn, report_id)
        assert sealed
        return Report.load(unseal(key, sealed, Place("reports", "words", report_id)))

    assert played.run(recover()).what == REPORT["what"]
