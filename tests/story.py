"""An action brought to any state through the real steps, in a small network; nothing about it is made up by SQL."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import LiteralString
from uuid import UUID, uuid4

from aiohttp.test_utils import BaseTestServer, TestClient, TestServer

from channels.base import ChannelName, Message
from sos.actions import steps as actions
from sos.actions.action import Kind, NamesShown, Target, Text, Withheld
from sos.app import create_app
from sos.database import Connection, open_pool, rows
from sos.endorsements import store as endorsements
from sos.endorsements.endorsement import Answer, Became, Door, Invitation
from sos.endorsements.steps import answer
from sos.http import cookie_name
from sos.intake import store as intake
from sos.intake.report import Urgency, new_form_secret
from sos.intake.steps import file_report
from sos.jobs import Record, RedisBell
from sos.ledger import leaving_store
from sos.ledger import store as ledger
from sos.ledger.delivery import Due
from sos.letters import steps as letters
from sos.members.member import Contact, Member, MemberKind, OwnerKind, Standing
from sos.members.sealed import seal_address, seal_names, seal_person
from sos.members.store import save_address, save_contact, save_member
from sos.messages import Links
from sos.network import found_network
from sos.outreach import steps as outreach
from sos.reach import Channels, open_channels
from sos.runtime import Runtime, open_redis, open_runtime
from sos.settings import Settings
from sos.staff.staff import Person, Role
from sos.staff.steps import open_session
from sos.staff.store import StaffRow, insert_staff
from sos.triage import case as triage
from sos.triage import steps as cases
from sos.triage import store as triage_store
from sos.triage import verification
from sos.triage.consent import Answer as ConsentAnswer
from sos.triage.consent import record_consent
from sos.vault import Place, PrivateKey, digest
from tests.make import make_settings
from tests.secretariat import WORDS, Browser, Clock, Seat
from workers.renderers import RENDERERS
from workers.rendering import render

SUBJECT = "Marisol Quispe"
ENGLISH = Text(
    "Stop the eviction at the old port", "Four hundred families may lose their homes.", "Dear Minister,\n\nStop."
)
SPANISH = Text("Detengan el desalojo del puerto", "Cuatrocientas familias pierden su casa.", "Señor Ministro:\n\nAlto.")
ARABIC = Text("أوقفوا الإخلاء", "أربعمئة أسرة قد تفقد بيوتها.", "سيدي الوزير،\n\nأوقفوا الإخلاء.")
MINISTER = ("José Pérez", "Minister of Housing")


@dataclass(frozen=True)
class Reached:
    """A contact of the network, and where she is reached."""

    id: UUID
    member_id: UUID
    addresses: Mapping[ChannelName, str]


@dataclass
class Story:
    """A network with its secretariat: who owns the case, who verifies, who writes, who reads again, who approves."""

    runtime: Runtime
    clock: Clock
    owner: Person
    verifier: Person
    editor: Person
    reviewer: Person
    approver: Person
    stack: AsyncExitStack
    numbers: list[int] = field(default_factory=list[int])
    served: list[BaseTestServer] = field(default_factory=list[BaseTestServer])

    @property
    def now(self) -> datetime:
        return self.clock.now

    # The network

    async def member(
        self, names: Mapping[str, str] | str = "River Women", *, country: str = "KE", region: str = "africa",
        groups: Sequence[str] = (),
    ) -> UUID:  # fmt: skip
        """A member organisation."""
        named = {"": names} if isinstance(names, str) else names
        member_id = uuid4()
        member = Member(
            member_id, f"M-{member_id}", MemberKind.NGO, Standing.MEMBER, country, region, tuple(groups),
            seal_names(self.runtime.keys, member_id, named),
        )  # fmt: skip
        async with self.runtime.record.step() as step:
            await save_member(step.conn, member)
        return member_id

    async def contact(
        self, member_id: UUID | None = None, *, name: str = "Amina Diallo", languages: Sequence[str] = ("en",),
        by: Mapping[ChannelName, str] | ChannelName = ChannelName.EMAIL, may_sign: bool = True,
        discreet: bool | None = None, paused: bool = False, time_zone: str = "Africa/Nairobi", may_wake: bool = False,
        phone_country: str | None = None,
    ) -> Reached:  # fmt: skip
        """A person in a member (a new one where none is given), reached at invented addresses where none are given."""
        member_id = member_id or await self.member()
        addresses = by if isinstance(by, Mapping) else {by: self.invent(by)}
        contact_id, keys = uuid4(), self.runtime.keys
        contact = Contact(
            contact_id, member_id, seal_person(keys, contact_id, name), tuple(languages), tuple(addresses), time_zone,
            may_sign=may_sign, discreet=discreet, paused=paused, may_wake=may_wake,
        )  # fmt: skip
        async with self.runtime.record.step() as step:
            await save_contact(step.conn, contact)
            for channel, address in addresses.items():
                country = phone_country if channel is ChannelName.SMS else None
                sealed = seal_address(keys, (OwnerKind.CONTACT, contact_id), channel, address, country=country)
                await save_address(step.conn, sealed)
        return Reached(contact_id, member_id, addresses)

    def invent(self, channel: ChannelName) -> str:
        """An address that nobody has had yet."""
        number = len(self.numbers)
        self.numbers.append(number)
        return {
            ChannelName.EMAIL: f"contact{number}@example.org",
            ChannelName.SMS: f"+2547{number:08}",
            ChannelName.TELEGRAM: str(70_000_000 + number),
        }[channel]

    # The secretariat

    async def on_duty(self, person: Person) -> str:
        """She is on duty from now on, and called by SMS; her number."""
        number = self.invent(ChannelName.SMS)
        async with self.runtime.record.step() as step:
            await step.conn.execute("UPDATE staff SET on_duty = true WHERE id = %s", [person.id])
            owner = (OwnerKind.STAFF, person.id)
            await save_address(step.conn, seal_address(self.runtime.keys, owner, ChannelName.SMS, number))
        return number

    # The case

    async def case(
        self, *, consent: bool = True, verified: bool = True, name: str = SUBJECT, country: str | None = None,
        urgency: Urgency = Urgency.SERIOUS,
    ) -> UUID:  # fmt: skip
        """A case with one subject, verified, who has consented to whatever an action needs but not to her name."""
        record, config = self.runtime.record, self.runtime.config
        secret = new_form_secret()
        await file_report(record, WORDS, form_secret=secret, language="es", urgency=Urgency.SERIOUS, now=self.now)
        async with record.reading() as conn:
            report = await intake.find_by_form(conn, digest("form", secret))
        assert report
        case_id = await cases.open_case(
            record, config, self.owner, report.id, urgency=urgency, working_group="environment", now=self.now,
            country=country, subject=cases.NewSubject(triage.SubjectKind.PERSON, 1, name),
        )  # fmt: skip
        if consent:
            await self.consent(case_id, "members", "target", value=triage.ConsentValue.YES)
        if verified:
            await self.verify(case_id)
        return case_id

    async def subjects(self, case_id: UUID) -> list[UUID]:
        """Those in danger."""
        async with self.runtime.record.reading() as conn:
            return [one.id for one in await triage_store.list_subjects(conn, case_id)]

    async def consent(
        self, case_id: UUID, *scopes: str, value: triage.ConsentValue, subject: UUID | None = None
    ) -> None:
        """An answer to some scopes."""
        subject = subject or (await self.subjects(case_id))[0]
        said = ConsentAnswer(subject, scopes, value, "by phone")
        await record_consent(self.runtime.record, self.runtime.config, self.owner, case_id, answer=said, now=self.now)

    async def verify(self, case_id: UUID) -> None:
        """Everything that makes a case a verified one."""
        record, person, now = self.runtime.record, self.verifier, self.now
        await verification.answer_mandate(record, person, case_id, mandate=triage.Mandate.INSIDE, reason="", now=now)
        await verification.corroborate(record, person, case_id, source=triage.Source.MEMBER_NEAR, note="seen", now=now)
        await verification.grade(
            record, person, case_id, reliability=triage.Reliability.B, validity=triage.Validity.PROBABLE, now=now
        )
        await verification.weigh_risks(record, person, case_id, if_we_act="few", if_we_do_not="many", now=now)
        await verification.verify(record, person, case_id, exception="", now=now)

    async def withheld(self, case_id: UUID) -> Withheld:
        """What may not stand in a text, as somebody reads it who holds the case's key."""
        async with self.runtime.record.reading() as conn:
            subjects = await cases.withheld_subjects(conn, case_id, self.runtime.config)
            names = await cases.withheld_names(conn, self.editor, case_id, self.runtime.config)
        return Withheld(tuple(names), subjects)

    # The action

    async def draft(
        self, *, case_id: UUID | None = None, kind: Kind = Kind.LETTER, text: Text = ENGLISH, language: str = "en",
        names_shown: NamesShown = NamesShown.TARGET, regions: Sequence[str] = (), groups: Sequence[str] = (),
        lasts: timedelta = timedelta(days=3), waits: timedelta | None = None,
    ) -> UUID:  # fmt: skip
        """A draft in one language, written by the editor and checked for names."""
        case_id = case_id or await self.case()
        new = actions.NewAction(
            kind, names_shown, tuple(regions), tuple(groups), self.now + lasts, language, text,
            waits_until=self.now + waits if waits else None,
        )  # fmt: skip
        return await actions.draft_action(
            self.runtime.record, self.runtime.keys, self.editor, case_id, new, self.now,
            withheld=await self.withheld(case_id),
        )  # fmt: skip

    async def write(self, action_id: UUID, language: str, text: Text, *, by: Person | None = None) -> None:
        """A text, checked for names."""
        withheld = await self.withheld((await self.prepared(action_id)).action.case_id)
        await actions.write_text(
            self.runtime.record, self.runtime.keys, by or self.editor, action_id, language, text, self.now,
            withheld=withheld,
        )  # fmt: skip

    async def review(self, action_id: UUID, language: str = "en", *, by: Person | None = None) -> None:
        """Somebody else says that the text which stands there is right."""
        prepared = await self.prepared(action_id)
        seen = next(draft.text.hash for draft in prepared.drafts if draft.language == language)
        await actions.review_text(self.runtime.record, by or self.reviewer, action_id, language, seen, self.now)

    async def address(
        self, action_id: UUID, *, language: str = "en", email: str = "minister@example.org", country: str | None = None
    ) -> None:
        """The letter is addressed to a minister."""
        target = Target(uuid4(), *MINISTER, language, email, country)
        await actions.add_target(self.runtime.record, self.runtime.keys, self.editor, action_id, target, self.now)

    async def ready(self, *, texts: Mapping[str, Text] | None = None, **drafted: object) -> UUID:
        """A letter (or an alert) of which nothing is missing but somebody's approval."""
        texts = texts or {"en": ENGLISH}
        language = next(iter(texts))
        action_id = await self.draft(text=texts[language], language=language, **drafted)  # type: ignore[arg-type]
        for other, text in texts.items():
            if other != language:
                await self.write(action_id, other, text)
        for one in texts:
            await self.review(action_id, one)
        if drafted.get("kind") is not Kind.ALERT:
            await self.address(action_id, language=language)
        return action_id

    async def prepared(self, action_id: UUID) -> actions.Prepared:
        """The action with all that an approval is about."""
        async with self.runtime.record.reading() as conn:
            return await actions.find_prepared(conn, self.runtime.keys, action_id)

    async def approve(self, action_id: UUID, *, by: Person | None = None, seen: bytes | None = None) -> None:
        """Somebody approves what she saw, which is what is there unless something else is given."""
        seen = seen or (await self.prepared(action_id)).fingerprint
        await actions.approve(
            self.runtime.record, self.runtime.keys, self.runtime.config, by or self.approver, action_id, seen, self.now
        )

    async def launch(self, action_id: UUID) -> int:
        """Send now."""
        return await outreach.launch(self.runtime, self.editor, action_id, self.now)

    async def launched(self, *, texts: Mapping[str, Text] | None = None, **drafted: object) -> UUID:
        """An action on its way."""
        action_id = await self.ready(texts=texts, **drafted)
        await self.approve(action_id)
        await self.launch(action_id)
        return action_id

    async def stop(self, action_id: UUID) -> int:
        """Stop sending."""
        return await letters.stop(self.runtime, self.approver, action_id, self.now)

    async def freeze(self, action_id: UUID) -> UUID:
        """The time for answers is over; the letter's id."""
        letter_id = await letters.close(self.runtime, action_id, self.now)
        assert letter_id
        return letter_id

    # Answers

    async def delivery(self, action_id: UUID, contact: Reached) -> int:
        """The number of the message by which she was asked first."""
        (found,) = await self.rows(
            """
            SELECT id FROM deliveries WHERE about = %(about)s AND recipient_id = %(id)s AND purpose = 'action'
            ORDER BY step, id LIMIT 1
            """,
            about=action_id, id=contact.id,
        )  # fmt: skip
        return int(str(found["id"]))

    async def invitation(self, action_id: UUID, contact: Reached) -> Invitation:
        """What she is asked."""
        delivery = await self.delivery(action_id, contact)
        async with self.runtime.record.reading() as conn:
            found = await endorsements.find_invitation(conn, delivery)
        assert found
        return found

    async def answer(self, action_id: UUID, contact: Reached, given: Answer = Answer.SIGN) -> Became:
        """She answers by her link."""
        invitation = await self.invitation(action_id, contact)
        return await answer(self.runtime.record, self.runtime.keys, invitation, given, Door.WEB, self.now)

    async def link(self, action_id: UUID, contact: Reached) -> str:
        """The path of her own page."""
        link = Links(self.runtime.keys, self.runtime.settings).sign(await self.delivery(action_id, contact))
        return link.removeprefix(self.runtime.settings.public_url)

    # Looking

    async def serve(self, channels: Channels | None = None) -> BaseTestServer:
        """The web application, opened when it is first asked for."""
        if not self.served:
            if channels is None:
                channels = await self.stack.enter_async_context(open_channels(self.runtime))
            self.served.append(await self.stack.enter_async_context(TestServer(create_app(self.runtime, channels))))
        return self.served[0]

    async def browser(self) -> Browser:
        """Somebody's own browser, without cookies yet."""
        return await self.stack.enter_async_context(TestClient(await self.serve()))

    async def seat(self, person: Person) -> Seat:
        """Somebody of the secretariat at her own browser, signed in."""
        async with self.runtime.record.step() as step:
            cookie = await open_session(step.conn, person.id, person.key, self.now)
        browser = await self.browser()
        browser.session.cookie_jar.update_cookies({cookie_name(self.runtime.settings): cookie})
        return Seat(person.id, browser)

    async def check(self, action_id: UUID) -> None:
        """Somebody who may looks for withheld names in every text."""
        withheld = await self.withheld((await self.prepared(action_id)).action.case_id)
        record, keys = self.runtime.record, self.runtime.keys
        await actions.check_names(record, keys, self.editor, action_id, withheld, self.now)

    async def messages(self, about: UUID) -> dict[UUID, Message]:
        """What each recipient gets about something, as a worker would render it now."""
        async with self.runtime.record.reading() as conn:
            due = await rows(conn, Due, "SELECT * FROM deliveries WHERE about = %(about)s ORDER BY id", about=about)
            found = [await ledger.find(conn, one.id) for one in due]
        rendered = await render(self.runtime, RENDERERS, due)
        return {one.recipient_id: rendered[one.id] for one in found if one}

    async def looks(self, channel: ChannelName) -> list[Due]:
        """What a worker would send now by a channel."""
        async with self.runtime.record.step() as step:
            found = await leaving_store.look(step.conn, channel, purposes=RENDERERS.keys(), now=self.now)
            if found is None:
                return []
            await leaving_store.look_away(step.conn, channel, found[0])
            return found[1]

    async def states(self, about: UUID) -> Counter[str]:
        """How many deliveries about something stand where."""
        found = await self.rows("SELECT state::text AS state FROM deliveries WHERE about = %(about)s", about=about)
        return Counter(str(one["state"]) for one in found)

    async def rows(self, query: LiteralString, **params: object) -> list[dict[str, object]]:
        """What stands in the database."""
        async with self.runtime.record.reading() as conn:
            return await _rows(conn, query, params)

    async def count(self, table: LiteralString) -> int:
        """How many rows a table has."""
        (found,) = await self.rows(f"SELECT count(*) AS count FROM {table}")
        return int(str(found["count"]))


async def _rows(conn: Connection, query: LiteralString, params: Mapping[str, object]) -> list[dict[str, object]]:
    return await rows(conn, dict[str, object], query, **params)


async def _join(runtime: Runtime, name: str, *roles: Role) -> Person:
    """Somebody of the secretariat, signed in; without the tenth of a second that her passphrase would take."""
    staff_id, key = uuid4(), PrivateKey.new()
    row = StaffRow(
        id=staff_id,
        name_sealed=runtime.keys.seal(name, Place("staff", "name", staff_id)),
        roles=frozenset(roles),
        language="en",
        time_zone="UTC",
        on_duty=False,
        public_key=key.public(),
        private_key_sealed=b"",
        totp_sealed=b"",
        totp_used_step=0,
        wrong_tries=0,
        locked_until=None,
    )
    async with runtime.record.step() as step:
        await insert_staff(step.conn, row, login_index=runtime.keys.index("login", name), now=runtime.clock())
    return Person(staff_id, name, frozenset(roles), "en", "UTC", key, name)


@asynccontextmanager
async def open_story(
    database_url: str, redis_url: str, directory: Path, *, settings: Settings | None = None
) -> AsyncIterator[Story]:
    """A network with its secretariat and nobody else; a real one where the settings name a mail server."""
    settings = settings or make_settings(database_url, redis_url, directory)
    clock = Clock()
    pool, redis = await open_pool(database_url, size=1), open_redis(redis_url)
    await found_network(Record(pool, RedisBell(redis)), "real" if settings.smtp else "practice", clock.now)
    await pool.close()
    await redis.aclose()
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings, clock=clock))
        yield Story(
            runtime,
            clock,
            owner=await _join(runtime, "Amara", Role.TRIAGE),
            verifier=await _join(runtime, "Lucía", Role.VERIFIER),
            editor=await _join(runtime, "Noor", Role.EDITOR),
            reviewer=await _join(runtime, "Inês", Role.TRANSLATOR),
            approver=await _join(runtime, "Yannick", Role.APPROVER),
            stack=stack,
        )
