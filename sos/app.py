"""The web application: the runtime, what surrounds each request, and every address."""

from pathlib import Path

from aiohttp import web

from sos.http import CHANNELS, RUNTIME
from sos.middleware import MIDDLEWARES, add_headers, guard
from sos.reach import Channels
from sos.routes import ROUTES
from sos.runtime import Runtime

STATIC = Path(__file__).parent.parent / "templates" / "static"
LARGEST_POST_BYTES = 256 * 1024


def create_app(runtime: Runtime, channels: Channels) -> web.Application:
    """An application over an open runtime. Only what stands in ROUTES can be reached."""
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=LARGEST_POST_BYTES)
    app[RUNTIME] = runtime
    app[CHANNELS] = channels
    app.on_response_prepare.append(add_headers)
    for route in ROUTES:
        add = app.router.add_get if route.method == "GET" else app.router.add_post  # a GET answers HEAD too
        add(route.path, guard(route.permission, route.handler))
    app.router.add_static("/static", STATIC)
    return app
