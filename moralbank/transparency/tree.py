"""The Merkle tree over a log: hashes, the frontier that grows it, proofs and how they are verified. Pure.

Source: RFC 6962 §2.1 (hashes), RFC 9162 §2.1 (proofs and their verification).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
#: The root of a tree without leaves.
EMPTY_ROOT = sha256(b"").digest()

#: The hash over the 2^level leaves that begin at index · 2^level, all of which are there: `node(level, index)`.
Node = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two subtrees; its prefix tells it from a leaf."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: the roots of its complete subtrees, the largest first. All that growing it needs."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Raises ValueError when these can't be the hashes of a tree of this size."""
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count() or any(len(each) != HASH_BYTES for each in self.hashes):
            raise ValueError(f"not the frontier of {size} leaves")

    @classmethod
    def decode(cls, size: int, data: bytes) -> Frontier:
        """Read what `encode` wrote. Raises ValueError."""
        if len(data) % HASH_BYTES:
            raise ValueError("a frontier of broken hashes")
        return cls(size, (data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def encode(self) -> bytes:
        return b"".join(self.hashes)

    def copy(self) -> Frontier:
        return Frontier(self.size, self.hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        hashes, size = self.hashes, self.size
        # Each trailing one of the size is a complete subtree that the new leaf completes a larger one with.
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> list[list[bytes]]:
        """Add the hashes of the next leaves; return by level the roots of the subtrees that they complete."""
        nodes, left, edge, rest = list(leaves), self.size, list(self.hashes), []
        self.size += len(nodes)
        complete = []
        # Level by level: a bit of the size is a complete subtree that waits for its right neighbour.
        while nodes:
            complete.append(nodes)
            row = [edge.pop(), *nodes] if left & 1 else nodes
            if len(row) & 1:
                rest.append(row[-1])
            nodes = _parents(row)
            left >>= 1
        self.hashes = edge + rest[::-1]
        return complete

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return _fold(self.hashes)


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2^k hashes of one level."""
    level = list(hashes)
    assert level, "a subtree has leaves"
    assert len(level) & (len(level) - 1) == 0, "a perfect subtree has 2^k leaves"
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """Return the hashes over the pairs of a level, without one that has no neighbour: `node_hash` of a whole batch."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]


def root_at(node: Node, size: int) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _range_root(node, 0, size) if size else EMPTY_ROOT


def frontier_at(node: Node, size: int) -> Frontier:
    """Return the frontier of the tree of the first `size` leaves."""
    return Frontier(size, _complete(node, 0, size))


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """Return the hashes that lead from leaf `index` to the root of the first `size` leaves, from the leaf up."""
    assert 0 <= index < size, "the leaf is in the tree"
    low, high = 0, size
    path = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(node, middle, high))
            high = middle
        else:
            path.append(_range_root(node, low, middle))
            low = middle
    return path[::-1]


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """Return the hashes that show that the tree of the first `old` leaves is a beginning of that of `new`."""
    assert 0 <= old <= new, "a tree doesn't shrink"
    if old in (0, new):
        return []
    low, high = 0, new
    path = []
    is_known = True  # The old root itself, which whoever verifies has.
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_root(node, middle, high))
            high = middle
        else:
            path.append(_range_root(node, low, middle))
            low = middle
            is_known = False
    if not is_known:
        path.append(_range_root(node, low, high))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof leads from the leaf's hash at `index` to the root of a tree of `size` leaves.

    Source: RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the old tree is a beginning of the new one.

    Source: RFC 9162 §2.1.4.2; a tree without leaves is a beginning of every tree and needs no proof.
    """
    if not 0 <= old_size <= new_size or not _are_hashes(proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    if old_size & (old_size - 1) == 0:
        proof = [old_root, *proof]
    if not proof:
        return False
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    of_old = of_new = proof[0]
    for step in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            of_old, of_new = node_hash(step, of_old), node_hash(step, of_new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            of_new = node_hash(of_new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and of_old == old_root and of_new == new_root


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return all(len(step) == HASH_BYTES for step in proof)


def _split(count: int) -> int:
    """Return the largest power of two below `count`, where a tree of so many leaves parts."""
    return 1 << (count - 1).bit_length() - 1


def _complete(node: Node, low: int, high: int) -> list[bytes]:
    """Return the roots of the complete subtrees that make up the leaves from low to high, the largest first.

    low: a multiple of the largest of them.
    """
    found = []
    for level in range((high - low).bit_length() - 1, -1, -1):
        if (high - low) >> level & 1:
            found.append(node(level, low >> level))
            low += 1 << level
    return found


def _range_root(node: Node, low: int, high: int) -> bytes:
    return _fold(_complete(node, low, high))


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root
