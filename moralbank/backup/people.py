"""The keys of people: one each, in a file of its own that no backup holds. What is sealed under one dies with it.

A slot of 32 bytes for each resident's number: zeros, a key, or ones where the key was destroyed. Destroying writes over
the slot; copies of this file are the only other place where a key may be (docs/OPERATIONS.md).
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from moralbank.backup.errors import BackupDamaged, PeopleKeysOlder, PeopleKeysUnfit

#: In a database that knows of forgetting: whose keys must not exist any more.
FORGOTTEN = "SELECT resident_id FROM residents_residents WHERE forgotten_at IS NOT NULL ORDER BY resident_id"

_MAGIC = b"moralbank people 1\n"
_ID_BYTES = 16
_HEAD = 64
_SLOT = 32
_NONE, _GONE = bytes(_SLOT), b"\xff" * _SLOT
_NONCE = 12


class PeopleKeys:
    """The open file, held against other processes."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle
        head = os.pread(handle, _HEAD, 0)
        if not head.startswith(_MAGIC) or len(head) != _HEAD:
            raise PeopleKeysUnfit(file=path)
        self.store_id = head[len(_MAGIC) : len(_MAGIC) + _ID_BYTES].hex()
        self._slots = bytearray(os.pread(handle, os.fstat(handle).st_size, _HEAD))
        self._new: set[int] = set()
        self._ciphers: dict[int, ChaCha20Poly1305] = {}

    def is_gone(self, person: int) -> bool:
        """Tell whether the person's key was destroyed. Raises: PeopleKeysOlder when there never was one here."""
        slot = self._slot(person)
        if slot == _NONE:
            raise PeopleKeysOlder(file=self._path, person=person)
        return slot == _GONE

    def seal(self, person: int, place: str, data: bytes) -> bytes:
        """Encrypt a cell under the person's key, which is made if there is none yet; place is where the cell stands."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(person, make=True).encrypt(nonce, data, place.encode())

    def open(self, person: int, place: str, sealed: bytes) -> bytes:
        """Decrypt a cell whose person's key is there. Raises: BackupDamaged."""
        try:
            return self._cipher(person).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except InvalidTag:
            raise BackupDamaged(file=self._path, place=place) from None

    def destroy(self, people: Iterable[int]) -> None:
        """Destroy the keys of these people, for good."""
        for person in people:
            self._put(person, _GONE)
        self.save()

    def save(self) -> None:
        """Write the slots that changed, and return when they are on the disk."""
        for person in sorted(self._new):
            os.pwrite(self._handle, self._slot(person), _HEAD + person * _SLOT)
        os.fsync(self._handle)
        self._new.clear()

    def _cipher(self, person: int, *, make: bool = False) -> ChaCha20Poly1305:
        cipher = self._ciphers.get(person)
        if cipher is None:
            if make and self._slot(person) in (_NONE, _GONE):
                # A number whose key is gone names nobody any more: what is sealed for it now must not be read either.
                key = os.urandom(_SLOT)
                if self._slot(person) == _NONE:
                    self._put(person, key)
            else:
                key = self._slot(person)
            cipher = self._ciphers[person] = ChaCha20Poly1305(key)
        return cipher

    def _slot(self, person: int) -> bytes:
        return bytes(self._slots[person * _SLOT : (person + 1) * _SLOT]).ljust(_SLOT, b"\0")

    def _put(self, person: int, slot: bytes) -> None:
        missing = (person + 1) * _SLOT - len(self._slots)
        if missing > 0:
            self._slots += bytes(missing)
        self._slots[person * _SLOT : (person + 1) * _SLOT] = slot
        self._new.add(person)
        self._ciphers.pop(person, None)


@contextmanager
def people_keys(path: Path, *, make: bool = False) -> Iterator[PeopleKeys]:
    """Open the file for as long as the block runs; one process at a time. Raises: PeopleKeysUnfit."""
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        if make:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, flags | (os.O_CREAT if make else 0), 0o600)
    except OSError:
        raise PeopleKeysUnfit(file=path) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        found = os.fstat(handle)
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise PeopleKeysUnfit(file=path)
        if make and found.st_size == 0:
            os.pwrite(handle, (_MAGIC + os.urandom(_ID_BYTES)).ljust(_HEAD, b"\0"), 0)
            os.fsync(handle)
        yield PeopleKeys(path, handle)
    finally:
        os.close(handle)
