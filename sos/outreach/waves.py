"""The first wave of an action: what it says of the rest."""

from datetime import datetime
from uuid import UUID

from sos import journal
from sos.actor import SYSTEM
from sos.config import FirstWave
from sos.jobs import Record
from sos.ledger import hold_store
from sos.ledger.delivery import HoldScope
from sos.ledger.pausing import pause_by_itself
from sos.outreach import store
from sos.outreach.plan import Verdict, Wave, judge

FIRST_WAVE = "first_wave"


async def judge_waves(record: Record, rules: FirstWave, now: datetime) -> None:
    """Let the rest of each action go once its first wave has arrived, or pause it and call whoever is on duty."""
    async with record.reading() as conn:
        waiting = await store.first_waves(conn, now)
    for one in waiting:
        verdict = judge(one.wave, rules, one.urgency)
        if verdict is not Verdict.WAIT:
            await _decide(record, one.action_id, one.wave, verdict, now)


async def _decide(record: Record, action_id: UUID, wave: Wave, verdict: Verdict, now: datetime) -> None:
    """Whoever lifts the hold decides; a pause takes its place in the same transaction."""
    async with record.step() as step:
        if not await hold_store.lift_hold(step.conn, HoldScope.WAVE, str(action_id)):
            return
        if verdict is Verdict.STOP:
            await pause_by_itself(step.conn, HoldScope.ABOUT, str(action_id), FIRST_WAVE, now)
        await journal.note(
            step.conn, "wave.judged", SYSTEM, action_id, now, verdict=verdict, settled=wave.settled,
            refused=wave.refused,
        )  # fmt: skip
