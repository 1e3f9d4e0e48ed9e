"""Clocks, hands, verification and the end of a case, over real HTTP."""

from datetime import timedelta

import pytest

from sos.database import Connection, rows
from sos.intake import store as intake_store
from sos.intake.report import Stage
from sos.routes import ROUTES
from sos.staff.staff import Role
from sos.triage import store
from tests.secretariat import WORDS, Seat, Secretariat
from tests.sos.triage.make import case_id_in, find_case, make_case, verify_case

DESK_FORMS = ("/desk/case/", "/desk/report/")


async def test_first_contact_stops_the_first_clock_once(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    secretariat.clock.advance(timedelta(hours=5))
    late = (await amina.read("/desk")).text
    assert 'class="late"' in late
    assert "First contact was due 3 hours ago." in late

    done = await amina.send(f"{path}/first-contact", contact_note="by phone, after seven")
    assert done.status == 200
    assert "by phone, after seven" in done.text
    assert "The decision is due in 19 hours." in done.text
    assert 'class="late"' not in (await amina.read("/desk")).text
    again = await amina.send(f"{path}/first-contact", contact_note="once more")
    assert again.status == 409
    assert "The case has changed since you opened this page" in again.text


async def test_waiting_for_the_reporter_rests_the_decision_and_going_on_gives_the_time_back(
    secretariat: Secretariat,
) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    due = (await find_case(secretariat, path)).decision_due_at
    await amina.send(f"{path}/first-contact")
    await amina.send(f"{path}/wait", waiting_note="the name of the police station")
    queue = (await amina.read("/desk")).text
    assert queue.index("<h2>Waiting</h2>") < queue.index(path) < queue.index("<h2>Handed over</h2>")

    secretariat.clock.advance(timedelta(hours=10))
    assert (await amina.send(f"{path}/verify")).status == 409
    assert (await amina.send(f"{path}/go-on")).status == 200
    assert (await find_case(secretariat, path)).decision_due_at == due + timedelta(hours=10)
    assert (await amina.send(f"{path}/go-on")).status == 409


async def test_what_is_an_owners_to_decide_is_refused_to_a_colleague_with_a_kind_word(
    secretariat: Secretariat,
) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    for what, form in {
        "wait": {"waiting_note": "a word"},
        "hand-over": {"to": str(amina.id), "handover_note": "a word"},
        "keep": {},
        "close": {"ending": "private", "closing_reason": "a word"},
    }.items():
        refused = await bruno.send(f"{path}/{what}", **form)
        assert refused.status == 409
        assert "Only the person who has this case can do this." in refused.text
    assert (await find_case(secretariat, path)).state == "open"


async def test_a_hand_over_counts_once_it_is_accepted(secretariat: Secretariat) -> None:
    amina, bruno, carla = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno", "Carla")]
    path = await make_case(secretariat, amina)
    asked = await amina.send(f"{path}/hand-over", to=str(bruno.id), handover_note="call Inés at noon")
    assert asked.status == 200
    assert (await find_case(secretariat, path)).owner_id == amina.id
    assert "has not accepted it yet" in (await amina.read("/desk")).text
    assert "asks you to take it" in (await bruno.read("/desk")).text
    assert "call Inés at noon" in (await bruno.read(path)).text
    assert (await carla.send(f"{path}/accept")).status == 409

    assert (await bruno.send(f"{path}/accept")).status == 200
    assert (await find_case(secretariat, path)).owner_id == bruno.id
    assert "Bruno</bdi> accepted it" in (await amina.read("/desk")).text
    assert (await bruno.send(f"{path}/accept")).status == 409


async def test_a_case_on_offer_can_be_kept_or_offered_to_somebody_else(secretariat: Secretariat) -> None:
    amina, bruno, carla = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno", "Carla")]
    path = await make_case(secretariat, amina)
    await amina.send(f"{path}/hand-over", to=str(bruno.id), handover_note="please")
    await amina.send(f"{path}/hand-over", to=str(carla.id), handover_note="please")
    assert (await bruno.send(f"{path}/accept")).status == 409
    assert (await amina.send(f"{path}/keep")).status == 200
    assert (await carla.send(f"{path}/accept")).status == 409
    assert (await amina.send(f"{path}/keep")).status == 409


async def test_a_case_is_handed_to_a_triager_and_to_nobody_else(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    edith = await secretariat.seat("Edith", Role.EDITOR)
    path = await make_case(secretariat, amina)
    for to in ("", str(edith.id), str(amina.id)):
        wrong = await amina.send(f"{path}/hand-over", to=to, handover_note="she knows Inés")
        assert wrong.status == 422
        assert 'id="to-problem"' in wrong.text
        assert "she knows Inés</textarea>" in wrong.text


async def test_a_colleague_can_take_a_case_over_while_its_owner_sleeps_and_says_why(secretariat: Secretariat) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    assert (await bruno.send(f"{path}/take-over", taken_over_reason="")).status == 422
    taken = await bruno.send(f"{path}/take-over", taken_over_reason="it is night where she is")
    assert taken.status == 200
    assert "it is night where she is" in taken.text
    assert (await find_case(secretariat, path)).owner_id == bruno.id
    assert "Bruno</bdi> accepted it" in (await amina.read("/desk")).text
    assert (await bruno.send(f"{path}/take-over", taken_over_reason="again")).status == 409


async def test_verification_lists_all_that_is_missing_in_one_reply(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    refused = await amina.send(f"{path}/verify")
    assert refused.status == 422
    said = refused.text.split("This case cannot be called verified yet.")[1].split("</ul>")[0]
    for sentence in (
        "The mandate question is not answered.",
        "It needs two corroborations",
        "The source and the information are not graded.",
        "The risk if we act is not noted.",
        "The risk if we do not act is not noted.",
    ):
        assert sentence in said
    assert (await find_case(secretariat, path)).state == "open"


async def test_a_case_is_verified_when_nothing_is_missing(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    vera = await secretariat.seat("Vera", Role.VERIFIER)
    path = await make_case(secretariat, amina)
    done = await verify_case(vera, path, sources=("press", "partner"))
    assert done.status == 200
    assert "<bdi>Vera</bdi> called this case verified" in done.text
    assert "B: usually reliable" in done.text
    async with secretariat.runtime.record.reading() as conn:
        assert await store.verifiers_of(conn, case_id_in(path)) == {vera.id}


async def test_everybody_who_ever_graded_counts_as_a_verifier(secretariat: Secretariat) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    await bruno.send(f"{path}/grades", reliability="F", validity="6")
    await verify_case(amina, path)
    async with secretariat.runtime.record.reading() as conn:
        assert await store.verifiers_of(conn, case_id_in(path)) == {amina.id, bruno.id}


async def test_a_reasoned_exception_stands_for_corroborations_and_for_nothing_else(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    why = "the village is cut off"
    assert (await amina.send(f"{path}/verify", exception=why)).status == 422
    await verify_case(amina, path, sources=())
    done = await amina.send(f"{path}/verify", exception=why)
    assert done.status == 200
    assert why in done.text
    assert (await find_case(secretariat, path)).state == "verified"


async def test_a_case_found_outside_the_mandate_is_not_verified_any_more(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    await verify_case(amina, path)
    assert (await find_case(secretariat, path)).state == "verified"
    await amina.send(f"{path}/mandate", mandate="outside")
    assert (await find_case(secretariat, path)).state == "open"
    refused = await amina.send(f"{path}/verify")
    assert "The case is outside the network&#39;s mandate." in refused.text


async def test_closing_decides_tells_the_reporter_and_is_the_end(secretariat: Secretariat) -> None:
    amina, bruno = [await secretariat.seat(name, Role.TRIAGE) for name in ("Amina", "Bruno")]
    path = await make_case(secretariat, amina)
    assert (await amina.send(f"{path}/close", ending="", closing_reason="")).status == 422
    await amina.send(f"{path}/hand-over", to=str(bruno.id), handover_note="please")
    closed = await amina.send(f"{path}/close", ending="referred", closing_reason="a shelter takes her in")
    assert closed.status == 200
    assert "a shelter takes her in" in closed.text
    case = await find_case(secretariat, path)
    assert (case.state, case.ending, case.decided_at) == ("closed", "referred", secretariat.clock.now)
    async with secretariat.runtime.record.reading() as conn:
        report = await intake_store.find_report(conn, case.report_id)
    assert report
    assert report.stage is Stage.CLOSED
    for seat in (amina, bruno):
        assert path not in (await seat.read("/desk")).text
    for what, form in {
        "first-contact": {},
        "accept": {},
        "grades": {"reliability": "A", "validity": "1"},
        "close": {"ending": "acted", "closing_reason": "twice"},
        "take-over": {"taken_over_reason": "to open it again"},
    }.items():
        assert (await bruno.send(f"{path}/{what}", **form)).status == 409


@pytest.mark.parametrize("proof", ["", "forged"])
async def test_a_form_that_is_not_from_her_own_page_changes_nothing(secretariat: Secretariat, proof: str) -> None:
    amina = await secretariat.seat("Amina", *Role)
    case = await find_case(secretariat, await make_case(secretariat, amina))
    async with secretariat.runtime.record.reading() as conn:
        before = await _journal_length(conn)
    forms = [route.path for route in ROUTES if route.method == "POST" and route.path.startswith(DESK_FORMS)]
    assert len(forms) > 15
    for path in forms:
        target = path.replace("{id}", str(case.report_id if "report" in path else case.id))
        assert (await amina.send(target, csrf=proof, mandate="inside", contact_note="a word")).status == 403, path
    async with secretariat.runtime.record.reading() as conn:
        assert await _journal_length(conn) == before


async def _journal_length(conn: Connection) -> int:
    cursor = await conn.execute("SELECT count(*) FROM journal")
    found = await cursor.fetchone()
    assert found
    return int(found[0])


async def test_no_form_is_open_to_somebody_who_is_not_signed_in(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    await amina.send("/desk/sign-out")
    assert (await amina.send(f"{path}/first-contact", contact_note="a word")).path == "/desk/sign-in"
    assert (await find_case(secretariat, path)).first_contact_at is None


async def test_what_was_typed_is_stored_sealed_and_the_journal_holds_labels_only(secretariat: Secretariat) -> None:
    amina = await secretariat.seat("Amina", Role.TRIAGE)
    path = await make_case(secretariat, amina)
    await _say_everything(amina, path)
    async with secretariat.runtime.record.reading() as conn:
        stored = "".join([await _dump(conn, table) for table in await _tables(conn)])
    for word in ("Marisol", "Quispe", "canary", *WORDS.what.split()[:1], "Cerro Azul", "Amina"):
        assert word not in stored
        assert word.encode().hex() not in stored


async def _say_everything(seat: Seat, path: str) -> None:
    case = await seat.read(path)
    subject = case.text.split('name="subject" value="')[1].split('"')[0]
    for what, form in {
        "first-contact": {"contact_note": "canary one"},
        "corroboration": {"source": "press", "corroboration": "canary two"},
        "risks": {"risk_act": "canary three", "risk_wait": "canary four"},
        "mandate": {"mandate": "inside", "mandate_reason": "canary five"},
        "subject": {"kind": "person", "name": "canary six"},
        "wait": {"waiting_note": "canary seven"},
    }.items():
        assert (await seat.send(f"{path}/{what}", **form)).status == 200
    form = {"subject": subject, "scopes": "members", "value": "withdrawn", "how": "canary eight"}
    assert (await seat.send(f"{path}/consent", **form)).status == 200


async def _tables(conn: Connection) -> list[str]:
    found = await rows(
        conn, dict[str, str], "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    return [one["tablename"] for one in found]


async def _dump(conn: Connection, table: str) -> str:
    cursor = await conn.execute(f'SELECT t::text FROM "{table}" t'.encode())  # a table of this database
    return "\n".join(str(one[0]) for one in await cursor.fetchall())
