"""A month's statement file with what the service itself finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from moralbank.errors import MoralBankError
from moralbank.proofs import queries as proofs
from moralbank.proofs.values import MARK_CHARACTERS, Signed, Trust
from moralbank.statements import files, proving
from moralbank.statements.proving import Proven
from moralbank.statements.values import Owner
from moralbank.transparency import board


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement file with what the service itself found in it; proven is None when it doesn't hold."""

    file: dict[str, Any]
    proven: Proven | None
    trust: Trust | None
    signed: Signed | None

    @property
    def mark(self) -> str:
        """The characters of the checkpoint, as they stand in the seal; empty while nothing is sealed."""
        if self.proven is None or self.proven.root is None:
            return ""
        return board.spell(self.proven.root)[:MARK_CHARACTERS]


def checked(db: Connection, owner: Owner, month: date) -> Checked:
    """Return a month's statement file, checked. Raises (in the order checked): MonthToCome, MonthBeforeBooks."""
    file = files.statement_file(db, owner, month)
    trust = proofs.trust_of(db, owner.book)
    try:
        proven = proving.prove(file, trust)
    except MoralBankError:
        return Checked(file, None, trust, None)
    signed = None
    if trust is not None and file["leaves"]:
        signed = proofs.find_signed(db, owner.book, max(one["index"] for one in file["leaves"]), trust)
    return Checked(file, proven, trust, signed)
