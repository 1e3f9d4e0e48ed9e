"""An installation of its own in one directory: servers, a real network, two web processes and two workers."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp

from sos.embedded import EmbeddedPostgres, EmbeddedValkey
from sos.supervisor import Child, spawn
from tests.demo.people import Staff
from tests.demo.sinks import Sinks, open_sinks

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 60.0
SMS_PER_SECOND = 25  # a single long code may send one a second, and the story has 160


class Failed(Exception):
    """A command or a process of the installation did not do its work."""


@dataclass
class Process:
    """One process of the installation, in a session of its own."""

    child: Child
    popen: subprocess.Popen[bytes]

    @property
    def runs(self) -> bool:
        return self.popen.poll() is None

    async def stop(self) -> None:
        """Ask it to end by its id; what does not end is killed with its own group."""
        self.popen.send_signal(self.child.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.popen.wait, self.child.grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        await asyncio.to_thread(self.popen.wait)


async def start(child: Child) -> Process:
    """Start a process and wait until it is ready. Raises Failed."""
    assert child.log
    with child.log.open("ab") as log:
        process = Process(child, spawn(child, log.fileno()))
    until = time.monotonic() + READY_WITHIN_SECONDS
    while child.ready and not await child.ready():
        if not process.runs or time.monotonic() > until:
            await process.stop()
            raise Failed(f"{child.name} does not start; its log is {child.log}")
        await asyncio.sleep(0.05)
    return process


@dataclass
class Instance:
    """The installation: where it is, how its commands are run, and what runs."""

    directory: Path
    port: int
    settings: Mapping[str, str]
    sinks: Sinks
    recovery_words: str = ""
    processes: list[Process] = field(default_factory=list[Process])

    @property
    def url(self) -> str:
        """The public address."""
        return self.settings["SOS_PUBLIC_URL"]

    @property
    def database_url(self) -> str:
        return self.settings["SOS_DATABASE_URL"]

    @property
    def logs(self) -> list[Path]:
        """The logs of every process that ever ran here."""
        return [path for path in self.directory.rglob("*") if path.name == "log" or path.suffix == ".log"]

    async def command(self, *arguments: str, typed: str = "") -> str:
        """Run the real `sos` command; what it prints. Raises Failed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sos.cli", *arguments, cwd=ROOT, env={**os.environ, **self.settings},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        printed, complaint = await process.communicate(typed.encode())
        if process.returncode:
            raise Failed(f"sos {arguments[0]} ended with {process.returncode}: {complaint.decode()[-2000:]}")
        return printed.decode()

    async def found(self) -> None:
        """Found a real network, and type the last group of the recovery key as somebody who wrote it down would."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sos.cli", "found", cwd=ROOT, env={**os.environ, **self.settings},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(3)]
        self.recovery_words = lines[-1]
        await process.communicate(f"{self.recovery_words.split()[-1]}\n".encode())
        if process.returncode:
            raise Failed("sos found did not take the recovery key")

    async def add_staff(self, person: Staff) -> None:
        """Let somebody join the secretariat; her authenticator takes up what the command prints."""
        options = {"login": person.login, "name": person.name, "language": person.language}
        options |= {"email": person.email, "sms": person.sms}
        given = [part for name, value in options.items() if value for part in (f"--{name}", value)]
        given += [part for role in person.roles for part in ("--role", role)]
        given += ["--on-duty"] if person.on_duty else []
        printed = await self.command("staff", "add", *given, typed=f"{person.passphrase}\n" * 2)
        found = re.search(r"otpauth://\S+", printed)
        if found is None:
            raise Failed("sos staff add printed no secret for an authenticator")
        person.totp_secret = parse_qs(urlsplit(found[0]).query)["secret"][0]

    async def start(self, what: str, name: str, *, port: int = 0) -> Process:
        """Start a web process or a worker, under a name of its own; at another port if one is given."""
        own = {"SOS_PORT": str(port)} if port else {}
        child = Child(
            name=name,
            argv=(sys.executable, "-m", "sos.cli", what),
            env={**self.settings, **own},
            cwd=ROOT,
            log=self.directory / f"{name}.log",
            ready=lambda: _answers(f"http://127.0.0.1:{port or self.port}/healthz"),
        )
        process = await start(child)
        self.processes.append(process)
        return process

    async def stop(self) -> None:
        """End every web process and worker."""
        while self.processes:
            await self.processes.pop().stop()

    def require_all_running(self) -> None:
        """Raises Failed if a process has ended by itself."""
        ended = [process.child.name for process in self.processes if not process.runs]
        if ended:
            raise Failed(f"ended by themselves: {', '.join(ended)}")

    def require_calm_logs(self) -> None:
        """Raises Failed if a process has logged what a person must act on."""
        for path in self.logs:
            errors = [line for line in path.read_text("utf-8", "replace").splitlines() if '"level": "error"' in line]
            if errors:
                raise Failed(f"{path.name} holds an error: {errors[0]}")


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def open_instance(directory: Path, *, sms_per_second: int = SMS_PER_SECOND) -> AsyncIterator[Instance]:
    """An empty installation with its providers; everything that it started has ended afterwards."""
    async with AsyncExitStack() as stack:
        keeper = stack.enter_context(reserve_port())
        port = int(keeper.getsockname()[1])
        sinks = await stack.enter_async_context(open_sinks(f"http://127.0.0.1:{port}"))
        postgres = EmbeddedPostgres(directory / "postgres", shelter=directory)
        valkey = EmbeddedValkey(directory / "valkey")
        for server in (postgres, valkey):
            stack.callback(server.close)
            process = await start(server.prepare())
            stack.push_async_callback(process.stop)
        settings = _settings(directory, port, sinks)
        settings |= {"SOS_DATABASE_URL": postgres.url(), "SOS_REDIS_URL": valkey.url()}
        settings |= {"SOS_SMS_PER_SECOND": str(sms_per_second)}
        instance = Instance(directory, port, settings, sinks)
        stack.push_async_callback(instance.stop)
        yield instance


def make_directory() -> Path:
    """A new directory for an installation; PostgreSQL runs as nobody where root starts it, and has to pass through."""
    directory = Path(tempfile.mkdtemp(prefix="sos-demo-"))
    directory.chmod(0o711)
    return directory


@contextlib.contextmanager
def reserve_port() -> Iterator[socket.socket]:
    """A port of this machine that nobody else is given, while several processes of ours may listen there."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper


def _settings(directory: Path, port: int, sinks: Sinks) -> dict[str, str]:
    twilio, bot, mail = sinks.twilio.account, sinks.telegram.bot, sinks.mail.server
    secrets = {"twilio": twilio.token, "bot": bot.token, "webhook": bot.webhook_secret}
    for name, secret in secrets.items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(secret)
    return {
        "PYTHONUNBUFFERED": "1",
        "SOS_HOST": "127.0.0.1",
        "SOS_PORT": str(port),
        "SOS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SOS_KEY_FILE": str(directory / "keys"),
        "SOS_SMTP_URL": f"smtp://{mail.host}:{mail.port}",
        "SOS_MAIL_FROM": mail.sender,
        "SOS_TWILIO_URL": twilio.url,
        "SOS_TWILIO_SID": twilio.sid,
        "SOS_TWILIO_TOKEN_FILE": str(directory / "twilio"),
        "SOS_TWILIO_FROM": twilio.sender,
        "SOS_TELEGRAM_URL": bot.url,
        "SOS_TELEGRAM_TOKEN_FILE": str(directory / "bot"),
        "SOS_TELEGRAM_SECRET_FILE": str(directory / "webhook"),
    }
