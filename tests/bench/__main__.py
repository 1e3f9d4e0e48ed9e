"""`make bench`: the comparison; `scale`, `curve`, `pace` and `life` measure the rest. Only the table is written."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any

from sos.bench.commands import until_stopped
from sos.bench.processes import ProcessFailed
from sos.log import configure_log
from tests.bench.commands import Broke, Skipped
from tests.bench.comparison import compare, say
from tests.bench.overtaking import ROUTINE, overtake
from tests.bench.pace import keep_pace
from tests.bench.scaling import draw_curve, scale

RECIPIENTS = 30_000
ROUNDS = 3


def main() -> int:
    """Exit status 1 if something could not be measured at all."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("compare", "scale", "curve", "pace", "life"), default="compare")
    parser.add_argument(
        "--recipients", type=int, default=RECIPIENTS, help="of our largest run in a comparison or curve"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which the median is taken")
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest size of `scale`")
    chosen = parser.parse_args()
    configure_log("bench", least=logging.WARNING)
    try:
        lines = asyncio.run(until_stopped(_measure(chosen)))
    except (Broke, Skipped, ProcessFailed) as broken:
        say(f"not measured: {broken}")
        return 1
    except asyncio.CancelledError:
        say("stopped")
        return 1
    print("\n".join(lines))
    return 0


def _measure(chosen: argparse.Namespace) -> Coroutine[Any, Any, list[str]]:
    match chosen.what:
        case "scale":
            return scale(chosen.most)
        case "curve":
            return draw_curve(chosen.recipients, chosen.rounds)
        case "life":
            return overtake(ROUTINE)
        case "pace":
            return keep_pace()
        case _:
            return compare(chosen.recipients, chosen.rounds)


if __name__ == "__main__":
    sys.exit(main())
