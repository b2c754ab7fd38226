"""The tree against the definitions of the RFC, written out again in their plainest form."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.transparency import tree

LEAVES = [str(n).encode() for n in range(70)]
HASHES = [tree.leaf_hash(leaf) for leaf in LEAVES]
#: RFC 6962's own test tree, as every implementation carries it.
RFC_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
RFC_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word by word."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def node(level: int, index: int) -> bytes:
    return mth(HASHES[index << level : (index + 1) << level])


def test_the_roots_are_those_of_the_rfcs_own_leaves():
    hashes = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in RFC_LEAVES]
    frontier = tree.Frontier()
    for leaf, root in zip(hashes, RFC_ROOTS, strict=True):
        frontier.append(leaf)
        assert frontier.root().hex() == root
    assert tree.Frontier().root() == tree.EMPTY_ROOT == mth([])


def test_a_frontier_grows_as_the_tree_does_and_comes_back_from_its_bytes():
    frontier = tree.Frontier()
    for size, leaf in enumerate(HASHES):
        assert frontier.root() == mth(HASHES[:size]) == tree.root_at(node, size)
        again = tree.Frontier.decode(size, frontier.encode())
        assert again.hashes == frontier.hashes == tree.frontier_at(node, size).hashes
        frontier.append(leaf)


def test_leaves_that_come_together_grow_it_as_they_would_one_by_one():
    for size in range(len(HASHES)):
        for more in (0, 1, 2, 3, 7, 8, len(HASHES) - size):
            frontier = tree.Frontier()
            frontier.extend(HASHES[:size])
            frontier.extend(HASHES[size : size + more])
            assert frontier.hashes == tree.frontier_at(node, min(size + more, len(HASHES))).hashes
            assert frontier.size == min(size + more, len(HASHES))


@pytest.mark.parametrize(("size", "hashes"), [(3, 1), (2, 2), (0, 1), (-1, 0)])
def test_a_frontier_of_another_size_is_refused(size: int, hashes: int):
    with pytest.raises(ValueError, match="not the frontier"):
        tree.Frontier(size, HASHES[:hashes])


def test_every_inclusion_proof_verifies_and_no_other_leaf_index_size_or_root_does():
    for size in range(1, 40):
        root = mth(HASHES[:size])
        for index in range(size):
            proof = tree.inclusion_proof(node, index, size)
            assert tree.verify_inclusion(HASHES[index], index, size, proof, root)
            assert not tree.verify_inclusion(HASHES[index + 1], index, size, proof, root)
            assert not tree.verify_inclusion(HASHES[index], index ^ 1, size, proof, root) or size == 1
            assert not tree.verify_inclusion(HASHES[index], index, size, proof, HASHES[-1])
            assert not tree.verify_inclusion(HASHES[index], index, size, [*proof, HASHES[0]], root)
            assert not proof or not tree.verify_inclusion(HASHES[index], index, size, proof[:-1], root)


def test_every_consistency_proof_verifies_and_no_altered_one_does():
    roots = [mth(HASHES[:size]) for size in range(41)]
    for new in range(41):
        for old in range(new + 1):
            proof = tree.consistency_proof(node, old, new)
            assert tree.verify_consistency(old, roots[old], new, roots[new], proof)
            assert not tree.verify_consistency(old, roots[old], new, roots[new], [*proof, HASHES[0]])
            assert not tree.verify_consistency(old, HASHES[60], new, roots[new], proof)
            assert not tree.verify_consistency(old, roots[old], new, HASHES[60], proof) or old == 0
            for at in range(len(proof)):
                other = [*proof[:at], HASHES[61], *proof[at + 1 :]]
                assert not tree.verify_consistency(old, roots[old], new, roots[new], other)
    assert not tree.verify_consistency(5, roots[5], 4, roots[4], [])


@given(st.integers(0, 70), st.integers(0, 70), st.lists(st.binary(min_size=31, max_size=33), max_size=9))
def test_made_up_proofs_are_refused_and_break_nothing(one: int, other: int, proof: list[bytes]):
    assert not tree.verify_inclusion(HASHES[0], one, other, proof, HASHES[69])
    assert one == other == 0 or not tree.verify_consistency(one, HASHES[68], other, HASHES[69], proof)
