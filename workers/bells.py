"""The doorbell: arq's worker, which hears that work is due; begun again whenever Redis has gone."""

import asyncio
import contextlib
import json
import signal
from typing import Any

import structlog
from arq.worker import Worker, func
from redis.exceptions import RedisError

from sos.jobs import BELL
from sos.runtime import Runtime, dump_job, open_redis
from workers.going import finish, pauses, wait
from workers.jobs import LONGEST_JOB, Jobs, do_work

AT_ONCE = 10
LAST_WORDS_SECONDS = 4

log = structlog.get_logger()


async def answer_bells(runtime: Runtime, jobs: Jobs, stop: asyncio.Event) -> None:
    """Do what is rung for until asked to stop. arq's worker ends when Redis does; the sweep goes on meanwhile."""
    waits = pauses()
    unfinished: set[asyncio.Task[Any]] = set()  # what was being done when Redis went is done to its end
    try:
        while not stop.is_set():
            worker = _open_worker(runtime, jobs)
            try:
                await _answer_until(stop, worker)
            except (RedisError, OSError) as gone:
                pause = next(waits)
                log.warning("redis.lost", error=type(gone).__name__, retry_seconds=pause)
                await wait(stop, pause)
            unfinished = {task for task in (*unfinished, *worker.tasks.values()) if not task.done()}
    finally:
        await finish(unfinished, LAST_WORDS_SECONDS)


def _open_worker(runtime: Runtime, jobs: Jobs) -> Worker:
    async def ring(ctx: dict[Any, Any], work_id: int) -> None:
        await do_work(runtime, jobs, work_id)

    return Worker(
        functions=[func(ring, name=BELL, max_tries=1)],
        redis_pool=open_redis(runtime.settings.redis_url),
        handle_signals=False,
        job_completion_wait=LAST_WORDS_SECONDS,
        max_jobs=AT_ONCE,
        job_timeout=LONGEST_JOB.total_seconds() + 5,  # ours ends a job first; after a kill arq's lock lasts 10 s more
        keep_result=0,
        log_results=False,
        retry_jobs=False,
        health_check_interval=30,
        job_serializer=dump_job,
        job_deserializer=json.loads,
    )


async def _answer_until(stop: asyncio.Event, worker: Worker) -> None:
    answering = asyncio.create_task(worker.async_run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            worker.handle_sig_wait_for_completion(signal.SIGTERM)  # takes nothing more, and cancels itself in the end
            await asyncio.wait({answering})
        with contextlib.suppress(asyncio.CancelledError):
            answering.result()
    finally:
        await finish({answering, stopping}, 0)
        await _leave_redis(worker)


async def _leave_redis(worker: Worker) -> None:
    """What arq's own close does, without its failing where Redis is gone or a job was cancelled."""
    with contextlib.suppress(RedisError, OSError):
        await worker.pool.delete(worker.health_check_key)
    with contextlib.suppress(RedisError, OSError):
        await worker.pool.aclose(close_connection_pool=True)
