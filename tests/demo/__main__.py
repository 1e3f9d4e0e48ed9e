"""`make demo`: play the story, count what arrived, and say so."""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.demo.counting import Count, by_channel_and_language
from tests.demo.desk import StoryBroke
from tests.demo.instance import Failed, make_directory, open_instance
from tests.demo.page import NotOffered
from tests.demo.people import open_browsers
from tests.demo.story import Story, Told, notice_a_double, prepare, run_processes

BEGAN = time.monotonic()


def say(line: str) -> None:
    """A line of progress."""
    print(f"{time.monotonic() - BEGAN:5.0f} s  {line}", flush=True)


async def tell(directory: Path, contacts: int) -> Told:
    """Everything, in a directory of its own. Raises StoryBroke, Failed, NotOffered."""
    async with AsyncExitStack() as stack:
        say("Starting PostgreSQL and Valkey, a mail server, and stand-ins for Twilio and Telegram")
        instance = await stack.enter_async_context(open_instance(directory))
        told = await prepare(instance, say, contacts=contacts)
        await run_processes(instance)
        say("Two web processes and two workers run")
        browsers = await stack.enter_async_context(open_browsers(instance.url))
        await Story(instance, browsers, say, told).play()
        doubled = await notice_a_double(instance, told)
        say(f"A mail sent twice on purpose: the counting finds {len(doubled.duplicates)} duplicate, none without it")
    return told


def table(told: Told) -> list[str]:
    """What became of everything, counted from what the sinks received."""
    assert told.call
    assert told.thanks
    call, thanks = told.call, told.thanks
    pages = ", ".join(f"{one.pages} ({one.language})" for one in told.letters)
    unreached = len(told.contacts) - call.wanted - told.called
    organisations, individuals, countries = next((one.signed for one in told.letters if one.signed), (0, 0, 0))
    lost, doubled, misdirected = (
        sum(len(some) for some in kind) for kind in zip(*(_failures(one) for one in told.counts), strict=True)
    )
    return [
        "",
        "The letter, delivered",
        *by_channel_and_language(call),
        "",
        f"  contacts      {len(told.contacts):>6}   {call.wanted} by machine, {told.called} by a person,"
        f" {unreached} by nobody",
        f"  delivered     {call.arrived:>6}   and {thanks.arrived} of {thanks.wanted} signers thanked",
        f"  signed        {organisations + individuals:>6}   {organisations} organisations, {individuals} individuals"
        f" from {countries} countries, as the letter says",
        f"  letters       {len(told.letters):>6}   pages: {pages}",
        f"  stopped       {told.stopped_after:>6}   of {told.would_have_reached} when the alert was stopped",
        f"  misdirected   {misdirected:>6}",
        f"  duplicates    {doubled:>6}",
        f"  lost          {lost:>6}",
    ]


def complaints(counts: Sequence[Count]) -> list[str]:
    """Each that was lost, doubled or misdirected."""
    kinds = ("lost", "doubled", "misdirected")
    failed = [(kind, who) for one in counts for kind, some in zip(kinds, _failures(one), strict=True) for who in some]
    return [f"{kind}: {who}" for kind, who in failed]


def _failures(counted: Count) -> tuple[tuple[str, ...], ...]:
    return counted.lost, counted.duplicates, counted.misdirected


def main() -> int:
    """Exit status 1 if anything was lost, doubled or misdirected, or did not happen as the story tells it."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--contacts", type=int, default=0, help="about so many of the list's contacts (default: all)")
    parser.add_argument("--keep", action="store_true", help="keep the installation's directory")
    chosen = parser.parse_args()
    directory = make_directory()
    try:
        told = asyncio.run(tell(directory, chosen.contacts))
    except (StoryBroke, NotOffered, Failed) as broken:
        say(f"The story broke: {broken}")
        return 1
    finally:
        if chosen.keep:
            say(f"Kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    print("\n".join(table(told)))
    wrong = complaints(told.counts)
    print("\n".join(["", *wrong, f"Ended after {time.monotonic() - BEGAN:.0f} s"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
