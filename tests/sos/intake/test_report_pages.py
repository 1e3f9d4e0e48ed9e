"""Filing a report as a phone does it: five fields, no script, no cookie, in each language."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient

from sos.database import value
from sos.intake.report import SHOWN_AGAIN
from sos.intake.steps import open_report
from sos.staff.staff import Role
from sos.texts import LANGUAGES, Catalogue
from tests.secretariat import Browser, Secretariat
from tests.sos.intake.reporter import FIELDS, Phone, Shown

CATALOGUE = Catalogue()
LARGEST_PAGE_BYTES = 50_000
NASTY = {
    "right to left": "خطف رجال مسلحون مريم من بيتها، والشهود: عائشة وعلي‎ (٣ أشخاص)",
    "joiners": "می‌خواهم کمک کنید · क्‍ष",
    "markup": '<script>alert("x")</script> & "quotes" \'too\' </textarea>',
    "emoji and old scripts": "🙏🏽 𐤀𐤁 ማርያም",
    "line breaks": "first\r\nsecond\r\n\r\nthird",
    "percent and braces": "100 % {{ 7*7 }} %(name)s",
}


@pytest.fixture
async def phone(secretariat: Secretariat) -> AsyncIterator[Phone]:
    """A reporter's phone."""
    client: Browser
    async with TestClient(secretariat.server) as client:
        yield Phone(client)


def say(language: str, key: str, **values: object) -> str:
    return str(CATALOGUE.say(language, key, **values).unescape())


async def count_reports(secretariat: Secretariat) -> int:
    async with secretariat.runtime.record.reading() as conn:
        return int(await value(conn, "SELECT count(*) FROM reports"))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_report_is_filed_in_each_language_and_its_receipt_opens_it(phone: Phone, language: str) -> None:
    phone.language = language
    empty = await phone.open()
    made = await phone.file(empty.secret)
    number, code = made.receipt
    back = await phone.come_back(number, code)

    direction = LANGUAGES[language].direction
    for shown in (empty, made, back):
        assert shown.status == 200
        assert f'<html lang="{language}" dir="{direction}">' in shown.html
    assert say(language, "made.stored") in made.text
    assert len(code.replace(" ", "")) == 20
    assert say(language, "stage.received") in back.text
    assert all(FIELDS[name] in back.text for name in ("what", "whom", "where", "reach"))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_empty_form_says_by_each_field_what_is_missing_in_her_language(phone: Phone, language: str) -> None:
    phone.language = language
    shown = await phone.send({"form": (await phone.open()).secret})

    assert shown.status == 422
    assert say(language, "form.look_again") in shown.text
    for name in ("what", "whom", "where", "urgency"):
        assert f'id="{name}-problem"' in shown.html
    assert 'id="reach-problem"' not in shown.html
    assert say(language, "problem.needed") in shown.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_wrong_field_is_named_and_everything_typed_is_kept(
    secretariat: Secretariat, phone: Phone, language: str
) -> None:
    phone.language = language
    form = (await phone.open()).secret
    shown = await phone.file(form, what="x" * 20_001, urgency="whenever")

    assert shown.status == 422
    assert 'id="what-problem"' in shown.html
    assert 'id="urgency-problem"' in shown.html
    assert say(language, "problem.too_long", most=20000) in shown.text
    assert say(language, "problem.choose") in shown.text
    assert shown.typed("what") == "x" * 20_001
    assert all(shown.typed(name) == FIELDS[name] for name in ("whom", "where", "reach"))
    assert shown.secret == form
    assert await count_reports(secretariat) == 0


async def test_the_urgency_that_she_chose_stays_chosen(phone: Phone) -> None:
    shown = await phone.file(urgency="serious", where="")

    assert 'value="serious" checked' in shown.html


@pytest.mark.parametrize("words", NASTY.values(), ids=NASTY)
async def test_words_come_back_as_she_wrote_them(phone: Phone, words: str) -> None:
    kept = await phone.file(what=words, where="")
    made = await phone.file(what=words)
    back = await phone.come_back(*made.receipt)

    assert kept.typed("what") == words
    assert words in back.text
    assert "<script>alert" not in back.html


async def test_a_nul_that_no_keyboard_types_does_not_stop_a_report(phone: Phone) -> None:
    made = await phone.file(what="a\0b", where="\0c")

    assert made.status == 200
    assert "ab" in (await phone.come_back(*made.receipt)).text


async def test_space_is_no_answer(phone: Phone) -> None:
    assert (await phone.file(what=" \u00a0\n\t ")).status == 422


async def test_a_long_report_with_every_field_full_is_stored(phone: Phone) -> None:
    full = {"what": "و" * 20_000, "whom": "م" * 2_000, "where": "ن" * 2_000, "reach": "ه" * 2_000}

    assert (await phone.file(**full)).status == 200


async def test_the_same_form_twice_makes_one_report_and_shows_the_same_receipt(
    secretariat: Secretariat, phone: Phone
) -> None:
    form = (await phone.open()).secret
    first, again = await phone.file(form), await phone.file(form)

    assert first.receipt == again.receipt
    assert await count_reports(secretariat) == 1


async def test_twenty_at_once_make_one_report(secretariat: Secretariat, phone: Phone) -> None:
    form = (await phone.open()).secret
    shown: list[Shown] = await asyncio.gather(*(phone.file(form) for _ in range(20)))

    assert {one.status for one in shown} == {200}
    assert len({one.receipt for one in shown}) == 1
    assert await count_reports(secretariat) == 1


async def test_after_ten_minutes_the_code_is_hers_alone(secretariat: Secretariat, phone: Phone) -> None:
    form = (await phone.open()).secret
    number, code = (await phone.file(form)).receipt
    secretariat.clock.advance(SHOWN_AGAIN)
    assert (await phone.file(form)).receipt == (number, code)

    secretariat.clock.advance(timedelta(seconds=1))
    later = await phone.file(form)

    assert later.status == 200
    assert later.receipt == ("", "")
    assert say("es", "already.text", number=number) in later.text
    assert code.split()[0] not in later.text
    assert await count_reports(secretariat) == 1


@pytest.mark.parametrize("minutes", [0, 30])
async def test_the_same_form_with_other_words_is_not_taken_for_the_first(
    secretariat: Secretariat, phone: Phone, minutes: int
) -> None:
    form = (await phone.open()).secret
    number, _ = (await phone.file(form)).receipt
    secretariat.clock.advance(timedelta(minutes=minutes))

    changed = await phone.file(form, what="Now they have taken her brother too")
    second = await phone.file(changed.secret, what=changed.typed("what"))

    assert changed.status == 409
    assert say("es", "report.otherwise.text", number=number) in changed.text
    assert changed.typed("what") == "Now they have taken her brother too"
    assert second.status == 200
    assert "her brother too" in (await phone.come_back(*second.receipt)).text
    assert await count_reports(secretariat) == 2


async def test_two_forms_with_the_same_words_make_two_reports(secretariat: Secretariat, phone: Phone) -> None:
    first, second = await phone.file(), await phone.file()

    assert first.receipt != second.receipt
    assert await count_reports(secretariat) == 2


@pytest.mark.parametrize("form", ["short", "x" * 65, ""])
async def test_a_form_that_lost_its_secret_gets_another_and_keeps_what_was_typed(phone: Phone, form: str) -> None:
    shown = await phone.send({**FIELDS, "form": form})

    assert shown.status == 422
    assert len(shown.secret) == 32
    assert shown.typed("what") == FIELDS["what"]
    assert (await phone.file(shown.secret)).status == 200


async def test_a_file_sent_in_place_of_words_is_asked_for_as_words(phone: Phone) -> None:
    data = FormData()
    data.add_field("what", b"\x89PNG", filename="photo.png", content_type="image/png")
    for name in ("whom", "where", "urgency", "reach"):
        data.add_field(name, FIELDS[name])
    data.add_field("form", (await phone.open()).secret)

    shown = await phone.send(data)

    assert shown.status == 422
    assert 'id="what-problem"' in shown.html
    assert shown.typed("whom") == FIELDS["whom"]


async def test_a_form_sent_as_multipart_is_a_form(phone: Phone) -> None:
    data = FormData(default_to_multipart=True)
    for name, typed in {**FIELDS, "form": (await phone.open()).secret}.items():
        data.add_field(name, typed)

    assert (await phone.send(data)).status == 200


async def test_a_report_beyond_all_measure_is_refused_with_a_page(secretariat: Secretariat, phone: Phone) -> None:
    shown = await phone.file(what="x" * 300_000)

    assert shown.status == 413
    assert say("es", "error.too_large.title") in shown.text
    assert await count_reports(secretariat) == 0


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nothing-like-it", b"what=x"),
        ("application/x-www-form-urlencoded", b"what=\xff\xfe%FF%ED%A0%80"),
        ("multipart/form-data", b"no boundary"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=what\r\n\r\n\xff\r\n--x--\r\n",
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("application/json", b'{"what": "x"}'),
        ("text/plain", b"what=x"),
    ],
)
async def test_a_body_that_is_no_form_is_answered_with_a_page(phone: Phone, kind: str, body: bytes) -> None:
    async with phone.client.post("/es/report", data=body, headers={"Content-Type": kind}) as response:
        assert response.status in (400, 422)
        assert "<h1>" in await response.text()


async def test_every_page_of_hers_is_small_enough_for_a_weak_signal(phone: Phone) -> None:
    async with phone.client.get("/static/sos.css") as response:
        css = len(await response.read())
    for language in LANGUAGES:
        phone.language = language
        made = await phone.file()
        shown = [await phone.open(""), await phone.open(), made, await phone.come_back(*made.receipt)]
        assert all(len(one.html.encode()) + css < LARGEST_PAGE_BYTES for one in shown)
        assert not any("<script" in one.html or "http://" in one.html or "https://" in one.html for one in shown)


async def test_an_unknown_language_is_a_page_that_is_not_there(phone: Phone) -> None:
    for path in ("/de", "/de/report", "/xx/receipt", "/EN"):
        async with phone.client.get(path) as response:
            assert response.status == 404
            assert say("en", "error.missing.title") in await response.text()


async def test_her_words_are_sealed_before_she_gets_a_receipt(secretariat: Secretariat, phone: Phone) -> None:
    await phone.file()
    async with secretariat.runtime.record.reading() as conn:
        stored = await value(
            conn,
            """
            SELECT (SELECT string_agg(r::text, ' ') FROM reports r) || (SELECT string_agg(j::text, ' ') FROM journal j)
                || (SELECT string_agg(w::text, ' ') FROM work w)
            """,
        )

    for word in ("Marisol", "Quispe", "Cerro", "Inés"):
        assert word not in stored
        assert word.encode().hex() not in stored


async def test_those_on_duty_read_what_she_wrote(secretariat: Secretariat, phone: Phone) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    await phone.file()
    async with secretariat.runtime.record.reading() as conn:
        report = await value(conn, "SELECT id FROM reports")

    told = await open_report(secretariat.runtime.record, await secretariat.person(amara), report, secretariat.clock.now)

    assert told
    assert {**asdict(told), "urgency": "life"} == FIELDS


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_report_that_cannot_be_stored_is_said_to_be_not_stored_and_kept_on_the_page(
    secretariat: Secretariat, phone: Phone, language: str
) -> None:
    phone.language = language
    form = (await phone.open()).secret
    async with secretariat.runtime.record.reading() as conn:
        await conn.execute("ALTER TABLE key_grants RENAME TO gone")
        await conn.commit()

    shown = await phone.file(form)

    assert shown.status == 503
    assert say(language, "report.lost.title") in shown.text
    assert say(language, "made.stored") not in shown.text
    assert shown.receipt == ("", "")
    assert shown.secret == form
    assert all(shown.typed(name) == FIELDS[name] for name in ("what", "whom", "where", "reach"))
    assert 'value="life" checked' in shown.html
    assert await count_reports(secretariat) == 0


async def test_whoever_is_signed_in_and_files_for_somebody_keeps_her_words_too_when_the_database_is_gone(
    secretariat: Secretariat,
) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    form = Shown(200, (await amara.read("/es/report")).text).secret
    await secretariat.runtime.record.pool.close()

    answer = await amara.send("/es/report", csrf="", form=form, **FIELDS)

    assert answer.status == 503
    assert Shown(503, answer.text).typed("what") == FIELDS["what"]
