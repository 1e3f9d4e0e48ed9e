"""The web application: the runtime, what surrounds each request, and every address."""

from pathlib import Path

from aiohttp import web

from sos.http import CHANNELS, RUNTIME
from sos.middleware import MIDDLEWARES, guard
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
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guard(route.permission, route.handler))
    app.router.add_static("/static", STATIC)
    return app
