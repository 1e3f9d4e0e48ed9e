"""Logs as JSON lines: an event, ids, counts and labels. What is not on the list does not pass."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

# Facts that may stand in a log line. A name, an address, a text, a token or a code is none of these.
FACTS = frozenset(
    """
    event level timestamp logger process error frames action attempts case channel contact count count_failed
    count_marked count_queued delivery duplicates language letter method name number pages permission reason
    recipient report request retry_seconds route seconds setting staff state status subject_id target urgency
    version work worker
    """.split()
)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Let listed facts pass; of anything else keep only the name, so that the omission shows."""
    return {key: value if key in FACTS else "[removed]" for key, value in event.items()}


def shorten_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep an error's type and where it rose; its message may quote a row, and a local variable a name."""
    exc_info: Any = event.pop("exc_info", None)
    if not exc_info:
        return event
    kind, _value, trace = sys.exc_info() if exc_info is True else _parts(exc_info)
    event["error"] = kind.__name__ if kind else "unknown"
    event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    return event


def _parts(exc_info: Any) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    if isinstance(exc_info, BaseException):
        return type(exc_info), exc_info, exc_info.__traceback__
    parts: ExcInfo = exc_info
    return parts


def _name_only(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Libraries quote what they handle in their messages: keep which library spoke, not what it said."""
    record: logging.LogRecord = event["_record"]
    event["event"] = f"{record.name.split('.')[0]}.{record.levelname.lower()}"
    event["logger"] = record.name
    return event


def configure_log(process: str, *, least: int = logging.INFO) -> None:
    """Send our events from `least` upwards, and the warnings of every library, to standard error as JSON lines."""
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        shorten_error,
        redact,
        structlog.processors.JSONRenderer(),
    ]
    structlog.contextvars.bind_contextvars(process=process)
    structlog.configure(
        processors=ours,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[_name_only], processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ours]))  # fmt: skip
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for loud in ("httpx", "arq", "aiohttp.access"):
        logging.getLogger(loud).setLevel(logging.ERROR)
