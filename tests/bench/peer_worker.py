"""The peer of one arq job per message: the worker's settings, as arq's own documentation would have them."""

import os
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
from arq.connections import RedisSettings
from arq.worker import Worker

from tests.bench.letters import LINK, NAME, Letter, load_letters

LETTERS, SERVER, REDIS = "PEER_LETTERS", "PEER_SERVER", "PEER_REDIS"
ORIGIN = "https://sos.bench.example.org"


async def send_one(ctx: dict[str, Any], number: int) -> None:
    """Build one mail with the email package, and send it over the connection that this worker keeps."""
    await ctx["smtp"].send_message(compose(ctx["letters"][number % len(ctx["letters"])], number))


def compose(letter: Letter, number: int) -> EmailMessage:
    """A multipart mail to one recipient, with the same headers as ours."""
    link = f"{ORIGIN}/s/{number:024d}"
    own = {NAME: f"Amina Ouédraogo {number}", LINK: link}
    mail = EmailMessage()
    mail["From"] = "System of Solidarity <alerts@bench.example.org>"
    mail["To"] = f"c{number}@bench.example.org"
    mail["Subject"] = letter.subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{number:024d}@sos.bench.example.org>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<{ORIGIN}/u/{number:024d}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_filled(letter.text, own))
    mail.add_alternative(_filled(letter.html, own), subtype="html")
    return mail


def _filled(text: str, own: dict[str, str]) -> str:
    for place, words in own.items():
        text = text.replace(place, words)
    return text


async def open_connection(ctx: dict[str, Any]) -> None:
    """When the worker starts."""
    host, _, port = os.environ[SERVER].rpartition(":")
    ctx["letters"] = load_letters(Path(os.environ[LETTERS]))
    ctx["smtp"] = aiosmtplib.SMTP(hostname=host, port=int(port), use_tls=False, start_tls=False)
    await ctx["smtp"].connect()


async def close_connection(ctx: dict[str, Any]) -> None:
    """When it ends."""
    await ctx["smtp"].quit()


def main() -> None:
    """One worker process."""
    path = os.environ[REDIS].removeprefix("unix://").partition("?")[0]
    Worker(
        functions=[send_one],
        redis_settings=RedisSettings(unix_socket_path=path),
        on_startup=open_connection,
        on_shutdown=close_connection,
        max_jobs=10,
        keep_result=0,
        poll_delay=0.05,
    ).run()


if __name__ == "__main__":
    main()
