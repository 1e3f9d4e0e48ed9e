"""`sos up`: everything on one machine, for practice."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from sos.config import read_config
from sos.database import migrate, open_pool
from sos.embedded import Servers, open_servers
from sos.jobs import Record, RedisBell
from sos.log import configure_log
from sos.practice.seed import is_seeded, seed_practice
from sos.runtime import find_network, open_redis, utc_now
from sos.settings import Settings, read_settings
from sos.supervisor import Child, supervise
from sos.vault import KeyFile

STATE = Path(__file__).parent.parent / ".sos"
PROBE = aiohttp.ClientTimeout(total=2)
PAGES = ("/ choose a language", "/en/report file a report", "/desk the secretariat", "/demo accounts, phones, a tour")


def run(environment: Mapping[str, str]) -> int:
    """Start everything in order, say `ready`, and stay until stopped. Raises BadSetting, CannotServe."""
    configure_log("up", least=logging.WARNING)  # here a person reads along
    state = Path(environment.get("SOS_STATE", "") or STATE)
    key_file = Path(environment.get("SOS_KEY_FILE", "") or state / "keys")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = {name: environment.get(name, "") for name in ("SOS_DATABASE_URL", "SOS_REDIS_URL")}
    with open_servers(state, database_url=given["SOS_DATABASE_URL"], redis_url=given["SOS_REDIS_URL"]) as servers:
        own = {
            "SOS_DATABASE_URL": servers.database_url, "SOS_REDIS_URL": servers.redis_url, "SOS_KEY_FILE": str(key_file),
        }  # fmt: skip
        settings = read_settings({**environment, **own})
        return supervise(_children(servers, settings, own), on_ready=lambda: _say_ready(settings))


def _children(servers: Servers, settings: Settings, own: Mapping[str, str]) -> list[Child]:
    async def prepare() -> None:
        await prepare_practice(settings)

    async def answers() -> bool:
        return await _answers(f"http://{settings.host}:{settings.port}/healthz")

    command = (sys.executable, "-m", "sos.cli")
    web = Child(name="web", argv=(*command, "web"), env=own, before=prepare, ready=answers)
    worker = Child(name="worker", argv=(*command, "worker"), env=own)
    return [*servers.children, web, worker]


async def prepare_practice(settings: Settings) -> None:
    """A key file, the newest schema and, the first time, a practice network."""
    if not settings.key_file.exists():
        KeyFile.create(settings.key_file)
    await migrate(settings.database_url)
    pool = await open_pool(settings.database_url, size=2)
    redis = open_redis(settings.redis_url)
    try:
        async with pool.connection() as conn:
            network = await find_network(conn)
            is_whole = network is not None and (not network.is_practice or await is_seeded(conn))
        if not is_whole and not settings.providers:
            print("Filling a practice network (once) …", flush=True)
            record = Record(pool, RedisBell(redis))
            await seed_practice(record, KeyFile.read(settings.key_file), read_config(), utc_now())
    finally:
        await redis.aclose()
        await pool.close()


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(trust_env=False, timeout=PROBE) as session, session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError):
        return False


def _say_ready(settings: Settings) -> None:
    for page in PAGES:
        path, _, what = page.partition(" ")
        print(f"  {settings.public_url}{path:<12} {what}")
    print("ready", flush=True)
