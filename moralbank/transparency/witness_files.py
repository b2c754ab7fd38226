"""A witness's own place: its key, and what it signed last of each log. No database, no network.

The record is on the disk before a signature leaves: a witness that is killed in between has signed nothing that it
forgets, and says so when it is asked again. One lock lets any number of processes share the place.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from moralbank import clock
from moralbank.transparency import cosignature, note, witnessing
from moralbank.transparency.errors import (
    BadSigningKey,
    BadVerifierKey,
    BadWitnessRecord,
    KeyFileOpen,
    NoWitness,
    OtherLogKey,
    WitnessExists,
)
from moralbank.transparency.note import COSIGNATURE, ED25519, Signature, SigningKey, VerifierKey
from moralbank.transparency.witnessing import Trusted

KEY, RECORD, LOCK = "witness.key", "record.json", "lock"
_VERSION = 1
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Witness:
    """The witness that lives in a directory."""

    def __init__(self, place: Path) -> None:
        """Raises (in the order checked): NoWitness, KeyFileOpen, BadSigningKey, BadWitnessRecord."""
        self.place = place
        self._signer = _read_key(place / KEY)
        self.logs()

    @property
    def key(self) -> VerifierKey:
        """What whoever trusts this witness is given."""
        return self._signer.key

    def logs(self) -> Mapping[str, Trusted]:
        """Return what it watches, by origin. Raises BadWitnessRecord."""
        return _read_record(self.place / RECORD)

    def trust(self, key: VerifierKey, *, also: bool = False) -> Trusted:
        """Watch the log whose key this is; its name is the log's origin.

        also: take a further key of a log that is watched already. Raises: OtherLogKey, BadVerifierKey for a key that
        no log signs with.
        """
        if key.algorithm != ED25519:
            raise BadVerifierKey
        with self._held():
            logs = dict(self.logs())
            known = logs.get(key.name, Trusted(key.name, ()))
            if known.keys and key not in known.keys and not also:
                raise OtherLogKey(origin=key.name)
            logs[key.name] = replace(known, keys=tuple(dict.fromkeys((*known.keys, key))))
            _write_record(self.place / RECORD, logs)
            return logs[key.name]

    def add_checkpoint(self, data: bytes) -> Signature:
        """Return the cosignature on a request's checkpoint, kept before it is returned.

        Raises: whatever witnessing.parse and witnessing.decide raise; BadWitnessRecord.
        """
        read = witnessing.parse(data)
        with self._held():
            logs = dict(self.logs())
            trusted = logs.get(read.body.origin)
            body = witnessing.decide(read, trusted)
            assert trusted is not None
            time = max(int(clock.now().timestamp()), trusted.time)
            kept = read.request.checkpoint
            logs[body.origin] = replace(trusted, size=body.size, root=body.root, time=time, checkpoint=kept)
            _write_record(self.place / RECORD, logs)
        return cosignature.cosign(read.note.text, self._signer, time)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Let no other process of this place read or write its record meanwhile."""
        with (self.place / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def found(place: Path, name: str) -> Witness:
    """Make a witness of this name with a new key. Raises: WitnessExists, BadSigningKey for a name that can't be one."""
    signer = note.generate_key(name, COSIGNATURE)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (place / RECORD).exists() or (place / KEY).exists():
        raise WitnessExists(place=place)
    # The record comes first: a key without its record never signs.
    _write_record(place / RECORD, {})
    try:
        _write_new(place / KEY, (signer.secret_text() + "\n").encode())
    except FileExistsError:
        raise WitnessExists(place=place) from None
    return Witness(place)


def _read_key(path: Path) -> SigningKey:
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise NoWitness(place=path.parent) from None
    except UnicodeDecodeError:
        raise BadSigningKey from None
    if mode & _OTHERS:
        raise KeyFileOpen(place=path)
    key = note.parse_signing_key(text)
    if key.algorithm != COSIGNATURE:
        raise BadSigningKey
    return key


def _read_record(path: Path) -> dict[str, Trusted]:
    try:
        whole = json.loads(path.read_bytes())
        if whole["v"] != _VERSION:
            raise BadWitnessRecord(place=path)
        return {origin: _trusted(origin, fields) for origin, fields in whole["logs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadVerifierKey):
        raise BadWitnessRecord(place=path) from None


def _trusted(origin: str, fields: Mapping[str, Any]) -> Trusted:
    keys = tuple(note.parse_verifier_key(text) for text in fields["keys"])
    root = note.decode64(fields["root"])
    size, time, kept = fields["size"], fields["time"], fields["checkpoint"].encode()
    if not (isinstance(size, int) and isinstance(time, int) and size >= 0 and time >= 0 and root and len(root) == 32):
        raise ValueError("not a record of a log")
    return Trusted(origin, keys, size, root, time, kept)


def _write_record(path: Path, logs: Mapping[str, Trusted]) -> None:
    """Put the record in place whole and on the disk: no kill and no power cut leaves half of it, or an older one."""
    fields = {
        origin: {
            "keys": [str(key) for key in trusted.keys],
            "size": trusted.size,
            "root": note.encode64(trusted.root),
            "time": trusted.time,
            "checkpoint": trusted.checkpoint.decode(),
        }
        for origin, trusted in logs.items()
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    text = json.dumps({"v": _VERSION, "logs": fields}, ensure_ascii=False, indent=1, sort_keys=True)
    _write_new(draft, text.encode() + b"\n")
    draft.replace(path)
    _sync_directory(path.parent)


def _write_new(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, onto the disk. Raises FileExistsError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_directory(path.parent)


def _sync_directory(place: Path) -> None:
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
