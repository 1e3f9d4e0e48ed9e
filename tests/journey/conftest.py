"""The story, played once on an installation of its own with some of the members; its tests look at what it left."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tests.demo.instance import Instance, make_directory, open_instance
from tests.demo.people import Browsers, open_browsers
from tests.demo.story import Story, Told, prepare, run_processes

T = TypeVar("T")

CONTACTS = 30
SMS_PER_SECOND = 5  # slow enough to stop an alert half-way, with so few


@dataclass
class Played:
    """An installation on which the story was played; it still runs, in a loop that goes on only inside `run`."""

    runner: asyncio.Runner
    instance: Instance
    browsers: Browsers
    told: Told

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with it."""
        return self.runner.run(work)


@pytest.fixture(scope="package")
def played() -> Iterator[Played]:
    """The story in a small setting."""
    directory = make_directory()
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        stack = AsyncExitStack()
        try:
            instance = runner.run(stack.enter_async_context(open_instance(directory, sms_per_second=SMS_PER_SECOND)))
            browsers = runner.run(stack.enter_async_context(open_browsers(instance.url)))
            told = runner.run(_play(instance, browsers))
            yield Played(runner, instance, browsers, told)
        finally:
            runner.run(stack.aclose())
            shutil.rmtree(directory, ignore_errors=True)


async def _play(instance: Instance, browsers: Browsers) -> Told:
    told = await prepare(instance, print, contacts=CONTACTS)
    await run_processes(instance)
    return await Story(instance, browsers, print, told, quiet_seconds=1.0).play()
