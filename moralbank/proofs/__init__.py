"""Proofs as people meet them: the seal on a line, the page behind it, and one sentence that says what was proven."""
