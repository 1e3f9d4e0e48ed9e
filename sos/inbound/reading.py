"""What an SMS or a tap means. No I/O; when in doubt, nothing is signed."""

import re
from dataclasses import dataclass

from sos.endorsements.endorsement import Answer
from sos.members.member import fold
from sos.messages import FIRST_TAP, SEEN_TAP
from sos.texts import plain_digits

CODE_DIGITS = 5
SIGN_WORDS = frozenset(fold(word) for word in ("sign", "firmo", "je signe", "signe", "أوقع", "أوقّع", "assino"))
# Those that our messages name, and those by which carriers and Twilio stop messages themselves.
STOP_WORDS = frozenset(
    fold(word)
    for word in (
        "stop", "stopall", "stop sms", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "opt out",
        "baja", "alto", "cancelar", "arrêt", "arrêter", "désabonner", "parar", "pare", "sair", "إيقاف", "توقف", "أوقف",
        "الغاء",
    )
)  # fmt: skip
# That a message was seen; it signs nothing.
SEEN_WORDS = frozenset(
    fold(word)
    for word in (
        "ok", "okay", "seen", "got it", "received", "recibido", "leído", "visto", "reçu", "vu", "lu", "bien reçu",
        "recebido", "lido", "visto", "تم", "وصلت", "وصلتني", "قرأت", "استلمت",
    )
)  # fmt: skip
TAPS = {"org": Answer.SIGN, "own": Answer.SIGN_INDIVIDUALLY, "no": Answer.DECLINE}


@dataclass(frozen=True, slots=True)
class SaysSign:
    """A word for signing and a code."""

    code: str


@dataclass(frozen=True, slots=True)
class SaysStop:
    """Write to me no more."""


@dataclass(frozen=True, slots=True)
class SaysSeen:
    """I have seen it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Anything else; `code` if digits like a code were among it."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class Tap:
    """A button under a message of ours: what it asks for, and the token of the delivery that carried it."""

    verb: str
    token: str


def read_sms(text: str) -> SaysSign | SaysStop | SaysSeen | Unclear:
    """Exactly a word for signing and a code signs, exactly a word for stopping stops; all else is asked back."""
    plain = plain_digits(text)
    codes = re.findall(rf"(?<!\d)\d{{{CODE_DIGITS}}}(?!\d)", plain)
    words = fold(re.sub(r"\d+", " ", plain))
    if words in STOP_WORDS:
        return SaysStop()
    if words in SEEN_WORDS and words == fold(plain):
        return SaysSeen()
    if words in SIGN_WORDS and len(codes) == 1 and len(re.findall(r"\d+", plain)) == 1:
        return SaysSign(codes[0])
    return Unclear(codes[0] if len(codes) == 1 else "")


def read_tap(data: str) -> Tap | None:
    """A tap of ours, or None."""
    verb, _, token = data.partition(":")
    return Tap(verb, token) if verb in {FIRST_TAP, SEEN_TAP, *TAPS} and token else None
