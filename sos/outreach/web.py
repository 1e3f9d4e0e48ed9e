"""Send now, stop sending, and the page on which somebody says that she wants no more."""

from aiohttp import web

from sos.actions.action import NotReady
from sos.http import id_in, page, runtime_of, see
from sos.messages import UNSUBSCRIBE
from sos.outreach import steps
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


async def stop(request: web.Request) -> web.Response:
    """Stop sending, at once."""
    runtime, action_id = runtime_of(request), id_in(request)
    await steps.stop(runtime, person_of(request), action_id, runtime.clock())
    raise see(f"/desk/action/{action_id}")


def _delivery(request: web.Request) -> int:
    delivery = runtime_of(request).keys.read_link(UNSUBSCRIBE, request.match_info["token"])
    if delivery is None:
        raise web.HTTPNotFound
    return delivery


async def ask_opt_out(request: web.Request) -> web.Response:
    """A page with one button; looking at it changes nothing (RFC 8058)."""
    _delivery(request)
    return page(request, "outreach/opt_out.html", is_done=False)


async def opt_out(request: web.Request) -> web.Response:
    """No more to this address; mail programs post here too (RFC 8058)."""
    runtime = runtime_of(request)
    if not await steps.opt_out(runtime, _delivery(request), runtime.clock()):
        raise web.HTTPNotFound
    return page(request, "outreach/opt_out.html", is_done=True)
