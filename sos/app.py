"""The web application: the runtime, what surrounds each request, and every address."""

from pathlib import Path

from aiohttp import web

from sos.http import RUNTIME
from sos.middleware import MIDDLEWARES, guard
from sos.routes import ROUTES
from sos.runtime import Runtime

STATIC = Path(__file__).parent.parent / "templates" / "static"
LARGEST_POST_BYTES = 256 * 1024


def create_app(runtime: Runtime) -> web.Application:
    """An application over an open runtime. Only what stands in ROUTES can be reached."""
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=LARGEST_POST_BYTES)
    app[RUNTIME] = runtime
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guard(route.permission, route.handler))
    app.router.add_static("/static", STATIC)
    return app


async def serve(runtime: Runtime) -> web.AppRunner:
    """Serve until the runner is cleaned up. Nothing is logged of a request: a path may hold a link's token."""
    runner = web.AppRunner(create_app(runtime), access_log=None, handle_signals=False, shutdown_timeout=3)
    await runner.setup()
    await web.TCPSite(runner, runtime.settings.host, runtime.settings.port, reuse_port=True).start()
    return runner
