"""The members' answers: by the page behind a link, by two taps, by a word and a code."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from tests.demo.desk import require
from tests.demo.members import Contact
from tests.demo.page import Page
from tests.demo.people import Browsers
from tests.demo.sinks import Got, Sinks
from tests.providers import NUMBER

SMS_WORD = re.compile(r"(SIGN|FIRMO|JE SIGNE|أوقع|ASSINO) (\d{5})")
AT_ONCE = 12
PRESSED_AT_ONCE = 50
DECLINES = 6


@dataclass(frozen=True)
class Signature:
    """One signature as the demo saw it given: by whom, and the name that stands in the letter."""

    who: str
    name: str
    country: str
    individual: bool


@dataclass(frozen=True)
class Asked:
    """A contact with the message that asks her."""

    contact: Contact
    language: str
    got: Got

    @property
    def link(self) -> str:
        return next((link for link in self.got.links if "/s/" in link), "")

    @property
    def can_answer(self) -> bool:
        """Where SMS carry neither links nor replies, she only reads."""
        return bool(self.link or SMS_WORD.search(self.got.text))

    @property
    def answer(self) -> str:
        """What she may say for a yes."""
        return "sign" if self.contact.may_sign else "sign_individually"

    @property
    def signature(self) -> Signature:
        name = self.contact.organisation_in(self.language) if self.contact.may_sign else self.contact.name
        return Signature(self.contact.who, name, self.contact.country, not self.contact.may_sign)


@dataclass
class Answers:
    """Everything that was answered, counted while it was given."""

    signed: list[Signature] = field(default_factory=list[Signature])
    doors: dict[str, int] = field(default_factory=dict[str, int])
    declined: int = 0
    withdrawn: int = 0
    refused_twice: int = 0

    def take(self, asked: Asked, door: str) -> None:
        self.signed.append(asked.signature)
        self.doors[door] = self.doors.get(door, 0) + 1

    @property
    def organisations(self) -> int:
        return sum(not one.individual for one in self.signed)

    @property
    def individuals(self) -> int:
        return sum(one.individual for one in self.signed)

    @property
    def countries(self) -> int:
        return len({one.country for one in self.signed})


def wants_to_sign(member: str) -> bool:
    """About six members of ten, always the same."""
    return crc32(member.encode()) % 10 < 6


@dataclass
class Members:
    """The contacts who were asked, answering as people do."""

    browsers: Browsers
    sinks: Sinks
    answers: Answers = field(default_factory=Answers)
    codes: list[str] = field(default_factory=list[str])

    async def answer(self, asked: Sequence[Asked]) -> None:
        """Those who want to sign do, a colleague tries after them, some decline; one link is pressed fifty times."""
        first: dict[str, Asked] = {}
        colleagues: list[Asked] = []
        for one in asked:
            if not one.can_answer:
                continue
            if first.setdefault(one.contact.member, one) is not one:
                colleagues.append(one)
        willing = [one for member, one in first.items() if wants_to_sign(member)]
        pressed = next(one for one in willing if one.got.channel == "email" and one.contact.may_sign)
        unwilling = [one for member, one in first.items() if not wants_to_sign(member)]
        await self._in_parallel([self._sign(one) for one in willing if one is not pressed])
        await self._press_often(pressed)
        trying = [one for one in colleagues if one.contact.may_sign and first[one.contact.member] in willing]
        trying = [one for one in trying if first[one.contact.member].contact.may_sign]
        await self._in_parallel([self._try_after(one) for one in trying])
        await self._in_parallel([self._decline(one) for one in unwilling[:DECLINES]])
        await self._withdraw(next(one for one in willing if one.got.channel == "email" and one is not pressed))

    async def _in_parallel(self, work: Sequence[Awaitable[None]]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(each: Awaitable[None]) -> None:
            async with room:
                await each

        await asyncio.gather(*(one(each) for each in work))

    async def _sign(self, one: Asked) -> None:
        """By the door that her message opens."""
        if one.got.chat_message and one.got.chat_message.buttons[0][0].get("callback_data"):
            await self._sign_by_taps(one)
        elif one.got.channel == "sms" and SMS_WORD.search(one.got.text):
            await self._sign_by_word(one)
        else:
            await self._sign_on_page(one)

    async def _sign_on_page(self, one: Asked) -> None:
        browser = self.browsers.new()
        page = await browser.open(one.link)
        require(page.language == one.language, f"the page of {one.contact.member} is in {page.language}")
        done = await browser.send(page, "", answer=one.answer)
        require(done.status == 200, f"{one.contact.member} could not sign: {done.status}")
        require(not _may_answer(done), f"{one.contact.member} is asked again after signing")
        self.answers.take(one, "on the page")

    async def _sign_by_taps(self, one: Asked) -> None:
        message = one.got.chat_message
        assert message
        await self.sinks.telegram.tap(message.chat, message.message_id, message.buttons[0][0]["callback_data"])
        verb = "org" if one.contact.may_sign else "own"
        choice = [button["callback_data"] for row in message.buttons for button in row if "callback_data" in button]
        tap = next(data for data in choice if data.startswith(f"{verb}:"))
        await self.sinks.telegram.tap(message.chat, message.message_id, tap)
        self.answers.take(one, "by two taps")

    async def _sign_by_word(self, one: Asked) -> None:
        found = SMS_WORD.search(one.got.text)
        assert found
        self.codes.append(found[2])
        answer = await self.sinks.twilio.text_in(one.got.address, NUMBER, f" {found[1].lower()}  {found[2]}.")
        require(answer.status == 200, f"the SMS of {one.contact.member} was answered {answer.status}")
        self.answers.take(one, "by a word and a code")

    async def _press_often(self, one: Asked) -> None:
        """Fifty at once, from one page: one signature."""
        browser = self.browsers.new()
        form = (await browser.open(one.link)).forms[0]
        filled = form.fill({"answer": one.answer})
        pressed = await asyncio.gather(*(browser.post(form.action, filled) for _ in range(PRESSED_AT_ONCE)))
        require(all(page.status == 200 for page in pressed), "a hurried tap was answered with an error")
        self.answers.take(one, "on the page")

    async def _try_after(self, one: Asked) -> None:
        """A colleague of somebody who has signed: her page does not offer it, and sending it anyway changes nothing."""
        browser = self.browsers.new()
        form = (await browser.open(one.link)).forms[0]
        require("sign" not in form.choices["answer"], f"{one.contact.member} is offered a second signature")
        hidden = [pair for pair in form.filled if pair[0] != "answer"]
        await browser.post(form.action, [*hidden, ("answer", "sign")])
        self.answers.refused_twice += 1

    async def _decline(self, one: Asked) -> None:
        browser = self.browsers.new()
        await browser.send(await browser.open(one.link), "", answer="decline")
        self.answers.declined += 1

    async def _withdraw(self, one: Asked) -> None:
        browser = self.browsers.new()
        page = await browser.send(await browser.open(one.link), "/withdraw")
        require(_may_answer(page), f"{one.contact.member} could not take her signature back")
        self.answers.signed.remove(one.signature)
        self.answers.withdrawn += 1


def _may_answer(page: Page) -> bool:
    return any("answer" in form.fields for form in page.forms)
