"""Workers that die, stand still, or are told to go."""

import asyncio
import signal
import time

from tests.faults.oracle import Verdict, judge
from tests.faults.rows import Measure, Row
from tests.faults.servers import Servers, by_email, everybody
from tests.faults.stage import end, kill, mailing

WINDOW = 128  # emails that one worker may have marked and not settled
DEATHS = 5
RESTARTS = 10
GOES_ON_SECONDS = 15.0


async def one_of_two(servers: Servers, measure: Measure) -> Verdict:
    """SIGKILL of one worker; nobody starts it again."""
    async with mailing(servers, measure.recipients, measure.seconds) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 4)
        killed_at = time.monotonic()
        kill(stage.workers[0])
        await stage.until_over()
    silence = stage.inbox.longest_silence(killed_at)
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=WINDOW, went_on=silence,
        within=GOES_ON_SECONDS,
    )  # fmt: skip


async def all_of_them(servers: Servers, measure: Measure) -> Verdict:
    """SIGKILL of both, five times; each time both are started again at once."""
    async with mailing(servers, measure.recipients, 2 * measure.seconds) as (stage, _):
        await stage.launch()
        deaths = round(measure.lasting(DEATHS, 3))
        killed_at: list[float] = []
        for _ in range(deaths):
            await stage.until_arrived(len(stage.inbox) + measure.recipients // 12)
            killed_at.append(time.monotonic())
            for worker in stage.workers.values():
                kill(worker)
            await asyncio.gather(*map(end, stage.workers.values()))
            await stage.start_workers()
        await stage.until_over()
    went_on = [stage.inbox.first_after(at + 0.2) or float("inf") for at in killed_at]
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=2 * deaths * WINDOW,
        went_on=max(*went_on, stage.inbox.longest_silence(killed_at[0])), within=GOES_ON_SECONDS,
    )  # fmt: skip


async def zombie(servers: Servers, measure: Measure) -> Verdict:
    """SIGSTOP until the lease is long over and others have taken up what it held, then SIGCONT."""
    async with mailing(servers, measure.recipients, measure.seconds) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 4)
        stopped_at = time.monotonic()
        kill(stage.workers[0], signal.SIGSTOP)
        await asyncio.sleep(measure.lasting(60, 16))
        kill(stage.workers[0], signal.SIGCONT)
        await asyncio.sleep(1)
        await stage.until_over()
    return judge(
        everybody(by_email, measure.recipients), stage.inbox.arrivals, allowed=WINDOW,
        went_on=stage.inbox.first_after(stopped_at), within=1.0,
    )  # fmt: skip


async def rolling(servers: Servers, measure: Measure) -> Verdict:
    """SIGTERM to one worker after the other, ten times, each followed by a new one."""
    async with mailing(servers, measure.recipients, measure.lasting(3, 2) * measure.seconds) as (stage, _):
        await stage.launch()
        await stage.until_arrived(measure.recipients // 20)
        for number in range(round(measure.lasting(RESTARTS, 4))):
            worker = stage.workers[number % 2]
            kill(worker, signal.SIGTERM)
            await end(worker)
            await stage.start_worker(number % 2)
        await stage.until_over()
    return judge(everybody(by_email, measure.recipients), stage.inbox.arrivals)


ROWS = (
    Row("kill-one", "SIGKILL of one of two workers", one_of_two),
    Row("kill-all", "SIGKILL of all workers, five times", all_of_them),
    Row("zombie", "SIGSTOP of a worker, then on", zombie, waits=True),
    Row("rolling", "SIGTERM, ten rolling restarts", rolling),
)
