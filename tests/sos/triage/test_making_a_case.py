"""From a report in the queue to a case with an owner, over real HTTP."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from sos.intake import store as intake_store
from sos.intake.report import Stage, Told, Urgency
from sos.staff import store as staff_store
from sos.staff.custody import RECOVERY, recover_key
from sos.staff.staff import Role
from sos.triage import store
from sos.triage.case import AlreadyACase, SubjectKind
from sos.triage.folder import name_place
from sos.triage.steps import NewSubject, open_case
from sos.vault import unseal
from tests.secretariat import Secretariat

FORM = {"urgency": "life", "working_group": "women", "kind": "person", "people": "1", "name": "Marisol Quispe"}


async def test_a_triager_opens_a_report_and_makes_it_a_case(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    report_id = await secretariat.file_report()
    queue = await amina.read("/desk")
    assert f"/desk/report/{report_id}" in queue.text
    assert "Nobody has opened it yet." in queue.text

    read = await amina.read(f"/desk/report/{report_id}")
    assert "Marisol was taken from her house at four" in read.text
    assert "Amina</bdi> opened it" in (await amina.read("/desk")).text

    case = await amina.send(f"/desk/report/{report_id}/case", **FORM)
    assert case.status == 200
    assert case.path.startswith("/desk/case/")
    assert "Marisol Quispe" in case.text
    assert "First contact is due in 2 hours." in case.text
    assert f"/desk/report/{report_id}" not in (await amina.read("/desk")).text
    async with secretariat.runtime.record.reading() as conn:
        report = await intake_store.find_report(conn, report_id)
    assert report
    assert report.stage is Stage.CHECKING


async def test_opening_a_report_twice_remembers_who_was_first(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    bruno = await secretariat.seat("Bruno", Role.VERIFIER)
    report_id = await secretariat.file_report()
    await amina.read(f"/desk/report/{report_id}")
    secretariat.clock.advance(timedelta(minutes=3))
    await bruno.read(f"/desk/report/{report_id}")
    assert "Amina</bdi> opened it 3 minutes ago." in (await bruno.read("/desk")).text


async def test_two_triagers_who_press_at_once_make_one_case_and_the_slower_learns_who_has_it(
    secretariat: Secretariat,
) -> None:
    seats = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    report_id = await secretariat.file_report()
    answers = await asyncio.gather(*(seat.send(f"/desk/report/{report_id}/case", **FORM) for seat in seats))
    assert sorted(answer.status for answer in answers) == [200, 409]
    winner = next(seat for seat, answer in zip(seats, answers, strict=True) if answer.status == 200)
    lost = next(answer for answer in answers if answer.status == 409)
    name = "Amina" if winner is seats[0] else "Bruno"
    assert f"<bdi>{name}</bdi> made this report a case" in lost.text
    async with secretariat.runtime.record.reading() as conn:
        cases = await store.list_cases(conn)
        assert [case.owner_id for case in cases] == [winner.id]
        assert len(await store.list_subjects(conn, cases[0].id)) == 1


async def test_many_at_once_make_one_case_and_leave_no_key_behind(secretariat: Secretariat) -> None:
    people = [await secretariat.person(await secretariat.seat(name, Role.TRIAGE)) for name in ("Amina", "Bruno")]
    report_id = await secretariat.file_report()
    runtime, subject = secretariat.runtime, NewSubject(SubjectKind.PERSON, 1, "")
    made = await asyncio.gather(
        *(
            open_case(
                runtime.record, runtime.config, people[at % 2], report_id,
                urgency=Urgency.LIFE, working_group="women", subject=subject, now=secretariat.clock.now,
            )
            for at in range(8)
        ),
        return_exceptions=True,
    )  # fmt: skip
    case_id = next(one for one in made if isinstance(one, UUID))
    assert all(isinstance(one, AlreadyACase) and one.case_id == case_id for one in made if one != case_id)
    async with runtime.record.reading() as conn:
        cursor = await conn.execute("SELECT DISTINCT key_id FROM key_grants WHERE key_kind = 'case'")
        assert await cursor.fetchall() == [(case_id,)]


async def test_a_community_has_a_number_in_any_script(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    report_id = await secretariat.file_report(Told("Eviction on Friday", "the families", "Vila Esperança", ""))
    form = FORM | {"kind": "community", "people": "٤٠٠", "name": "Vila Esperança"}
    case = await amina.send(f"/desk/report/{report_id}/case", **form)
    assert "A community" in case.text
    assert "about 400 people" in case.text


async def test_a_wrong_form_says_what_is_wrong_with_each_field_and_keeps_what_was_typed(
    secretariat: Secretariat,
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    report_id = await secretariat.file_report()
    form = {"urgency": "soon", "working_group": "", "kind": "", "people": "many", "name": "O’Neill <b>"}
    wrong = await amina.send(f"/desk/report/{report_id}/case", **form)
    assert wrong.status == 422
    for name in ("urgency", "working_group", "kind", "people"):
        assert f'id="{name}-problem"' in wrong.text
    assert 'value="many"' in wrong.text
    assert "O’Neill &lt;b&gt;" in wrong.text
    unknown = await amina.send(f"/desk/report/{report_id}/case", **(FORM | {"working_group": "astronomy"}))
    assert unknown.status == 422
    assert 'id="working_group-problem"' in unknown.text
    async with secretariat.runtime.record.reading() as conn:
        assert await store.list_cases(conn) == []


async def test_there_is_no_page_for_what_does_not_exist(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    nothing = uuid4()
    assert (await amina.read(f"/desk/case/{nothing}")).status == 404
    assert (await amina.send(f"/desk/case/{nothing}/verify")).status == 404
    assert (await amina.read("/desk/case/not-an-id")).status == 404
    assert (await amina.send(f"/desk/report/{nothing}/case", **FORM)).status == 404


async def test_a_new_colleague_opens_nothing_old_before_she_is_given_the_keys(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    report_id = await secretariat.file_report()
    case = await amina.send(f"/desk/report/{report_id}/case", **FORM)
    nadia = await secretariat.seat("Nadia", Role.TRIAGE)
    for path in (f"/desk/report/{report_id}", case.path):
        refused = await nadia.read(path)
        assert refused.status == 403
        assert "You do not have the key yet" in refused.text
        assert "Marisol" not in refused.text
    assert (await nadia.send(f"{case.path}/corroboration", source="press", corroboration="seen")).status == 403

    await amina.send(f"/desk/staff/{nadia.id}/keys")
    assert "Marisol was taken" in (await nadia.read(f"/desk/report/{report_id}")).text
    assert "Marisol Quispe" in (await nadia.read(case.path)).text


async def test_an_administrator_reads_neither_report_nor_case(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    ada = await secretariat.seat("Ada", Role.ADMINISTRATOR)
    report_id = await secretariat.file_report()
    case = await amina.send(f"/desk/report/{report_id}/case", **FORM)
    assert (await ada.read(f"/desk/report/{report_id}")).status == 403
    assert (await ada.read(case.path)).status == 403
    queue = await ada.read("/desk")
    assert queue.status == 200
    assert case.path not in queue.text
    async with secretariat.runtime.record.reading() as conn:
        for key_id in (report_id, UUID(case.path.rsplit("/", 1)[1])):
            assert await staff_store.find_grant(conn, key_id, "staff", ada.id) is None


async def test_an_editor_reads_a_case_but_neither_its_report_nor_what_is_a_triagers_to_do(
    secretariat: Secretariat,
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    edith = await secretariat.seat("Edith", Role.EDITOR)
    report_id = await secretariat.file_report()
    case = await amina.send(f"/desk/report/{report_id}/case", **FORM)
    assert case.path in (await edith.read("/desk")).text
    assert "Marisol Quispe" in (await edith.read(case.path)).text
    assert (await edith.read(f"/desk/report/{report_id}")).status == 403
    assert (await edith.send(f"{case.path}/grades", reliability="A", validity="1")).status == 403


async def test_the_offline_key_opens_a_case(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    case = await amina.send(f"/desk/report/{await secretariat.file_report()}/case", **FORM)
    case_id = UUID(case.path.rsplit("/", 1)[1])
    async with secretariat.runtime.record.reading() as conn:
        assert await staff_store.find_grant(conn, case_id, "recovery", RECOVERY)
        key = await recover_key(conn, secretariat.recovery, case_id)
        subject = (await store.list_subjects(conn, case_id))[0]
    assert unseal(key, subject.name_sealed, name_place(subject.id)).decode() == "Marisol Quispe"


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar", "pt"])
async def test_the_pages_speak_her_language(secretariat: Secretariat, language: str) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE, language=language)
    report_id = await secretariat.file_report()
    for path in ("/desk", f"/desk/report/{report_id}"):
        shown = await amina.read(path)
        assert shown.status == 200
        assert f'<html lang="{language}"' in shown.text
    case = await amina.send(f"/desk/report/{report_id}/case", **FORM)
    assert secretariat.runtime.config.groups["women"][language] in case.text
