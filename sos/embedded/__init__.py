"""PostgreSQL and Valkey without installing anything: from the virtual environment, else from this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sos.embedded.place import CannotServe
from sos.embedded.postgres import EmbeddedPostgres
from sos.embedded.valkey import EmbeddedValkey
from sos.embedded.ways import AsRoot
from sos.supervisor import Child

__all__ = ["AsRoot", "CannotServe", "EmbeddedPostgres", "EmbeddedValkey", "Servers", "open_servers"]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the database and the doorbell are, and which processes to supervise for that."""

    database_url: str
    redis_url: str
    children: tuple[Child, ...]


@contextmanager
def open_servers(state: Path, *, database_url: str = "", redis_url: str = "") -> Iterator[Servers]:
    """Prepare below `state` each server for which no URL is given; raises CannotServe."""
    children: list[Child] = []
    with ExitStack() as closing:
        if not database_url:
            postgres = EmbeddedPostgres(state / "postgres")
            closing.callback(postgres.close)
            children.append(postgres.prepare())
            database_url = postgres.url()
        if not redis_url:
            valkey = EmbeddedValkey(state / "valkey")
            closing.callback(valkey.close)
            children.append(valkey.prepare())
            redis_url = valkey.url()
        yield Servers(database_url, redis_url, tuple(children))
