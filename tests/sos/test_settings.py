"""Settings: whatever is missing or wrong is named in one line, and nothing that is secret is quoted."""

from pathlib import Path

import pytest

from channels.base import ChannelName
from sos.settings import BadSetting, Settings, is_loopback, read_settings

SECRET = "do-not-repeat-me"


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    """A file with a secret in it."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return str(path)


@pytest.fixture
def complete(secret_file: str) -> dict[str, str]:
    """An environment with everything in it."""
    return {
        "SOS_DATABASE_URL": "postgresql://sos@db/sos",
        "SOS_DATABASE_PASSWORD_FILE": secret_file,
        "SOS_REDIS_URL": "redis://doorbell:6379/0",
        "SOS_KEY_FILE": "/run/secrets/keys",
        "SOS_HOST": "0.0.0.0",
        "SOS_PORT": "8443",
        "SOS_PUBLIC_URL": "https://sos.example/",
        "SOS_SMTP_URL": "smtps://us%40er@mail.example",
        "SOS_SMTP_PASSWORD_FILE": secret_file,
        "SOS_MAIL_FROM": "sos@sos.example",
        "SOS_BOUNCE_DOMAIN": "Bounces.sos.example",
        "SOS_LMTP_HOST": "0.0.0.0",
        "SOS_LMTP_PORT": "24",
        "SOS_TWILIO_SID": "AC1",
        "SOS_TWILIO_TOKEN_FILE": secret_file,
        "SOS_TWILIO_FROM": "+15005550006",
        "SOS_TELEGRAM_TOKEN_FILE": secret_file,
        "SOS_TELEGRAM_SECRET_FILE": secret_file,
    }


@pytest.fixture
def least() -> dict[str, str]:
    """What cannot be left away."""
    return {
        "SOS_DATABASE_URL": "postgresql:///sos?host=/run/postgresql",
        "SOS_REDIS_URL": "unix:///run/valkey?db=0",
        "SOS_KEY_FILE": "keys",
    }


def complaint(environment: dict[str, str]) -> str:
    with pytest.raises(BadSetting) as wrong:
        read_settings(environment)
    return str(wrong.value)


def test_a_complete_environment_is_read(complete: dict[str, str]) -> None:
    settings = read_settings(complete)

    assert settings.public_url == "https://sos.example"
    assert settings.is_secure
    assert settings.providers == (ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM)
    assert settings.smtp
    assert (settings.smtp.username, settings.smtp.port, settings.smtp.password) == ("us@er", 465, SECRET)
    assert (settings.bounce_domain, settings.lmtp_host, settings.lmtp_port) == ("bounces.sos.example", "0.0.0.0", 24)
    assert settings.twilio
    assert settings.telegram
    assert settings.twilio.token == settings.telegram.token == SECRET
    assert settings.database_url == f"postgresql://sos:{SECRET}@db/sos"


def test_the_least_environment_is_this_machine_without_a_provider(least: dict[str, str]) -> None:
    settings: Settings = read_settings(least)

    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8080, "http://localhost:8080")
    assert settings.database_url == least["SOS_DATABASE_URL"]
    assert settings.redis_url == least["SOS_REDIS_URL"]
    assert (settings.bounce_domain, settings.lmtp_host, settings.lmtp_port) == ("", "127.0.0.1", 2424)
    assert settings.providers == ()
    assert not settings.is_secure


def test_a_password_with_signs_that_mean_something_in_an_address_stays_a_password(
    complete: dict[str, str], secret_file: str
) -> None:
    Path(secret_file).write_text("a@b/c:d?e#f%g")

    assert read_settings(complete).database_url == "postgresql://sos:a%40b%2Fc%3Ad%3Fe%23f%25g@db/sos"


@pytest.mark.parametrize("name", ["SOS_DATABASE_URL", "SOS_REDIS_URL", "SOS_KEY_FILE"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_what_is_missing_is_named(least: dict[str, str], name: str, value: str | None) -> None:
    least.pop(name)
    if value is not None:
        least[name] = value

    assert complaint(least) == f"{name} is missing"


@pytest.mark.parametrize(
    "name",
    [
        "SOS_MAIL_FROM", "SOS_SMTP_URL", "SOS_SMTP_PASSWORD_FILE", "SOS_TWILIO_SID", "SOS_TWILIO_TOKEN_FILE",
        "SOS_TWILIO_FROM", "SOS_TELEGRAM_SECRET_FILE",
    ],
)  # fmt: skip
def test_half_of_a_provider_is_no_provider_and_its_other_half_is_named(complete: dict[str, str], name: str) -> None:
    del complete[name]

    assert complaint(complete) == f"{name} is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOS_PORT", "0"), ("SOS_PORT", "65536"), ("SOS_PORT", "http"), ("SOS_PORT", "-1"), ("SOS_PORT", "80.0"),
        ("SOS_LMTP_PORT", "lmtp"), ("SOS_BOUNCE_DOMAIN", "bounces"), ("SOS_BOUNCE_DOMAIN", "@sos.example"),
        ("SOS_BOUNCE_DOMAIN", "bounces.señal.example"), ("SOS_BOUNCE_DOMAIN", "a b.example"),
        ("SOS_BOUNCE_DOMAIN", "-a.example"), ("SOS_BOUNCE_DOMAIN", "sos.example."),
        ("SOS_BOUNCE_DOMAIN", ".".join(["a" * 60] * 5)), ("SOS_BOUNCE_DOMAIN", "a" * 64 + ".example"),
        ("SOS_SMS_PER_SECOND", "0"), ("SOS_SMS_PER_SECOND", "many"),
        ("SOS_PUBLIC_URL", "http://sos.example"), ("SOS_PUBLIC_URL", "sos.example"), ("SOS_PUBLIC_URL", "https://"),
        ("SOS_PUBLIC_URL", "https://[::1"), ("SOS_PUBLIC_URL", "https://sos.example:port"),
        ("SOS_PUBLIC_URL", "http://localhost.evil.example"), ("SOS_PUBLIC_URL", "ftp://localhost"),
        ("SOS_SMTP_URL", "mail.example"), ("SOS_SMTP_URL", "smtp://mail.example:25"), ("SOS_SMTP_URL", "smtps://"),
        ("SOS_SMTP_URL", "smtps://user@mail.example:smtp"), ("SOS_SMTP_URL", "https://mail.example"),
        ("SOS_DATABASE_URL", "mysql://sos@db/sos"), ("SOS_DATABASE_URL", "db/sos"),
        ("SOS_DATABASE_URL", f"postgresql://sos:{SECRET}@[db/sos"),
        ("SOS_REDIS_URL", "http://doorbell"), ("SOS_REDIS_URL", "doorbell:6379"),
        ("SOS_TWILIO_URL", "http://api.twilio.example"), ("SOS_TWILIO_URL", "https://"),
        ("SOS_TELEGRAM_URL", "http://192.0.2.1:80"),
        ("SOS_TWILIO_TOKEN_FILE", "/nowhere"), ("SOS_TELEGRAM_SECRET_FILE", "/"),
        ("SOS_SMTP_PASSWORD_FILE", "/dev/null"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_line_without_what_it_held(
    complete: dict[str, str], name: str, value: str
) -> None:
    said = complaint({**complete, name: value})

    assert name in said
    assert "\n" not in said
    assert SECRET not in said


def test_a_database_password_needs_somebody_whose_it_is(complete: dict[str, str]) -> None:
    assert "SOS_DATABASE_PASSWORD_FILE" in complaint({**complete, "SOS_DATABASE_URL": "postgresql://db/sos"})


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("", False), ("0.0.0.0", False),
        ("localhost.example", False), ("192.168.0.1", False), ("::", False), ("127.0.0.1.example", False),
    ],
)  # fmt: skip
def test_only_what_can_mean_nothing_but_this_machine_is_loopback(host: str, is_here: bool) -> None:
    assert is_loopback(host) is is_here
