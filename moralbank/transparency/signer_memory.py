"""What the signer signed last of each log, in a directory of its own: outside the database and outside its backups.

A file per log is on the disk before its signature leaves. One lock keeps a second signer away.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from moralbank.transparency import checkpoint, durable, note, tree
from moralbank.transparency.errors import BadCheckpoint, BadNote
from moralbank.transparency.signer_errors import BadSignerRecord, SignerRunning
from moralbank.transparency.values import Log

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """A tree that was not signed. found_size: the leaves that it claimed."""

    token: str
    what: str
    found_size: int
    at: str


@dataclass(frozen=True, slots=True)
class Memory:
    """The last head of a log that was signed: its size, complete subtrees and note; and what was refused since."""

    origin: str
    size: int = 0
    frontier: bytes = b""
    note: bytes = b""
    refused: Refused | None = None

    @property
    def tree(self) -> tree.Frontier:
        return tree.Frontier.decode(self.size, self.frontier)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator decided about a refusal. restarts: the log can't be continued and begins under a new name."""

    by: str
    reason: str
    restarts: bool


class Place:
    """The signer's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def hold(self) -> IO[str]:
        """Keep every other signer away for as long as the file returned is open. Raises: SignerRunning."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise SignerRunning(place=self.path) from None
        return lock

    def find(self, book: int, log: Log) -> Memory | None:
        """Return what is remembered of a log. Raises: BadSignerRecord."""
        path = self._file(book, log)
        try:
            whole = json.loads(path.read_bytes())
            memory = _read(whole)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadCheckpoint, BadNote):
            raise BadSignerRecord(place=path) from None
        return memory

    def keep(self, book: int, log: Log, memory: Memory) -> None:
        """Put what is remembered onto the disk."""
        fields = {
            "v": _VERSION,
            "origin": memory.origin,
            "size": memory.size,
            "frontier": note.encode64(memory.frontier),
            "note": memory.note.decode(),
            "refused": asdict(memory.refused) if memory.refused else None,
        }
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(self._file(book, log), json.dumps(fields, ensure_ascii=False, indent=1).encode() + b"\n")

    def decide(self, token: str, verdict: Verdict) -> None:
        """Leave an operator's verdict on a refusal for the signer, which alone changes its memory."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(self._verdict(token), json.dumps(asdict(verdict), ensure_ascii=False).encode())

    def find_verdict(self, token: str) -> Verdict | None:
        """Return the verdict on a refusal, or None while nobody has decided."""
        try:
            return Verdict(**json.loads(self._verdict(token).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise BadSignerRecord(place=self._verdict(token)) from None

    def forget_verdict(self, token: str) -> None:
        durable.remove(self._verdict(token))

    def _file(self, book: int, log: Log) -> Path:
        return self.path / f"book-{book}-{log.name.lower()}.json"

    def _verdict(self, token: str) -> Path:
        return self.path / f"verdict-{token}.json"


def _read(whole: Mapping[str, Any]) -> Memory:
    if whole["v"] != _VERSION:
        raise ValueError("another version")
    refused = whole["refused"]
    frontier = note.decode64(whole["frontier"]) if whole["frontier"] else b""
    if frontier is None:
        raise ValueError("a broken frontier")
    memory = Memory(whole["origin"], whole["size"], frontier, whole["note"].encode())
    root = memory.tree.root()  # Raises ValueError when frontier and size don't belong together.
    if memory.size:
        body, _ = checkpoint.read(memory.note)
        if (body.origin, body.size, body.root) != (memory.origin, memory.size, root):
            raise ValueError("not the head of its note")
    return replace(memory, refused=Refused(**refused) if refused else None)
