"""One action with everything about it: texts, approval, preview, deliveries, answers, letter; live while it runs."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web

from sos.actions import store as actions
from sos.actions.action import Action, State, is_checked
from sos.actions.steps import Prepared, find_barred, find_prepared, missing_now, open_targets
from sos.database import Connection
from sos.desk.late_texts import find_late_texts
from sos.endorsements import store as endorsements
from sos.http import id_in, page, runtime_of, words_of
from sos.ledger import hold_store
from sos.ledger import store as ledger
from sos.ledger.delivery import Hold, HoldScope, Purpose
from sos.ledger.pausing import may_resume
from sos.ledger.watching_store import Flow, find_flow
from sos.letters import store as letters
from sos.letters.letter import Letter
from sos.letters.messages import count_line
from sos.letters.steps import unprintable
from sos.outreach.plan import Preview
from sos.outreach.steps import list_unreached, preview
from sos.runtime import Runtime
from sos.staff.staff import Permission, Person
from sos.staff.steps import list_colleagues
from sos.staff.web import person_of
from sos.triage.steps import withheld_subjects

# The order in which a bar is drawn: what has come furthest first.
STATES = (
    *("answered", "delivered", "accepted", "marked", "queued", "unknown", "failed", "refused", "suppressed"),
    *("shared", "ended"),
)
LOOK_AGAIN = timedelta(seconds=1)
LONGEST_LOOK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One channel and language, or one addressee's way: how many stand where."""

    channel: str
    language: str
    states: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """State, start and width in per cent, for drawing."""
        drawn, start = [], 0.0
        for state in STATES:
            width = 100 * self.states.get(state, 0) / self.total
            if width:
                drawn.append((state, round(start, 2), round(width, 2)))
            start += width
        return drawn


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a launched action at this moment; `pauses` are the holds that keep its messages back."""

    flow: Flow
    pauses: tuple[Hold, ...]
    bars: tuple[Bar, ...]
    answers: dict[str, Counter[str]]
    letter: Letter | None
    to_targets: tuple[Bar, ...]
    thanks: tuple[Bar, ...]

    @property
    def states(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for bar in self.bars:
            total.update(bar.states)
        return total

    @property
    def reached(self) -> int:
        """Those to whom a message has left: it cannot be called back."""
        return sum(self.states[state] for state in ("marked", "accepted", "delivered", "unknown"))

    @property
    def signed(self) -> int:
        return sum(given["sign"] + given["sign_individually"] for given in self.answers.values())


async def find_progress(conn: Connection, action_id: UUID, now: datetime) -> Progress:
    """Counted by the database, never from memory."""
    answers: dict[str, Counter[str]] = {}
    for one in await endorsements.count_answers(conn, action_id):
        answers.setdefault(one.region, Counter())[one.answer] += one.count
    letter = await letters.find_letter_of(conn, action_id)
    return Progress(
        flow=await find_flow(conn, action_id, now),
        pauses=tuple(one for one in await hold_store.holds(conn) if _keeps_back(one, action_id)),
        bars=await _bars(conn, Purpose.ACTION, action_id),
        answers=answers,
        letter=letter,
        to_targets=await _bars(conn, Purpose.LETTER, letter.id) if letter else (),
        thanks=await _bars(conn, Purpose.THANKS, letter.id) if letter else (),
    )


def _keeps_back(hold: Hold, action_id: UUID) -> bool:
    """Whether people may want to know of it on the action's page; what was stopped for good is said there already."""
    if hold.scope in (HoldScope.ABOUT, HoldScope.WAVE):
        return hold.target == str(action_id) and may_resume(hold)
    return hold.scope in (HoldScope.EVERYTHING, HoldScope.CHANNEL, HoldScope.BUDGET)


async def _bars(conn: Connection, purpose: Purpose, about: UUID) -> tuple[Bar, ...]:
    bars: dict[tuple[str, str], dict[str, int]] = {}
    for one in await ledger.counts(conn, purpose, about):
        bars.setdefault((one.channel, one.language), {})[one.state] = one.count
    return tuple(Bar(channel, language, states) for (channel, language), states in bars.items())


@dataclass(frozen=True, slots=True)
class Preparing:
    """What an action that was not sent yet still needs, and what it would send."""

    prepared: Prepared
    preview: Preview
    unreached: Sequence[tuple[str, str]]
    missing: Sequence[str]
    unchecked: frozenset[str]
    is_own: bool


async def _preparing(conn: Connection, runtime: Runtime, person: Person, action_id: UUID) -> Preparing:
    prepared = await find_prepared(conn, runtime.keys, action_id)
    withheld = await withheld_subjects(conn, prepared.action.case_id, runtime.config)
    return Preparing(
        prepared,
        await preview(conn, runtime, prepared),
        await list_unreached(conn, runtime, prepared, person.language),
        await missing_now(conn, runtime.config, prepared, runtime.clock()),
        unchecked=frozenset(draft.language for draft in prepared.drafts if not is_checked(draft, withheld)),
        is_own=person.id in await find_barred(conn, prepared.action),
    )


async def show_action(request: web.Request) -> web.Response:
    """The action's page, before it is sent or after."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        action = await actions.find_action(conn, id_in(request))
        if action is None:
            raise web.HTTPNotFound
        names = {one.id: one.name for one in await list_colleagues(conn, runtime.keys)}
        if action.is_open_for_changes:
            ready = await _preparing(conn, runtime, person_of(request), action.id)
            return page(request, "desk/action_draft.html", action=action, ready=ready, names=names)
        return await _sent_page(request, conn, action)


async def _sent_page(request: web.Request, conn: Connection, action: Action) -> web.Response:
    runtime = runtime_of(request)
    progress = await find_progress(conn, action.id, runtime.clock())
    letter = progress.letter
    return page(
        request, "desk/action_sent.html", action=action, progress=progress,
        texts=await actions.published_texts(conn, action.id),
        targets=await open_targets(conn, runtime.keys, action.id),
        files=await letters.files_of(conn, letter.id) if letter else {},
        unprintable=await unprintable(conn, runtime, letter) if letter else (),
        count=count_line(runtime.templates, words_of(request).language.code, letter) if letter else "",
        is_running=action.state is State.LAUNCHED,
        lists=person_of(request).may(Permission.READ_CONTACTS) and f"/desk/action/{action.id}/deliveries",
        late=await find_late_texts(conn, runtime, person_of(request), action),
        correction=await actions.find_correction(conn, action.id),
    )  # fmt: skip


async def follow_action(request: web.Request) -> web.StreamResponse:
    """The part of the page that changes, sent anew whenever it does (server-sent events)."""
    runtime, action_id = runtime_of(request), id_in(request)
    async with runtime.record.reading() as conn:
        if await actions.find_action(conn, action_id) is None:
            raise web.HTTPNotFound
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with suppress(ConnectionResetError):  # the reader has gone away
        await response.prepare(request)
        if request.method != "HEAD":
            await _send_changes(request, response, action_id)
    return response


async def _send_changes(request: web.Request, response: web.StreamResponse, action_id: UUID) -> None:
    runtime, words = runtime_of(request), words_of(request)
    lists = person_of(request).may(Permission.READ_CONTACTS) and f"/desk/action/{action_id}/deliveries"
    shown = None
    until = runtime.clock() + LONGEST_LOOK
    while runtime.clock() < until and request.transport:  # none once the reader has gone
        began = time.monotonic()
        async with runtime.record.reading() as conn:
            progress = await find_progress(conn, action_id, runtime.clock())
        took = time.monotonic() - began
        if progress != shown:
            html = runtime.templates.page(
                "desk/progress.html", progress=progress, lists=lists, words=words, t=words.say, n=words.count
            )
            await response.write(b"data: " + html.replace("\n", " ").encode() + b"\n\n")
            shown = progress
        else:
            await response.write(b":\n\n")  # a comment: it fails once the reader has gone away
        await asyncio.sleep(max(LOOK_AGAIN.total_seconds(), 10 * took))  # looking never takes a tenth of the database


async def list_actions(request: web.Request) -> web.Response:
    """Every action, the newest first."""
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        found = await actions.list_actions(conn)
        titles = {one.id: await title_of(conn, runtime, one) for one in found}
    return page(request, "desk/actions.html", actions=found, titles=titles)


async def title_of(conn: Connection, runtime: Runtime, action: Action) -> str:
    """The original's title before it is sent, any published one afterwards."""
    if action.is_open_for_changes:
        prepared = await find_prepared(conn, runtime.keys, action.id)
        return prepared.drafts[0].text.title
    texts = await actions.published_texts(conn, action.id)
    return next(text.title for text in texts.values())
