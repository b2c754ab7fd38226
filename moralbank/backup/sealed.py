"""A backup's file: a readable first line, then compressed chunks, each bound to its file, its place and the end.

With a key every chunk is encrypted and authenticated (ChaCha20-Poly1305 in the STREAM construction, under a key of the
file's own); without one it carries a digest, which shows accidents and not intent. Knows nothing of databases.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moralbank.backup.errors import BackupDamaged, KeyMissing, KeyUnfit, KeyWrong, NotABackup, NotEncrypted

_MAGIC = b"moralbank-backup 1 "
_HEADER_BYTES_MAX = 4096
_CHUNK = 1 << 20
#: A chunk's length comes first; its highest bit marks the last chunk.
_LENGTH_BYTES, _LAST = 4, 1 << 31
_KEY_CHARACTERS_MIN = 32
_INFO, _KEY_ID_INFO = b"moralbank backup 1 chunks", b"moralbank backup 1 key id"


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself to whoever finds it."""

    engine: str
    revision: str
    made_at: str
    #: Of the keys under which people's cells are sealed; None: they stand as they are.
    people: str | None = None


def read_key(path: Path) -> bytes:
    """Return the key in a file: at least 32 characters, best random, that nobody else may read.

    Raises: KeyUnfit.
    """
    try:
        mode, key = path.stat().st_mode, path.read_bytes().strip()
    except OSError:
        raise KeyUnfit(file=path) from None
    if len(key) < _KEY_CHARACTERS_MIN or stat.S_IMODE(mode) & 0o077:
        raise KeyUnfit(file=path)
    return key


class _Seal:
    """Closes and opens the chunks of one file."""

    def __init__(self, line: bytes, key: bytes | None, salt: bytes) -> None:
        self._digest = sha256(line).digest()
        # The first line takes part in the key, so that nobody can change it either.
        self._cipher = None if key is None else ChaCha20Poly1305(_derive(key, salt, _INFO + self._digest, 32))

    def close(self, chunk: bytes, place: int, *, last: bool) -> bytes:
        nonce = _nonce(place, last)
        if self._cipher is None:
            return chunk + sha256(self._digest + nonce + chunk).digest()
        return self._cipher.encrypt(nonce, chunk, None)

    def open(self, stored: bytes, place: int, *, last: bool) -> bytes | None:
        """Return the chunk, or None when it is not the one that was put here."""
        if self._cipher is None:
            chunk = stored[:-32]
            return chunk if self.close(chunk, place, last=last) == stored else None
        try:
            return self._cipher.decrypt(_nonce(place, last), stored, None)
        except InvalidTag:
            return None


def _nonce(place: int, last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes([last])


def _derive(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(key)


class SealedWriter:
    """Writes one backup; what was written is whole only after `close`."""

    def __init__(self, file: BinaryIO, header: Header, key: bytes | None) -> None:
        salt = os.urandom(32)
        fields = {
            "engine": header.engine,
            "revision": header.revision,
            "made_at": header.made_at,
            "people": header.people,
            "salt": salt.hex(),
            "key_id": None if key is None else _derive(key, salt, _KEY_ID_INFO, 8).hex(),
        }
        line = _MAGIC + json.dumps(fields).encode() + b"\n"
        file.write(line)
        self._file = file
        self._seal = _Seal(line, key, salt)
        self._packer = zlib.compressobj(1)
        self._waiting = bytearray()
        self._place = 0

    def write(self, data: bytes) -> None:
        self._waiting += self._packer.compress(data)
        while len(self._waiting) >= _CHUNK:
            self._put(bytes(self._waiting[:_CHUNK]), last=False)
            del self._waiting[:_CHUNK]

    def close(self) -> None:
        self._waiting += self._packer.flush()
        self._put(bytes(self._waiting), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        stored = self._seal.close(chunk, self._place, last=last)
        self._file.write((len(stored) | (_LAST if last else 0)).to_bytes(_LENGTH_BYTES, "big") + stored)
        self._place += 1


class SealedReader:
    """Reads one backup, and refuses it by name at the first byte that is not as it was written.

    Raises (at once): NotABackup, KeyMissing, NotEncrypted, KeyWrong; (while reading): BackupDamaged.
    """

    def __init__(self, file: BinaryIO, name: Path, key: bytes | None) -> None:
        self._file, self._name = file, name
        line = file.readline(_HEADER_BYTES_MAX)
        try:
            fields = json.loads(line.removeprefix(_MAGIC)) if line.startswith(_MAGIC) else {}
            self.header = Header(fields["engine"], fields["revision"], fields["made_at"], fields.get("people"))
            salt, key_id = bytes.fromhex(fields["salt"]), fields["key_id"]
        except (ValueError, TypeError, KeyError):
            raise NotABackup(file=name) from None
        if key is None and key_id is not None:
            raise KeyMissing(file=name)
        if key is not None and key_id is None:
            raise NotEncrypted(file=name)
        if key is not None and _derive(key, salt, _KEY_ID_INFO, 8).hex() != key_id:
            raise KeyWrong(file=name)
        self._data = self._unpacked(_Seal(line, key, salt))
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        parts, missing = [self._rest[:size]], size - len(self._rest)
        self._rest = self._rest[size:]
        while missing > 0 and (data := next(self._data, None)) is not None:
            parts.append(data[:missing])
            self._rest = data[missing:]
            missing -= len(data)
        return b"".join(parts)

    def _unpacked(self, seal: _Seal) -> Iterator[bytes]:
        unpacker = zlib.decompressobj()
        place, last = 0, False
        while not last:
            length = int.from_bytes(self._exactly(_LENGTH_BYTES, place), "big")
            last = bool(length & _LAST)
            length &= ~_LAST
            if length > _CHUNK + 32:
                raise BackupDamaged(file=self._name, place=place)
            chunk = seal.open(self._exactly(length, place), place, last=last)
            if chunk is None:
                raise BackupDamaged(file=self._name, place=place)
            while chunk:
                yield unpacker.decompress(chunk, _CHUNK)
                chunk = unpacker.unconsumed_tail
            place += 1
        yield unpacker.flush()
        if self._file.read(1):
            raise BackupDamaged(file=self._name, place=place)

    def _exactly(self, size: int, place: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise BackupDamaged(file=self._name, place=place)
        return data
