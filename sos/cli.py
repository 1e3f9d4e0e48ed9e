"""The `sos` command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from psycopg import OperationalError
from pyotp.totp import TOTP

from channels.base import ChannelName
from sos import doctor as health
from sos import up as all_in_one
from sos.actor import SYSTEM
from sos.config import Config, read_config
from sos.database import NoSuchRow, SchemaBehind, UniqueViolation, migrate, open_pool
from sos.embedded import CannotServe
from sos.jobs import Record, RedisBell
from sos.ledger.restoring import doubt_everything
from sos.log import configure_log
from sos.mailroom import receive_until_stopped
from sos.members.importing import parse_members
from sos.members.steps import ImportResult, import_members, preview_import
from sos.network import AlreadyFounded, found_network
from sos.recovery import as_words, from_words, rehearse
from sos.runtime import open_redis, utc_now
from sos.serve import serve_until_stopped
from sos.settings import BadSetting, Settings, read_settings
from sos.staff.staff import Role, TooShort
from sos.staff.steps import NewStaff, join_staff, leave_staff
from sos.texts import LANGUAGES, Catalogue
from sos.vault import BadKeyFile, CannotOpen, KeyFile
from workers.main import run as run_worker

T = TypeVar("T")

WRONG: dict[type[Exception], str] = {
    SchemaBehind: "The database is older than this code: run `sos migrate` first.",
    BadKeyFile: "SOS_KEY_FILE is not a key file that only its owner can read (make one: `sos key new FILE`).",
    AlreadyFounded: "This database holds a network already.",
    TooShort: "A passphrase needs at least 14 characters.",
    UniqueViolation: "Somebody has this login already.",
    CannotOpen: "This is not the recovery key of this network.",
    NoSuchRow: "Nobody has this login.",
    OperationalError: "SOS_DATABASE_URL: the database does not answer there.",
}


def plainly(command: Callable[..., T]) -> Callable[..., T]:
    """Whatever stops a command is said in one line."""

    @wraps(command)
    def said(*args: Any, **kwargs: Any) -> T:
        try:
            return command(*args, **kwargs)
        except (BadSetting, CannotServe) as wrong:
            raise click.ClickException(str(wrong)) from wrong
        except tuple(WRONG) as wrong:
            said_so = next(words for kind, words in WRONG.items() if isinstance(wrong, kind))
            raise click.ClickException(said_so) from wrong

    return said


def settings_now() -> Settings:
    return read_settings(os.environ)


@asynccontextmanager
async def open_record(settings: Settings) -> AsyncIterator[Record]:
    """A database and its bell, for commands that need no more."""
    pool = await open_pool(settings.database_url, size=2)
    redis = open_redis(settings.redis_url)
    try:
        yield Record(pool, RedisBell(redis))
    finally:
        await redis.aclose()
        await pool.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@click.group()
def main() -> None:
    """System of Solidarity: from a report of danger to a letter signed by many."""


@main.command()
@plainly
def up() -> None:
    """Everything on this machine, for practice: database, doorbell, web and worker. Ctrl-C stops it."""
    sys.exit(all_in_one.run(os.environ))


@main.command()
@plainly
def web() -> None:
    """The web process."""
    configure_log("web")
    run(serve_until_stopped(settings_now()))


@main.command()
@plainly
def worker() -> None:
    """A worker process."""
    configure_log("worker")
    run_worker(settings_now())


@main.command()
@plainly
def mail() -> None:
    """The mail process: bounces, and mails that say stop."""
    configure_log("mail")
    run(receive_until_stopped(settings_now()))


@main.command(name="migrate")
@plainly
def migrate_schema() -> None:
    """Bring the database to this code's schema."""
    applied = run(migrate(settings_now().database_url))
    click.echo("\n".join(applied) or "Nothing to do.")


@main.group()
def key() -> None:
    """The key file."""


@key.command(name="new")
@click.argument("file", type=click.Path(path_type=Path))
@plainly
def new_key_file(file: Path) -> None:
    """Write a new key file. Whoever loses it loses every address: keep a copy apart from the backups."""
    try:
        KeyFile.create(file)
    except FileExistsError as exists:
        raise click.ClickException(f"{file} exists already, and nothing was changed.") from exists
    click.echo(f"{file} is made. Keep a copy of it apart from the database and its backups.")


@main.command()
@plainly
def found() -> None:
    """Found a real network in an empty database, and show its recovery key once."""
    words = run(_found(settings_now()))
    click.echo("Write down the recovery key. It is shown once and stored nowhere:\n")
    click.echo(words + "\n")
    if click.prompt("Type its last group to show that you have it").strip().upper() != words.split()[-1]:
        raise click.ClickException("That is not it. The network is founded; rehearse the key: `sos recovery rehearse`.")


async def _found(settings: Settings) -> str:
    async with open_record(settings) as record:
        return as_words(await found_network(record, "real", utc_now()))


@main.group()
def recovery() -> None:
    """The offline recovery key."""


@recovery.command(name="rehearse")
@plainly
def rehearse_recovery() -> None:
    """Try the recovery key on the newest report and case; nothing is shown of them."""
    words = click.prompt("Recovery key", hide_input=True)
    opened = run(_rehearse(settings_now(), words))
    click.echo(f"The key is right. It opened {opened} of the newest reports and cases.")


async def _rehearse(settings: Settings, words: str) -> int:
    async with open_record(settings) as record, record.reading() as conn:
        return await rehearse(conn, from_words(words))


@main.command()
@click.confirmation_option(prompt="Everything unsettled becomes unknown, and sending waits for two people. Go on?")
@plainly
def restored() -> None:
    """Say that this database is a copy from earlier, where it was not noticed by itself."""
    click.echo(
        f"{run(_doubt(settings_now()))} messages are unknown now. Two people let the sending go on, on the desk."
    )


async def _doubt(settings: Settings) -> int:
    async with open_record(settings) as record, record.step() as step:
        return await doubt_everything(step.conn, utc_now())


@main.group()
def staff() -> None:
    """The secretariat."""


@staff.command(name="add")
@click.option("--login", prompt=True)
@click.option("--name", prompt=True)
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in Role]))
@click.option("--language", default="en", type=click.Choice(list(LANGUAGES)))
@click.option("--time-zone", default="UTC")
@click.option("--email", default="")
@click.option("--sms", default="")
@click.option("--on-duty", is_flag=True)
@click.password_option("--passphrase")
@plainly
def add_staff(
    login: str, name: str, roles: tuple[str, ...], language: str, time_zone: str, email: str, sms: str, on_duty: bool,
    passphrase: str,
) -> None:  # fmt: skip
    """Add somebody. Colleagues who hold keys give them to her on the desk."""
    given = {ChannelName.EMAIL: email, ChannelName.SMS: sms}
    addresses = {channel: address for channel, address in given.items() if address}
    new = NewStaff(login, name, passphrase, frozenset(map(Role, roles)), language, time_zone, on_duty, addresses)
    secret = run(_add_staff(settings_now(), new))
    click.echo(TOTP(secret).provisioning_uri(name=login, issuer_name="SOS"))


async def _add_staff(settings: Settings, new: NewStaff) -> str:
    async with open_record(settings) as record:
        return (await join_staff(record, KeyFile.read(settings.key_file), new, utc_now())).totp_secret


@staff.command(name="leave")
@click.argument("login")
@plainly
def leave(login: str) -> None:
    """Somebody leaves: she is signed out everywhere, and her keys are deleted."""
    run(_leave(settings_now(), login))
    click.echo("She has left. What she may have copied before stays with her.")


async def _leave(settings: Settings, login: str) -> None:
    async with open_record(settings) as record:
        await leave_staff(record, KeyFile.read(settings.key_file), login, utc_now())


@main.group()
def member() -> None:
    """Members and their contacts."""


@member.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--all-or-nothing", is_flag=True, help="Import nothing if any row is refused.")
@click.option("--language", default="en", type=click.Choice(list(LANGUAGES)))
@plainly
def import_list(file: Any, dry_run: bool, all_or_nothing: bool, language: str) -> None:
    """Import a CSV of contacts, one a row; each bad row is named with its line and reason."""
    result = run(_import(settings_now(), read_config(), file.read(), dry_run=dry_run, partial=not all_or_nothing))
    click.echo(describe(result, language))
    sys.exit(1 if result.problems else 0)


async def _import(settings: Settings, config: Config, raw: bytes, *, dry_run: bool, partial: bool) -> ImportResult:
    keys, parsed = KeyFile.read(settings.key_file), parse_members(raw, config)
    async with open_record(settings) as record:
        if dry_run:
            return await preview_import(record, keys, parsed)
        return await import_members(record, keys, parsed, SYSTEM, utc_now(), partial=partial)


def describe(result: ImportResult, language: str) -> str:
    """What an import did, in words."""
    catalogue = Catalogue()
    lines = [
        catalogue.say(
            language,
            "import.line",
            line=one.line,
            column=one.column,
            problem=catalogue.say(language, one.key, **one.facts),
        )
        for one in (*result.problems, *result.remarks)
    ]
    refused = {one.line for one in result.problems if one.line > 1}  # the first line is the headings
    counts = {
        "import.added": result.contacts_added, "import.changed": result.contacts_changed,
        "import.unchanged": result.contacts_unchanged, "import.refused": len(refused),
    }  # fmt: skip
    lines += [catalogue.count(language, key, number) for key, number in counts.items()]
    is_written = result.is_written and result.contacts_added + result.contacts_changed + result.contacts_unchanged > 0
    lines.append(catalogue.say(language, "import.written" if is_written else "import.not_written"))
    return "\n".join(str(line.unescape()) for line in lines)


@main.command()
@plainly
def doctor() -> None:
    """Check database, Redis, keys, providers, clock, disk, who is on duty and who can open cases."""
    findings = run(health.examine(os.environ))
    for finding in findings:
        click.echo(f"{'ok ' if finding.is_well else 'BAD'}  {finding.what}: {finding.detail}")
    sys.exit(0 if all(finding.is_well for finding in findings) else 1)


if __name__ == "__main__":
    main()
