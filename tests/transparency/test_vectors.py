"""The published vectors are what the code makes, and two foreign implementations agree with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pymerkle
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pymerkle.hasher import MerkleHasher
from pymerkle.proof import InclusionProof, verify_consistency

from moralbank.errors import MoralBankError
from moralbank.ledger import MAX_AMOUNT, canonical
from moralbank.transparency import checkpoint, cosignature, proof, tree, witnessing
from tests.transparency import _vectors
from tests.transparency._logs import KEY, WITNESSES

ROOT = Path(__file__).resolve().parents[2]
GO_PACKAGES = Path("/usr/share/gocode")
FOREIGN = ROOT / "tests" / "transparency" / "foreign" / "check.go"


def _load(name: str) -> Any:
    return json.loads((_vectors.PLACE / name).read_text(encoding="utf-8"))


def test_the_vectors_are_what_the_code_makes_byte_for_byte():
    made = _vectors.made()
    stored = {path.name: path.read_bytes() for path in _vectors.PLACE.iterdir() if path.name != "README.md"}
    assert sorted(stored) == sorted(made)
    for name, text in made.items():
        assert stored[name] == text.encode(), f"{name}: run python -m tests.transparency._vectors"


def _pymerkle_tree(leaves: list[bytes]) -> pymerkle.InmemoryTree:
    grown = pymerkle.InmemoryTree(algorithm="sha256")
    # The mode of RFC 6962: 0x00 before a leaf, 0x01 before a pair. Without it, pymerkle hashes both bare.
    assert (grown.leaf_prefix, grown.node_prefix) == (b"\x00", b"\x01")
    grown.append_entries(leaves)
    return grown


@pytest.mark.parametrize("which", ["small", "large"])
def test_pymerkle_agrees_with_every_hash_head_and_proof(which: str):
    leaves = [leaf["leaf"].encode() for leaf in _load("leaves.json")]
    if which == "large":
        leaves = [_vectors.numbered(number) for number in range(_vectors.LARGE[-1])]
    grown = _pymerkle_tree(leaves)
    if which == "small":
        hasher = MerkleHasher("sha256", security=True)
        assert [hasher.hash_buff(leaf).hex() for leaf in leaves] == [leaf["hash"] for leaf in _load("leaves.json")]
    roots = {head["size"]: bytes.fromhex(head["root"]) for head in _load("heads.json")[which]}
    assert {size: grown.get_root(size) for size in roots} == roots
    for vector in _load("inclusion.json")[which]:
        theirs = grown.prove_inclusion(vector["index"] + 1, vector["size"])
        path = [bytes.fromhex(step) for step in vector["path"]]
        assert theirs.path[1:] == path
        ours = InclusionProof("sha256", True, vector["size"], vector["index"] + 1, theirs.rule, [theirs.path[0], *path])
        ours.verify(tree.leaf_hash(leaves[vector["index"]]), roots[vector["size"]])
    for vector in _load("consistency.json")[which]:
        old, new, path = vector["old"], vector["new"], [bytes.fromhex(step) for step in vector["path"]]
        if old == 0:  # pymerkle proves nothing from the empty tree; ours is empty, as C2SP tlog-witness wants it.
            assert path == []
            continue
        # pymerkle's own proofs of consistency are longer than the standard's, so theirs is verified on our roots, and
        # ours is compared with the standard's definition over their subtrees.
        verify_consistency(roots[old], roots[new], grown.prove_consistency(old, new), old, new, "sha256")
        assert path == _subproof(grown, old, 0, new, whole=True)


def _subproof(grown: pymerkle.InmemoryTree, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """Return SUBPROOF of RFC 6962 §2.1.2, word for word, over the subtrees that pymerkle hashes."""
    if old == end - start:
        return [] if whole else [grown._get_root(start, end)]
    half = 1 << (end - start - 1).bit_length() - 1
    if old <= half:
        return [*_subproof(grown, old, start, start + half, whole=whole), grown._get_root(start + half, end)]
    return [*_subproof(grown, old - half, start + half, end, whole=False), grown._get_root(start, start + half)]


def test_go_agrees_with_every_vector():
    if shutil.which("go") is None or not (GO_PACKAGES / "src/golang.org/x/mod/sumdb/note").is_dir():
        pytest.skip("no Go with golang.org/x/mod on this machine")
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(GO_PACKAGES), "GOFLAGS": ""}
    run = subprocess.run(
        ["go", "run", str(FOREIGN), str(_vectors.PLACE)], capture_output=True, text=True, env=environment, timeout=280
    )
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
    counted = {what: int(count) for count, what in (line.split(maxsplit=1) for line in run.stdout.splitlines())}
    assert counted["leaves"] == _vectors.SMALL
    assert counted["refused notes"] == len(_load("refused.json"))
    assert counted["cosignatures"] == len(WITNESSES)
    assert min(counted.values()) > 0


def test_the_published_texts_verify_with_our_own_readers():
    policy = cosignature.parse_policy(_load("keys.json")["policy"], [witness.key for witness in WITNESSES])
    leaves = _load("leaves.json")
    shown = proof.parse((_vectors.PLACE / "entry-12.tlog-proof").read_bytes())
    leaf_hash = bytes.fromhex(leaves[12]["hash"])
    proven = proof.verify(shown, leaf_hash, KEY.name, (KEY.key,), policy)
    assert proven.body.size == _vectors.SMALL
    assert len(proven.cosigned) == 3
    with pytest.raises(proof.ProofFails):
        proof.verify(shown, bytes.fromhex(leaves[11]["hash"]), KEY.name, (KEY.key,), policy)
    alone = proof.parse((_vectors.PLACE / "entry-0-alone.tlog-proof").read_bytes())
    with pytest.raises(cosignature.PolicyUnmet):
        proof.verify(alone, bytes.fromhex(leaves[0]["hash"]), KEY.name, (KEY.key,), policy)
    for vector in _load("refused.json"):
        with pytest.raises(MoralBankError):
            checkpoint.open_signed(vector["note"].encode(), KEY.name, (KEY.key,))
    first = witnessing.decide(
        witnessing.parse((_vectors.PLACE / "add-checkpoint-first.txt").read_bytes()),
        witnessing.Trusted(KEY.name, (KEY.key,)),
    )
    trusted = witnessing.Trusted(KEY.name, (KEY.key,), first.size, first.root)
    then = witnessing.decide(witnessing.parse((_vectors.PLACE / "add-checkpoint.txt").read_bytes()), trusted)
    assert (first.size, then.size) == (7, _vectors.SMALL)


_NAMES = st.text(st.characters(max_codepoint=0x7F), max_size=12)
_TEXTS = st.text(max_size=30).map(lambda text: unicodedata.normalize("NFC", text))
_WHOLE = st.integers(-MAX_AMOUNT, MAX_AMOUNT)
_VALUES = st.recursive(
    _TEXTS | _WHOLE | st.booleans(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=8))
def test_our_canonical_json_is_that_of_rfc_8785(value: dict[str, object]):
    assert canonical(value) == rfc8785.dumps(value)
