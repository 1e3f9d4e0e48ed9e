"""The `sos` command: each mistake is one line, and an import says each bad row with its line and reason."""

import asyncio
import re
from pathlib import Path
from typing import LiteralString

import pytest
from click.testing import CliRunner, Result

from sos.cli import main
from sos.database import connect, value
from sos.recovery import from_words

LIST = """\
reference,kind,standing,country,name,contact,languages,email,sms
CO-01,ngo,member,Colombia,Mujeres del Río,Lucía Ñañez,es,lucia@rio.example,+57 310 000 0000
CO-01,ngo,member,Colombia,Mujeres del Río,Nobody,es,not-an-address,
EG-01,movement,member,مصر,مركز الكرامة,أمل حسن,ar en,amal@karama.example,
XX-01,ngo,member,Atlantis,Unknown Land,Someone,en,someone@atlantis.example,
"""


NOWHERE = {
    "SOS_DATABASE_URL": "postgresql://sos@127.0.0.1:1/sos",
    "SOS_REDIS_URL": "redis://127.0.0.1:1/0",
    "SOS_KEY_FILE": "/nowhere/keys",
}


@pytest.fixture
def environment(empty_database: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """An environment over an empty database, without a key file yet."""
    return {
        "SOS_DATABASE_URL": empty_database,
        "SOS_REDIS_URL": redis_url,
        "SOS_KEY_FILE": str(tmp_path / "keys"),
    }


@pytest.fixture
def founded(environment: dict[str, str]) -> dict[str, str]:
    """The same, with its schema, its key file and a real network."""
    for command in (["migrate"], ["key", "new", environment["SOS_KEY_FILE"]]):
        assert sos(environment, *command).exit_code == 0
    assert "is not it" in sos(environment, "found", typed="wrong\n").output
    return environment


def sos(environment: dict[str, str], *command: str, typed: str = "") -> Result:
    """Run the command as somebody would type it."""
    names = dict.fromkeys(("SOS_SMTP_URL", "SOS_TWILIO_SID", "SOS_TELEGRAM_TOKEN_FILE", "SOS_BOUNCE_DOMAIN"), "")
    return CliRunner().invoke(main, command, input=typed, env={**names, **environment})


def ask(environment: dict[str, str], query: LiteralString) -> object:
    async def fetch() -> object:
        async with connect(environment["SOS_DATABASE_URL"]) as conn:
            return await value(conn, query)

    return asyncio.run(fetch())


def is_one_line(result: Result) -> bool:
    return result.exit_code == 1 and result.output.startswith("Error: ") and result.output.count("\n") == 1


def test_a_network_is_founded_and_its_recovery_key_is_shown_once(environment: dict[str, str]) -> None:
    applied = sos(environment, "migrate")
    assert "0001_ground.sql" in applied.output
    assert sos(environment, "migrate").output == "Nothing to do.\n"

    shown = sos(environment, "found", typed="not it\n")
    words = shown.output.split("\n\n")[1]

    assert shown.exit_code == 1
    assert from_words(words)
    assert ask(environment, "SELECT kind FROM network") == "real"
    assert is_one_line(sos(environment, "found", typed="x\n"))
    rehearsed = sos(environment, "recovery", "rehearse", typed=f"{words.lower()}\n")
    assert "The key is right" in rehearsed.output
    assert words not in rehearsed.output
    wrong = sos(environment, "recovery", "rehearse", typed="ABC\n")
    assert "not the recovery key" in wrong.output


@pytest.mark.parametrize(
    "command", [["web"], ["worker"], ["mail"], ["migrate"], ["doctor"], ["member", "import", "LIST"]]
)
@pytest.mark.parametrize("missing", ["SOS_DATABASE_URL", "SOS_REDIS_URL", "SOS_KEY_FILE"])
def test_a_missing_setting_stops_every_command_with_one_line(tmp_path: Path, command: list[str], missing: str) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    arguments = [str(tmp_path / "list.csv") if one == "LIST" else one for one in command]

    result = sos({**NOWHERE, missing: ""}, *arguments)

    assert result.exit_code == 1
    assert f"{missing} is missing" in result.output
    assert result.output.count("\n") == 1


def test_a_schema_that_is_behind_stops_the_web_and_the_worker_with_one_line(environment: dict[str, str]) -> None:
    sos(environment, "key", "new", environment["SOS_KEY_FILE"])
    for command in ("web", "worker"):
        result = sos(environment, command)
        assert is_one_line(result), result.output
        assert "sos migrate" in result.output


def test_a_real_network_without_a_mail_relay_does_not_start(founded: dict[str, str]) -> None:
    result = sos(founded, "web")

    assert is_one_line(result)
    assert "SOS_SMTP_URL" in result.output


def test_without_a_bounce_domain_there_is_no_mail_to_take() -> None:
    result = sos(NOWHERE, "mail")

    assert is_one_line(result)
    assert "SOS_BOUNCE_DOMAIN" in result.output


def test_a_database_that_does_not_answer_is_one_line() -> None:
    result = sos({**NOWHERE, "SOS_DATABASE_URL": "postgresql://sos:secret@127.0.0.1:1/sos"}, "migrate")

    assert is_one_line(result)
    assert "SOS_DATABASE_URL" in result.output
    assert "secret" not in result.output


def test_a_key_file_is_never_written_over(environment: dict[str, str]) -> None:
    path = Path(environment["SOS_KEY_FILE"])
    assert sos(environment, "key", "new", str(path)).exit_code == 0
    before = path.read_bytes()

    assert is_one_line(sos(environment, "key", "new", str(path)))
    assert path.read_bytes() == before


def test_somebody_joins_and_leaves(founded: dict[str, str]) -> None:
    add = ("staff", "add", "--login", "amara", "--name", "Amara", "--role", "triage", "--passphrase")
    joined = sos(founded, *add, "four quiet words here")

    assert joined.exit_code == 0
    assert joined.output.startswith("otpauth://totp/")
    assert "has this login already" in sos(founded, *add, "four quiet words here").output
    assert "14 characters" in sos(founded, *add, "too short").output
    assert sos(founded, "staff", "leave", "AMARA").exit_code == 0
    assert is_one_line(sos(founded, "staff", "leave", "amara"))
    assert ask(founded, "SELECT count(*) FROM staff WHERE left_at IS NULL") == 0


@pytest.fixture
def members(tmp_path: Path) -> str:
    """A list with two good rows and two bad ones."""
    path = tmp_path / "members.csv"
    path.write_text(LIST, "utf-8")
    return str(path)


def test_an_import_names_each_bad_row_with_its_line_and_takes_the_others(founded: dict[str, str], members: str) -> None:
    result = sos(founded, "member", "import", members)

    assert result.exit_code == 1
    assert re.search(r"^Line 3, email: ", result.output, re.M)
    assert re.search(r"^Line 5, country: ", result.output, re.M)
    assert "2 rows refused" in result.output
    assert "The list is imported" in result.output
    assert ask(founded, "SELECT count(*) FROM contacts") == 2


@pytest.mark.parametrize("option", ["--dry-run", "--all-or-nothing"])
def test_neither_a_trial_nor_all_or_nothing_writes_anything_while_a_row_is_bad(
    founded: dict[str, str], members: str, option: str
) -> None:
    result = sos(founded, "member", "import", option, members)

    assert result.exit_code == 1
    assert ask(founded, "SELECT count(*) FROM contacts") == 0
    assert ask(founded, "SELECT count(*) FROM members") == 0


def test_an_import_without_a_bad_row_ends_well_and_repeating_it_adds_nobody(
    founded: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "good.csv"
    path.write_text("\n".join(line for line in LIST.splitlines() if "not-an" not in line and "Atlantis" not in line))

    assert sos(founded, "member", "import", "--all-or-nothing", str(path)).exit_code == 0
    assert sos(founded, "member", "import", str(path)).exit_code == 0
    assert ask(founded, "SELECT count(*) FROM contacts") == 2


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar", "pt"])
def test_an_import_speaks_the_language_that_is_asked_for(founded: dict[str, str], members: str, language: str) -> None:
    result = sos(founded, "member", "import", "--dry-run", "--language", language, members)

    assert result.exit_code == 1
    assert "%(" not in result.output


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00" * 50, b"a;b\n", b"name\n", "اسم\n".encode("cp1256")])
def test_a_file_that_is_no_list_is_refused_in_words(founded: dict[str, str], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    result = sos(founded, "member", "import", str(path))

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Line 1" in result.output
    assert "is imported" not in result.output


def test_the_doctor_says_line_by_line_what_is_wrong(founded: dict[str, str]) -> None:
    result = sos(founded, "doctor")

    assert result.exit_code == 1
    assert re.search(r"^BAD  on duty: 0 now$", result.output, re.M)
    assert re.search(r"^ok +settings: complete$", result.output, re.M)


def test_a_copy_that_was_not_noticed_is_said_to_be_one_and_only_after_a_question(founded: dict[str, str]) -> None:
    assert sos(founded, "restored", typed="n\n").exit_code == 1
    said = sos(founded, "restored", typed="y\n")
    assert said.exit_code == 0
    assert "0 messages are unknown now." in said.output
