"""Later work: one line for each job, and doing one piece of it exactly as often as it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

import structlog

from sos.intake.steps import TELL_DUTY, tell_duty
from sos.jobs import LEASE, finish_work, put_back_work, take_work
from sos.letters.steps import TYPESET_LETTER, close, typeset_letter
from sos.outreach.steps import CLOSE_ACTION
from sos.runtime import Runtime

Job = Callable[[Runtime, UUID], Awaitable[None]]
Jobs = Mapping[str, Job]


async def _tell_duty(runtime: Runtime, report_id: UUID) -> None:
    await tell_duty(runtime.record, runtime.config, report_id, runtime.clock())


async def _close_action(runtime: Runtime, action_id: UUID) -> None:
    await close(runtime, action_id, runtime.clock())


JOBS: Jobs = {TELL_DUTY: _tell_duty, CLOSE_ACTION: _close_action, TYPESET_LETTER: typeset_letter}

LONGEST_JOB = timedelta(seconds=60)
assert LONGEST_JOB < LEASE  # nobody else takes a piece of work while it is being done

log = structlog.get_logger()


async def do_work(runtime: Runtime, jobs: Jobs, work_id: int) -> None:
    """Take a piece of work, do it, and finish it; on failure put it back for later. Work of others is left alone."""
    async with runtime.record.pool.connection() as conn:
        work = await take_work(conn, work_id, runtime.clock())
    if work is None:
        return
    try:
        async with asyncio.timeout(LONGEST_JOB.total_seconds()):
            await jobs[work.name](runtime, work.subject_id)
    except asyncio.CancelledError:
        await _put_back(runtime, work_id)
        raise
    except Exception:
        log.exception("work.failed", work=work_id, name=work.name, subject_id=str(work.subject_id))
        await _put_back(runtime, work_id)
        return
    async with runtime.record.pool.connection() as conn:
        await finish_work(conn, work_id, runtime.clock())


async def _put_back(runtime: Runtime, work_id: int) -> None:
    async with runtime.record.pool.connection() as conn:
        await put_back_work(conn, work_id, runtime.clock())
