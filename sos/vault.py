"""Sealing and opening: contact-class data under a key file, reports and cases under keys that only people hold.

AES-256-GCM with the row as associated data; keys sealed with HPKE (RFC 9180), hybrid ML-KEM-768 with X25519;
passphrases and receipt codes through Argon2id (RFC 9106).
"""

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
KEY_BYTES = 32
NONCE_BYTES = 12
MLKEM_SEED_BYTES = 64
MLKEM_PUBLIC_BYTES = 1184
LINK_MAC_BYTES = 12
LINK_ID_BYTES = 6


class CannotOpen(Exception):
    """This key does not open this: it is the wrong key, the wrong place, or somebody has changed it."""


class BadKeyFile(Exception):
    """The key file is missing, readable by others, or not made by `sos key new`."""


@dataclass(slots=True)  # not frozen: thousands are made every second
class Place:
    """Where a sealed value lives; moved anywhere else it does not open."""

    table: str
    column: str
    row: UUID | int | str

    @property
    def bytes(self) -> bytes:
        return f"sos/{self.table}/{self.column}/{self.row}".encode()


def new_key() -> bytes:
    """A fresh key of 32 bytes."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, clear: bytes, place: Place) -> bytes:
    """Nonce and AES-256-GCM ciphertext, bound to its place."""
    return _seal(AESGCM(key), clear, place)


def unseal(key: bytes, sealed: bytes, place: Place) -> bytes:
    """Raises CannotOpen."""
    return _unseal(AESGCM(key), sealed, place)


def _seal(cipher: AESGCM, clear: bytes, place: Place) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, clear, place.bytes)


def _unseal(cipher: AESGCM, sealed: bytes, place: Place, *, after: int = 0) -> bytes:
    begins = after + NONCE_BYTES
    try:
        return cipher.decrypt(sealed[after:begins], sealed[begins:], place.bytes)
    except (InvalidTag, ValueError) as wrong:
        raise CannotOpen from wrong


# Keys that people hold


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A person's private half: an ML-KEM-768 seed and an X25519 key, 96 bytes."""

    raw: bytes

    @classmethod
    def new(cls) -> "PrivateKey":
        return cls(secrets.token_bytes(MLKEM_SEED_BYTES + KEY_BYTES))

    def _parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        seed, x25519 = self.raw[:MLKEM_SEED_BYTES], self.raw[MLKEM_SEED_BYTES:]
        return MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(x25519)

    def public(self) -> bytes:
        """The public half: 1,184 bytes of ML-KEM and 32 of X25519."""
        mlkem, x25519 = self._parts()
        return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def open_key(self, sealed: bytes, key_id: UUID) -> bytes:
        """The key of a report or case that was sealed to this person. Raises CannotOpen."""
        try:
            return SUITE.decrypt(sealed, MLKEM768X25519PrivateKey(*self._parts()), _key_info(key_id))
        except (InvalidTag, ValueError) as wrong:
            raise CannotOpen from wrong


def seal_key(key: bytes, public: bytes, key_id: UUID) -> bytes:
    """Seal the key of a report or case to the holder of `public` (about 1,170 bytes)."""
    mlkem = MLKEM768PublicKey.from_public_bytes(public[:MLKEM_PUBLIC_BYTES])
    x25519 = X25519PublicKey.from_public_bytes(public[MLKEM_PUBLIC_BYTES:])
    return SUITE.encrypt(key, MLKEM768X25519PublicKey(mlkem, x25519), _key_info(key_id))


def _key_info(key_id: UUID) -> bytes:
    return b"sos/key/" + key_id.bytes


def stretch_passphrase(passphrase: str, salt: bytes) -> bytes:
    """A key from a passphrase: Argon2id, 64 MiB, three passes (RFC 9106, second recommendation). About 0.1 s."""
    return hash_secret_raw(passphrase.encode(), salt, 3, 65536, 4, KEY_BYTES, Type.ID)


def stretch_receipt(code: str, salt: bytes) -> bytes:
    """A key from the 20 digits of a receipt (66 bits): Argon2id, 19 MiB, two passes. About 0.02 s."""
    return hash_secret_raw(code.encode(), salt, 2, 19456, 1, KEY_BYTES, Type.ID)


# Contact-class data: what workers may read, under a key file that lies outside the database


class KeyFile:
    """Keys in a file, one line each ("number:base64"), the last one current; earlier ones still open and verify."""

    def __init__(self, keys: dict[int, bytes]) -> None:
        self._keys = keys
        self._current = max(keys)
        self._first = min(keys)
        self._ciphers = {number: AESGCM(self._derive(number, "seal")) for number in keys}
        self._macs: dict[tuple[int, str], hashlib.blake2b] = {}  # keyed once: a fan-out asks for five links a message

    @classmethod
    def read(cls, path: Path) -> "KeyFile":
        """Raises BadKeyFile."""
        try:
            if path.stat().st_mode & 0o077:
                raise BadKeyFile
            lines = [line.split(":", 1) for line in path.read_text("ascii").split()]
            keys = {int(number): base64.b64decode(key, validate=True) for number, key in lines}
        except (OSError, ValueError) as wrong:
            raise BadKeyFile from wrong
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise BadKeyFile
        return cls(keys)

    @staticmethod
    def create(path: Path) -> None:
        """Write a first key to a new file that only its owner can read. Raises FileExistsError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", opener=_private) as file:
            file.write(f"1:{base64.b64encode(new_key()).decode()}\n")

    def _derive(self, number: int, use: str) -> bytes:
        return HKDFExpand(hashes.SHA256(), KEY_BYTES, use.encode()).derive(self._keys[number])

    def seal(self, clear: str, place: Place) -> bytes:
        """Seal a name, an address or a draft."""
        return self.seal_bytes(clear.encode(), place)

    def open(self, sealed: bytes, place: Place) -> str:
        """Raises CannotOpen."""
        return self.open_bytes(sealed, place).decode()

    def seal_bytes(self, clear: bytes, place: Place) -> bytes:
        """Seal a file."""
        return bytes([self._current]) + _seal(self._ciphers[self._current], clear, place)

    def open_bytes(self, sealed: bytes, place: Place) -> bytes:
        """Raises CannotOpen."""
        if not sealed or sealed[0] not in self._ciphers:
            raise CannotOpen
        return _unseal(self._ciphers[sealed[0]], sealed, place, after=1)

    def index(self, kind: str, value: str) -> bytes:
        """A blind index: equal values are found, nothing is learnt without the key file (first key, for ever)."""
        return hmac.digest(self._derive(self._first, f"index/{kind}"), value.encode(), "sha256")[:16]

    def _mac(self, number: int, purpose: str, data: bytes) -> bytes:
        keyed = self._macs.get((number, purpose))
        if keyed is None:
            key = self._derive(number, f"mac/{purpose}")
            keyed = self._macs[number, purpose] = hashlib.blake2b(key=key, digest_size=32)  # RFC 7693, 2.9
        hashed = keyed.copy()
        hashed.update(data)
        return hashed.digest()

    def link(self, purpose: str, number: int) -> str:
        """A token of 24 characters for row `number`, good for one purpose only."""
        return base64.urlsafe_b64encode(self._sign(purpose, number)).decode()

    def read_link(self, purpose: str, token: str) -> int | None:
        """The row that a token names, or None for one that we did not sign."""
        try:
            return self._signed(purpose, base64.b64decode(token, altchars=b"-_", validate=True))
        except ValueError:
            return None

    def mail_link(self, purpose: str, number: int) -> str:
        """The same for the local part of a mail address, whose case some mail systems change: 36 characters."""
        return self._sign(purpose, number).hex()

    def read_mail_link(self, purpose: str, token: str) -> int | None:
        """The row that such a token names in any case of letters, or None for one that we did not sign."""
        try:
            raw = bytes.fromhex(token)
        except ValueError:
            return None
        return self._signed(purpose, raw) if raw.hex() == token.lower() else None  # fromhex passes over spaces

    def _sign(self, purpose: str, number: int) -> bytes:
        row = number.to_bytes(LINK_ID_BYTES, "big")
        return row + self._mac(self._current, purpose, row)[:LINK_MAC_BYTES]

    def _signed(self, purpose: str, raw: bytes) -> int | None:
        row, mac = raw[:LINK_ID_BYTES], raw[LINK_ID_BYTES:]
        good = [hmac.compare_digest(mac, self._mac(key, purpose, row)[:LINK_MAC_BYTES]) for key in self._keys]
        return int.from_bytes(row, "big") if any(good) else None

    def short_code(self, purpose: str, number: int, *, digits: int = 5) -> str:
        """A code to type on a phone, the same each time it is asked for and stored nowhere."""
        mac = self._mac(self._first, purpose, number.to_bytes(LINK_ID_BYTES, "big"))
        return str(int.from_bytes(mac[:8], "big") % 10**digits).zfill(digits)

    def proof(self, purpose: str, data: str) -> str:
        """A MAC as text, to go into a form or an address."""
        return base64.urlsafe_b64encode(self._mac(self._current, purpose, data.encode())[:18]).decode()

    def proves(self, purpose: str, data: str, proof: str) -> bool:
        """Whether `proof` is ours for this purpose and data."""
        made = [base64.urlsafe_b64encode(self._mac(key, purpose, data.encode())[:18]) for key in self._keys]
        return any(hmac.compare_digest(one, proof.encode()) for one in made)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def digest(*parts: str) -> bytes:
    """SHA-256 over texts, each with its length first, so that no two lists run together."""
    hashed = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.digest()
