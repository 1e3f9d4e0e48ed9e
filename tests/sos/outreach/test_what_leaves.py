"""The messages of an action: her own words around the approved text, and nothing that could hurt her."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import MACHINES, ChannelName, Message
from channels.mime import build, read_sender
from channels.segments import segments
from channels.wording import MARKS
from sos.actions.action import Kind, Text
from sos.messages import Letterbox, Links, make_mold
from sos.outreach.messages import LONGEST, shorten
from sos.texts import LANGUAGES, Templates, clean_line, clean_text, moment
from tests.story import ARABIC, ENGLISH, SPANISH, Story

EMAIL, SMS, TELEGRAM = ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM
SENDER = read_sender("System of Solidarity <alerts@sos.example>")
HOSTILE = [
    "{{7*7}} {% raw %}",
    "<script>alert(1)</script>",
    "%(name)s %s {name}",
    "\ue000name\ue001\ue000link\ue001",
    "=?utf-8?q?hi=0D=0ABcc:_x=40y?=",
    "hi\r\nBcc: x@example.org",
    "abc\u202egnp.exe\u2066",
    "=HYPERLINK(1)",
]


def everything(message: Message) -> str:
    labels = " ".join(button.label for row in message.buttons for button in row)
    return "\n".join((message.subject, message.text, message.html, labels))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("channel", MACHINES)
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_a_discreet_phone_shows_no_name_no_organisation_and_no_word_of_the_action(
    story: Story, kind: Kind, channel: ChannelName, language: str
) -> None:
    member = await story.member("Port Families’ Union", country="KE")
    contact = await story.contact(
        member, name="Wanjiku", by=channel, discreet=True, languages=[language], time_zone="Africa/Nairobi"
    )
    action_id = await story.launched(kind=kind, texts={"en": ENGLISH, "ar": ARABIC})
    message = (await story.messages(action_id))[contact.id]
    seen = everything(message)
    words = "Wanjiku Port Union Kenya Nairobi solidarity sign letter eviction families Minister رسالة توقيع الإخلاء"
    assert not re.search(rf"\b({words.replace(' ', '|')})", seen, re.IGNORECASE)
    assert await story.link(action_id, contact) in seen + str(message.buttons)
    assert not any(button.tap for row in message.buttons for button in row)


@pytest.mark.parametrize("channel", [EMAIL, TELEGRAM])
async def test_a_name_in_another_direction_stays_whole(story: Story, channel: ChannelName) -> None:
    contact = await story.contact(await story.member("اتحاد الميناء"), name="سلمى", by=channel)
    message = (await story.messages(await story.launched()))[contact.id]
    assert "\u2068سلمى\u2069" in message.text + message.html
    assert "\u2068اتحاد الميناء\u2069" in message.text + message.html


async def test_an_sms_spends_nothing_on_direction(story: Story) -> None:
    contact = await story.contact(await story.member("اتحاد الميناء"), by=SMS)
    message = (await story.messages(await story.launched()))[contact.id]
    assert "اتحاد الميناء" in message.text
    assert not set("\u2068\u2069") & set(message.text)


async def test_an_organisation_is_called_as_it_writes_itself_in_the_language_of_the_message(story: Story) -> None:
    member = await story.member({"": "اتحاد الميناء", "es": "Unión del Puerto"})
    spanish, english = await story.contact(member, languages=["es"]), await story.contact(member, languages=["en"])
    messages = await story.messages(await story.launched(texts={"en": ENGLISH, "es": SPANISH}))
    assert "Unión del Puerto" in messages[spanish.id].text
    assert "اتحاد الميناء" in messages[english.id].text


async def test_the_deadline_stands_in_her_own_time_as_people_there_write_it(story: Story) -> None:
    bogota = await story.contact(languages=["es"], time_zone="America/Bogota")
    amman = await story.contact(languages=["ar"], time_zone="Asia/Amman")
    messages = await story.messages(await story.launched(texts={"en": ENGLISH, "es": SPANISH, "ar": ARABIC}))
    assert "17 de marzo de 2031, 04:00 (Bogotá)" in messages[bogota.id].text
    assert "17 مارس 2031، 12:00 (عمّان)" in messages[amman.id].text


@pytest.mark.parametrize(
    ("language", "zone", "told"),
    [
        ("en", "Asia/Amman", "October 1, 2026, 00:05 (Amman)"),
        ("es", "America/Argentina/Buenos_Aires", "30 de septiembre de 2026, 18:05 (Buenos Aires)"),
        ("pt", "America/Sao_Paulo", "30 de setembro de 2026, 18:05 (São Paulo)"),
        ("fr", "UTC", "30 septembre 2026, 21:05 (UTC)"),
    ],
)
def test_a_moment_names_a_city_and_no_offset(language: str, zone: str, told: str) -> None:
    assert moment(datetime(2026, 9, 30, 21, 5, tzinfo=UTC), ZoneInfo(zone), language) == told


async def test_every_recipient_gets_her_own_link_and_code_and_nobody_elses(story: Story) -> None:
    member = await story.member()
    contacts = [await story.contact(member, by=SMS, name=f"Nr{number}") for number in range(6)]
    action_id = await story.launched()
    messages = await story.messages(action_id)
    for contact in contacts:
        link = await story.link(action_id, contact)
        assert [link in message.text for message in messages.values()].count(True) == 1
        assert link in messages[contact.id].text
    assert all(MARKS["name"][0] not in everything(message) for message in messages.values())


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_hostile_title_and_name_are_shown_and_nothing_else(story: Story, hostile: str) -> None:
    text = Text(hostile, hostile, hostile)
    contacts = {
        channel: await story.contact(await story.member(hostile), name=hostile, by=channel) for channel in MACHINES
    }
    innocent = await story.contact(name="Innocent Otieno")
    action_id = await story.launched(texts={"en": text})
    messages = await story.messages(action_id)
    for contact in contacts.values():
        message = messages[contact.id]
        assert "<script>" not in message.html
        assert "Innocent" not in everything(message)
        assert everything(message).count(await story.link(action_id, contact)) == (3 if message.subject else 1)
    mail = message_from_bytes(build(messages[innocent.id], SENDER, story.now).content, policy=policy.default)
    assert mail.get_all("Bcc") is None
    assert mail.get_all("To") == [messages[innocent.id].address]
    assert "\n" not in messages[innocent.id].subject
    assert not set("\u202e\ue000\ue001") & set(everything(messages[innocent.id]))


def test_what_is_typed_comes_in_without_what_nobody_sees() -> None:
    assert clean_line(" a\u202e b\r\n c\ue000 \x00d\u2028e ") == "a b c d e"
    assert clean_text("a\r\nb\tc\x07\u2067") == "a\nb\tc"
    assert clean_text("می\u200cخواهم é") == "می\u200cخواهم é"


titles = st.integers(0, 140).flatmap(lambda length: st.text("abc ^é", min_size=length, max_size=length))
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200)


@given(names)
def test_an_sms_cuts_a_name_to_what_was_priced(name: str) -> None:
    short = shorten(name)
    assert len(short.encode("utf-16-le")) // 2 <= 61
    assert short == name or short.endswith("…")


@given(
    organisation=names, name=names, title=titles, language=st.sampled_from(list(LANGUAGES)),
    what=st.sampled_from(["call", "alert"]), code=st.integers(0, 99999),
)  # fmt: skip
def test_no_sms_ever_costs_more_than_the_preview_said(
    templates: Templates, organisation: str, name: str, title: str, language: str, what: str, code: int
) -> None:
    mold = make_mold(templates, what, language, SMS, title=title, summary="")
    link = "https://sos.example.org/s/" + "t" * 24
    own = {"organisation": shorten(organisation), "name": shorten(name), "code": f"{code:05}", "deadline": "soon"}
    filled, longest = (fill_in(mold.wording.text, {**words, "link": link}) for words in (own, LONGEST))
    assert segments(filled).count <= segments(longest).count


def fill_in(text: str, words: Mapping[str, str]) -> str:
    return re.sub("\ue000(\\w+)\ue001", lambda mark: words[mark[1]], text)


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates()


async def test_two_who_share_a_text_do_not_share_words(story: Story) -> None:
    first = await story.contact(name="\ue000organisation\ue001")
    message = (await story.messages(await story.launched()))[first.id]
    assert "\u2068\ue000organisation\ue001\u2069" in message.text
    links = Links(story.runtime.keys, story.runtime.settings)
    mold = make_mold(story.runtime.templates, "call", "en", EMAIL, title="\ue000name\ue001", summary="")
    filled = mold.fill(
        Letterbox(1, "a@example.org"),
        {"name": "Amina", "organisation": "O", "link": "l", "code": "1", "deadline": "d"}, links=links,
    )  # fmt: skip
    assert filled.subject == "Letter to sign: name"
    assert filled.text.count("Amina") == 1
