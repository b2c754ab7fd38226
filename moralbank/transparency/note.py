"""Signed notes: a text with signature lines below it, and the keys that make and check them. Pure.

Source: C2SP signed-note (the text, the lines, key names and ids, Ed25519 as type 0x01); golang.org/x/mod/sumdb/note
for the spelling of a signing key. Base64 is read strictly, so that a note has one spelling only.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from moralbank.transparency.errors import BadNote, BadSigningKey, BadVerifierKey, Unsigned, WrongSignature

#: The algorithm byte of plain Ed25519 signatures, which logs make.
ED25519 = 0x01
#: The algorithm byte of timestamped Ed25519 cosignatures, which witnesses make (`cosignature`).
COSIGNATURE = 0x04
ALGORITHMS = (ED25519, COSIGNATURE)

#: Sixteen signatures of the largest kind that exists, five kilobytes each, must fit.
MAX_NOTE_BYTES = 131_072
MAX_SIGNATURES = 64
KEY_BYTES = 32
_ID_BYTES = 4
_LINE = "— "
_SECRET = "PRIVATE+KEY+"
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class Signer(Protocol):
    """Whatever holds a private key: a file here, a card behind PKCS#11 elsewhere."""

    @property
    def key(self) -> VerifierKey:
        """The public half."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature over exactly these bytes."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that it signs under. Its text form is `name+id in hex+base64`."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash over name, algorithm and key; with the name it identifies the key."""
        material = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(material).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([self.algorithm]) + self.public)}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature over exactly these bytes was made with this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in memory. Its text is the one of Go's note package; `repr` never shows the secret."""

    name: str
    algorithm: int
    seed: bytes = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(self.name, self.algorithm, public.public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def secret_text(self) -> str:
        """Return what a key file holds: whoever reads it can sign."""
        secret = encode64(bytes([self.algorithm]) + self.seed)
        return f"{_SECRET}{self.name}+{self.key.key_id.hex()}+{secret}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, and the bytes, of which only the key knows the meaning."""

    name: str
    key_id: bytes
    payload: bytes

    def __str__(self) -> str:
        return f"{_LINE}{self.name} {encode64(self.key_id + self.payload)}"

    def is_by(self, key: VerifierKey) -> bool:
        """Tell whether the line names this key; nothing is verified by that."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signature lines, known and unknown ones alike."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        return (self.text + "\n" + "".join(f"{line}\n" for line in self.signatures)).encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """Return the note with further lines below; a line that stands already isn't repeated."""
        return replace(self, signatures=tuple(dict.fromkeys((*self.signatures, *more))))


def generate_key(name: str, algorithm: int = ED25519) -> SigningKey:
    """Return a new key. Raises BadSigningKey when the name can't be one."""
    return signing_key(name, secrets.token_bytes(KEY_BYTES), algorithm)


def signing_key(name: str, seed: bytes, algorithm: int = ED25519) -> SigningKey:
    """Return the key of a seed of 32 bytes. Raises BadSigningKey."""
    if not is_key_name(name) or algorithm not in ALGORITHMS or len(seed) != KEY_BYTES:
        raise BadSigningKey
    return SigningKey(name, algorithm, seed)


def parse_signing_key(text: str) -> SigningKey:
    """Read a key file's text. Raises BadSigningKey, also when the stated id isn't that of the key."""
    name, key_id, material = _parts(text.strip().removeprefix(_SECRET))
    if not text.startswith(_SECRET) or material is None or not material:
        raise BadSigningKey
    key = signing_key(name, material[1:], material[0])
    if key.key.key_id.hex() != key_id:
        raise BadSigningKey
    return key


def parse_verifier_key(text: str) -> VerifierKey:
    """Read `name+id+base64`. Raises BadVerifierKey, also when the stated id isn't that of the key."""
    name, key_id, material = _parts(text)
    if not is_key_name(name) or material is None or len(material) != 1 + KEY_BYTES or material[0] not in ALGORITHMS:
        raise BadVerifierKey
    key = VerifierKey(name, material[0], material[1:])
    if key.key_id.hex() != key_id:
        raise BadVerifierKey
    return key


def is_key_name(name: str) -> bool:
    """Tell whether the name is not empty and has no space, plus or control character."""
    return bool(name) and not any(char.isspace() or char == "+" or char < " " for char in name) and _is_utf8(name)


def parse(data: bytes) -> Note:
    """Read a note without verifying anything. Raises BadNote naming the rule that it breaks."""
    if len(data) > MAX_NOTE_BYTES:
        raise BadNote(reason="too-large")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise BadNote(reason="not-utf-8") from None
    if _CONTROL.search(whole):
        raise BadNote(reason="control-character")
    text, blank, below = whole.rpartition("\n\n")
    if not blank:
        raise BadNote(reason="no-blank-line")
    return Note(text + "\n", parse_signatures(below))


def parse_signatures(below: str) -> tuple[Signature, ...]:
    """Read signature lines alone, as a witness returns them. Raises BadNote; one line at least must stand there."""
    if not below.endswith("\n"):
        raise BadNote(reason="no-final-newline")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(reason="too-many-signatures")
    return tuple(dict.fromkeys(_signature(line) for line in lines))


def sign(text: str, signers: Sequence[Signer], existing: Iterable[Signature] = ()) -> Note:
    """Return the text as a note signed by each of the (plain Ed25519) signers, below the existing lines."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise BadNote(reason="bad-text")
    made = [Signature(one.key.name, one.key.key_id, one.sign(text.encode())) for one in signers]
    kept = [line for line in existing if not any(line.is_by(one.key) for one in signers)]
    return Note(text, (*kept, *made))


def verify(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return those of the log's keys that signed the note; lines of unknown keys are ignored.

    Raises (in the order checked): WrongSignature when a line names one of the keys and doesn't verify; Unsigned when
    none of the keys signed.
    """
    signed = []
    for key in keys:
        lines = [line for line in note.signatures if line.is_by(key)]
        if not all(key.algorithm == ED25519 and key.verify(note.text.encode(), line.payload) for line in lines):
            raise WrongSignature(name=key.name)
        if lines:
            signed.append(key)
    if not signed:
        raise Unsigned
    return tuple(signed)


def encode64(data: bytes) -> str:
    """Return the standard base64 of RFC 4648 §4."""
    return b64encode(data).decode()


def decode64(text: str) -> bytes | None:
    """Read standard base64 in its one canonical spelling; None when it isn't that."""
    try:
        data = a2b_base64(text.encode(), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        return None
    return data if encode64(data) == text else None


def _signature(line: str) -> Signature:
    if not line.startswith(_LINE):
        raise BadNote(reason="not-a-signature-line")
    name, _, encoded = line.removeprefix(_LINE).partition(" ")
    payload = decode64(encoded)
    if not is_key_name(name):
        raise BadNote(reason="bad-key-name")
    if payload is None or len(payload) <= _ID_BYTES:
        raise BadNote(reason="bad-signature-text")
    return Signature(name, payload[:_ID_BYTES], payload[_ID_BYTES:])


def _parts(text: str) -> tuple[str, str, bytes | None]:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    return name, key_id, decode64(encoded)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
