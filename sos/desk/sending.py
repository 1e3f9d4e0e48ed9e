"""Whether sending goes on: what is paused, why and since when, who lets it go on; and what this month's SMS cost."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from channels.base import MACHINES, ChannelName
from sos.actions import store as actions
from sos.database import Connection
from sos.desk.action_page import title_of
from sos.http import page, read_form, runtime_of, see
from sos.ledger import hold_store, money_store, watching_store
from sos.ledger.delivery import Hold, HoldScope
from sos.ledger.hold_store import Said
from sos.ledger.money import month_of
from sos.ledger.pausing import NotPaused, may_resume, pause, resume
from sos.runtime import Runtime
from sos.staff.steps import list_colleagues
from sos.staff.web import person_of

SHOWN = frozenset({HoldScope.EVERYTHING, HoldScope.CHANNEL, HoldScope.ABOUT, HoldScope.BUDGET})


class HoldForm(BaseModel):
    """What is to be paused, or to go on."""

    scope: Literal["everything", "channel", "about"]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """One thing that is paused, and who has said that it may go on."""

    hold: Hold
    said: tuple[Said, ...]
    title: str = ""

    @property
    def people_missing(self) -> int:
        return self.hold.people_needed - len(self.said)

    def has_said(self, person: UUID) -> bool:
        """Whether this person's word is there already."""
        return any(one.staff_id == person for one in self.said)


@dataclass(frozen=True, slots=True)
class Money:
    """What SMS cost this month, of what they may."""

    spent: Decimal
    budget: Decimal

    @property
    def per_cent(self) -> int:
        return min(100, round(100 * self.spent / self.budget)) if self.budget else 100


async def find_paused(conn: Connection, runtime: Runtime) -> list[Paused]:
    """Everything that people may let go on, the latest first; what was stopped for good stands with its action."""
    said = await hold_store.said(conn)
    holds = [one for one in await hold_store.holds(conn) if one.scope in SHOWN and may_resume(one)]
    return [Paused(hold, _said_of(hold, said), await _title(conn, runtime, hold)) for hold in holds]


def _said_of(hold: Hold, said: Sequence[Said]) -> tuple[Said, ...]:
    return tuple(one for one in said if (one.scope, one.target) == (hold.scope, hold.target))


async def _title(conn: Connection, runtime: Runtime, hold: Hold) -> str:
    action = await actions.find_action(conn, UUID(hold.target)) if hold.scope is HoldScope.ABOUT else None
    return await title_of(conn, runtime, action) if action else ""


async def show_sending(request: web.Request) -> web.Response:
    """What is paused, and the buttons."""
    runtime, now = runtime_of(request), runtime_of(request).clock()
    async with runtime.record.reading() as conn:
        paused = await find_paused(conn, runtime)
        names = {one.id: one.name for one in await list_colleagues(conn, runtime.keys)}
        money = await _money(conn, runtime, now)
        dead = await watching_store.count_dead(conn)
    running = [one for one in MACHINES if not any(each.hold.target == one for each in paused)]
    is_all_paused = any(one.hold.scope is HoldScope.EVERYTHING for one in paused)
    return page(
        request, "desk/sending.html", paused=paused, names=names, money=money, dead=dead, running=running,
        is_all_paused=is_all_paused,
    )  # fmt: skip


async def _money(conn: Connection, runtime: Runtime, now: datetime) -> Money:
    spent = await money_store.spent(conn, month_of(now), ChannelName.SMS)
    return Money(spent, runtime.config.sending.sms_usd_a_month)


async def pause_sending(request: web.Request) -> web.Response:
    """Anybody on the staff may."""
    runtime = runtime_of(request)
    scope, target = await _named(request)
    await pause(runtime.record, person_of(request), scope, target, runtime.clock())
    raise see("/desk/sending")


async def resume_sending(request: web.Request) -> web.Response:
    """One person's word that it may go on."""
    runtime = runtime_of(request)
    scope, target = await _named(request)
    with suppress(NotPaused):  # somebody was faster: the page shows it
        await resume(runtime.record, person_of(request), scope, target, runtime.clock())
    raise see("/desk/sending")


async def _named(request: web.Request) -> tuple[HoldScope, str]:
    """What the form names, if it is there. Raises HTTPNotFound, BadForm."""
    form = await read_form(request, HoldForm)
    scope, target = HoldScope(form.scope), _id_in(form.target)
    known: Mapping[HoldScope, bool] = {
        HoldScope.EVERYTHING: form.target == "",
        HoldScope.CHANNEL: form.target in frozenset(ChannelName),
        HoldScope.ABOUT: target is not None and await _is_action(request, target),
    }
    if not known[scope]:
        raise web.HTTPNotFound
    return scope, str(target or form.target)  # one spelling: a hold is compared by every mark, as the database reads it


def _id_in(target: str) -> UUID | None:
    try:
        return UUID(target)
    except ValueError:
        return None


async def _is_action(request: web.Request, action_id: UUID) -> bool:
    async with runtime_of(request).record.reading() as conn:
        return await actions.find_action(conn, action_id) is not None
