"""What people really type into a list of members, cell by cell, parsed into values that cannot be wrong."""

import re
from collections.abc import Collection, Mapping
from datetime import time
from enum import StrEnum
from typing import TypeVar

import idna
import phonenumbers
from babel import Locale
from langcodes import Language
from langcodes.tag_parser import LanguageTagError

from sos.members.member import Unacceptable, fold
from sos.texts import LANGUAGES, clean_line, plain_digits

REFERENCE = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,39}")
SEPARATORS = re.compile(r"[\s,;/|>،؛]+")
SHORTENED = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)  # what spreadsheets make of long numbers
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
EMAIL_LOCAL = re.compile(rf"{ATOM}(\.{ATOM})*")  # RFC 5322, dot-atom
LOCAL_LENGTH, EMAIL_LENGTH = 64, 254  # RFC 5321
LONGEST_WAY = 200
TELEGRAM_ID = re.compile(r"[1-9]\d{0,15}")  # at most 52 bits, core.telegram.org/bots/api#user
YES = frozenset(map(fold, "yes y si sí s oui o sim نعم true 1 x".split()))
NO = frozenset(map(fold, "no n non não لا false 0".split()))
NEVER = NO | frozenset(map(fold, "never nunca jamás jamais أبدا ابدا ابدًا أبدًا none".split()))
HOURS = re.compile(r"(\d{1,2})(?:[:.hH](\d{2})?)?\D{1,6}?(\d{1,2})(?:[:.hH](\d{2})?)?")

Choice = TypeVar("Choice", bound=StrEnum)


def parse_reference(text: str) -> str:
    """A member's reference, in capitals. Raises Unacceptable."""
    reference = plain_digits(text).upper()
    if not REFERENCE.fullmatch(reference):
        raise Unacceptable("import.reference.unusable")
    return reference


def parse_choice(text: str, choices: type[Choice]) -> Choice:
    """One word out of a few. Raises Unacceptable."""
    for choice in choices:
        if fold(choice) == fold(text):
            return choice
    raise _not_one_of(tuple(choices))


def parse_keys(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Several keys in their order, each once. Raises Unacceptable."""
    keys = tuple(dict.fromkeys(SEPARATORS.split(text.lower().strip())))
    if not set(keys) <= set(known):
        raise _not_one_of(known)
    return keys


def language_names() -> Mapping[str, str]:
    """The code of each of the network's languages by its folded names in all of them."""
    return {fold(Locale(reader).languages[code]): code for reader in LANGUAGES for code in LANGUAGES}


def parse_languages(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Languages of the network in order, from codes (`pt-BR`, `fra`) or names (`français`). Raises Unacceptable."""
    return tuple(dict.fromkeys(_language(word, names) for word in SEPARATORS.split(text.strip())))


def _language(word: str, names: Mapping[str, str]) -> str:
    if fold(word) in names:
        return names[fold(word)]
    try:
        code = Language.get(word).language or ""
    except LanguageTagError:
        code = ""
    if code not in LANGUAGES:
        raise _not_one_of(LANGUAGES)
    return code


def parse_time_zone(text: str, zones: Collection[str]) -> str:
    """A time zone of the IANA database. Raises Unacceptable."""
    if text not in zones:
        raise Unacceptable("import.time_zone.unknown")
    return text


def parse_quiet_hours(text: str) -> tuple[time, time]:
    """From when until when her phone must not ring, from "22-7", "22:30 – 06:00" or "never" (equal ends).

    Raises Unacceptable.
    """
    if fold(text) in NEVER:
        return time(0), time(0)
    found = HOURS.fullmatch(plain_digits(text).strip())
    try:
        hours = [int(part or 0) for part in found.groups()] if found else [0, 0, 0, 0]
        begin, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    except ValueError as wrong:
        raise Unacceptable("import.quiet_hours.unusable") from wrong
    if begin == end:
        raise Unacceptable("import.quiet_hours.unusable")
    return begin, end


def parse_yes_no(text: str) -> bool:
    """A yes or no in the network's languages. Raises Unacceptable."""
    if fold(text) not in YES | NO:
        raise _not_one_of(("yes", "no"))
    return fold(text) in YES


def parse_email(text: str) -> str:
    """An email address in small letters, its domain as it travels (RFC 5891). Raises Unacceptable."""
    local, _, domain = text.removeprefix("'").rpartition("@")
    try:
        host = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except idna.IDNAError as wrong:
        raise Unacceptable("import.email.not_an_address") from wrong
    email = f"{local}@{host}".lower()
    if not EMAIL_LOCAL.fullmatch(local) or "=?" in local or "." not in host:
        raise Unacceptable("import.email.not_an_address")
    if len(local) > LOCAL_LENGTH or len(email) > EMAIL_LENGTH:
        raise Unacceptable("import.email.not_an_address")
    return email


def parse_phone(text: str, country: str | None) -> str:
    """A mobile number in E.164, from what people write in this country or with a country code. Raises Unacceptable."""
    digits = _whole_number(text)
    if any(char.isalpha() for char in digits):  # phonenumbers would read letters as a keypad does
        raise Unacceptable("import.phone.not_a_number")
    try:
        number = phonenumbers.parse(re.sub(r"^\s*00", "+", digits), country)
    except phonenumbers.NumberParseException as wrong:
        raise Unacceptable("import.phone.not_a_number") from wrong
    if not phonenumbers.is_possible_number_for_type(number, phonenumbers.PhoneNumberType.MOBILE):
        raise Unacceptable("import.phone.not_a_number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_country(number: str) -> str | None:
    """The country of a number in E.164; None where the number itself does not say."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number))


def parse_telegram(text: str) -> str:
    """A Telegram chat id: digits only, a person's. Raises Unacceptable."""
    digits = _whole_number(text).replace(" ", "")
    if not TELEGRAM_ID.fullmatch(digits):
        raise Unacceptable("import.telegram.not_an_id")
    return digits


def parse_by_hand(text: str) -> str:
    """How a person reaches her: a number to call, an app, a place. Raises Unacceptable."""
    line = clean_line(text)
    if not line or len(line) > LONGEST_WAY or line.startswith("="):
        raise Unacceptable("import.by_hand.unusable")
    return line


def _whole_number(text: str) -> str:
    digits = plain_digits(text).removeprefix("'")
    if SHORTENED.fullmatch(digits):
        raise Unacceptable("import.number.shortened")
    return digits


def _not_one_of(allowed: Collection[str]) -> Unacceptable:
    return Unacceptable("import.cell.not_one_of", allowed=", ".join(allowed))
