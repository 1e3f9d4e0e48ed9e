"""What was said, given or sent in the story, and may stand in no database, no Redis and no log."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from sos.intake.report import Receipt
from tests.demo.story import Told
from tests.demo.words import ADDRESSEES, ALERT, COMMUNITY, LETTER, NOTES, REPORT, SPOKESPERSON
from tests.journey.conftest import Played

SHORTEST_WORD = 6


@dataclass(frozen=True)
class Canary:
    """Something that must not be found, and what it is."""

    what: str
    text: str

    @property
    def forms(self) -> set[bytes]:
        """Its bytes, however they may be written."""
        return {form.encode() for form in (self.text, json.dumps(self.text)[1:-1], quote(self.text))}

    def sings_in(self, place: bytes) -> bool:
        """Whether it stands there; digits alone count only where no other digits touch them."""
        if not any(form in place for form in self.forms):
            return False
        return not self.text.isdigit() or bool(re.search(rb"(?<!\d)%b(?!\d)" % self.text.encode(), place))


def find(canaries: list[Canary], place: bytes) -> list[str]:
    """What kinds of canaries sing there."""
    return sorted({canary.what for canary in canaries if canary.sings_in(place)})


def approved_texts() -> list[Canary]:
    """What two people approved; it may stand in its own table."""
    texts = [*LETTER.values(), *ALERT.values()]
    return [Canary("an approved text", part) for text in texts for part in vars(text).values()]


def all_canaries(played: Played) -> list[Canary]:
    """Everything, each once."""
    told = played.told
    found = [
        *_said(), *_people(told), *_tokens(told), *_receipt(told), *_keys(played),
    ]  # fmt: skip
    return list({canary.text: canary for canary in found if canary.text}.values())


def _said() -> Iterator[Canary]:
    """The report and what was noted of the case: whole, and by each longer word that no approved text holds."""
    approved = " ".join(canary.text for canary in approved_texts()).casefold()
    for what, texts in {"the report": [*REPORT.values()], "a note": [*NOTES.values()]}.items():
        for text in texts:
            words = [word for word in re.findall(r"\w+", text) if len(word) >= SHORTEST_WORD]
            yield from (Canary(what, one) for one in words if one.casefold() not in approved)
            if " " in text:
                yield Canary(what, text)
    yield Canary("who is in danger", COMMUNITY)
    yield Canary("who is in danger", SPOKESPERSON)


def _people(told: Told) -> Iterator[Canary]:
    for contact in told.contacts:
        yield Canary("a contact's name", contact.name)
        yield from (Canary("a member's name", name) for name in contact.organisation.values())
        yield from (Canary(f"an address for {channel}", at) for channel, at in contact.addresses.items())
    for person in told.staff.values():
        yield Canary("a colleague's name", person.name)
        yield Canary("a login", person.login)
        yield from (Canary("a colleague's address", at) for at in (person.email, person.sms))
        yield from (Canary("a passphrase", text) for text in (person.passphrase, quote(person.passphrase)))
        yield Canary("an authenticator's secret", person.totp_secret)
        yield from (Canary("an authenticator's code", code) for code in person.codes)
        yield from (Canary("a session", half) for half in person.desk.cookies()["sos"].split("."))
    for one in ADDRESSEES:
        yield from (Canary("an addressee", text) for text in (one.name, one.title, one.email))


def _tokens(told: Told) -> Iterator[Canary]:
    for got in told.asked:
        yield from (Canary("a link's token", link.rpartition("/")[2]) for link in got.links)
        if got.chat_message:
            yield from (Canary("a button's token", data.partition(":")[2]) for data in got.chat_message.shown)
    yield from (Canary("an SMS code", code) for code in told.codes)


def _receipt(told: Told) -> Iterator[Canary]:
    """Its number alone is no secret: it is how the desk calls the report."""
    assert told.receipt
    code = "".join(told.receipt.code.split())
    yield Canary("a receipt's code", code)
    yield Canary("a receipt's code", told.receipt.code)
    yield Canary("a receipt's code", " ".join(Receipt(0, code).groups))


def _keys(played: Played) -> Iterator[Canary]:
    yield from (Canary("the recovery key", group) for group in played.instance.recovery_words.split())
    for name in ("keys", "twilio", "bot", "webhook"):
        secret = (played.instance.directory / name).read_text().strip()
        yield Canary(f"the file {name}", secret.partition(":")[2] if name == "keys" else secret)
