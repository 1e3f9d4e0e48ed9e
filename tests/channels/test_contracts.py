"""The stand-ins hold us to what the providers publish."""

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.providers import TelegramStandIn, TwilioStandIn
from tests.providers.contract import telegram_object_problems, telegram_problems, twilio_problems

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT.parent / "shared" / "specs"


@pytest.mark.skipif(not SPECS.exists(), reason="the providers' full contracts are not beside this repository")
def test_the_trimmed_contracts_are_cut_from_the_published_ones(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / ".ci" / "trim-contracts", tmp_path], check=True)
    for name in ("twilio.json", "telegram.json"):
        assert (tmp_path / name).read_text() == (ROOT / "tests" / "contracts" / name).read_text(), (
            f"run .ci/trim-contracts: {name} is not what the published contract says"
        )


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"To": "+254712345678", "Body": "x", "From": "+15005550006"}, ""),
        ({"Body": "x"}, "'To' is a required property"),
        ({"To": "+254712345678", "Bodi": "x"}, "'Bodi' was unexpected"),
        ({"To": "+254712345678", "ValidityPeriod": "soon"}, "not of type 'integer'"),
        ({"To": "+254712345678", "SmartEncoded": "maybe"}, "not of type 'boolean'"),
        ({"To": "+254712345678", "MessagingServiceSid": "MG1"}, "does not match"),
        ({"To": "+254712345678", "StatusCallback": "sos.example/in"}, "StatusCallback is no address"),
    ],
)
def test_what_breaks_twilios_contract(form: dict[str, str], problem: str) -> None:
    assert problem in str(twilio_problems("form", form))
    assert bool(twilio_problems("form", form)) == bool(problem)


@pytest.mark.parametrize(
    ("method", "parameters", "problem"),
    [
        ("sendMessage", {"chat_id": "1", "text": "<b>x</b>", "parse_mode": "HTML"}, ""),
        ("sendMessage", {"chat_id": "1", "text": "<b>" + "x" * 4096 + "</b>", "parse_mode": "HTML"}, ""),
        ("sendMessage", {"chat_id": "1"}, "text is missing"),
        ("sendMessage", {"chat_id": "1", "text": ""}, "0 characters"),
        ("sendMessage", {"chat_id": "1", "text": "x" * 4097}, "4097 characters"),
        ("sendMessage", {"chat_id": "1", "text": "x", "no_preview": "true"}, "no_preview is not known"),
        ("sendMessage", {"chat_id": "1", "text": "x", "protect_content": "yes"}, "must be Boolean"),
        ("sendMessage", {"chat_id": "1", "text": "<p>x</p>", "parse_mode": "HTML"}, "unsupported start tag"),
        ("sendMessage", {"chat_id": "1", "text": "<b>x", "parse_mode": "HTML"}, "can't find end tag"),
        ("sendMessage", {"chat_id": "1", "text": "x", "link_preview_options": '{"off": true}'}, "off is not known"),
        ("sendMessage", {"chat_id": "1", "text": "x", "reply_markup": '{"inline_keyboard": [3]}'}, "must be an array"),
        (
            "sendMessage",
            {"chat_id": "1", "text": "x", "reply_markup": '{"inline_keyboard": [[{"text": "a"}]]}'},
            "exactly one thing",
        ),
        (
            "sendMessage",
            {
                "chat_id": "1",
                "text": "x",
                "reply_markup": '{"inline_keyboard": [[{"text": "a", "callback_data": "' + "é" * 33 + '"}]]}',
            },
            "66 bytes",
        ),
        ("editMessageText", {"chat_id": "1", "message_id": "one", "text": "x"}, "must be Integer"),
        ("answerCallbackQuery", {"callback_query_id": "1", "text": "x" * 201}, "201 characters"),
    ],
)
def test_what_breaks_telegrams_contract(method: str, parameters: dict[str, str], problem: str) -> None:
    assert problem in str(telegram_problems(method, parameters))
    assert bool(telegram_problems(method, parameters)) == bool(problem)


def test_an_update_that_lacks_a_field_breaks_telegrams_contract() -> None:
    assert telegram_object_problems("Update", {"message": {}}) != []


async def test_a_wrong_path_and_a_wrong_password_are_answered_as_the_provider_would() -> None:
    async with TwilioStandIn() as twilio, aiohttp.ClientSession() as session:
        async with session.post(f"{twilio.url}/2010-04-01/Accounts/AC1/Messages.json") as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, 20003)
        auth = {"Authorization": aiohttp.encode_basic_auth(twilio.account.sid, twilio.account.token)}
        async with session.post(f"{twilio.url}/2010-04-01/Messages.json", headers=auth) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 20404)
        assert len(twilio.violations) == 2


async def test_a_wrong_token_and_an_unknown_method_are_answered_as_telegram_would() -> None:
    async with TelegramStandIn() as telegram, aiohttp.ClientSession() as session:
        for path, status in [("bot1:wrong/sendMessage", 401), (f"bot{telegram.bot.token}/sendMail", 404)]:
            async with session.post(f"{telegram.url}/{path}") as answer:
                assert answer.status == status
                assert (await answer.json())["ok"] is False
        assert len(telegram.violations) == 2


async def test_a_button_that_was_never_shown_cannot_be_tapped() -> None:
    async with TelegramStandIn() as telegram:
        with pytest.raises(LookupError):
            await telegram.tap(1, 1, "sign")
