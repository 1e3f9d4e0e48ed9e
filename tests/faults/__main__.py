"""`make faults N=10000`: play every fault of the table in mid fan-out, and judge by what arrived."""

import argparse
import asyncio
import logging
import sys
import time

from sos.bench.commands import until_stopped
from sos.log import configure_log
from tests.faults.table import ROWS, Played, play_rows, table

RECIPIENTS = 2000
BEGAN = time.monotonic()


def say(line: str) -> None:
    """A line of progress."""
    print(f"{time.monotonic() - BEGAN:5.0f} s  {line}", flush=True)


def main() -> int:
    """Exit status 1 if a promise was not kept."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--recipients", type=int, default=RECIPIENTS)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--short", action="store_true", help="outages as short as in the tests")
    parser.add_argument("--at-once", type=int, default=1, help="so many rows side by side")
    chosen = parser.parse_args()
    configure_log("faults", least=logging.ERROR)
    rows = [row for row in ROWS if row.name in chosen.only]

    def tell(played: Played) -> None:
        say(played.line)

    try:
        played = asyncio.run(
            until_stopped(
                play_rows(rows, chosen.recipients, is_full=not chosen.short, at_once=chosen.at_once, tell=tell)
            )
        )
    except asyncio.CancelledError:
        say("stopped")
        return 1
    print("\n".join(["", *table(played)]))
    return 0 if all(one.holds for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())
