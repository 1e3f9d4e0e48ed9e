"""What handlers share: the runtime, the reader's words, pages, and forms whose errors keep what was typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.http import HttpProcessingError
from multidict import MultiDictProxy
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sos.reach import Channels
from sos.runtime import Runtime
from sos.settings import Settings
from sos.texts import LANGUAGES, Words

RUNTIME = web.AppKey("runtime", Runtime)
CHANNELS: web.AppKey[Channels] = web.AppKey("channels")
WORDS = web.RequestKey("words", Words)
PERSON: web.RequestKey[Any] = web.RequestKey("person")  # a Person, which is a word of a later stage
CSRF = web.RequestKey("csrf", str)
M = TypeVar("M", bound=BaseModel)

# What pydantic calls a problem, and the key of the sentence that we say.
PROBLEMS = {
    "missing": "problem.needed",
    "string_too_short": "problem.needed",
    "string_too_long": "problem.too_long",
    "too_short": "problem.needed",
    "enum": "problem.choose",
    "literal_error": "problem.choose",
    "int_parsing": "problem.number",
    "greater_than_equal": "problem.number",
    "less_than_equal": "problem.number",
    "datetime_from_date_parsing": "problem.time",
    "datetime_parsing": "problem.time",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field: the key of a sentence, and its values."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict[str, object])


NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


class BadForm(Exception):
    """Some fields are wrong; what was typed and ticked is kept, and each problem stands with its field."""

    def __init__(
        self, typed: Mapping[str, str], problems: Mapping[str, Problem], ticked: Mapping[str, Sequence[str]] = NOTHING
    ) -> None:
        self.typed = typed
        self.problems = problems
        self.ticked = ticked


NOTHING_TYPED = BadForm({}, {})


def runtime_of(request: web.Request) -> Runtime:
    """The process's runtime."""
    return request.app[RUNTIME]


def words_of(request: web.Request) -> Words:
    """The words of this request's language and time zone (the middleware has chosen them)."""
    return request[WORDS]


def id_in(request: web.Request, name: str = "id") -> UUID:
    """A UUID in the path. Raises HTTPNotFound."""
    try:
        return UUID(request.match_info[name])
    except ValueError as wrong:
        raise web.HTTPNotFound from wrong


async def posted(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The form as it was sent. Raises HTTPBadRequest where it cannot be read."""
    try:
        return await request.post()
    except (ValueError, LookupError, RuntimeError, HttpProcessingError) as wrong:
        raise web.HTTPBadRequest from wrong


async def read_form(request: web.Request, model: type[M], *, many: tuple[str, ...] = ()) -> M:
    """The posted form parsed into `model`; fields in `many` may come several times. Raises BadForm."""
    sent = await posted(request)
    typed = {key: _clean(value) for key, value in sent.items() if isinstance(value, str)}
    values: dict[str, Any] = {key: value for key, value in typed.items() if value}
    ticked = {key: [_clean(one) for one in sent.getall(key, []) if isinstance(one, str)] for key in many}
    try:
        return model.model_validate(values | ticked)
    except ValidationError as wrong:
        raise BadForm(typed, dict(_problem(error) for error in wrong.errors()), ticked) from wrong


def _clean(value: str) -> str:
    """Without the space around it, and without NUL, which nobody types and PostgreSQL does not store."""
    return value.replace("\0", "").strip()


def _problem(error: ErrorDetails) -> tuple[str, Problem]:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] in PROBLEMS:
        limits = {"most": error.get("ctx", {}).get("max_length", "")}
        return name, Problem(PROBLEMS[error["type"]], limits)
    if error["type"].startswith("problem."):
        return name, Problem(error["type"], error.get("ctx", {}))
    return name, Problem("problem.wrong")


def page(request: web.Request, name: str, *, status: int = 200, **values: object) -> web.Response:
    """A page in the reader's language, never stored by a browser."""
    runtime, words = runtime_of(request), words_of(request)
    html = runtime.templates.page(
        name,
        words=words,
        t=words.say,
        n=words.count,
        person=request.get(PERSON),
        csrf=request.get(CSRF, ""),
        practice=runtime.network.is_practice,
        now=runtime.clock(),
        path=request.path,
        **values,
    )
    return web.Response(text=html, status=status, content_type="text/html")


def see(path: str) -> web.HTTPSeeOther:
    """Go and look there, after something was done."""
    return web.HTTPSeeOther(path)


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds a cookie to this host and to TLS; on loopback without TLS the prefix would not be kept."""
    return "__Host-sos" if settings.is_secure else "sos"


def choose_words(runtime: Runtime, request: web.Request, code: str | None, time_zone: str = "UTC") -> Words:
    """The language in the path or of whoever is signed in, else the first of the browser's that we speak."""
    accepted = request.headers.get("Accept-Language", "").split(",")
    wanted = [code or "", *(part.split(";")[0].strip()[:2] for part in accepted)]
    chosen = next((LANGUAGES[one] for one in wanted if one in LANGUAGES), LANGUAGES["en"])
    return Words(runtime.templates.catalogue, chosen, ZoneInfo(time_zone))
