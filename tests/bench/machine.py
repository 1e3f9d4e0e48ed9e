"""On what was measured: without it a figure says nothing."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from tests.bench.commands import ROOT


def describe_machine(postgres: str) -> list[str]:
    """Processor, cores, kernel, versions, load, and which state of the code."""
    return [
        f"processor   {_processor()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.2f}",
        f"kernel      {platform.system()} {platform.release()} ({platform.machine()})",
        f"versions    Python {platform.python_version()}, PostgreSQL {postgres}",
        f"code        {_commit()}",
    ]


def _processor() -> str:
    if sys.platform == "darwin":
        return subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        ).stdout.strip()  # fmt: skip
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.M)
    return found[1] if found else platform.processor() or "unknown processor"


def _commit() -> str:
    """The commit, and whether something has been changed since."""
    commit, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit or 'unknown commit'}{', with changes that are not committed' if changes else ''}"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()  # fmt: skip
    except OSError:
        return ""
