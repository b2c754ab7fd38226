"""A Merkle log over the books: signed checkpoints and proofs that strangers can check. Knows no people, no Flask."""
