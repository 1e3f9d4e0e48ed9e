"""The form with which an editor begins to put right what was sent."""

from zoneinfo import ZoneInfo

from aiohttp import web

from sos.actions import store
from sos.actions.action import AlreadyCorrected, NotStopped
from sos.actions.correcting import NewCorrection, draft_correction
from sos.actions.forms import CorrectionForm
from sos.actions.web import moment_in, typed, withheld_in
from sos.http import NOTHING_TYPED, BadForm, id_in, page, read_form, runtime_of, see
from sos.ledger import store as ledger
from sos.staff.web import person_of


async def ask_correction(request: web.Request) -> web.Response:
    """The text in one of the languages that reached somebody; the others follow as translations."""
    return await _ask(request, NOTHING_TYPED)


async def _ask(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    runtime, action_id = runtime_of(request), id_in(request)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, action_id)
        earlier = await store.find_correction(conn, action_id)
        reached = await ledger.reached_languages(conn, action_id)
    if action is None:
        raise web.HTTPNotFound
    if earlier:
        raise see(f"/desk/action/{earlier}")
    deadline = runtime.clock() + runtime.config.urgencies[action.urgency].deadline
    return page(
        request, "actions/correction.html", status=status, form=form, action=action, reached=sorted(reached),
        deadline=typed(deadline, ZoneInfo(person_of(request).time_zone)),
    )  # fmt: skip


async def begin_correction(request: web.Request) -> web.Response:
    """Begin a correction; whoever comes second goes on with what is there."""
    runtime, action_id = runtime_of(request), id_in(request)
    try:
        form = await read_form(request, CorrectionForm)
    except BadForm as bad:
        return await _ask(request, bad, status=422)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, action_id)
    if action is None:
        raise web.HTTPNotFound
    new = NewCorrection(form.language, form.text, moment_in(request, form.deadline))
    try:
        correction_id = await draft_correction(
            runtime.record, runtime.keys, person_of(request), action_id, new, runtime.clock(),
            withheld=await withheld_in(request, action.case_id),
        )  # fmt: skip
    except NotStopped:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    except AlreadyCorrected as earlier:
        raise see(f"/desk/action/{earlier.correction_id}") from earlier
    raise see(f"/desk/action/{correction_id}")
