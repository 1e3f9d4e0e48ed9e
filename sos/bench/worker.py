"""A worker of which more or fewer mails may be unsettled than `sos worker` allows: `python -m sos.bench.worker 64`."""

import os
import sys
from pkgutil import resolve_name

from sos.log import configure_log
from sos.settings import read_settings
from workers.main import run


def main(unsettled: int) -> None:
    """Run the worker until it is asked to stop."""
    configure_log("worker")
    resolve_name("channels.email:EmailChannel").in_flight = unsettled
    run(read_settings(os.environ))


if __name__ == "__main__":
    main(int(sys.argv[1]))
