"""The private keys that a log signs with: in a file of the signer's own, or behind whatever else can sign bytes.

A `Holder` is all that the signer needs, so that a card behind PKCS#11 can take the file's place.
"""

from __future__ import annotations

import secrets
import stat
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from moralbank.transparency import durable, note
from moralbank.transparency.errors import BadSigningKey, KeyFileOpen
from moralbank.transparency.note import ED25519, VerifierKey

#: The file's keys serve every log, each under the log's own name; in the file they bear this one.
FILE_NAME = "moralbank"
_UNTIL = " until "
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Holder(Protocol):
    """Whatever holds an Ed25519 key."""

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""

    @property
    def until(self) -> datetime | None:
        """When it stops signing; None while it has no successor."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over exactly these bytes."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key that was read from the file."""

    seed: bytes = field(repr=False)
    until: datetime | None = None

    @property
    def public(self) -> bytes:
        return note.signing_key(FILE_NAME, self.seed).key.public

    def sign(self, message: bytes) -> bytes:
        return note.signing_key(FILE_NAME, self.seed).sign(message)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key under a log's name: a note.Signer."""

    name: str
    holder: Holder

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, ED25519, self.holder.public)

    def sign(self, message: bytes) -> bytes:
        return self.holder.sign(message)


class KeyFile:
    """The keys in a file that only its owner may read, the oldest first; the last is the present one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[FileKey]:
        """Return all of its keys; none when there is no file. Raises: KeyFileOpen, BadSigningKey."""
        try:
            mode, text = self.path.stat().st_mode, self.path.read_text()
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise BadSigningKey from None
        if mode & _OTHERS:
            raise KeyFileOpen(place=self.path)
        keys = [_parse(line) for line in text.splitlines()]
        if not keys:
            raise BadSigningKey
        return keys

    def signing(self, now: datetime) -> list[FileKey]:
        """Return the keys that sign at an instant. Raises: as read."""
        return [key for key in self.read() if key.until is None or key.until > now]

    def make_first(self) -> None:
        """Make the file with a new key, unless it is there."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            durable.write_new(self.path, _spell([FileKey(secrets.token_bytes(note.KEY_BYTES))]))
        except FileExistsError:
            return

    def add(self, now: datetime, until: datetime) -> FileKey:
        """Add a new key, with which the present one signs until an instant; forget those that have stopped."""
        kept = [replace(key, until=key.until or until) for key in self.signing(now)]
        new = FileKey(secrets.token_bytes(note.KEY_BYTES))
        durable.write(self.path, _spell([*kept, new]))
        return new


def _parse(line: str) -> FileKey:
    text, _, until = line.partition(_UNTIL)
    key = note.parse_signing_key(text)
    if key.algorithm != ED25519:
        raise BadSigningKey
    try:
        return FileKey(key.seed, datetime.fromisoformat(until).astimezone(UTC) if until else None)
    except ValueError:
        raise BadSigningKey from None


def _spell(keys: list[FileKey]) -> bytes:
    lines = []
    for key in keys:
        until = f"{_UNTIL}{key.until.isoformat()}" if key.until else ""
        lines.append(f"{note.signing_key(FILE_NAME, key.seed).secret_text()}{until}\n")
    return "".join(lines).encode()
