"""Importing a list: what is written, what a second import changes, and whom it never brings back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time
from uuid import uuid4

from channels.base import ChannelName
from sos.actor import SYSTEM, Actor
from sos.config import read_config
from sos.database import value
from sos.jobs import Record
from sos.journal import entries
from sos.members import store
from sos.members.importing import parse_members
from sos.members.member import Contact, StopReason
from sos.members.sealed import open_address, open_names, open_person
from sos.members.steps import ImportResult, import_members, preview_import
from sos.vault import KeyFile

ListOf = Callable[..., str]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = read_config()


async def bring(
    record: Record, keys: KeyFile, text: str, *, partial: bool = True, actor: Actor = SYSTEM
) -> ImportResult:
    return await import_members(record, keys, parse_members(text, CONFIG), actor, NOW, partial=partial)


async def contact_by(record: Record, keys: KeyFile, email: str) -> Contact | None:
    async with record.reading() as conn:
        return await store.contact_at(conn, ChannelName.EMAIL, keys.index("email", email))


async def addresses_of(record: Record, keys: KeyFile, contact: Contact) -> dict[str, str]:
    async with record.reading() as conn:
        found = await store.addresses_of(conn, [contact.id])
    return {address.channel: open_address(keys, address.id, address.value_sealed) for address in found}


async def count(record: Record, table: str) -> int:
    async with record.reading() as conn:
        return int(await value(conn, f"SELECT count(*) FROM {table}"))


async def test_a_list_becomes_members_contacts_and_addresses(record: Record, keys: KeyFile, list_of: ListOf) -> None:
    text = list_of(
        {
            "email": "achieng@example.org",
            "sms": "+447700900123",
            "channels": "sms",
            "discreet": "yes",
            "quiet_hours": "23-6",
            "wake": "yes",
        },
        {"contact": "Juma Odhiambo", "email": "juma@example.org"},
    )
    result = await bring(record, keys, text)
    assert (result.members_added, result.contacts_added, result.problems, result.is_written) == (1, 2, (), True)
    contact = await contact_by(record, keys, "achieng@example.org")
    assert contact
    assert open_person(keys, contact.id, contact.name_sealed) == "Achieng Otieno"
    assert (contact.channels, contact.discreet, contact.may_sign) == ((ChannelName.SMS, ChannelName.EMAIL), True, False)
    assert contact.time_zone == "Africa/Nairobi"
    assert (contact.quiet_from, contact.quiet_until, contact.may_wake) == (time(23), time(6), True)
    assert await addresses_of(record, keys, contact) == {"email": "achieng@example.org", "sms": "+447700900123"}
    async with record.reading() as conn:
        member = await store.find_member(conn, contact.member_id)
        assert member
        assert open_names(keys, member.id, member.names_sealed) == {"": "Mto wa Haki"}
        assert await store.member_names(conn, [member.id]) == {member.id: member.names_sealed}
        assert await store.contact_names(conn, [contact.id]) == {contact.id: contact.name_sealed}
        assert await store.find_contact(conn, contact.id) == contact


async def test_no_name_and_no_address_stands_in_the_database_in_clear(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    await bring(record, keys, list_of({"email": "achieng@example.org"}))
    async with record.reading() as conn:
        for table in ("members", "contacts", "addresses", "journal"):
            everything = str(await value(conn, f"SELECT string_agg(t::text, ' ') FROM {table} t"))
            for clear in ("Mto wa Haki", "Achieng", "achieng@example.org"):
                assert clear not in everything
                assert clear.encode().hex() not in everything


async def test_importing_the_same_list_again_changes_nothing(record: Record, keys: KeyFile, list_of: ListOf) -> None:
    text = list_of({"email": "achieng@example.org", "groups": "women"}, {"contact": "Juma", "telegram": "9000000001"})
    await bring(record, keys, text)
    lines = await count(record, "journal")
    again = await bring(record, keys, text)
    assert (again.members_added, again.members_changed) == (0, 0)
    assert (again.contacts_added, again.contacts_changed, again.contacts_unchanged) == (0, 0, 2)
    assert await count(record, "journal") == lines


async def test_a_second_list_updates_what_it_says_and_leaves_what_it_does_not(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    first = {"name_en": "River of Justice", "groups": "women", "email": "achieng@example.org", "may_sign": "yes"}
    await bring(record, keys, list_of(first | {"telegram": "9000000001", "channels": "telegram email"}))
    second = {"name_fr": "Fleuve de justice", "contact": "Achieng Otieno Were", "email": "achieng@example.org"}
    result = await bring(record, keys, list_of(second | {"sms": "+447700900123", "languages": "fr en"}))
    assert (result.members_changed, result.contacts_added, result.contacts_changed) == (1, 0, 1)
    contact = await contact_by(record, keys, "achieng@example.org")
    assert contact
    assert open_person(keys, contact.id, contact.name_sealed) == "Achieng Otieno Were"
    assert (contact.languages, contact.may_sign) == (("fr", "en"), True)
    assert contact.channels == (ChannelName.EMAIL, ChannelName.SMS, ChannelName.TELEGRAM)
    assert set(await addresses_of(record, keys, contact)) == {"email", "sms", "telegram"}
    async with record.reading() as conn:
        [member] = await store.members_by_reference(conn, ["KE-1"])
    assert member.groups == ("women",)
    assert set(open_names(keys, member.id, member.names_sealed)) == {"", "en", "fr"}


async def test_a_contact_with_the_same_name_gets_her_new_address_and_loses_the_verification_of_the_old_one(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    await bring(record, keys, list_of({"email": "old@example.org"}))
    contact = await contact_by(record, keys, "old@example.org")
    assert contact
    async with record.step() as step:
        await step.conn.execute("UPDATE addresses SET verified_at = now()")
    await bring(record, keys, list_of({"email": "new@example.org"}))
    assert await contact_by(record, keys, "new@example.org") == contact
    assert await contact_by(record, keys, "old@example.org") is None
    async with record.reading() as conn:
        [address] = await store.addresses_of(conn, [contact.id])
    assert address.verified_at is None


async def test_two_contacts_may_share_an_address_which_is_remarked_on(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    await bring(record, keys, list_of({"email": "shared@example.org"}))
    other = {"reference": "KE-2", "contact": "Juma", "email": "shared@example.org"}
    result = await bring(record, keys, list_of(other))
    assert [(one.line, one.column, one.key) for one in result.remarks] == [(2, "email", "import.address.shared")]
    assert (result.problems, result.members_added, result.contacts_added) == ((), 1, 1)
    assert await count(record, "addresses") == 2
    again = await bring(record, keys, list_of(other))
    assert (again.contacts_unchanged, await count(record, "addresses")) == (1, 2)


async def test_two_people_who_change_desks_are_not_taken_for_each_other(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    await bring(record, keys, list_of({"email": "a@example.org"}, {"contact": "Juma", "email": "b@example.org"}))
    juma = await contact_by(record, keys, "b@example.org")
    assert juma
    result = await bring(record, keys, list_of({"contact": "Juma", "email": "a@example.org"}))
    assert [one.key for one in result.remarks] == ["import.address.shared"]
    assert await addresses_of(record, keys, juma) == {"email": "a@example.org"}


async def test_somebody_who_said_stop_is_not_brought_back_under_another_name(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    index = keys.index("sms", "+447700900123")
    async with record.step() as step:
        await store.suppress(step.conn, ChannelName.SMS, index, StopReason.OPTED_OUT, NOW)
    result = await bring(record, keys, list_of({"sms": "0044 7700 900 123", "email": "achieng@example.org"}))
    assert [(remark.line, remark.column, remark.key) for remark in result.remarks] == [
        (2, "sms", "import.address.said_stop")
    ]
    contact = await contact_by(record, keys, "achieng@example.org")
    assert contact
    assert await addresses_of(record, keys, contact) == {"email": "achieng@example.org"}
    async with record.reading() as conn:
        assert await store.is_suppressed(conn, ChannelName.SMS, index)
        assert not await store.is_suppressed(conn, ChannelName.EMAIL, index)


async def test_that_somebody_said_stop_outweighs_a_bounce_and_is_not_forgotten_for_one(
    record: Record, keys: KeyFile
) -> None:
    index = keys.index("email", "a@example.org")
    async with record.step() as step:
        for reason in (StopReason.BOUNCED, StopReason.OPTED_OUT, StopReason.BOUNCED):
            await store.suppress(step.conn, ChannelName.EMAIL, index, reason, NOW)
        assert await value(step.conn, "SELECT reason FROM suppressions") == "opted_out"


async def test_all_or_nothing_writes_nothing_when_a_row_is_bad(record: Record, keys: KeyFile, list_of: ListOf) -> None:
    text = list_of({}, {"reference": "KE-2", "contact": "Juma", "sms": "none"})
    refused = await bring(record, keys, text, partial=False)
    assert (refused.is_written, len(refused.problems)) == (False, 1)
    assert await count(record, "members") == await count(record, "journal") == 0
    taken = await bring(record, keys, text, partial=True)
    assert (taken.is_written, taken.members_added, len(taken.problems)) == (True, 1, 1)


async def test_a_preview_says_what_an_import_would_do_and_writes_nothing(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    preview = await preview_import(record, keys, parse_members(list_of({"email": "a@example.org"}), CONFIG))
    assert (preview.members_added, preview.contacts_added, preview.is_written) == (1, 1, False)
    assert await count(record, "members") == 0


async def test_an_import_is_in_the_journal_under_who_did_it(record: Record, keys: KeyFile, list_of: ListOf) -> None:
    actor = Actor("staff", uuid4())
    await bring(record, keys, list_of({"email": "a@example.org"}), actor=actor)
    contact = await contact_by(record, keys, "a@example.org")
    assert contact
    async with record.reading() as conn:
        [joined] = await entries(conn, contact.member_id)
        [added] = await entries(conn, contact.id)
    assert (joined.did, joined.actor_id) == ("member.added", actor.id)
    assert (added.did, added.facts) == ("contact.added", {"new_addresses": ["email"]})


async def test_two_imports_of_one_list_at_once_add_everybody_once(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    text = list_of({"email": "a@example.org"}, {"contact": "Juma"})
    results = await asyncio.gather(bring(record, keys, text), bring(record, keys, text))
    assert sorted(result.contacts_added for result in results) == [0, 2]
    assert await count(record, "contacts") == 2


async def test_two_new_people_at_an_address_that_a_third_had_are_two(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    office = {"email": "office@example.org"}
    await bring(record, keys, list_of(office | {"contact": "Achieng Otieno", "may_sign": "yes"}))
    new = [office | {"contact": name} for name in ("Juma Odhiambo", "Wairimu Njeri")]
    result = await bring(record, keys, list_of(*new))
    assert (result.contacts_added, result.contacts_changed) == (1, 1)
    async with record.reading() as conn:
        found = await store.contact_addresses_at(conn, [(ChannelName.EMAIL, keys.index("email", "office@example.org"))])
        names = await store.contact_names(conn, [one.owner_id for one in found])
    assert {open_person(keys, id, sealed) for id, sealed in names.items()} == {"Juma Odhiambo", "Wairimu Njeri"}


async def test_nobody_takes_the_place_of_one_of_several_who_share_an_address(
    record: Record, keys: KeyFile, list_of: ListOf
) -> None:
    office = {"email": "office@example.org"}
    both = [office | {"contact": name} for name in ("Achieng Otieno", "Juma Odhiambo")]
    await bring(record, keys, list_of(*both))
    result = await bring(record, keys, list_of(office | {"contact": "Wairimu Njeri"}))
    assert (result.contacts_added, result.contacts_changed) == (1, 0)


async def test_of_a_phone_is_known_in_which_country_it_is(record: Record, keys: KeyFile, list_of: ListOf) -> None:
    await bring(record, keys, list_of({"sms": "+12025550123", "email": "achieng@example.org"}))
    contact = await contact_by(record, keys, "achieng@example.org")
    assert contact
    async with record.reading() as conn:
        found = {one.channel: one.country for one in await store.addresses_of(conn, [contact.id])}
    assert found == {"sms": "US", "email": None}
