"""The story from a report of danger to a letter signed by many, and an alert that is stopped half-way."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiosmtplib

from tests.demo import desk
from tests.demo.counting import Count, Wanted, count
from tests.demo.desk import Authors, Receipt, require
from tests.demo.instance import ROOT, Instance
from tests.demo.letter import Letter, read_letter, require_signatures
from tests.demo.members import Contact, read_members, wanted_of, write_some
from tests.demo.people import Browsers, Staff
from tests.demo.signing import Answers, Asked, Members
from tests.demo.sinks import Got, Mark, Sinks
from tests.demo.words import ADDRESSEES, ALERT, LETTER, REPORT, Words, make_staff

BY_HAND = "By hand"  # as the page calls it
MEMBERS = ROOT / "config" / "practice" / "members.csv"
PATIENCE_SECONDS = 20.0  # how long to wait while nothing comes
STOPPED_WITHIN_SECONDS = 2.0

Say = Callable[[str], None]


@dataclass
class Told:
    """How the story ended, and what was said in it that nobody else may ever read."""

    contacts: list[Contact]
    staff: Mapping[str, Staff]
    receipt: Receipt | None = None
    case: str = ""
    asked: list[Got] = field(default_factory=list[Got])
    call: Count | None = None
    to_addressees: Count | None = None
    thanks: Count | None = None
    notices: int = 0
    called: int = 0
    answers: Answers = field(default_factory=Answers)
    letters: list[Letter] = field(default_factory=list[Letter])
    codes: list[str] = field(default_factory=list[str])
    stopped_after: int = 0
    would_have_reached: int = 0

    @property
    def counts(self) -> tuple[Count, ...]:
        """Every sending that was counted: the call to sign, the letter, the thanks."""
        return tuple(one for one in (self.call, self.to_addressees, self.thanks) if one)


@dataclass
class Story:
    """The story as it runs on one installation."""

    instance: Instance
    browsers: Browsers
    say: Say
    told: Told
    quiet_seconds: float = 2.0  # how long nothing more should come once everything is there

    @property
    def sinks(self) -> Sinks:
        return self.instance.sinks

    async def play(self) -> Told:
        """All of it, in order. Raises StoryBroke, Failed."""
        await self._report()
        await self._case()
        action = await self._prepare_letter()
        await self._send(action)
        await self._call()
        await self._look(action)
        await self._answer(action)
        await self._release(action)
        await self._stop_half_way()
        self.instance.require_all_running()
        self.instance.require_calm_logs()
        require(not self.sinks.violations, f"a provider's contract was broken: {self.sinks.violations}")
        return self.told

    def _staff(self, what: str) -> Staff:
        return self.told.staff[what]

    async def _report(self) -> None:
        self.say("A report is filed in Spanish, without JavaScript; sent twice, it is one report")
        mark = self.sinks.mark()
        self.told.receipt = await desk.file_report(self.browsers)
        await self._arrive(mark, 1)
        notices = self.sinks.since(mark)
        triager = self._staff("triager")
        require({got.address for got in notices} <= {triager.email, triager.sms}, "a notice went to somebody off duty")
        secrets = [word for text in REPORT.values() for word in text.split() if len(word) > 5]
        said = " ".join(got.subject + got.text for got in notices)
        require(not [word for word in secrets if word in said], "a notice tells something of the report")
        self.told.notices = len(notices)
        self.say(f"The triager on duty gets {len(notices)} notice(s), which say nothing of it")

    async def _case(self) -> None:
        for person in self.told.staff.values():
            page = await person.sign_in(self.browsers)
            require(page.path == "/desk", f"{person.login} could not sign in")
        self.say("The secretariat signs in, each with passphrase and code")
        self.told.case = await desk.make_case(self._staff("triager"))
        await desk.verify_case(self._staff("verifier"), self.told.case)
        self.say("The report is a case: consents, two corroborations, grades, risks, verified")

    async def _draft(self, kind: str, texts: Mapping[str, Words]) -> str:
        authors = Authors(self._staff("editor"), self._staff("translator"))
        return await desk.draft(authors, self.told.case, kind, texts)

    async def _prepare_letter(self) -> str:
        action = await self._draft("letter", LETTER)
        await desk.address(self._staff("editor"), action)
        self.say(f"A letter is drafted in {len(LETTER)} languages, reviewed, and addressed to {len(ADDRESSEES)}")
        return action

    async def _send(self, action: str) -> None:
        page = await desk.approve(self._staff("editor"), self._staff("approver"), action)
        self.say("Its author is refused when she approves it herself; somebody else approves and sends")
        wanted = wanted_of(self.told.contacts, tuple(LETTER))
        promised = desk.previewed(page)
        mark = self.sinks.mark()
        await self._staff("approver").desk.send(page, "/launch")
        await self._arrive(mark, len(wanted))
        self.told.asked = self.sinks.since(mark)
        titles = {language: text.title for language, text in LETTER.items()}
        self.told.call = count(wanted, [got.arrival(titles) for got in self.told.asked])
        channels = {name: sum(one.channel == name.lower() for one in wanted) for name in promised}
        if BY_HAND in channels:
            channels[BY_HAND] = sum(one.by_hand for one in self.told.contacts)
        require(promised == channels, f"the preview promised {promised}, and the list asks for {channels}")
        self.say(f"{len(self.told.asked)} messages arrive, as the preview promised")

    async def _call(self) -> None:
        """Whom no machine reaches is called by a person."""
        caller = self._staff("triager").desk
        page = await caller.open("/desk/calls")
        while offered := [form for form in page.forms if form.action.endswith("/take")]:
            call = await caller.send(page, offered[0].action)
            page = await caller.send(call, "/outcome", heard="told")
            self.told.called += 1
        expected = sum(one.by_hand for one in self.told.contacts)
        require(self.told.called == expected, f"{self.told.called} were to be called, and the list asks for {expected}")
        self.say(f"{self.told.called} whom no machine reaches are called by a person")

    async def _look(self, action: str) -> None:
        """Scanners and crawlers look at every link, more than once, before anybody answers."""
        before = desk.answers_on(await self._staff("approver").desk.open(action))
        links = sorted({link for got in self.told.asked for link in got.links})
        room = asyncio.Semaphore(12)

        async def look(link: str) -> None:
            async with room:
                scanner = self.browsers.new()
                seen = [await scanner.head(link), (await scanner.open(link)).status, await scanner.head(link)]
                require(seen == [200, 200, 200], f"a link was answered {seen}")

        await asyncio.gather(*(look(link) for link in links))
        after = desk.answers_on(await self._staff("approver").desk.open(action))
        require(before == after == [], "looking at links changed the answers")
        self.say(f"{len(links)} links are looked at by scanners, three times each: nothing is signed")

    async def _answer(self, action: str) -> None:
        contacts = {(channel, at): one for one in self.told.contacts for channel, at in one.addresses.items()}
        received = {contacts[got.channel, got.address].who: got for got in self.told.asked}
        asked = [Asked(one, one.languages[0], received[one.who]) for one in self.told.contacts if one.who in received]
        mark = self.sinks.mark()
        members = Members(self.browsers, self.sinks, self.told.answers, self.told.codes)
        await members.answer(asked)
        await self._arrive(mark, self.told.answers.doors.get("by a word and a code", 0))
        answers = self.told.answers
        doors = ", ".join(f"{number} {door}" for door, number in sorted(answers.doors.items()))
        self.say(f"Members answer: {doors}; {answers.declined} decline, {answers.withdrawn} takes it back")
        shown = desk.answers_on(await self._staff("approver").desk.open(action))
        on_page = [sum(int(row[column]) for row in shown[1:]) for column in (1, 2, 3)]
        counted = [answers.organisations, answers.individuals, answers.declined]
        require(on_page == counted, f"the desk counts {on_page}, and {counted} answered")

    async def _release(self, action: str) -> None:
        approver = self._staff("approver").desk
        await approver.send(await approver.open(action), "/close")
        page = await approver.open(action)
        until = time.monotonic() + 60
        while len([link for link in page.links if link.endswith(".pdf")]) < len(ADDRESSEES):
            require(time.monotonic() < until, "the letter's pages were not made within a minute")
            await asyncio.sleep(0.2)
            page = await approver.open(action)
        self.say("Signing is closed, the signatures are frozen, and the letter is typeset")
        mark, signed = self.sinks.mark(), self._signers()
        await approver.send(page, "/release")
        await self._arrive(mark, len(ADDRESSEES) + len(signed))
        self._read_what_came(self.sinks.since(mark), signed)

    def _signers(self) -> list[Wanted]:
        """Those who are to be thanked: for each signature, whoever gave it."""
        signers = {one.who for one in self.told.answers.signed}
        return [one for one in wanted_of(self.told.contacts, tuple(LETTER)) if one.who in signers]

    def _read_what_came(self, arrived: Sequence[Got], signed: Sequence[Wanted]) -> None:
        to_targets = {one.email: one.language for one in ADDRESSEES}
        letters = [got for got in arrived if got.address in to_targets]
        self.told.letters = [read_letter(got, to_targets[got.address]) for got in letters]
        for letter in self.told.letters:
            require_signatures(letter, self.told.answers)
        titles = {language: text.title for language, text in LETTER.items()}
        addressees = [Wanted(one.email, "email", one.language, {"email": one.email}) for one in ADDRESSEES]
        self.told.to_addressees = count(addressees, [got.arrival(titles) for got in letters])
        thanked = [got.arrival(titles) for got in arrived if got.address not in to_targets]
        self.told.thanks = count(signed, thanked)
        self.say(f"{len(letters)} letters arrive, with each name that was signed; {len(thanked)} signers are thanked")

    async def _stop_half_way(self) -> None:
        action = await self._draft("alert", ALERT)
        approver = self._staff("approver").desk
        page = await desk.approve(self._staff("editor"), self._staff("approver"), action)
        total, mark = sum(desk.previewed(page).values()), self.sinks.mark()
        page = await approver.send(page, "/launch")
        while not self.sinks.count_since(mark):  # noqa: ASYNC110 - the sinks are the providers', and tell nobody
            await asyncio.sleep(0.01)
        await approver.send(page, "/stop")
        await asyncio.sleep(STOPPED_WITHIN_SECONDS)
        reached = self.sinks.count_since(mark)
        await asyncio.sleep(self.quiet_seconds)
        require(self.sinks.count_since(mark) == reached, "something left more than two seconds after it was stopped")
        require(reached < total, "the alert had reached everybody before it was stopped")
        page = await approver.open(action)
        require(f" {reached} " in f" {page.words} ", f"the page does not say that {reached} were reached")
        self.told.stopped_after, self.told.would_have_reached = reached, total
        self.say(
            f"An alert is stopped half-way: {reached} of {total} have it, nothing more leaves, and the page says so"
        )

    async def _arrive(self, mark: Mark, expected: int) -> None:
        """Wait until so many have come and nothing more does, or until nothing has come for long."""
        known, since = self.sinks.count_since(mark), time.monotonic()
        while True:
            await asyncio.sleep(0.1)
            now = self.sinks.count_since(mark)
            if now != known:
                known, since = now, time.monotonic()
            quiet = time.monotonic() - since
            if quiet > (self.quiet_seconds if known >= expected else PATIENCE_SECONDS):
                return


async def prepare(instance: Instance, say: Say, *, contacts: int = 0) -> Told:
    """Found the network, let its people join and import its members, all by the real commands."""
    await instance.command("key", "new", str(instance.directory / "keys"))
    await instance.command("migrate")
    await instance.found()
    staff = make_staff()
    await asyncio.gather(*(instance.add_staff(person) for person in staff.values()))
    members = _list_of_members(instance.directory, contacts)
    await instance.command("member", "import", str(members), "--all-or-nothing")
    say(f"A real network: {len(staff)} people of the secretariat, {len(read_members(members))} contacts")
    return Told(read_members(members), staff)


def _list_of_members(directory: Path, contacts: int) -> Path:
    if not contacts:
        return MEMBERS
    write_some(MEMBERS, directory / "members.csv", contacts)
    return directory / "members.csv"


async def run_processes(instance: Instance) -> None:
    """Two web processes on one port, and two workers."""
    for number in (1, 2):
        await instance.start("web", f"web-{number}")
        await instance.start("worker", f"worker-{number}")


async def notice_a_double(instance: Instance, told: Told) -> Count:
    """Hand one of the mails to the mail server once more; what the counting says now. Raises StoryBroke."""
    mail = next(got.mail for got in told.asked if got.mail)
    mark, server = instance.sinks.mark(), instance.sinks.mail.server
    await aiosmtplib.send(
        mail.content, sender=mail.sender, recipients=list(mail.recipients), hostname=server.host, port=server.port,
        start_tls=False,
    )  # fmt: skip
    titles = {language: text.title for language, text in LETTER.items()}
    arrived = [got.arrival(titles) for got in (*told.asked, *instance.sinks.since(mark))]
    counted = count(wanted_of(told.contacts, tuple(LETTER)), arrived)
    require(len(counted.duplicates) == 1, "a mail that was sent twice on purpose went unnoticed")
    return counted
