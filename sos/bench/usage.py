"""What processes have used, as Linux counts it in /proc; elsewhere nothing is known."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB_PER_MIB = 1024

# The fields of /proc/PID/stat behind the name in parentheses: proc_pid_stat(5).
PARENT, USER, SYSTEM, WAITED_USER, WAITED_SYSTEM = 1, 11, 12, 13, 14


def family_cpu_seconds(pids: Iterable[int]) -> float | None:
    """The CPU time of these processes and of their children, also of those that have ended; None if unknown."""
    stats = {pid: stat for pid in _running() if (stat := _stat(pid))}
    if not stats:
        return None
    heads = set(pids)
    ticks = sum(stat[at] for pid, stat in stats.items() if pid in heads for at in (WAITED_USER, WAITED_SYSTEM))
    family = [stat for pid, stat in stats.items() if pid in heads or stat[PARENT] in heads]
    return (ticks + sum(stat[USER] + stat[SYSTEM] for stat in family)) / TICKS


def peak_rss_mib(pids: Iterable[int]) -> float | None:
    """The most memory that any one of these processes has held; None if unknown."""
    peaks = [found for pid in pids if (found := _peak_kib(pid))]
    return max(peaks) / KIB_PER_MIB if peaks else None


def _running() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()] if PROC.is_dir() else []


def _stat(pid: int) -> list[int] | None:
    """The numbers of a process, in which the letter of its state is 0; None for one that has gone."""
    try:
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2]
    except OSError:
        return None
    return [int(part) if part.lstrip("-").isdecimal() else 0 for part in after_name.split()]


def _peak_kib(pid: int) -> int | None:
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", (PROC / str(pid) / "status").read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) if found else None
