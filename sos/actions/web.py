"""The editor's, translator's and approver's forms."""

from datetime import datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from aiohttp import web

from sos.actions import steps, store
from sos.actions.action import MayNotApprove, NotOpenForChanges, NotReady, OwnText, Target, TextMoved, Withheld
from sos.actions.forms import ActionForm, AudienceForm, ReviewForm, SeenForm, TargetForm, TextForm
from sos.http import NOTHING_TYPED, BadForm, id_in, page, read_form, runtime_of, see
from sos.staff.staff import NotGranted
from sos.staff.web import person_of
from sos.texts import LANGUAGES
from sos.triage import steps as triage
from sos.triage import store as triage_store


async def withheld_in(request: web.Request, case_id: UUID) -> Withheld | None:
    """The names that may not stand in a text, or None where this person may not read them."""
    runtime = runtime_of(request)
    try:
        async with runtime.record.reading() as conn:
            subjects = await triage.withheld_subjects(conn, case_id, runtime.config)
            names = await triage.withheld_names(conn, person_of(request), case_id, runtime.config)
    except NotGranted:
        return None
    return Withheld(tuple(names), subjects)


def _require_known(request: web.Request, form: AudienceForm) -> None:
    """Raises HTTPBadRequest for a region or a group that no page of ours offers: nobody would be asked."""
    config = runtime_of(request).config
    if set(form.regions) - set(config.regions) or set(form.groups) - set(config.groups):
        raise web.HTTPBadRequest


def moment_in(request: web.Request, local: datetime) -> datetime:
    """What somebody typed into a date field is in her own time zone."""
    return local if local.tzinfo else local.replace(tzinfo=ZoneInfo(person_of(request).time_zone))


def _perhaps(request: web.Request, local: datetime | None) -> datetime | None:
    return moment_in(request, local) if local else None


def typed(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment as a date field holds it."""
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" if at else ""


async def ask_action(request: web.Request) -> web.Response:
    """An empty action of a case, its deadline as the urgency proposes."""
    return await _ask_action(request, NOTHING_TYPED)


async def _ask_action(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    runtime, person = runtime_of(request), person_of(request)
    async with runtime.record.reading() as conn:
        case = await triage_store.find_case(conn, id_in(request))
    if case is None:
        raise web.HTTPNotFound
    deadline = runtime.clock() + runtime.config.urgencies[case.urgency].deadline
    return page(
        request, "actions/new.html", status=status, form=form, case=case, config=runtime.config,
        deadline=typed(deadline, ZoneInfo(person.time_zone)),
    )  # fmt: skip


async def draft_action(request: web.Request) -> web.Response:
    """Begin an action."""
    case_id = id_in(request)
    try:
        form = await read_form(request, ActionForm, many=("regions", "groups"))
    except BadForm as bad:
        return await _ask_action(request, bad, status=422)
    _require_known(request, form)
    runtime = runtime_of(request)
    new = steps.NewAction(
        form.kind, form.names_shown, tuple(form.regions), tuple(form.groups), moment_in(request, form.deadline),
        form.language, form.text, _perhaps(request, form.waits_until),
    )  # fmt: skip
    action_id = await steps.draft_action(
        runtime.record, runtime.keys, person_of(request), case_id, new, runtime.clock(),
        withheld=await withheld_in(request, case_id),
    )  # fmt: skip
    raise see(f"/desk/action/{action_id}")


async def ask_text(request: web.Request) -> web.Response:
    """The text of one language as it stands, beside the original."""
    return await _ask_text(request, NOTHING_TYPED)


async def _ask_text(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    runtime, language = runtime_of(request), _language(request)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, id_in(request))
        if action is None or not await steps.may_get_text(conn, action, language):
            raise web.HTTPNotFound
        drafts = await steps.open_drafts(conn, runtime.keys, action.id)
        published = await store.published_texts(conn, action.id)
    return page(
        request, "actions/text.html", status=status, form=form, action=action, language=LANGUAGES[language],
        original=next((draft for draft in drafts if draft.is_original), None) or next(iter(published.values())),
        draft=next((draft for draft in drafts if draft.language == language), None),
    )  # fmt: skip


def _language(request: web.Request) -> str:
    language = request.match_info["language"]
    if language not in LANGUAGES:
        raise web.HTTPNotFound
    return language


async def write_text(request: web.Request) -> web.Response:
    """Keep a text; whatever was approved before is void."""
    try:
        form = await read_form(request, TextForm)
    except BadForm as bad:
        return await _ask_text(request, bad, status=422)
    runtime, action_id = runtime_of(request), id_in(request)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, action_id)
    if action is None:
        raise web.HTTPNotFound
    withheld = await withheld_in(request, action.case_id)
    try:
        await steps.write_text(
            runtime.record, runtime.keys, person_of(request), action_id, _language(request), form.text,
            runtime.clock(), withheld=withheld,
        )  # fmt: skip
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")


async def review_text(request: web.Request) -> web.Response:
    """Say that a text is right, if it is somebody else's and has not changed meanwhile."""
    runtime, action_id = runtime_of(request), id_in(request)
    form = await read_form(request, ReviewForm)
    try:
        await steps.review_text(
            runtime.record, person_of(request), action_id, _language(request), bytes.fromhex(form.hash), runtime.clock()
        )
    except OwnText:
        return page(request, "actions/not_reviewed.html", status=409, action_id=action_id, why="own_text")
    except TextMoved:
        return page(request, "actions/not_reviewed.html", status=409, action_id=action_id, why="text_moved")
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")


async def check_names(request: web.Request) -> web.Response:
    """Look for withheld names, in the session of somebody who may read them."""
    runtime, action_id = runtime_of(request), id_in(request)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, action_id)
    if action is None:
        raise web.HTTPNotFound
    withheld = await withheld_in(request, action.case_id)
    if withheld:
        await steps.check_names(runtime.record, runtime.keys, person_of(request), action_id, withheld, runtime.clock())
    raise see(f"/desk/action/{action_id}")


async def ask_audience(request: web.Request) -> web.Response:
    """Who is asked, as it stands."""
    return await _ask_audience(request, NOTHING_TYPED)


async def _ask_audience(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    runtime = runtime_of(request)
    async with runtime.record.reading() as conn:
        action = await store.find_action(conn, id_in(request))
    if action is None or not action.is_open_for_changes:
        raise web.HTTPNotFound
    zone = ZoneInfo(person_of(request).time_zone)
    return page(
        request, "actions/audience.html", status=status, form=form, action=action, config=runtime.config,
        deadline=typed(action.deadline_at, zone), waits=typed(action.waits_until, zone),
    )  # fmt: skip


async def change_audience(request: web.Request) -> web.Response:
    """Keep a new audience; whatever was approved before is void."""
    try:
        form = await read_form(request, AudienceForm, many=("regions", "groups"))
    except BadForm as bad:
        return await _ask_audience(request, bad, status=422)
    _require_known(request, form)
    runtime, action_id = runtime_of(request), id_in(request)
    try:
        await steps.change_audience(
            runtime.record, person_of(request), action_id, regions=form.regions, groups=form.groups,
            names_shown=form.names_shown, deadline_at=moment_in(request, form.deadline), now=runtime.clock(),
            waits_until=_perhaps(request, form.waits_until),
        )  # fmt: skip
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")


async def ask_target(request: web.Request) -> web.Response:
    """Four fields."""
    return _ask_target(request, NOTHING_TYPED)


def _ask_target(request: web.Request, form: BadForm, status: int = 200) -> web.Response:
    config = runtime_of(request).config
    return page(request, "actions/target.html", status=status, form=form, action_id=id_in(request), config=config)


async def add_target(request: web.Request) -> web.Response:
    """Address the letter to one more."""
    action_id = id_in(request)
    try:
        form = await read_form(request, TargetForm)
    except BadForm as bad:
        return _ask_target(request, bad, status=422)
    runtime = runtime_of(request)
    if form.country and form.country not in runtime.config.countries:
        raise web.HTTPBadRequest
    target = Target(uuid4(), form.name, form.title, form.language, form.email, form.country)
    try:
        await steps.add_target(runtime.record, runtime.keys, person_of(request), action_id, target, runtime.clock())
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")


async def approve(request: web.Request) -> web.Response:
    """Approve exactly what was seen; everything that is missing is said at once."""
    runtime, action_id = runtime_of(request), id_in(request)
    form = await read_form(request, SeenForm)
    try:
        await steps.approve(
            runtime.record, runtime.keys, runtime.config, person_of(request), action_id,
            bytes.fromhex(form.fingerprint), runtime.clock(),
        )  # fmt: skip
    except MayNotApprove:
        return page(request, "actions/not_approved.html", status=403, action_id=action_id, missing=("approve.own",))
    except NotReady as not_ready:
        return page(request, "actions/not_approved.html", status=409, action_id=action_id, missing=not_ready.missing)
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")
