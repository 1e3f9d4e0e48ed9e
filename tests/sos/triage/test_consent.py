"""Consent of those in danger: its history, its strictness, and what a withdrawal stops."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from channels.base import ChannelName
from sos.ledger import hold_store, leaving_store
from sos.ledger.delivery import HoldScope
from sos.staff.staff import NotGranted, Role
from sos.triage import store
from sos.triage.case import ConsentValue, permits
from sos.triage.consent import WITHDRAWN
from sos.triage.steps import withheld_names
from tests.make import plan_deliveries
from tests.secretariat import Answer, Seat, Secretariat
from tests.sos.triage.make import case_id_in, make_case


async def subjects_of(secretariat: Secretariat, path: str) -> list[UUID]:
    async with secretariat.runtime.record.reading() as conn:
        return [subject.id for subject in await store.list_subjects(conn, case_id_in(path))]


async def answer(seat: Seat, path: str, subject: UUID, scopes: list[str], value: str) -> Answer:
    said = await seat.send(f"{path}/consent", subject=str(subject), scopes=scopes, value=value, how=f"said {value}")
    assert said.status == 200, said.text
    return said


async def held(secretariat: Secretariat, path: str) -> bool:
    async with secretariat.runtime.record.reading() as conn:
        holds = await hold_store.holds(conn)
    return [(hold.scope, hold.target, hold.reason) for hold in holds] == [
        (HoldScope.CASE, path.rsplit("/", 1)[1], WITHDRAWN)
    ]


async def test_every_answer_is_kept_with_who_when_and_how(secretariat: Secretariat) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    await answer(amina, path, subject, ["members", "target"], "yes")
    secretariat.clock.advance(timedelta(hours=11))
    shown = await answer(bruno, path, subject, ["members"], "anonymised")
    assert "3 answers so far" in shown.text
    history = shown.text.split("3 answers so far")[1].split("</details>")[0]
    assert history.index("said anonymised") < history.index("said yes")
    assert re.findall(r"<bdi>(\w+)</bdi>, [^<]*(\d\d:\d\d)", history) == [
        ("Bruno", "20:00"),
        ("Amina", "09:00"),
        ("Amina", "09:00"),
    ]
    async with secretariat.runtime.record.reading() as conn:
        assert await store.consent_values(conn, case_id_in(path), "members") == {subject: ConsentValue.ANONYMISED}
        assert await store.consent_values(conn, case_id_in(path), "target") == {subject: ConsentValue.YES}


async def test_one_who_was_never_asked_says_no_for_all(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    [marisol] = await subjects_of(secretariat, path)
    await answer(amina, path, marisol, ["members"], "yes")
    async with secretariat.runtime.record.reading() as conn:
        assert permits((await store.consent_values(conn, case_id_in(path), "members")).values())
    await amina.send(f"{path}/subject", kind="community", people="400", name="Cerro Azul")
    async with secretariat.runtime.record.reading() as conn:
        values = await store.consent_values(conn, case_id_in(path), "members")
    assert sorted(values.values()) == [ConsentValue.NO, ConsentValue.YES]
    assert not permits(values.values())


async def test_an_answer_without_how_it_was_asked_is_not_kept_and_nothing_typed_is_lost(
    secretariat: Secretariat,
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    wrong = await amina.send(
        f"{path}/consent", subject=str(subject), scopes=["photo", "web"], value="not_asked", how=""
    )
    assert wrong.status == 422
    assert 'id="how-problem"' in wrong.text
    for kept in ("photo", "web", "not_asked"):
        assert f'value="{kept}" checked' in wrong.text
    for scopes in ([], ["everything"]):
        wrong = await amina.send(f"{path}/consent", subject=str(subject), scopes=scopes, value="yes", how="by phone")
        assert wrong.status == 422
        assert 'id="scopes-problem"' in wrong.text
        assert "by phone</textarea>" in wrong.text
    async with secretariat.runtime.record.reading() as conn:
        assert await store.list_consents(conn, case_id_in(path)) == []


async def test_nobody_answers_for_somebody_of_another_case(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path, other = await make_case(secretariat, amina), await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, other)
    for stranger in (subject, uuid4()):
        form = {"subject": str(stranger), "scopes": "members", "value": "yes", "how": "by phone"}
        assert (await amina.send(f"{path}/consent", **form)).status == 409
    async with secretariat.runtime.record.reading() as conn:
        assert await store.list_consents(conn, case_id_in(other)) == []


@pytest.mark.parametrize(
    ("scope", "stops"), [("members", True), ("target", True), ("letter_name", True), ("photo", False)]
)
async def test_a_withdrawal_stops_at_once_whatever_the_case_still_sends(
    secretariat: Secretariat, scope: str, stops: bool
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    await answer(amina, path, subject, [scope], "yes")
    assert not await held(secretariat, path)
    shown = await answer(amina, path, subject, [scope], "withdrawn")
    assert await held(secretariat, path) is stops
    assert ("Nothing more leaves for this case" in shown.text) is stops


async def test_after_a_withdrawal_no_message_of_the_case_may_leave(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path, other = await make_case(secretariat, amina), await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    now = secretariat.clock.now
    async with secretariat.runtime.record.step() as step:
        await plan_deliveries(step.conn, 3, case_id=case_id_in(path), now=now)
        [elsewhere] = await plan_deliveries(step.conn, case_id=case_id_in(other), now=now)
    await answer(amina, path, subject, ["members"], "withdrawn")
    async with secretariat.runtime.record.step() as step:
        found = await leaving_store.look(step.conn, ChannelName.EMAIL, purposes=["action"], now=now)
    assert found
    assert [delivery.id for delivery in found[1]] == [elsewhere]


async def test_a_withdrawal_counts_after_the_case_is_closed_too(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    await answer(amina, path, subject, ["members"], "yes")
    await amina.send(f"{path}/close", ending="acted", closing_reason="done")
    await answer(amina, path, subject, ["members"], "withdrawn")
    assert await held(secretariat, path)


async def test_a_consent_given_again_lifts_nothing_before_a_person_lets_the_sending_go_on(
    secretariat: Secretariat,
) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    await answer(amina, path, subject, ["members"], "withdrawn")
    await answer(amina, path, subject, ["members"], "yes")
    assert await held(secretariat, path)
    assert (await bruno.send(f"{path}/resume", resume_reason="she said yes again")).status == 409
    assert (await amina.send(f"{path}/resume", resume_reason="")).status == 422
    assert await held(secretariat, path)
    resumed = await amina.send(f"{path}/resume", resume_reason="she said yes again")
    assert resumed.status == 200
    assert "she said yes again" in resumed.text
    assert not await held(secretariat, path)
    assert (await amina.send(f"{path}/resume", resume_reason="twice")).status == 409


async def test_the_hold_stays_while_an_action_that_may_lean_on_the_withdrawn_consent_is_on_its_way(
    secretariat: Secretariat,
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    [subject] = await subjects_of(secretariat, path)
    await answer(amina, path, subject, ["members"], "yes")
    await _launch_action(secretariat, path, amina.id)
    await answer(amina, path, subject, ["members"], "withdrawn")
    refused = await amina.send(f"{path}/resume", resume_reason="we would like to")
    assert refused.status == 409
    assert "Stop that action first" in refused.text
    assert "we would like to</textarea>" in refused.text
    assert await held(secretariat, path)

    async with secretariat.runtime.record.step() as step:
        await step.conn.execute("UPDATE actions SET state = 'stopped'")
    assert (await amina.send(f"{path}/resume", resume_reason="it is stopped")).status == 200
    assert not await held(secretariat, path)
    await answer(amina, path, subject, ["photo"], "no")
    assert not await held(secretariat, path)


async def _launch_action(secretariat: Secretariat, path: str, by: UUID) -> None:
    async with secretariat.runtime.record.step() as step:
        await step.conn.execute(
            """
            INSERT INTO actions (id, case_id, kind, urgency, state, names_shown, deadline_at, drafted_by, drafted_at)
            VALUES (%(id)s, %(case)s, 'alert', 'life', 'launched', 'target', %(now)s, %(by)s, %(now)s)
            """,
            {"id": uuid4(), "case": case_id_in(path), "by": by, "now": secretariat.clock.now},
        )


async def test_a_name_is_withheld_until_its_bearer_says_a_plain_yes(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    await amina.send(f"{path}/subject", kind="community", people="400", name="Cerro Azul")
    await amina.send(f"{path}/subject", kind="person", people="1", name="")
    marisol, community, _ = await subjects_of(secretariat, path)
    person, config = await secretariat.person(amina), secretariat.runtime.config
    async with secretariat.runtime.record.reading() as conn:
        assert await withheld_names(conn, person, case_id_in(path), config) == ["Marisol Quispe", "Cerro Azul"]
    await answer(amina, path, marisol, ["letter_name"], "yes")
    await answer(amina, path, community, ["letter_name"], "anonymised")
    async with secretariat.runtime.record.reading() as conn:
        assert await withheld_names(conn, person, case_id_in(path), config) == ["Cerro Azul"]


async def test_withheld_names_are_opened_only_with_a_key(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    nadia = await secretariat.person(await secretariat.seat("Nadia", Role.EDITOR))
    async with secretariat.runtime.record.reading() as conn:
        with pytest.raises(NotGranted):
            await withheld_names(conn, nadia, case_id_in(path), secretariat.runtime.config)
