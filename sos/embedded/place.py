"""Where an embedded server lives: its directory, its lock, its sockets; and where its programs are."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import stat
import time
from pathlib import Path

LOCK_WAIT_SECONDS = 5.0
SOCKETS = Path("/tmp")  # noqa: S108 - not TMPDIR: every terminal must find the same short path (limit: about 107 bytes)


class CannotServe(Exception):
    """No server can run here; the message says in one line why, or what to do."""


class Place:
    """A server's directory, and the short private directory of its sockets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.name = f"sos-{hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]}"
        self.sockets = SOCKETS / self.name
        self.held: tuple[int, ...] = ()

    def lock(self) -> None:
        """Hold the directory until the last process that inherits `held` has ended; raises CannotServe."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            raise CannotServe(f"{self.directory} belongs to another user: run this as that user") from None
        if not _lock_within(LOCK_WAIT_SECONDS, descriptor):
            os.close(descriptor)
            raise CannotServe(f"Already running over {self.directory}: stop that one first")
        self.held = (descriptor,)

    def open_sockets(self, owner: tuple[int, int] | None) -> None:
        """Make the directory of the sockets, empty and for the server alone; raises CannotServe."""
        try:
            self.sockets.mkdir(mode=0o700)
        except FileExistsError:
            self._check_sockets(owner)
        for left in self.sockets.iterdir():
            left.unlink()
        os.chown(self.sockets, *(owner or (-1, -1)))

    def close(self) -> None:
        """Let go of both; does nothing for a place that is not held."""
        for descriptor in self.held:
            shutil.rmtree(self.sockets, ignore_errors=True)
            os.close(descriptor)
        self.held = ()

    def _check_sockets(self, owner: tuple[int, int] | None) -> None:
        found = self.sockets.lstat()
        ours = {os.geteuid(), self.directory.stat().st_uid, *(owner or ())[:1]}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours or stat.S_IMODE(found.st_mode) != 0o700:
            raise CannotServe(f"{self.sockets} was not made by us: remove it")


def package(name: str) -> Path | None:
    """The directory of an installed package, without importing it."""
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent.resolve() if found and found.origin else None


def _lock_within(seconds: float, descriptor: int) -> bool:
    """Wait that long, because a server whose supervisor was killed takes a moment to end."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        else:
            return True
