"""Who holds the key of what: by role, by a colleague's hand, and no longer once she has left."""

from uuid import UUID, uuid4

import pytest

from sos import journal
from sos.database import NoSuchRow, UniqueViolation, rows, value
from sos.intake.steps import open_report
from sos.staff import store
from sos.staff.custody import entrust_key, open_key, recover_key
from sos.staff.staff import KEY_READERS, NotGranted, Role, TooShort, WrongSignIn
from sos.staff.steps import NewStaff, grant_keys, join_staff, keys_to_give, leave_staff, sign_in
from sos.vault import CannotOpen, PrivateKey, new_key
from tests.secretariat import PASSPHRASE, WORDS, Secretariat


async def holders(secretariat: Secretariat, key_id: UUID) -> set[UUID]:
    """The staff to whom a key is sealed."""
    async with secretariat.runtime.record.reading() as conn:
        found = await rows(
            conn,
            dict[str, UUID],
            "SELECT holder_id FROM key_grants WHERE holder_kind = 'staff' AND key_id = %(key)s",
            key=key_id,
        )
    return {one["holder_id"] for one in found}


async def make_key(secretariat: Secretariat, kind: str) -> tuple[UUID, bytes]:
    """A new report's or case's key, in custody."""
    key_id, key = uuid4(), new_key()
    async with secretariat.runtime.record.step() as step:
        await entrust_key(step.conn, kind, key_id, key, secretariat.clock.now)
    return key_id, key


@pytest.mark.parametrize("kind", KEY_READERS)
async def test_a_new_key_goes_to_exactly_those_whose_role_needs_it(secretariat: Secretariat, kind: str) -> None:
    staff = {await secretariat.join(f"one of {role}", role): role for role in Role}

    key_id, _ = await make_key(secretariat, kind)

    assert {staff[one] for one in await holders(secretariat, key_id)} == KEY_READERS[kind]


@pytest.mark.parametrize("kind", KEY_READERS)
async def test_whoever_administers_holds_no_key(secretariat: Secretariat, kind: str) -> None:
    ravi = await secretariat.seat("Ravi", Role.ADMINISTRATOR)
    key_id, _ = await make_key(secretariat, kind)

    assert ravi.id not in await holders(secretariat, key_id)
    async with secretariat.runtime.record.reading() as conn:
        with pytest.raises(NotGranted):
            await open_key(conn, await secretariat.person(ravi), key_id)


async def test_her_own_session_opens_what_was_sealed_to_her(secretariat: Secretariat) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    key_id, key = await make_key(secretariat, "report")

    async with secretariat.runtime.record.reading() as conn:
        assert await open_key(conn, await secretariat.person(amara), key_id) == key


async def test_the_recovery_key_opens_every_key_and_another_opens_none(secretariat: Secretariat) -> None:
    key_id, key = await make_key(secretariat, "case")

    async with secretariat.runtime.record.reading() as conn:
        assert await recover_key(conn, secretariat.recovery, key_id) == key
        with pytest.raises(CannotOpen):
            await recover_key(conn, PrivateKey.new(), key_id)
        with pytest.raises(NotGranted):
            await recover_key(conn, secretariat.recovery, uuid4())


async def test_somebody_new_reads_nothing_old_until_a_colleague_gives_her_the_key(secretariat: Secretariat) -> None:
    runtime, now = secretariat.runtime, secretariat.clock.now
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    report = await secretariat.file_report()
    lucia = await secretariat.seat("Lucía", Role.VERIFIER)
    with pytest.raises(NotGranted):
        await open_report(runtime.record, await secretariat.person(lucia), report, now)

    page = await amara.read("/desk/staff")
    answer = await amara.send(f"/desk/staff/{lucia.id}/keys")

    assert f"/desk/staff/{lucia.id}/keys" in page.text
    assert (answer.status, answer.path) == (200, "/desk/staff")
    assert f"/desk/staff/{lucia.id}/keys" not in answer.text
    assert await open_report(runtime.record, await secretariat.person(lucia), report, now) == WORDS


async def test_nobody_gives_a_key_that_she_does_not_hold(secretariat: Secretariat) -> None:
    await secretariat.join("Amara", Role.TRIAGE)
    await secretariat.file_report()
    lucia = await secretariat.seat("Lucía", Role.VERIFIER)
    salma = await secretariat.join("Salma", Role.TRIAGE)
    giver, runtime = await secretariat.person(lucia), secretariat.runtime

    assert await grant_keys(runtime.record, giver, salma, secretariat.clock.now) == 0
    async with runtime.record.reading() as conn:
        assert await keys_to_give(conn, giver) == {}


async def test_a_colleague_is_given_only_the_kinds_that_her_role_needs(secretariat: Secretariat) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    report, _ = await make_key(secretariat, "report")
    case, _ = await make_key(secretariat, "case")
    noor = await secretariat.join("Noor", Role.EDITOR)
    ravi = await secretariat.join("Ravi", Role.ADMINISTRATOR)
    giver, runtime, now = await secretariat.person(amara), secretariat.runtime, secretariat.clock.now

    assert await grant_keys(runtime.record, giver, noor, now) == 1
    assert await grant_keys(runtime.record, giver, ravi, now) == 0
    assert noor in await holders(secretariat, case)
    assert noor not in await holders(secretariat, report)


async def test_giving_twice_gives_once_and_a_stranger_is_nobody(secretariat: Secretariat) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    await secretariat.file_report()
    salma = await secretariat.join("Salma", Role.TRIAGE)
    giver, runtime, now = await secretariat.person(amara), secretariat.runtime, secretariat.clock.now

    assert await grant_keys(runtime.record, giver, salma, now) == 1
    assert await grant_keys(runtime.record, giver, salma, now) == 0
    with pytest.raises(NoSuchRow):
        await grant_keys(runtime.record, giver, uuid4(), now)


async def test_a_role_that_was_taken_away_opens_nothing_though_the_key_is_still_there(secretariat: Secretariat) -> None:
    amara = await secretariat.seat("Amara", Role.TRIAGE)
    key_id, _ = await make_key(secretariat, "report")
    async with secretariat.runtime.record.step() as step:
        await step.conn.execute("UPDATE staff SET roles = ARRAY['translator'] WHERE id = %s", [amara.id])

    person = await secretariat.person(amara)
    async with secretariat.runtime.record.reading() as conn:
        with pytest.raises(NotGranted):
            await open_key(conn, person, key_id)


async def test_leaving_ends_her_sessions_and_deletes_every_key_that_was_sealed_to_her(secretariat: Secretariat) -> None:
    runtime, now = secretariat.runtime, secretariat.clock.now
    amara, salma = await secretariat.seat("Amara", Role.TRIAGE), await secretariat.seat("Salma", Role.TRIAGE)
    report = await secretariat.file_report()

    await leave_staff(runtime.record, runtime.keys, "AMARA", now)

    assert (await amara.read("/desk")).path == "/desk/sign-in"
    assert await holders(secretariat, report) == {salma.id}
    assert await holders(secretariat, await secretariat.file_report()) == {salma.id}
    async with runtime.record.reading() as conn:
        assert amara.id not in {one.id for one in await store.list_staff(conn)}
        assert await value(conn, "SELECT count(*) FROM sessions WHERE staff_id = %(id)s", id=amara.id) == 0
        assert [one.did for one in await journal.entries(conn, amara.id)][-1] == "staff.left"
    with pytest.raises(WrongSignIn):
        await sign_in(runtime.record, runtime.keys, "amara", PASSPHRASE, "000000", now)
    with pytest.raises(NoSuchRow):
        await leave_staff(runtime.record, runtime.keys, "amara", now)


async def test_a_short_passphrase_and_a_login_that_is_taken_are_refused(secretariat: Secretariat) -> None:
    runtime, now = secretariat.runtime, secretariat.clock.now
    short = NewStaff("noor", "Noor", "too short 123", frozenset({Role.EDITOR}), "en", "UTC")
    with pytest.raises(TooShort):
        await join_staff(runtime.record, runtime.keys, short, now)

    await secretariat.join("Amara", Role.TRIAGE)
    with pytest.raises(UniqueViolation):
        await secretariat.join("AMARA", Role.EDITOR)


async def test_names_logins_and_secrets_lie_sealed(secretariat: Secretariat) -> None:
    ines = await secretariat.join("Inês Tavares", Role.TRANSLATOR)
    async with secretariat.runtime.record.reading() as conn:
        stored = await value(conn, "SELECT string_agg(staff::text, ' ') FROM staff")

    hidden = ("Inês", "inês", "Tavares", secretariat.secrets[ines][1], PASSPHRASE)
    assert not [one for one in hidden if one in stored or one.encode().hex() in stored]
