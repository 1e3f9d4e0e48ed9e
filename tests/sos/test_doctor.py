"""`sos doctor`: each thing that can be wrong is found, and what cannot be looked at is bad."""

import os
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sos import doctor
from sos.database import connect
from sos.doctor import Finding, examine
from sos.staff.staff import Role
from tests.secretariat import Secretariat, open_secretariat

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
async def secretariat(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Secretariat]:
    """A founded practice network with two who can open cases, one of them on duty."""
    async with open_secretariat(database_url, redis_url, tmp_path) as opened:
        await opened.join("Amara", Role.TRIAGE)
        await opened.join("Lucía", Role.VERIFIER)
        async with connect(database_url) as conn:
            await conn.execute("UPDATE staff SET on_duty = true WHERE 'triage' = ANY(roles)")
        yield opened


@pytest.fixture
def environment(secretariat: Secretariat) -> dict[str, str]:
    """Its environment."""
    settings = secretariat.runtime.settings
    return {
        "SOS_DATABASE_URL": settings.database_url,
        "SOS_REDIS_URL": settings.redis_url,
        "SOS_KEY_FILE": str(settings.key_file),
    }


async def bad(environment: dict[str, str]) -> dict[str, str]:
    """What is not well, and what is said of it."""
    return {one.what: one.detail for one in await examine(environment) if not one.is_well}


async def test_an_installation_that_can_do_its_work_is_well(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LEAST_DISK_BYTES", 0)

    findings = await examine(environment)

    assert {one.what for one in findings} == {
        "settings", "key file", "redis", "disk", "database", "clock", "providers", "on duty", "who can open cases",
    }  # fmt: skip
    assert not [one for one in findings if not one.is_well]
    assert Finding("providers", True, "none: practice") in findings


@pytest.mark.parametrize("name", ["SOS_DATABASE_URL", "SOS_REDIS_URL", "SOS_KEY_FILE"])
async def test_a_missing_setting_is_named_and_ends_the_examination(environment: dict[str, str], name: str) -> None:
    del environment[name]

    assert await examine(environment) == [Finding("settings", False, f"{name} is missing")]


async def test_a_database_that_does_not_answer_is_bad(environment: dict[str, str]) -> None:
    environment["SOS_DATABASE_URL"] = "postgresql://sos@127.0.0.1:1/sos"

    assert "database" in await bad(environment)


async def test_an_older_schema_is_bad_and_nothing_further_is_asked_of_it(
    environment: dict[str, str], empty_database: str
) -> None:
    found = await bad({**environment, "SOS_DATABASE_URL": empty_database})

    assert found["database"].startswith("schema 0 of ")
    assert "on duty" not in found


async def test_a_doorbell_that_does_not_answer_is_bad_though_nothing_is_lost(environment: dict[str, str]) -> None:
    environment["SOS_REDIS_URL"] = "redis://127.0.0.1:1/0"

    assert "nothing is lost" in (await bad(environment))["redis"]


async def test_a_key_file_that_others_can_read_is_bad(environment: dict[str, str]) -> None:
    os.chmod(environment["SOS_KEY_FILE"], 0o644)

    assert "key file" in await bad(environment)


async def test_nobody_on_duty_and_fewer_than_two_who_can_open_cases_are_bad(
    environment: dict[str, str], database_url: str
) -> None:
    async with connect(database_url) as conn:
        await conn.execute("UPDATE staff SET left_at = now() WHERE 'verifier' = ANY(roles)")
        await conn.execute("UPDATE staff SET on_duty = false")

    found = await bad(environment)

    assert found["on duty"] == "0 now"
    assert found["who can open cases"] == "1, at least 2 are needed"


async def test_a_provider_beside_a_practice_network_is_bad(environment: dict[str, str]) -> None:
    environment |= {"SOS_SMTP_URL": "smtp://localhost:25", "SOS_MAIL_FROM": "sos@sos.example"}

    assert "practice network" in (await bad(environment))["providers"]


async def test_where_mail_leaves_but_bounces_cannot_come_home_it_is_said_plainly(environment: dict[str, str]) -> None:
    environment |= {"SOS_SMTP_URL": "smtp://localhost:25", "SOS_MAIL_FROM": "sos@sos.example"}

    assert "bounces will not come home" in (await bad(environment))["bounces"]
    assert "bounces" not in await bad(environment | {"SOS_BOUNCE_DOMAIN": "bounces.sos.example"})


async def test_a_full_disk_is_bad(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 5 * 1024**2))

    assert (await bad(environment))["disk"] == "5 MiB free"


async def test_a_clock_that_runs_away_is_bad(
    secretariat: Secretariat, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "utc_now", secretariat.clock)

    assert "from the database's" in (await bad(environment))["clock"]


async def test_no_finding_repeats_a_secret(environment: dict[str, str]) -> None:
    environment["SOS_DATABASE_URL"] = "postgresql://sos:a-password@127.0.0.1:1/sos"

    assert "a-password" not in str(await examine(environment))
