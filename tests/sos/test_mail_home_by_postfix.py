"""The whole way home through Debian's postfix, set up as docker-compose.yml does; skipped where it is not installed."""

import asyncio
import os
import shutil
import smtplib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.base import ChannelName, SmtpServer
from channels.email import EmailChannel
from sos.mailroom import open_mailroom
from tests.delivering import open_delivering
from tests.providers.mail import SENDER
from tests.shape.test_compose import SERVICES
from tests.sos.inbound.notifications import Notification
from tests.sos.test_mailroom import DOMAIN, Home, free_port

POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/local/sbin")
PROGRAMS = Path("/usr/lib/postfix/sbin")
DEAD = Notification().with_one("5.1.1").raw.replace(b"\n", b"\r\n")

pytestmark = pytest.mark.skipif(
    POSTFIX is None or not PROGRAMS.is_dir() or os.geteuid() != 0, reason="no postfix here that root could start"
)

MAIN = """\
compatibility_level = 3.6
queue_directory = {here}/queue
data_directory = {here}/data
maillog_file = {here}/log
maillog_file_prefixes = {here}
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
address_verify_poll_delay = 1s
"""
# The services of the image that the compose file names, without a chroot.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def settings_of(service: str, door: int) -> str:
    """What the compose file says of postfix, with our own port for the one of the mail process."""
    said = {name.partition("POSTFIX_")[2]: value for name, value in SERVICES[service]["environment"].items()}
    lines = [f"{name} = {value}" for name, value in said.items() if name]
    text = "\n".join(lines).replace("${SOS_BOUNCE_DOMAIN}", DOMAIN).replace("mail:2424", f"127.0.0.1:{door}")
    return text.replace("lmdb:$$data_directory", "btree:$data_directory") + "\n"


def lay_out(port: int, more: str) -> Path:
    """A directory of its own, that postfix's user can pass through."""
    here = Path(tempfile.mkdtemp(prefix="sos-postfix-"))
    here.chmod(0o755)
    for name in ("etc", "queue", "data"):
        (here / name).mkdir()
    shutil.chown(here / "data", "postfix")
    (here / "etc" / "main.cf").write_text(MAIN.format(here=here) + more)
    (here / "etc" / "master.cf").write_text(MASTER.format(port=port))
    return here


@asynccontextmanager
async def postfix(more: str) -> AsyncIterator[int]:
    """A postfix of its own, listening at the port that is given."""
    port = free_port()
    here = lay_out(port, more)
    await run_postfix(here, "start")
    try:
        yield port
    finally:
        await run_postfix(here, "stop")
        shutil.rmtree(here)


async def run_postfix(here: Path, command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        POSTFIX or "", "-c", str(here / "etc"), command,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0


def hand_in(port: int, recipient: str, mail: bytes) -> int:
    """The code that decides about a mail from another server."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as far:
        far.ehlo("mx.ngo.example")
        far.docmd("MAIL", "FROM:<somebody@else.example>")
        code, _ = far.docmd("RCPT", f"TO:<{recipient}>")
        return far.data(mail)[0] if code == 250 else code


@pytest.fixture
async def home(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Home]:
    """A real network with providers and a mailroom."""
    async with (
        open_delivering(database_url, redis_url, tmp_path, bounce_domain=DOMAIN) as delivering,
        open_mailroom(delivering.story.runtime, "127.0.0.1", 0) as server,
    ):
        yield Home(delivering, server.sockets[0].getsockname()[1])


async def until_failed(home: Home, path: str) -> None:
    async with asyncio.timeout(20):
        while (await home.state(path))[0] != "failed":  # noqa: ASYNC110 - the condition lies in the database
            await asyncio.sleep(0.05)


async def test_the_mx_takes_what_we_gave_out_and_refuses_everything_else_before_it_has_it(home: Home) -> None:
    _, path = await home.sent()
    forged = path.replace("+", "+0")
    async with postfix(settings_of("mx", home.port)) as port:
        assert await asyncio.to_thread(hand_in, port, path, DEAD) == 250
        await until_failed(home, path)
        assert await asyncio.to_thread(hand_in, port, forged, DEAD) == 550
        assert await asyncio.to_thread(hand_in, port, "somebody@else.example", DEAD) == 554
    assert await home.suppressed() == ["bounced"]


async def test_while_nobody_reads_mail_the_mx_asks_other_servers_to_come_again(home: Home) -> None:
    _, path = await home.sent()
    async with postfix(settings_of("mx", free_port())) as port:
        assert await asyncio.to_thread(hand_in, port, path, DEAD) == 450


async def test_what_another_server_refuses_comes_home_from_our_own_relay(home: Home) -> None:
    far = home.delivering.mail
    far.answer("RCPT", "550 5.1.1 user unknown")
    contact = await home.delivering.story.contact()
    action_id = await home.delivering.story.launched()
    relay = settings_of("relay", home.port) + f"relayhost = [127.0.0.1]:{far.server.port}\nmynetworks = 127.0.0.1/32\n"
    async with postfix(relay) as port:
        channel = EmailChannel(SmtpServer("127.0.0.1", port, "none", SENDER))
        home.delivering.channels = {ChannelName.EMAIL: channel}
        await home.delivering.send()
        path = (await home.delivering.story.messages(action_id))[contact.id].return_path
        await until_failed(home, path)
        await channel.close()
    assert await home.state(path) == ("failed", "5.1.1")
    assert await home.suppressed() == ["bounced"]
    assert far.mails == []
