"""The `sos` command."""

import os
import sys
from pathlib import Path

import click

from sos import doctor as health
from sos import up as all_in_one
from sos.bench.commands import bench
from sos.commanding import open_record, plainly, run, settings_now
from sos.database import migrate
from sos.ledger.restoring import doubt_everything
from sos.log import configure_log
from sos.mailroom import receive_until_stopped
from sos.network import found_network
from sos.people_cli import member, staff
from sos.recovery import as_words, from_words, rehearse
from sos.runtime import utc_now
from sos.serve import serve_until_stopped
from sos.settings import Settings
from sos.vault import KeyFile
from workers.main import run as run_worker


@click.group(commands=[staff, member, bench])
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
