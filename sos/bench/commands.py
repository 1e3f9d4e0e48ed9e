"""`sos bench`: figures as one JSON line on standard output, progress on standard error."""

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

import click

from sos.bench.fanout import FanoutFigures, LaunchFigures, Plan, measure_fanout, measure_launch
from sos.bench.processes import ProcessFailed
from sos.embedded import CannotServe
from sos.log import configure_log
from sos.settings import BadSetting

T = TypeVar("T")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

RECIPIENTS = click.option("--recipients", type=click.IntRange(min=1), required=True, help="So many contacts.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON line instead of a list.")


@click.group()
def bench() -> None:
    """Measure this machine, in an installation of its own that is removed afterwards."""
    configure_log("bench", least=logging.WARNING)


@bench.command()
@RECIPIENTS
@click.option("--smtp", required=True, metavar="HOST:PORT", help="A mail server on this machine that takes all.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--unsettled", type=click.IntRange(min=1), help="So many mails of a worker may be unsettled.")
@AS_JSON
def fanout(recipients: int, smtp: str, workers: int, unsettled: int | None, *, as_json: bool) -> None:
    """A letter to a seeded network by email, from its launch until everything is settled."""
    figures = _run(measure_fanout(Plan(recipients, smtp, workers, unsettled), _Progress().say))
    _show(figures, as_json=as_json)
    sys.exit(0 if figures.is_whole else 1)


@bench.command()
@RECIPIENTS
@AS_JSON
def launch(recipients: int, *, as_json: bool) -> None:
    """Only the launch: the ledger of so many messages, written in one statement."""
    _show(_run(measure_launch(recipients, _Progress().say)), as_json=as_json)


class _Progress:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        click.echo(f"{time.monotonic() - self._began:6.1f} s  {line}", err=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; asked to stop, it cleans up first."""
    try:
        return asyncio.run(until_stopped(work))
    except (BadSetting, CannotServe, ProcessFailed) as wrong:
        raise click.ClickException(str(wrong)) from wrong
    except asyncio.CancelledError:
        raise click.Abort from None


async def until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; INT, TERM and HUP cancel it, so that it cleans up. Raises CancelledError then."""
    task = asyncio.create_task(work)
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _show(figures: FanoutFigures | LaunchFigures, *, as_json: bool) -> None:
    known = {name: value for name, value in asdict(figures).items() if value is not None}
    click.echo(json.dumps(known) if as_json else "\n".join(f"{name:<22}{value}" for name, value in known.items()))
