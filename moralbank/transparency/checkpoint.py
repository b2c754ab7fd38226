"""The text of a checkpoint: which log, how many leaves, and the root over them. Pure.

Source: C2SP tlog-checkpoint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moralbank.transparency import note
from moralbank.transparency.errors import BadCheckpoint, OtherOrigin

HASH_BYTES = 32
#: Sizes are signed 64-bit numbers in every other program that reads them.
MAX_SIZE = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Body:
    """What a checkpoint says. Extension lines are signed with it and mean nothing here."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def encode(self) -> str:
        lines = (self.origin, str(self.size), note.encode64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Body:
    """Read the text of a note as a checkpoint. Raises BadCheckpoint naming the line that is wrong."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not text.endswith("\n"):
        raise BadCheckpoint(part="lines")
    origin, size, root, *extensions = lines
    if not origin:
        raise BadCheckpoint(part="origin")
    count = decimal(size)
    if count is None:
        raise BadCheckpoint(part="size")
    digest = note.decode64(root)
    if digest is None or len(digest) != HASH_BYTES:
        raise BadCheckpoint(part="root")
    if not all(extensions):
        raise BadCheckpoint(part="extension")
    return Body(origin, count, digest, tuple(extensions))


def read(data: bytes) -> tuple[Body, note.Note]:
    """Read a signed checkpoint without verifying it. Raises BadNote, BadCheckpoint."""
    signed = note.parse(data)
    return parse(signed.text), signed


def open_signed(data: bytes, origin: str, keys: tuple[note.VerifierKey, ...]) -> tuple[Body, note.Note]:
    """Return a checkpoint that this log signed.

    Raises (in the order checked): BadNote, BadCheckpoint, OtherOrigin, WrongSignature, Unsigned.
    """
    body, signed = read(data)
    if body.origin != origin:
        raise OtherOrigin(origin=body.origin, expected=origin)
    note.verify(signed, keys)
    return body, signed


def decimal(text: str) -> int | None:
    """Read a whole number without sign and leading zeroes, up to 2^63 − 1; None when it isn't that."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        return None
    return int(text)
