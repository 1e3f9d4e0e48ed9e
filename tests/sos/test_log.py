"""Logs: what is not on the list does not pass, whoever says it."""

import json
import subprocess
import sys
from typing import Any

import pytest

from sos.log import FACTS, redact

CANARIES = ("Marisol", "+591 700", "marisol@example.org", "123:bot-token", "tok-en", "Cerro Azul")

# Each says something that must not be repeated, in a process of its own, as the product's processes log.
SPEAKING = {
    "a fact that is not listed": """
        log.info("report.filed", whom="Marisol", report=7)""",
    "an error of ours that quotes": """
        try:
            raise ValueError("Marisol Quispe")
        except ValueError:
            name = "Marisol"
            log.exception("request.failed", route="/s/{token}")""",
    "an error with a cause that quotes": """
        try:
            try:
                raise KeyError("Marisol")
            except KeyError as cause:
                raise RuntimeError("at Cerro Azul") from cause
        except RuntimeError as error:
            log.error("request.failed", exc_info=error)""",
    "httpx tells the token": """
        logging.getLogger("httpx").warning("HTTP Request: POST https://api.example/bot123:bot-token/sendMessage")
        logging.getLogger("httpx").error("123:bot-token")""",
    "aiohttp tells the path": """
        logging.getLogger("aiohttp.access").warning('GET /s/tok-en HTTP/1.1')
        logging.getLogger("aiohttp.access").error('GET /s/tok-en HTTP/1.1')
        logging.getLogger("aiohttp.server").error("Error handling request for %s", "/s/tok-en")""",
    "a library's error quotes a row": """
        from psycopg.errors import UniqueViolation
        try:
            raise UniqueViolation("Key (login)=(Marisol) already exists.")
        except UniqueViolation:
            logging.getLogger("psycopg.pool").exception("error in %s", "marisol@example.org")""",
    "asyncio tells what nobody fetched": """
        import asyncio, gc
        async def fail():
            raise ValueError("Marisol")
        async def main():
            asyncio.ensure_future(fail())
            await asyncio.sleep(0.01)
            gc.collect()
        asyncio.run(main())""",
    "arq tells the arguments": """
        logging.getLogger("arq.worker").info("0.00s -> ring('Marisol')")
        logging.getLogger("arq.worker").error("ring('Marisol') failed")""",
    "extras and named arguments": """
        logging.getLogger("telegram.ext").error("%(who)s", {"who": "Marisol"}, extra={"chat": "Cerro Azul"})""",
    "a warning of the language": """
        import warnings
        logging.captureWarnings(True)
        warnings.warn("Marisol")""",
}
BEFORE = """
import logging
import structlog
from sos.log import configure_log
configure_log("test")
log = structlog.get_logger()
"""


def speak(script: str) -> list[dict[str, Any]]:
    """The log lines of a process."""
    lines = script.splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    program = BEFORE + "\n".join(line[indent:] for line in lines)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert not done.stdout
    assert not [one for one in CANARIES if one in done.stderr], done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("script", SPEAKING.values(), ids=SPEAKING)
def test_nothing_that_identifies_somebody_is_repeated(script: str) -> None:
    lines = speak(script)

    assert lines
    assert all({"event", "level", "timestamp", "process"} <= set(line) for line in lines)
    assert all(set(line) - FACTS <= {"whom"} for line in lines)


def test_an_omission_shows() -> None:
    (line,) = speak(SPEAKING["a fact that is not listed"])

    assert line["whom"] == "[removed]"
    assert line["report"] == 7


def test_an_error_is_told_by_its_kind_and_where_it_rose() -> None:
    (line,) = speak(SPEAKING["an error of ours that quotes"])

    assert (line["event"], line["level"], line["error"]) == ("request.failed", "error", "ValueError")
    assert line["frames"] == ["<string>:9 <module>"]


def test_a_library_is_told_by_its_name() -> None:
    (line,) = speak(SPEAKING["a library's error quotes a row"])

    assert (line["event"], line["logger"], line["error"]) == ("psycopg.error", "psycopg.pool", "UniqueViolation")


def test_the_list_of_facts_names_nobody() -> None:
    assert not FACTS & {"address", "body", "code", "email", "text", "token", "url", "path", "phone", "login", "to"}


def test_whatever_is_not_listed_is_removed() -> None:
    given = {"event": "a.b", "count": 1, "address": "marisol@example.org", "token": "x"}

    assert redact(None, "info", dict(given)) == {
        "event": "a.b", "count": 1, "address": "[removed]", "token": "[removed]",
    }  # fmt: skip
