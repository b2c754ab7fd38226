"""What a witness is asked and how it decides: one text in, one cosignature out, or a named refusal. Pure.

Source: C2SP tlog-witness (add-checkpoint).
"""

from __future__ import annotations

from dataclasses import dataclass

from moralbank.transparency import checkpoint, note, tree
from moralbank.transparency.checkpoint import Body
from moralbank.transparency.errors import (
    BadCheckpoint,
    BadNote,
    BadProof,
    BadWitnessRequest,
    Inconsistent,
    OtherRoot,
    OtherSize,
    UntrustedOrigin,
)
from moralbank.transparency.note import Note, VerifierKey
from moralbank.transparency.proof import parse_path

#: The standard's own bound of 63 hashes, and a whole note.
MAX_BYTES = note.MAX_NOTE_BYTES + 4096


@dataclass(frozen=True, slots=True)
class Request:
    """A new checkpoint, the size to go on from, and the proof that it does."""

    old_size: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        lines = [f"old {self.old_size}", *(note.encode64(step) for step in self.path)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


@dataclass(frozen=True, slots=True)
class Trusted:
    """A log that the witness watches: its keys, and the largest tree that it signed (0 and the empty root: none)."""

    origin: str
    keys: tuple[VerifierKey, ...]
    size: int = 0
    root: bytes = tree.EMPTY_ROOT
    #: The time of the last cosignature: a witness's word never goes back in time.
    time: int = 0
    #: The last signed checkpoint, for whoever looks into a quarrel.
    checkpoint: bytes = b""


@dataclass(frozen=True, slots=True)
class Read:
    """A request whose checkpoint could be read; nothing of it is verified."""

    request: Request
    body: Body
    note: Note


def parse(data: bytes) -> Read:
    """Read a request. Raises BadWitnessRequest."""
    if len(data) > MAX_BYTES:
        raise BadWitnessRequest(reason="too-large")
    above, blank, signed = data.partition(b"\n\n")
    if not blank:
        raise BadWitnessRequest(reason="no-blank-line")
    try:
        lines = above.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise BadWitnessRequest(reason="not-ascii") from None
    old_size = checkpoint.decimal(lines[0].removeprefix("old ")) if lines[0].startswith("old ") else None
    if old_size is None:
        raise BadWitnessRequest(reason="old-size")
    try:
        path = parse_path(lines[1:])
        body, read = checkpoint.read(signed)
    except (BadProof, BadNote) as refusal:
        raise BadWitnessRequest(reason=refusal.fields["reason"]) from refusal
    except BadCheckpoint as refusal:
        raise BadWitnessRequest(reason=f"checkpoint-{refusal.fields['part']}") from refusal
    return Read(Request(old_size, path, signed), body, read)


def decide(read: Read, trusted: Trusted | None) -> Body:
    """Return what the witness may sign now, once it has kept it as its last.

    Raises (in the order checked): UntrustedOrigin, WrongSignature, Unsigned, BadWitnessRequest (the old size is above
    the new), OtherSize, Inconsistent, OtherRoot.
    """
    body, old_size, path = read.body, read.request.old_size, list(read.request.path)
    if trusted is None:
        raise UntrustedOrigin(origin=body.origin)
    note.verify(read.note, trusted.keys)
    if old_size > body.size:
        raise BadWitnessRequest(reason="old-above-new")
    if old_size != trusted.size:
        raise OtherSize(size=trusted.size)
    if old_size == body.size and not path:
        if body.root != trusted.root:
            raise OtherRoot(size=body.size)
        return body
    if not tree.verify_consistency(old_size, trusted.root, body.size, body.root, path):
        raise Inconsistent(size=body.size)
    return body
