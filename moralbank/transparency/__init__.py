"""A Merkle log over the books: signed checkpoints and proofs that strangers can check. Knows no people, no Flask."""

from moralbank.transparency.facts import append_fact
from moralbank.transparency.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, verify_consistency, verify_inclusion
from moralbank.transparency.tree_errors import BadFact, LeafUnknown, LogMoved, SizeUnknown, TreeBroken
from moralbank.transparency.values import Checkpoint, Head, Log, LogKey, Refusal

__all__ = [
    "EMPTY_ROOT",
    "BadFact", "Checkpoint", "Frontier", "Head", "LeafUnknown", "Log", "LogKey", "LogMoved", "Refusal", "SizeUnknown",
    "TreeBroken",
    "append_fact", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion",
]  # fmt: skip
