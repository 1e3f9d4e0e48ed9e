"""Send now, and the page on which somebody says that she wants no more."""

from aiohttp import web

from sos.actions.action import MayNotApprove, NotOpenForChanges, NotReady, TextMoved
from sos.actions.forms import ReviewForm
from sos.http import WORDS, choose_words, id_in, page, read_form, runtime_of, see
from sos.messages import UNSUBSCRIBE
from sos.outreach import late, steps, store
from sos.staff.web import person_of


async def launch(request: web.Request) -> web.Response:
    """Send now what was approved."""
    runtime, action_id = runtime_of(request), id_in(request)
    try:
        await steps.launch(runtime, person_of(request), action_id, runtime.clock())
    except steps.NotApproved:
        missing = ("launch.not_approved",)
        return page(request, "actions/not_approved.html", status=409, action_id=action_id, missing=missing)
    except NotReady as not_ready:
        return page(request, "actions/not_approved.html", status=409, action_id=action_id, missing=not_ready.missing)
    raise see(f"/desk/action/{action_id}")


async def send_late_text(request: web.Request) -> web.Response:
    """Approve a translation that came late, exactly as it was seen, and let those have it who wait for it."""
    runtime, action_id = runtime_of(request), id_in(request)
    form = await read_form(request, ReviewForm)
    try:
        await late.send_late_text(
            runtime, person_of(request), action_id, request.match_info["language"], bytes.fromhex(form.hash),
            runtime.clock(),
        )  # fmt: skip
    except MayNotApprove:
        return page(request, "actions/not_approved.html", status=403, action_id=action_id, missing=("approve.own",))
    except NotReady as not_ready:
        return page(request, "actions/not_approved.html", status=409, action_id=action_id, missing=not_ready.missing)
    except TextMoved:
        return page(request, "actions/not_reviewed.html", status=409, action_id=action_id, why="text_moved")
    except NotOpenForChanges:
        return page(request, "actions/closed.html", status=409, action_id=action_id)
    raise see(f"/desk/action/{action_id}")


async def _delivery(request: web.Request) -> int:
    """Which delivery carried this link; the page speaks its language. Raises HTTPNotFound."""
    runtime = runtime_of(request)
    delivery = runtime.keys.read_link(UNSUBSCRIBE, request.match_info["token"])
    if delivery is None:
        raise web.HTTPNotFound
    async with runtime.record.reading() as conn:
        address = await store.find_address(conn, delivery)
    if address is None:
        raise web.HTTPNotFound
    request[WORDS] = choose_words(runtime, request, address.language)
    return delivery


async def ask_opt_out(request: web.Request) -> web.Response:
    """A page with one button; looking at it changes nothing (RFC 8058)."""
    await _delivery(request)
    return page(request, "outreach/opt_out.html", is_done=False)


async def opt_out(request: web.Request) -> web.Response:
    """No more to this address; mail programs post here too, without a cookie (RFC 8058)."""
    runtime, delivery = runtime_of(request), await _delivery(request)
    await steps.opt_out(runtime, delivery, runtime.clock())
    return page(request, "outreach/opt_out.html", is_done=True)
