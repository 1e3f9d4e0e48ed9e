"""Factories: a founded network, a runtime over it, and what tests plan in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from channels.base import ChannelName, Message, SmtpServer
from channels.wording import Wording
from sos.database import Connection, connect, rows
from sos.runtime import Runtime, open_runtime
from sos.settings import Settings
from sos.vault import KeyFile

ACTION = UUID("a0000000-0000-4000-8000-000000000001")


def alter(message: Message, **parts: Any) -> Message:
    """The same message with other parts; `text`, `subject` and `html` are those of its wording."""
    said = {name: parts.pop(name) for name in [one.name for one in fields(Wording)] if name in parts}
    return replace(message, wording=replace(message.wording, **said), **parts)


def make_settings(
    database_url: str, redis_url: str, directory: Path, *, smtp: SmtpServer | None = None
) -> Settings:  # fmt: skip
    """Settings of an installation whose key file lies in `directory`."""
    key_file = directory / "keys"
    if not key_file.exists():
        KeyFile.create(key_file)
    return Settings(
        database_url=database_url, redis_url=redis_url, key_file=key_file, host="127.0.0.1", port=8080,
        public_url="http://localhost:8080", instance="", smtp=smtp, twilio=None, telegram=None,
        bounce_domain="", lmtp_host="127.0.0.1", lmtp_port=2424,
    )  # fmt: skip


async def found_network(database_url: str, *, kind: str = "practice") -> None:
    """Found a network in an empty database."""
    async with connect(database_url) as conn:
        await conn.execute(
            "INSERT INTO network (kind, recovery_key, founded_at) VALUES (%s, '', now()) ON CONFLICT DO NOTHING", [kind]
        )


@asynccontextmanager
async def make_runtime(
    database_url: str, redis_url: str, directory: Path, *, smtp: SmtpServer | None = None
) -> AsyncIterator[Runtime]:
    """A runtime over a founded network: a real one where there is a mail server, else one for practice."""
    await found_network(database_url, kind="real" if smtp else "practice")
    async with open_runtime(make_settings(database_url, redis_url, directory, smtp=smtp)) as runtime:
        yield runtime


async def plan_deliveries(
    conn: Connection, count: int = 1, *, channel: ChannelName = ChannelName.EMAIL, about: UUID = ACTION,
    urgency: int = 2, language: str = "en", case_id: UUID | None = None, due_at: datetime | None = None,
    lasts: timedelta = timedelta(hours=1),
    now: datetime | None = None,
) -> list[int]:  # fmt: skip
    """Queue deliveries of an action to so many new contacts, each with an address; their ids, in order."""
    now = now or datetime.now(UTC)
    found = await rows(
        conn,
        dict[str, int],
        """
        WITH new AS (
            SELECT gen_random_uuid() AS owner, gen_random_uuid() AS address FROM generate_series(1, %(count)s)
        ), reached AS (
            INSERT INTO addresses (id, owner_kind, owner_id, channel, value_sealed, value_index)
            SELECT address, 'contact', owner, %(channel)s, '', uuid_send(address) FROM new
        )
        INSERT INTO deliveries (purpose, about, case_id, recipient_kind, recipient_id, channel, address_id, language,
                                urgency, due_at, expires_at, planned_at)
        SELECT 'action', %(about)s, %(case)s, 'contact', owner, %(channel)s, address, %(language)s,
               %(urgency)s, %(due)s, %(expires)s, %(now)s
        FROM new RETURNING id
        """,
        count=count, channel=channel, about=about, case=case_id, language=language, urgency=urgency,
        due=due_at or now, expires=now + lasts, now=now,
    )  # fmt: skip
    return sorted(one["id"] for one in found)
