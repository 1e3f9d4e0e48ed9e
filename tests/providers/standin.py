"""What the two HTTP stand-ins share: a server on a free port, faults on request, and posting to our webhooks."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web


class Fault(StrEnum):
    """How the next request goes wrong; AFTER means that the provider has accepted it."""

    BUSY = "busy"
    BROKEN_BEFORE = "broken before"
    BROKEN_AFTER = "broken after"
    SILENT_BEFORE = "silent before"
    SILENT_AFTER = "silent after"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    GARBLED_BEFORE = "garbled before"
    GARBLED_AFTER = "garbled after"


@dataclass(frozen=True, slots=True)
class Answer:
    """What our webhook answered."""

    status: int
    text: str


class StandIn(ABC):
    """A provider on this machine; use it as `async with`.

    `violations` holds every request that breaks the published contract: a test asserts that it is empty.
    `webhook_url` is the public address of our webhook; where `reached_at` is given, it is posted to there instead
    of to the public origin, while the public one is signed.
    """

    def __init__(self, *, webhook_url: str = "", reached_at: str = "") -> None:
        self.webhook_url = webhook_url
        self.reached_at = reached_at
        self.violations: list[str] = []
        self.requests = 0
        self.garbled_status = 200
        self._faults: deque[Fault] = deque()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where this provider listens."""
        assert self._runner is not None, "the stand-in is not running"
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def fail(self, fault: Fault, *, times: int = 1) -> None:
        """Let the next requests go wrong."""
        self._faults.extend([fault] * times)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        # A client that hangs up ends its request, and a silent one does not hold up the end of a test.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        assert self._runner is not None
        await self._session.close()
        await self._runner.cleanup()

    @abstractmethod
    async def accept(self, request: web.Request) -> web.Response:
        """Do what the provider does with a request that arrives."""

    @abstractmethod
    def busy(self) -> web.Response:
        """Say that there are too many requests."""

    @abstractmethod
    def broken(self) -> web.Response:
        """Say that the provider itself fails."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Call one of our webhooks."""
        assert self._session is not None
        async with self._session.post(self._reachable(url), headers=headers, data=body) as answer:
            return Answer(answer.status, await answer.text())

    def _reachable(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        return self.reached_at + "/" + rest.partition("/")[2] if self.reached_at else f"{scheme}://{rest}"

    async def _receive(self, request: web.Request) -> web.Response:
        self.requests += 1
        fault = self._faults.popleft() if self._faults else None
        if fault is Fault.BUSY:
            return self.busy()
        if fault and fault.endswith("before"):
            return await self._misbehave(request, fault)
        response = await self.accept(request)
        return await self._misbehave(request, fault) if fault else response

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.Response:
        if fault in (Fault.SILENT_BEFORE, Fault.SILENT_AFTER):
            await asyncio.Event().wait()
        if fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER) and request.transport:
            request.transport.close()
        if fault in (Fault.GARBLED_BEFORE, Fault.GARBLED_AFTER):
            return web.Response(text="<html>Something stands between us", status=self.garbled_status)
        return self.broken()
