"""`sos worker` with a clock that is wrong, or with shorter pauses than ours, so that a test need not wait minutes.

SOS_FAULTS_CLOCK_SECONDS: how far this process's clock is off. SOS_FAULTS_PAUSE_SECONDS: the first pause after "later".
"""

import importlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from types import ModuleType

from sos.cli import main

OURS = ("sos", "channels", "workers")
PAUSES = ("TRY_AGAIN", "FIRST_PAUSE")
CHANNELS = ("channels.email", "channels.sms", "channels.telegram")


def shift_clock(by: timedelta) -> None:
    """Every way in which our code asks this machine for the time gives a wrong one. The steady clocks stay."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Shifted":
            return cls.fromtimestamp(time.time(), tz)

    true_time, true_gettime, seconds = time.time, time.clock_gettime, by.total_seconds()
    time.time = lambda: true_time() + seconds
    time.clock_gettime = lambda clock: true_gettime(clock) + (seconds if clock == time.CLOCK_REALTIME else 0)
    for module in our_modules():
        if getattr(module, "datetime", None) is datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]


def shorten_pauses(to: timedelta) -> None:
    """Whatever is put off is tried again this soon at first."""
    for module in our_modules():
        for name in PAUSES:
            if isinstance(getattr(module, name, None), timedelta):
                setattr(module, name, to)


def our_modules() -> Iterator[ModuleType]:
    """Everything of ours, the channels included, which are otherwise loaded when they are opened."""
    for name in CHANNELS:
        importlib.import_module(name)
    yield from [module for name, module in sys.modules.items() if name.partition(".")[0] in OURS]


if __name__ == "__main__":
    if off := os.environ.get("SOS_FAULTS_CLOCK_SECONDS"):
        shift_clock(timedelta(seconds=float(off)))
    if pause := os.environ.get("SOS_FAULTS_PAUSE_SECONDS"):
        shorten_pauses(timedelta(seconds=float(pause)))
    main(["worker"])
