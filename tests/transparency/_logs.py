"""A log in memory, grown by the tests: leaves, checkpoints, requests to witnesses, proofs."""

from __future__ import annotations

from moralbank.transparency import note, proof, tree
from moralbank.transparency.checkpoint import Body
from moralbank.transparency.note import SigningKey
from moralbank.transparency.witnessing import Request

ORIGIN = "bank.example/log/SJL-01"
KEY = note.signing_key(ORIGIN, bytes(range(32)))
WITNESS_NAMES = ("street-office.example", "residents.example", "auditor.example")
WITNESSES = [
    note.signing_key(name, bytes([number]) * 32, note.COSIGNATURE) for number, name in enumerate(WITNESS_NAMES, 1)
]


class GrowingLog:
    """A log of these leaves, signed by one key."""

    def __init__(self, leaves: list[bytes], key: SigningKey = KEY) -> None:
        self.leaves = leaves
        self.hashes = [tree.leaf_hash(leaf) for leaf in leaves]
        self.key = key
        self._nodes: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.hashes[index]
        if (level, index) not in self._nodes:
            left, right = self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)
            self._nodes[level, index] = tree.node_hash(left, right)
        return self._nodes[level, index]

    def root(self, size: int) -> bytes:
        return tree.root_at(self.node, size)

    def signed(self, size: int) -> note.Note:
        return note.sign(Body(self.key.name, size, self.root(size)).encode(), [self.key])

    def request(self, old: int, new: int) -> Request:
        path = tree.consistency_proof(self.node, old, new)
        return Request(old, tuple(path), self.signed(new).encode())

    def proof(self, index: int, signed: note.Note, size: int) -> proof.Proof:
        path = tree.inclusion_proof(self.node, index, size)
        return proof.Proof(index, tuple(path), signed.encode())


def leaves(count: int, salt: str = "") -> list[bytes]:
    return [f"leaf {number}{salt}".encode() for number in range(count)]
