"""HTTP for Twilio's library: its own client ignores timeouts and repeats requests that may have been accepted."""

import logging
from datetime import timedelta

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

LONGEST_SILENCE_SECONDS = 3600


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]  # twilio carries no types
    """Carries each request once, within a time, without a word in the log.

    `retry_after` is what Twilio said last about how long we should be silent; zero where it said nothing.
    """

    def __init__(self, session: aiohttp.ClientSession, within: timedelta) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True, timeout=within.total_seconds())
        self._session = session
        self.retry_after = timedelta()

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        allow_redirects: bool = False,
    ) -> Response:
        """One request, one answer; raises aiohttp's ClientError and TimeoutError."""
        async with self._session.request(
            method,
            uri,
            params={name: str(value) for name, value in (params or {}).items()},
            data=data,
            headers=(headers or {}) | ({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}),
            timeout=aiohttp.ClientTimeout(total=timeout or self.timeout),
            allow_redirects=False,
        ) as answer:
            self.retry_after = _seconds(answer.headers.get("Retry-After", ""))
            return Response(answer.status, await answer.text(), answer.headers)


def _seconds(said: str) -> timedelta:
    """Retry-After in seconds (RFC 9110); as a date, which Twilio does not use, it says nothing."""
    return timedelta(seconds=min(int(said), LONGEST_SILENCE_SECONDS)) if said.isdecimal() else timedelta()
