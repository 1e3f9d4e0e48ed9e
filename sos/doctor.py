"""`sos doctor`: whether this installation can do its work, line by line."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from redis.exceptions import RedisError

from sos.config import read_config
from sos.database import Connection, connect, migrations, schema_version, value
from sos.runtime import find_network, open_redis, require_matching_network, utc_now
from sos.settings import BadSetting, Settings, read_settings
from sos.vault import BadKeyFile, KeyFile

LEAST_DISK_BYTES = 2 * 1024**3
MOST_CLOCK_DRIFT = timedelta(seconds=5)
FEWEST_READERS = 2
CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    detail: str


async def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Look at everything; what cannot be looked at is bad."""
    try:
        settings = read_settings(environment)
        read_config()
    except BadSetting as wrong:
        return [Finding("settings", False, str(wrong))]
    findings = [Finding("settings", True, "complete"), _key_file(settings), await _redis(settings), _disk()]
    findings += _bounces(settings)
    try:
        async with connect(settings.database_url) as conn:
            findings += await _database(conn, settings)
    except psycopg.OperationalError as wrong:
        findings.append(Finding("database", False, type(wrong).__name__))
    return findings


def _key_file(settings: Settings) -> Finding:
    try:
        KeyFile.read(settings.key_file)
    except BadKeyFile:
        return Finding("key file", False, "missing, damaged, or readable by others")
    return Finding("key file", True, "readable by its owner only")


def _bounces(settings: Settings) -> list[Finding]:
    """Only where mail really leaves can it come back."""
    if not settings.smtp:
        return []
    if not settings.bounce_domain:
        missing = "SOS_BOUNCE_DOMAIN is missing: bounces will not come home, and dead addresses are written to again"
        return [Finding("bounces", False, missing)]
    return [Finding("bounces", True, f"come home to {settings.bounce_domain}, if its MX record leads here")]


async def _redis(settings: Settings) -> Finding:
    redis = open_redis(settings.redis_url)
    try:
        await redis.ping()
    except (RedisError, OSError):
        return Finding("redis", False, "does not answer; nothing is lost, but work waits for the sweep")
    finally:
        await redis.aclose()
    return Finding("redis", True, "answers")


def _disk() -> Finding:
    free = shutil.disk_usage(Path(__file__).parent).free
    return Finding("disk", free >= LEAST_DISK_BYTES, f"{free // 1024**2} MiB free")


async def _database(conn: Connection, settings: Settings) -> list[Finding]:
    version, newest = await schema_version(conn), migrations()[-1][0]
    schema = Finding("database", version == newest, f"schema {version} of {newest}")
    if not schema.is_well:
        return [schema]
    drift = abs(await value(conn, "SELECT clock_timestamp()") - utc_now())
    on_duty = await value(conn, "SELECT count(*) FROM staff WHERE on_duty AND left_at IS NULL")
    readers = await value(
        conn, "SELECT count(*) FROM staff WHERE left_at IS NULL AND roles && ARRAY['triage', 'verifier']"
    )
    return [
        schema,
        Finding("clock", drift <= MOST_CLOCK_DRIFT, f"{drift.total_seconds():.1f} s from the database's"),
        await _providers(conn, settings),
        Finding("on duty", on_duty > 0, f"{on_duty} now"),
        Finding("who can open cases", readers >= FEWEST_READERS, f"{readers}, at least {FEWEST_READERS} are needed"),
    ]


async def _providers(conn: Connection, settings: Settings) -> Finding:
    try:
        require_matching_network(await find_network(conn), settings)
    except BadSetting as wrong:
        return Finding("providers", False, str(wrong))
    away = [name for name, address in _addresses(settings).items() if not await _answers(*address)]
    if away:
        return Finding("providers", False, f"no answer from {', '.join(away)}")
    return Finding("providers", True, ", ".join(settings.providers) or "none: practice")


def _addresses(settings: Settings) -> dict[str, tuple[str, int]]:
    """Where each configured provider is."""
    found = {"email": (settings.smtp.host, settings.smtp.port)} if settings.smtp else {}
    for name, account in (("sms", settings.twilio), ("telegram", settings.telegram)):
        if account:
            parts = urlsplit(account.url)
            found[name] = (parts.hostname or "", parts.port or 443)
    return found


async def _answers(host: str, port: int) -> bool:
    """Whether something takes a connection there; nothing is said to it."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
