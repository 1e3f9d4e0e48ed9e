"""The pages of a report and of a case, as a triager or verifier opens them with her own key."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from sos.http import NOTHING_TYPED, BadForm, Problem, id_in, page, read_form, runtime_of, see
from sos.intake import store as intake_store
from sos.intake.steps import open_report
from sos.staff.staff import NotGranted, Role
from sos.staff.steps import list_colleagues
from sos.staff.web import person_of
from sos.triage import steps, store
from sos.triage.case import (
    AlreadyACase,
    CaseMoved,
    ConsentValue,
    Ending,
    NoSuchCase,
    NotAColleague,
    NotVerifiable,
    NotYours,
    Reliability,
    Source,
    StillActing,
    Validity,
)
from sos.triage.forms import CaseForm
from sos.triage.opened import read_case

F = TypeVar("F", bound=BaseModel)

REFUSALS: dict[type[Exception], str] = {
    CaseMoved: "case.moved",
    NotYours: "case.not_yours",
    StillActing: "case.still_acting",
}


async def show_report(request: web.Request) -> web.Response:
    """Her words, opened by the reader's key.

    A GET although the first opening is remembered: that happens once, only for somebody signed in who was shown the
    report's random id, and the reporter is told that a person reads what she wrote.
    """
    return await _report_page(request, NOTHING_TYPED)


async def _report_page(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    runtime, report_id = runtime_of(request), id_in(request)
    try:
        told = await open_report(runtime.record, person_of(request), report_id, runtime.clock())
    except NotGranted:
        return await _without_key(request)
    async with runtime.record.reading() as conn:
        report = await intake_store.find_report(conn, report_id)
        case = await store.find_case_of_report(conn, report_id)
        names = {one.id: one.name for one in await list_colleagues(conn, runtime.keys)}
    return page(
        request, "triage/report.html", status=status, report=report, told=told, case=case, names=names, form=form,
        config=runtime.config,
    )  # fmt: skip


async def make_case(request: web.Request) -> web.Response:
    """Make a case of a report; whoever comes second is told who has it."""
    runtime, person, report_id = runtime_of(request), person_of(request), id_in(request)
    try:
        form = await read_form(request, CaseForm)
        if form.working_group not in runtime.config.groups:
            raise BadForm(await _typed(request), {"working_group": Problem("problem.choose")})
        if form.country and form.country not in runtime.config.countries:
            raise BadForm(await _typed(request), {"country": Problem("problem.choose")})
        case_id = await steps.open_case(
            runtime.record, runtime.config, person, report_id,
            urgency=form.urgency, working_group=form.working_group,
            subject=steps.NewSubject(form.kind, form.people, form.name), now=runtime.clock(), country=form.country,
        )  # fmt: skip
    except BadForm as bad:
        return await _report_page(request, bad, status=422)
    except AlreadyACase as already:
        return await _already_page(request, already)
    except NotGranted:
        return await _without_key(request)
    except NoSuchCase as missing:
        raise web.HTTPNotFound from missing
    raise see(f"/desk/case/{case_id}")


async def _already_page(request: web.Request, already: AlreadyACase) -> web.Response:
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        case = await store.find_case(conn, already.case_id)
        names = {one.id: one.name for one in await list_colleagues(conn, runtime.keys)}
    return page(request, "triage/already.html", status=409, case=case, names=names)


async def show_case(request: web.Request) -> web.Response:
    """Everything about a case, and what can be done now."""
    return await _case_page(request)


async def act(
    request: web.Request, model: type[F], step: Callable[[F], Awaitable[object]], *, section: str = "",
    many: tuple[str, ...] = (),
) -> web.Response:  # fmt: skip
    """Read a form, do what it asks, and show the case again; what went wrong is said there, with everything kept."""
    try:
        await step(await read_form(request, model, many=many))
    except BadForm as bad:
        return await _case_page(request, bad, status=422)
    except NotAColleague:
        wrong = BadForm(await _typed(request), {"to": Problem("problem.choose")})
        return await _case_page(request, wrong, status=422)
    except NotVerifiable as not_yet:
        return await _case_page(request, BadForm(await _typed(request), {}), status=422, lacking=not_yet.missing)
    except (CaseMoved, NotYours, StillActing) as refused:
        kept = BadForm(await _typed(request), {})
        return await _case_page(request, kept, status=409, notice=REFUSALS[type(refused)])
    except NotGranted:
        return await _without_key(request)
    except NoSuchCase as missing:
        raise web.HTTPNotFound from missing
    raise see(f"/desk/case/{id_in(request)}{section and '#'}{section}")


async def _typed(request: web.Request) -> dict[str, str]:
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


async def _case_page(
    request: web.Request, form: BadForm = NOTHING_TYPED, *, status: int = 200, notice: str = "",
    lacking: tuple[str, ...] = (),
) -> web.Response:  # fmt: skip
    runtime, person = runtime_of(request), person_of(request)
    try:
        opened = await read_case(runtime.record, runtime.config, person, id_in(request), runtime.clock())
    except NotGranted:
        return await _without_key(request)
    except NoSuchCase as missing:
        raise web.HTTPNotFound from missing
    async with runtime.record.reading() as conn:
        colleagues = await list_colleagues(conn, runtime.keys)
    return page(
        request, "triage/case.html", status=status, opened=opened, case=opened.case, form=form, notice=notice,
        lacking=lacking, config=runtime.config, names={one.id: one.name for one in colleagues},
        triagers=[one for one in colleagues if Role.TRIAGE in one.roles and one.id != person.id],
        scopes_chosen=[str(one) for one in (await request.post()).getall("scopes", [])],
        values=ConsentValue, sources=Source, reliabilities=Reliability, validities=Validity, endings=Ending,
    )  # fmt: skip


async def _without_key(request: web.Request) -> web.Response:
    """A kind word instead of an error: a colleague can give her the key."""
    return page(request, "triage/without_key.html", status=403)
