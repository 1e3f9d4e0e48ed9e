"""What comes by SMS: receipts, signatures by a word and a code, and stops; from Twilio alone, and each thing once."""

import asyncio
import random
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from channels.base import ChannelName
from sos.endorsements.endorsement import Answer
from sos.members.store import is_suppressed
from tests.delivering import PUBLIC, Delivering
from tests.providers import NUMBER
from tests.providers.twilio import TOKEN
from tests.story import ARABIC, ENGLISH, SPANISH, Reached

SMS = ChannelName.SMS
WORDS = {"en": "SIGN", "es": "FIRMO", "fr": "JE SIGNE", "ar": "أوقع", "pt": "ASSINO"}


def code_in(text: str) -> str:
    (found,) = re.findall(r"\b\d{5}\b", re.sub(r"https?://\S+", "", text))
    return str(found)


async def write(delivering: Delivering, contact: Reached, text: str, *, sid: str = "") -> int:
    """She sends us an SMS."""
    answered = await delivering.twilio.text_in(contact.addresses[SMS], NUMBER, text, sid=sid)
    return answered.status


async def asked(delivering: Delivering, **who: object) -> tuple[Reached, str]:
    """A contact who was asked by SMS, and her code."""
    contact = await delivering.story.contact(by=SMS, **who)  # type: ignore[arg-type]
    await delivering.story.launched(texts={"en": ENGLISH, "es": SPANISH, "ar": ARABIC, "fr": ENGLISH, "pt": ENGLISH})
    await delivering.send()
    (text,) = delivering.sms_to(contact)
    return contact, code_in(text)


async def answers(delivering: Delivering) -> list[str]:
    found = await delivering.story.rows(
        "SELECT answer FROM endorsements WHERE withdrawn_at IS NULL ORDER BY answered_at"
    )
    return [str(one["answer"]) for one in found]


async def is_stopped(delivering: Delivering, contact: Reached) -> bool:
    async with delivering.story.runtime.record.reading() as conn:
        index = delivering.story.runtime.keys.index(SMS, contact.addresses[SMS])
        return await is_suppressed(conn, SMS, index)


@pytest.mark.parametrize("language", WORDS)
async def test_a_word_and_the_code_sign_and_she_is_told_so_once(delivering: Delivering, language: str) -> None:
    contact, code = await asked(delivering, languages=[language])
    assert await write(delivering, contact, f"{WORDS[language]} {code}") == 200
    assert await answers(delivering) == ["sign"]
    await delivering.send()
    (_, reply) = delivering.sms_to(contact)
    assert "River Women" in reply
    (kept,) = await delivering.story.rows("SELECT door, language FROM endorsements")
    assert (kept["door"], kept["language"]) == ("sms", language)


async def test_a_code_in_digits_of_another_script_is_a_code(delivering: Delivering) -> None:
    contact, code = await asked(delivering, languages=["ar"])
    await write(delivering, contact, "أوقع " + code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    assert await answers(delivering) == ["sign"]


async def test_who_may_not_sign_for_the_organisation_signs_in_her_own_name_and_reads_so(delivering: Delivering) -> None:
    contact, code = await asked(delivering, may_sign=False, name="Beatriz Rojas")
    await write(delivering, contact, f"SIGN {code}")
    assert await answers(delivering) == ["sign_individually"]
    await delivering.send()
    reply = delivering.sms_to(contact)[1]
    assert "Beatriz Rojas has signed" in reply
    assert "River Women" not in reply


async def test_the_same_webhook_again_and_at_once_is_one_signature_and_one_reply(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    same = [write(delivering, contact, f"SIGN {code}", sid="SM" + "7" * 32) for _ in range(6)]
    assert set(await asyncio.gather(*same)) == {200}
    assert await write(delivering, contact, f"SIGN {code}", sid="SM" + "7" * 32) == 200
    await delivering.send()
    assert await answers(delivering) == ["sign"]
    assert len([text for text in delivering.sms_to(contact) if "has signed" in text]) == 1


async def test_signing_twice_is_told_once_that_it_was_signed_already(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    for _ in range(3):
        await write(delivering, contact, f"SIGN {code}")
        await delivering.send()
    assert await answers(delivering) == ["sign"]
    assert [("had signed" in text) for text in delivering.sms_to(contact)[1:]] == [False, True]


async def test_who_has_said_no_and_sends_the_code_has_changed_her_mind(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    (action,) = await delivering.story.rows("SELECT id FROM actions")
    await delivering.story.answer(action["id"], contact, Answer.DECLINE)  # type: ignore[arg-type]
    await write(delivering, contact, f"SIGN {code}")
    assert await answers(delivering) == ["sign"]


@pytest.mark.parametrize("text", ["no firmo {code}", "I will not sign {code}", "أوقف لا {code}", "{code}", "SIGN"])
async def test_what_is_not_said_plainly_signs_nothing_and_is_asked_back_once(delivering: Delivering, text: str) -> None:
    contact, code = await asked(delivering)
    await write(delivering, contact, text.format(code=code))
    await write(delivering, contact, text.format(code=code))
    await delivering.send()
    assert await answers(delivering) == []
    assert len(delivering.sms_to(contact)) == 2
    assert "nothing was signed" in delivering.sms_to(contact)[1]


async def test_the_right_code_from_another_phone_signs_nothing(delivering: Delivering) -> None:
    thief = await delivering.story.contact(by=SMS, may_sign=True)
    contact, code = await asked(delivering)
    stranger = Reached(contact.id, contact.member_id, {SMS: "+254799999999"})
    await write(delivering, stranger, f"SIGN {code}")
    await write(delivering, thief, f"SIGN {code}")
    await delivering.send()
    assert await answers(delivering) == []
    assert [one for one in delivering.twilio.messages if one.to == "+254799999999"] == []


async def test_five_wrong_codes_are_followed_by_an_hour_of_silence(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    wrong = [f"{(int(code) + n) % 100_000:05}" for n in range(1, 6)]
    for one in wrong:
        await write(delivering, contact, f"SIGN {one}")
    await write(delivering, contact, f"SIGN {code}")
    assert await answers(delivering) == []
    delivering.story.clock.advance(timedelta(minutes=61))
    await write(delivering, contact, f"SIGN {code}")
    assert await answers(delivering) == ["sign"]


async def test_a_wrong_code_that_comes_twice_by_one_webhook_counts_once(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    wrong = f"{(int(code) + 1) % 100_000:05}"
    await asyncio.gather(*(write(delivering, contact, f"SIGN {wrong}", sid="SM" + "8" * 32) for _ in range(8)))
    (kept,) = await delivering.story.rows("SELECT tries FROM wrong_codes")
    assert kept["tries"] == 1


async def test_after_the_deadline_the_code_signs_nothing_and_she_is_told_so(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    delivering.story.clock.advance(timedelta(days=4))
    await write(delivering, contact, f"SIGN {code}")
    await delivering.send()
    assert await answers(delivering) == []
    assert "can no longer be signed" in delivering.sms_to(contact)[1]


@pytest.mark.parametrize("word", ["STOP SMS", "ARRÊT", "توقف", "baja", "PARAR"])
async def test_a_stop_is_honoured_and_confirmed_once(delivering: Delivering, word: str) -> None:
    contact, code = await asked(delivering)
    assert await write(delivering, contact, word) == 200
    assert await write(delivering, contact, word) == 200
    assert await is_stopped(delivering, contact)
    await write(delivering, contact, f"SIGN {code}")
    await delivering.send()
    assert delivering.sms_to(contact)[1:] == ["Thank you for telling us. We will not write to this number again."]
    await delivering.story.launched()
    await delivering.send()
    assert len(delivering.sms_to(contact)) == 2


async def test_an_unknown_number_that_says_stop_is_remembered_and_not_written_to(delivering: Delivering) -> None:
    nobody = Reached(await delivering.story.member(), await delivering.story.member(), {SMS: "+254711111111"})
    assert await write(delivering, nobody, "PARAR") == 200
    assert await is_stopped(delivering, nobody)
    assert await delivering.story.count("deliveries") == 0


async def test_a_discreet_phone_is_answered_nothing_but_that_we_have_stopped(delivering: Delivering) -> None:
    contact = await delivering.story.contact(by=SMS, discreet=True)
    await delivering.story.launched()
    await delivering.send()
    await write(delivering, contact, "what is this?")
    await write(delivering, contact, "PARAR")
    await delivering.send()
    assert len(delivering.sms_to(contact)) == 2
    assert "sign" not in " ".join(delivering.sms_to(contact)).casefold()


async def test_a_call_that_twilio_did_not_sign_is_refused_and_changes_nothing(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    form = {"MessageSid": "SM" + "1" * 32, "From": contact.addresses[SMS], "Body": f"SIGN {code}"}
    here = str((await delivering.story.serve()).make_url("/in/sms"))
    host = {"Host": "evil.example"}
    forgeries = [
        {},
        {"X-Twilio-Signature": "x"},
        {"X-Twilio-Signature": "é"},
        # Signed with the right token, but for the address that the Host header claims, or where we listen.
        host | {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature("http://evil.example/in/sms", form)},
        {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(here, form)},
        {"X-Twilio-Signature": RequestValidator("another").compute_signature(f"{PUBLIC}/in/sms", form)},
    ]
    browser = await delivering.story.browser()
    for headers in forgeries:
        assert (await browser.post("/in/sms", data=form, headers=headers)).status == 403
    assert (await browser.get("/in/sms")).status in (404, 405)
    assert await answers(delivering) == []
    assert await delivering.story.count("incoming") == 0


async def test_the_public_address_is_what_counts_whatever_the_host_header_says(delivering: Delivering) -> None:
    contact, code = await asked(delivering)
    form = {"MessageSid": "SM" + "1" * 32, "From": contact.addresses[SMS], "Body": f"SIGN {code}"}
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/in/sms", form)
    headers = {
        "X-Twilio-Signature": signature,
        "Host": "evil.example",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    browser = await delivering.story.browser()
    assert (await browser.post("/in/sms", data=urlencode(form), headers=headers)).status == 200
    assert await answers(delivering) == ["sign"]


@pytest.mark.parametrize("seed", range(4))
async def test_receipts_repeated_and_shuffled_end_where_the_last_word_is(delivering: Delivering, seed: int) -> None:
    contact, _ = await asked(delivering)
    (sms,) = [one for one in delivering.twilio.messages if one.to == contact.addresses[SMS]]
    words = ["queued", "sending", "sent", "delivered", "sent", "delivered", "queued"]
    random.Random(seed).shuffle(words)
    for word in words:
        assert (await delivering.twilio.report(sms.sid, word)).status == 204
    (kept,) = await delivering.story.rows("SELECT state::text AS state FROM deliveries")
    assert kept["state"] == "delivered"


async def test_a_receipt_for_another_delivery_needs_its_own_address(delivering: Delivering) -> None:
    contact, _ = await asked(delivering)
    (sms,) = [one for one in delivering.twilio.messages if one.to == contact.addresses[SMS]]
    sms.status_callback = sms.status_callback[:-3] + "AAA"
    assert (await delivering.twilio.report(sms.sid, "failed", 30005)).status == 404
    sms.status_callback = f"{PUBLIC}/in/sms/x"
    assert (await delivering.twilio.report(sms.sid, "failed", 30005)).status == 404
    (kept,) = await delivering.story.rows("SELECT state::text AS state FROM deliveries")
    assert kept["state"] == "accepted"


async def test_a_receipt_that_comes_before_our_own_settlement_is_kept(delivering: Delivering) -> None:
    contact = await delivering.story.contact(by=SMS)
    delivering.twilio._delivers_at_once = True
    await delivering.story.launched()
    await delivering.send()

    async def is_delivered() -> bool:
        (kept,) = await delivering.story.rows("SELECT state::text AS state FROM deliveries")
        return kept["state"] == "delivered"

    async with asyncio.timeout(10):
        while not await is_delivered():  # noqa: ASYNC110 - the condition lies in the database
            await asyncio.sleep(0.02)
    assert len(delivering.sms_to(contact)) == 1


async def test_what_is_empty_huge_or_broken_is_refused_and_breaks_nothing(delivering: Delivering) -> None:
    browser = await delivering.story.browser()
    bodies = (b"", b"\xff\xfe\x00", b"a=%ff&b=" + b"x" * 300_000, b"{" * 1000)
    for body in bodies:
        for path in ("/in/sms", "/in/telegram", "/in/sms/" + "A" * 24):
            assert (await browser.post(path, data=body)).status in (400, 403, 404, 413)
    contact, code = await asked(delivering)
    assert await write(delivering, contact, f"SIGN {code}\0" + "x" * 1000) == 200
    assert await answers(delivering) == []
