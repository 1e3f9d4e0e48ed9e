"""docker-compose.yml cannot be run in every place where tests run: here it is held against what the code reads."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sos.mailroom import LARGEST_MAIL_BYTES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "mail", "migrate")
READ = frozenset(re.findall(r'"(SOS_[A-Z_]+)"', (ROOT / "sos" / "settings.py").read_text("utf-8")))
# What the code can do without: addresses of stand-ins.
ONLY_FOR_TESTS = {"SOS_TWILIO_URL", "SOS_TELEGRAM_URL"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_sets_exactly_what_the_code_reads(name: str) -> None:
    assert set(SERVICES[name]["environment"]) == READ - ONLY_FOR_TESTS


@pytest.mark.parametrize("name", OURS)
def test_every_secret_is_a_file_that_the_service_is_given(name: str) -> None:
    given = {f"/run/secrets/{secret}" for secret in SERVICES[name]["secrets"]}
    pointed = {value for value in SERVICES[name]["environment"].values() if value.startswith("/run/secrets/")}
    assert pointed <= given


def test_every_secret_of_a_service_is_declared_as_a_file() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())


def test_no_password_or_token_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", name):
                assert name.endswith("_FILE"), name
                assert value.startswith(("/run/secrets/", "${")), name


def test_every_lasting_service_has_a_health_check() -> None:
    lasting = {name for name in SERVICES if name != "migrate"}
    assert {name for name in lasting if "healthcheck" not in SERVICES[name]} == set()


def test_web_and_worker_can_be_scaled() -> None:
    for name in ("web", "worker"):
        assert not {"container_name", "ports"} & set(SERVICES[name])


def test_only_the_proxy_and_the_mx_are_reached_from_outside_and_the_record_reaches_nothing() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy", "mx"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert {tuple(SERVICES[name]["networks"]) for name in ("database", "doorbell")} == {("inside",)}


def test_the_process_that_reads_mail_reaches_nothing_outside() -> None:
    assert SERVICES["mail"]["networks"] == ["inside", "mail"]
    assert COMPOSE["networks"]["mail"]["internal"] is True


def test_mail_for_the_bounce_domain_is_handed_to_the_process_that_reads_it() -> None:
    relay, mx = SERVICES["relay"]["environment"], SERVICES["mx"]["environment"]
    door = f"lmtp:inet:mail:{SERVICES['mail']['environment']['SOS_LMTP_PORT']}"
    assert relay["POSTFIX_transport_maps"] == f"inline:{{${{SOS_BOUNCE_DOMAIN}}={door}}}"
    assert mx["POSTFIX_relay_transport"] == door
    assert "mail" in SERVICES["relay"]["networks"]
    assert "mail" in SERVICES["mx"]["networks"]


def test_the_relay_lets_mail_with_a_return_path_leave() -> None:
    assert SERVICES["relay"]["environment"]["ALLOWED_SENDER_DOMAINS"].split()[-1] == "${SOS_BOUNCE_DOMAIN}"


def test_the_mx_relays_for_nobody_and_takes_nothing_that_it_would_have_to_send_back() -> None:
    mx = SERVICES["mx"]["environment"]
    assert mx["POSTFIX_mynetworks"] == "127.0.0.1/32"
    assert mx["POSTFIX_relay_domains"] == "${SOS_BOUNCE_DOMAIN}"
    for gate in ("POSTFIX_smtpd_relay_restrictions", "POSTFIX_smtpd_recipient_restrictions"):
        assert mx[gate].startswith("reject_unauth_destination")
    assert "reject_unverified_recipient" in mx["POSTFIX_smtpd_recipient_restrictions"]
    assert int(mx["POSTFIX_message_size_limit"]) < LARGEST_MAIL_BYTES


def test_every_image_names_its_version() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert all(re.search(r":v?\d", image) for image in images)


def test_the_image_holds_the_code_and_the_locked_packages_only() -> None:
    recipe = COMPOSE["x-code"]["build"]["dockerfile_inline"]
    copied = set(re.findall(r"^COPY (\S+)", recipe, re.MULTILINE))
    assert copied == {"requirements.lock", "sos", "channels", "workers", "templates", "config"}
    assert "--require-hashes" in recipe
    assert "USER sos" in recipe
