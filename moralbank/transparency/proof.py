"""A proof that one leaf is in the log, as one text that anybody checks without asking the bank. Pure.

Source: C2SP tlog-proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from moralbank.transparency import checkpoint, cosignature, note, tree
from moralbank.transparency.checkpoint import HASH_BYTES, Body
from moralbank.transparency.cosignature import Cosigned, Policy
from moralbank.transparency.errors import BadProof, ProofFails
from moralbank.transparency.note import VerifierKey

HEAD = "c2sp.org/tlog-proof@v1"
#: A tree of 2^63 leaves is 63 levels high.
MAX_PATH = 63
MAX_EXTRA_BYTES = 16_384
_MAX_BYTES = note.MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the leaf is, the hashes from its sibling up to the root's child, and the signed checkpoint verbatim.

    `extra` is carried and not authenticated: nothing may be believed because it stands there.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        lines = [HEAD]
        if self.extra:
            lines.append(f"extra {note.encode64(self.extra)}")
        lines += [f"index {self.index}", *(note.encode64(step) for step in self.path)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof that holds shows: the tree in which the leaf is, and which witnesses saw that tree."""

    body: Body
    cosigned: tuple[Cosigned, ...]


def verify(proof: Proof, leaf_hash: bytes, origin: str, keys: tuple[VerifierKey, ...], policy: Policy) -> Proven:
    """Return what the proof shows of this leaf in this log.

    Raises (in the order checked): BadNote, BadCheckpoint, OtherOrigin, WrongSignature, Unsigned, PolicyUnmet,
    ProofFails.
    """
    body, signed = checkpoint.open_signed(proof.checkpoint, origin, keys)
    cosigned = cosignature.require(signed, policy)
    if not tree.verify_inclusion(leaf_hash, proof.index, body.size, list(proof.path), body.root):
        raise ProofFails
    return Proven(body, cosigned)


def parse(data: bytes) -> Proof:
    """Read a proof without verifying it. Raises BadProof naming the rule that it breaks, BadNote, BadCheckpoint."""
    if len(data) > _MAX_BYTES:
        raise BadProof(reason="too-large")
    above, blank, signed = data.partition(b"\n\n")
    try:
        lines = above.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise BadProof(reason="not-ascii") from None
    if lines[0] != HEAD:
        raise BadProof(reason="first-line")
    if not blank:
        raise BadProof(reason="no-checkpoint")
    rest = lines[1:]
    extra = b""
    if rest and rest[0].startswith("extra "):
        extra = _extra(rest[0].removeprefix("extra "))
        rest = rest[1:]
    index = checkpoint.decimal(rest[0].removeprefix("index ")) if rest and rest[0].startswith("index ") else None
    if index is None:
        raise BadProof(reason="index")
    path = parse_path(rest[1:])
    checkpoint.read(signed)
    return Proof(index, path, signed, extra)


def parse_path(lines: list[str]) -> tuple[bytes, ...]:
    """Read one hash a line. Raises BadProof."""
    if len(lines) > MAX_PATH:
        raise BadProof(reason="too-long")
    path = [note.decode64(line) for line in lines]
    if not all(step is not None and len(step) == HASH_BYTES for step in path):
        raise BadProof(reason="hash")
    return tuple(step for step in path if step is not None)


def _extra(text: str) -> bytes:
    extra = note.decode64(text)
    if not extra or len(extra) > MAX_EXTRA_BYTES:
        raise BadProof(reason="extra")
    return extra
