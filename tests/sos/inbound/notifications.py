"""Mails that come back, as different servers write them, built from a few parts; all names are invented."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

HER = "amina@ngo.example"
RETURNED = "Subject: Letter to sign\nTo: amina@ngo.example\nMessage-ID: <1@sos.example>\n\nStop the eviction.\n"


@dataclass(frozen=True)
class Recipient:
    """The fields about one recipient; a field that is empty is left out."""

    status: str = "5.1.1"
    told: str = ""
    action: str = "failed"

    @property
    def fields(self) -> str:
        """As they stand in a notification."""
        named = {
            "Original-Recipient": f"rfc822;{HER}", "Final-Recipient": f"rfc822; {HER}", "Action": self.action,
            "Status": self.status, "Remote-MTA": "dns; mx.ngo.example [192.0.2.25]", "Diagnostic-Code": self.told,
        }  # fmt: skip
        return "".join(f"{name}: {value}\n" for name, value in named.items() if value)


@dataclass(frozen=True)
class Notification:
    """A delivery status notification, as Postfix writes it where nothing else is said."""

    recipients: Sequence[Recipient] = (Recipient(),)
    head: str = "multipart/report; report-type=delivery-status"
    message_id: str = "<n1@mx.ngo.example>"
    about_mail: str = "Reporting-MTA: dns; mx.ngo.example\nX-Postfix-Queue-ID: 3A1\n\n"
    status_type: str = "message/delivery-status"
    encoding: str = "7bit"
    returned: str = "message/rfc822"
    words: str = "I'm sorry to have to inform you that your message could not be delivered."
    newline: str = "\n"

    def with_one(self, status: str = "5.1.1", told: str = "", action: str = "failed") -> "Notification":
        """The same about one recipient."""
        return replace(self, recipients=(Recipient(status, told, action),))

    @property
    def raw(self) -> bytes:
        """The whole mail."""
        report = self.about_mail + "\n".join(one.fields for one in self.recipients)
        parts = [
            ("text/plain; charset=utf-8", "8bit", self.words),
            (self.status_type, self.encoding, _encoded(report, self.encoding)),
            (self.returned, "7bit", RETURNED),
        ]
        return mail(self.head, parts, message_id=self.message_id).replace(b"\n", self.newline.encode())

    @property
    def nested(self) -> bytes:
        """As a gateway hands it on that has put a footer under it."""
        head, _, body = self.raw.decode().partition("\n\n")
        kind = next(line for line in head.split("\n") if line.startswith("Content-Type: ")).partition(": ")[2]
        return mail("multipart/mixed", [(kind, "7bit", body), ("text/plain", "7bit", "Scanned.")], boundary="outer")


def mail(
    head: str, parts: Sequence[tuple[str, str, str]], *, message_id: str = "<n1@mx.ngo.example>", boundary: str = "b/1"
) -> bytes:
    """A mail of several parts: the type, the encoding and the text of each."""
    top = "From: MAILER-DAEMON@mx.ngo.example\nSubject: Undelivered\nAuto-Submitted: auto-replied\n"
    top += f"Message-ID: {message_id}\n" if message_id else ""
    top += f'MIME-Version: 1.0\nContent-Type: {head}; boundary="{boundary}"\n\n'
    shown = (
        f"--{boundary}\nContent-Type: {kind}\nContent-Transfer-Encoding: {how}\n\n{text}\n" for kind, how, text in parts
    )
    return (top + "".join(shown) + f"--{boundary}--\n").encode()


def _encoded(text: str, how: str) -> str:
    if how == "base64":
        return base64.encodebytes(text.encode()).decode()
    return text.replace("=", "=3D") if how == "quoted-printable" else text


OUT_OF_OFFICE = b"""\
From: Amina <amina@ngo.example>
Subject: Automatic reply: Letter to sign
Auto-Submitted: auto-replied
Message-ID: <ooo@ngo.example>
Content-Type: text/plain

I am away. Status: 5.1.1
Action: failed
"""

READ_RECEIPT = mail(
    "multipart/report; report-type=disposition-notification",
    [
        ("text/plain", "7bit", "Your message was displayed."),
        ("message/disposition-notification", "7bit", "Disposition: manual-action/MDN-sent-manually; displayed\n"),
    ],
)

FORWARDED = mail(
    "multipart/mixed",
    [("text/plain", "7bit", "Look what I got!"), ("message/rfc822", "7bit", Notification().raw.decode())],
    boundary="outer",
)
