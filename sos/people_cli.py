"""The commands about people: the secretariat, and the members."""

import sys
from typing import Any

import click
from pyotp.totp import TOTP

from channels.base import ChannelName
from sos.actor import SYSTEM
from sos.commanding import open_record, plainly, run, settings_now
from sos.config import Config, read_config
from sos.members.importing import parse_members
from sos.members.steps import ImportResult, import_members, preview_import
from sos.runtime import utc_now
from sos.settings import Settings
from sos.staff.staff import Role
from sos.staff.steps import NewStaff, join_staff, leave_staff
from sos.texts import LANGUAGES, Catalogue
from sos.vault import KeyFile


@click.group()
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


@click.group()
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
