"""Sealing and opening: what was sealed opens with its key in its place, and nowhere else."""

import base64
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos.vault import (
    BadKeyFile,
    CannotOpen,
    KeyFile,
    Place,
    PrivateKey,
    digest,
    new_key,
    seal,
    seal_key,
    stretch_passphrase,
    stretch_receipt,
    unseal,
)

KEY = new_key()
KEYS = KeyFile({1: b"1" * 32, 2: b"2" * 32})
HERE = Place("reports", "words", UUID(int=7))
ELSEWHERE = [Place("cases", "words", UUID(int=7)), Place("reports", "note", UUID(int=7)), Place("reports", "words", 7)]
PERSON = PrivateKey.new()
ROWS = st.integers(min_value=0, max_value=2**48 - 1)


@given(st.binary(max_size=2_000), st.uuids())
def test_what_was_sealed_opens(clear: bytes, row: UUID) -> None:
    place = Place("reports", "words", row)

    assert unseal(KEY, seal(KEY, clear, place), place) == clear


@pytest.mark.parametrize("place", ELSEWHERE, ids=str)
def test_what_was_moved_elsewhere_does_not_open(place: Place) -> None:
    with pytest.raises(CannotOpen):
        unseal(KEY, seal(KEY, b"words", HERE), place)
    with pytest.raises(CannotOpen):
        KEYS.open(KEYS.seal("words", HERE), place)


@given(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, b"Marisol Quispe", HERE))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8

    with pytest.raises(CannotOpen):
        unseal(KEY, bytes(sealed), HERE)


@given(st.binary(max_size=80))
def test_what_was_never_sealed_does_not_open(made_up: bytes) -> None:
    for opening in (unseal, lambda _, sealed, place: KEYS.open_bytes(sealed, place)):
        with pytest.raises(CannotOpen):
            opening(KEY, made_up, HERE)


def test_another_key_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        unseal(new_key(), seal(KEY, b"words", HERE), HERE)


def test_the_same_words_never_look_the_same() -> None:
    assert len({seal(KEY, b"words", HERE) for _ in range(100)}) == 100


def test_a_key_that_was_sealed_to_somebody_opens_with_her_half_for_its_own_report_only() -> None:
    report, other = UUID(int=1), UUID(int=2)
    sealed = seal_key(KEY, PERSON.public(), report)

    assert PERSON.open_key(sealed, report) == KEY
    for person, key_id in ((PrivateKey.new(), report), (PERSON, other)):
        with pytest.raises(CannotOpen):
            person.open_key(sealed, key_id)
    for broken in (b"", sealed[:-1], sealed + b"x", sealed[:40]):
        with pytest.raises(CannotOpen):
            PERSON.open_key(broken, report)


def test_the_public_half_is_always_the_same_and_tells_nothing_of_the_private() -> None:
    assert PERSON.public() == PrivateKey(PERSON.raw).public()
    assert len(PERSON.public()) == 1184 + 32
    assert PERSON.raw[:32] not in PERSON.public()


def test_passphrases_and_receipts_stretch_to_the_same_key_each_time_under_their_own_salt() -> None:
    for stretch in (stretch_passphrase, stretch_receipt):
        assert stretch("قل لي", b"s" * 16) == stretch("قل لي", b"s" * 16)
        assert stretch("قل لي", b"s" * 16) != stretch("قل لي", b"t" * 16)
        assert len(stretch("", b"s" * 16)) == 32


@given(st.text())
def test_contact_class_words_open_under_the_key_file(clear: str) -> None:
    encodable = clear.encode("utf-8", "ignore").decode()

    assert KEYS.open(KEYS.seal(encodable, HERE), HERE) == encodable


def test_after_a_rotation_what_is_old_still_opens_and_what_is_new_is_under_the_new_key() -> None:
    before, after = KeyFile({1: b"1" * 32}), KeyFile({1: b"1" * 32, 2: b"2" * 32})
    old, new = before.seal("name", HERE), after.seal("name", HERE)

    assert after.open(old, HERE) == "name"
    with pytest.raises(CannotOpen):
        before.open(new, HERE)


def test_after_a_rotation_links_and_proofs_in_messages_that_left_are_still_good() -> None:
    before, after = KeyFile({1: b"1" * 32}), KeyFile({1: b"1" * 32, 2: b"2" * 32})

    assert after.read_link("sign", before.link("sign", 42)) == 42
    assert after.read_mail_link("bounce", before.mail_link("bounce", 42)) == 42
    assert after.proves("read", "x", before.proof("read", "x"))
    assert after.short_code("sms", 42) == before.short_code("sms", 42)
    assert after.index("email", "a@b.example") == before.index("email", "a@b.example")
    assert before.read_link("sign", after.link("sign", 42)) is None


@given(ROWS)
def test_a_link_names_its_row_for_its_own_purpose_only(number: int) -> None:
    token = KEYS.link("sign", number)

    assert len(token) == 24
    assert KEYS.read_link("sign", token) == number
    assert KEYS.read_link("unsubscribe", token) is None


@given(st.one_of(st.text(max_size=40), st.binary(max_size=30).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_a_made_up_link_is_nobodys(token: str) -> None:
    assert KEYS.read_link("sign", token) is None


@given(ROWS, st.integers(0, 23), st.sampled_from("ABCabc019-_"))
def test_a_link_with_one_other_letter_is_nobodys(number: int, at: int, letter: str) -> None:
    token = KEYS.link("sign", number)
    changed = token[:at] + letter + token[at + 1 :]

    assert changed == token or KEYS.read_link("sign", changed) is None


@given(ROWS, st.sets(st.integers(0, 35)))
def test_a_link_for_a_mail_address_is_read_in_any_case_of_letters(number: int, capitals: set[int]) -> None:
    token = KEYS.mail_link("bounce", number)
    changed = "".join(letter.upper() if at in capitals else letter for at, letter in enumerate(token))

    assert len(token) == 36
    assert token == token.lower()
    assert KEYS.read_mail_link("bounce", changed) == number
    assert KEYS.read_mail_link("unsubscribe-mail", changed) is None


@given(st.one_of(st.text(max_size=50), st.binary(max_size=30).map(bytes.hex)))
def test_a_made_up_link_for_a_mail_address_is_nobodys(token: str) -> None:
    assert KEYS.read_mail_link("bounce", token) is None


@given(ROWS, st.integers(0, 35), st.sampled_from("0123456789abcdefx \u0660\uff41"))
def test_a_link_for_a_mail_address_with_one_other_letter_is_nobodys(number: int, at: int, letter: str) -> None:
    token = KEYS.mail_link("bounce", number)
    changed = token[:at] + letter + token[at + 1 :]

    assert changed == token or KEYS.read_mail_link("bounce", changed) is None
    assert KEYS.read_mail_link("bounce", token[:at] + " " + token[at:]) is None
    assert KEYS.read_mail_link("bounce", token + token) is None


@given(ROWS, st.integers(4, 8))
def test_a_short_code_is_digits_and_its_own(number: int, digits: int) -> None:
    code = KEYS.short_code("sms", number, digits=digits)

    assert code == KEYS.short_code("sms", number, digits=digits)
    assert len(code) == digits
    assert code.isdecimal()


def test_short_codes_do_not_follow_each_other() -> None:
    codes = [int(KEYS.short_code("sms", number)) for number in range(1000)]

    assert len(set(codes)) > 980
    assert all(later - earlier != 1 for earlier, later in pairwise(codes))


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet=st.characters(codec="utf-8")))
def test_a_proof_is_good_for_what_it_was_made_for(data: str, other: str) -> None:
    proof = KEYS.proof("csrf", data)

    assert KEYS.proves("csrf", data, proof)
    assert not KEYS.proves("read", data, proof)
    assert data == other or not KEYS.proves("csrf", other, proof)
    assert not KEYS.proves("csrf", data, other)


def test_an_index_finds_equal_values_of_one_kind() -> None:
    assert KEYS.index("email", "a@b.example") == KEYS.index("email", "a@b.example")
    assert KEYS.index("email", "a@b.example") != KEYS.index("sms", "a@b.example")
    assert KEYS.index("email", "a@b.example") != KeyFile({1: b"3" * 32}).index("email", "a@b.example")


def test_a_digest_does_not_run_its_parts_together() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", ""), digest("", "abc")}) == 5


def test_a_new_key_file_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys"
    KeyFile.create(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile.read(path).open(KeyFile.read(path).seal("name", HERE), HERE) == "name"
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        KeyFile.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "1:",
        "1",
        "one:AAAA",
        "1:" + "A" * 44,
        "1:not base64!",
        "ключ",
        f"1:{base64.b64encode(b'short').decode()}",
    ],
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, "utf-8")
    path.chmod(0o600)

    with pytest.raises(BadKeyFile):
        KeyFile.read(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_key_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    KeyFile.create(path)
    path.chmod(mode)

    with pytest.raises(BadKeyFile):
        KeyFile.read(path)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile):
        KeyFile.read(tmp_path / "nothing")
