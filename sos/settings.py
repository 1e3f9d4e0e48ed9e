"""Settings, read once from the environment and from secret files; whatever is wrong is named in one line."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from channels.base import ChannelName, SmtpServer, TelegramBot, TwilioAccount

LONGEST_DOMAIN = 253
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1035, 2.3.1
SMTP_SECURITY = {"smtps": "tls", "smtp+starttls": "starttls", "smtp": "none"}


class BadSetting(Exception):
    """A setting is missing or wrong; the message names it and says what it should be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between one installation and another."""

    database_url: str
    redis_url: str
    key_file: Path
    host: str
    port: int
    public_url: str
    instance: str
    smtp: SmtpServer | None
    bounce_domain: str
    lmtp_host: str
    lmtp_port: int
    twilio: TwilioAccount | None
    telegram: TelegramBot | None

    @property
    def providers(self) -> tuple[ChannelName, ...]:
        """The channels that can really leave this machine."""
        found = {ChannelName.EMAIL: self.smtp, ChannelName.SMS: self.twilio, ChannelName.TELEGRAM: self.telegram}
        return tuple(name for name, account in found.items() if account)

    @property
    def is_secure(self) -> bool:
        """Whether people reach us by TLS (always, but on this machine's loopback)."""
        return self.public_url.startswith("https://")


class _Environment:
    """The environment, and the names that were asked for (a test compares them with docker-compose.yml)."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        found = self._values.get(name, "").strip() or default
        if found is None:
            raise BadSetting(f"{name} is missing")
        return found

    def secret(self, name: str) -> str:
        """The content of the file that `name` points to."""
        try:
            found = Path(self.text(name)).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as wrong:
            raise BadSetting(f"{name} does not point to a file that can be read") from wrong
        if not found:
            raise BadSetting(f"{name} points to an empty file")
        return found

    def number(self, name: str, default: int) -> int:
        found = self.text(name, str(default))
        if not found.isdecimal() or not 0 < int(found) < 65536:
            raise BadSetting(f"{name} should be a port number between 1 and 65535")
        return int(found)

    def rate(self, name: str, default: int) -> int:
        found = self.text(name, str(default))
        if not found.isdecimal() or not 0 < int(found) <= 1000:
            raise BadSetting(f"{name} should be a number of messages a second between 1 and 1000")
        return int(found)

    def address(self, name: str, default: str | None = None) -> SplitResult:
        """An address in its parts. It is never quoted in a message: it may hold a password."""
        try:
            parts = urlsplit(self.text(name, default).rstrip("/"))
            _ = parts.port  # raises where it is no port
        except ValueError as wrong:
            raise BadSetting(f"{name} is not an address that can be read") from wrong
        return parts

    def has(self, *names: str) -> bool:
        """Whether one of these is set."""
        return any(self._values.get(name, "").strip() for name in names)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises BadSetting."""
    env = _Environment(environment)
    port = env.number("SOS_PORT", 8080)
    return Settings(
        database_url=_database_url(env),
        redis_url=_redis_url(env),
        key_file=Path(env.text("SOS_KEY_FILE")),
        host=env.text("SOS_HOST", "127.0.0.1"),
        port=port,
        public_url=_public_url(env, port),
        instance=env.text("SOS_INSTANCE", ""),
        smtp=_smtp(env) if env.has("SOS_SMTP_URL", "SOS_MAIL_FROM") else None,
        bounce_domain=_bounce_domain(env),
        lmtp_host=env.text("SOS_LMTP_HOST", "127.0.0.1"),
        lmtp_port=env.number("SOS_LMTP_PORT", 2424),
        twilio=_twilio(env) if env.has("SOS_TWILIO_SID", "SOS_TWILIO_FROM") else None,
        telegram=_telegram(env) if env.has("SOS_TELEGRAM_TOKEN_FILE") else None,
    )


def _database_url(env: _Environment) -> str:
    """The database's address, with the password from its own file where there is one."""
    parts = env.address("SOS_DATABASE_URL")
    if parts.scheme not in ("postgresql", "postgres"):
        raise BadSetting("SOS_DATABASE_URL should look like postgresql://user@host/database")
    if not env.has("SOS_DATABASE_PASSWORD_FILE"):
        return env.text("SOS_DATABASE_URL")
    if not parts.username:
        raise BadSetting("SOS_DATABASE_URL names nobody whose password SOS_DATABASE_PASSWORD_FILE could be")
    password, server = quote(env.secret("SOS_DATABASE_PASSWORD_FILE"), safe=""), parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:{password}@{server}").geturl()


def _redis_url(env: _Environment) -> str:
    parts = env.address("SOS_REDIS_URL")
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise BadSetting("SOS_REDIS_URL should look like redis://host:6379/0 or unix://path?db=0")
    return env.text("SOS_REDIS_URL")


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _public_url(env: _Environment, port: int) -> str:
    parts = env.address("SOS_PUBLIC_URL", f"http://localhost:{port}")
    if parts.scheme == "https" and parts.hostname:
        return parts.geturl()
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return parts.geturl()
    raise BadSetting("SOS_PUBLIC_URL should begin with https:// (http:// only on this machine itself)")


def _smtp(env: _Environment) -> SmtpServer:
    parts = env.address("SOS_SMTP_URL")
    security = SMTP_SECURITY.get(parts.scheme)
    if not security or not parts.hostname:
        raise BadSetting("SOS_SMTP_URL should look like smtps://user@host:465 or smtp+starttls://user@host:587")
    if security == "none" and not (is_loopback(parts.hostname) or "." not in parts.hostname):
        raise BadSetting("SOS_SMTP_URL may be smtp:// only on this machine or inside one container network")
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or {"tls": 465, "starttls": 587, "none": 25}[security],
        security=security,
        sender=env.text("SOS_MAIL_FROM"),
        username=unquote(parts.username or ""),
        password=env.secret("SOS_SMTP_PASSWORD_FILE") if parts.username else "",
        ca_file=env.text("SOS_SMTP_CA_FILE", ""),
    )


def _bounce_domain(env: _Environment) -> str:
    """The domain of return paths, in small letters; empty where bounces do not come home."""
    domain = env.text("SOS_BOUNCE_DOMAIN", "").lower()
    if domain and (len(domain) > LONGEST_DOMAIN or not DOMAIN.fullmatch(domain)):
        raise BadSetting("SOS_BOUNCE_DOMAIN should be a domain like bounces.network.example, in ASCII")
    return domain


def _twilio(env: _Environment) -> TwilioAccount:
    return TwilioAccount(
        url=_provider_url(env, "SOS_TWILIO_URL", "https://api.twilio.com"),
        sid=env.text("SOS_TWILIO_SID"),
        token=env.secret("SOS_TWILIO_TOKEN_FILE"),
        sender=env.text("SOS_TWILIO_FROM"),
        per_second=env.rate("SOS_SMS_PER_SECOND", 1),
    )


def _telegram(env: _Environment) -> TelegramBot:
    return TelegramBot(
        url=_provider_url(env, "SOS_TELEGRAM_URL", "https://api.telegram.org"),
        token=env.secret("SOS_TELEGRAM_TOKEN_FILE"),
        webhook_secret=env.secret("SOS_TELEGRAM_SECRET_FILE"),
    )


def _provider_url(env: _Environment, name: str, default: str) -> str:
    parts = env.address(name, default)
    if not parts.hostname or (parts.scheme != "https" and not is_loopback(parts.hostname)):
        raise BadSetting(f"{name} should begin with https://")
    return parts.geturl()
