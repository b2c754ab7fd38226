"""What stands behind a line: nothing yet, the bank's signature, or that of other offices too. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from moralbank.transparency import board
from moralbank.transparency.cosignature import Policy
from moralbank.transparency.note import VerifierKey
from moralbank.transparency.values import Checkpoint, Log

MARK_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count for a book's log: its name, its own keys, and the witnesses with what they are called."""

    #: The log's names, each with the size above which it signs so: one, unless it once had to begin anew.
    origins: tuple[tuple[int, str], ...]
    keys: tuple[VerifierKey, ...]
    policy: Policy
    #: What people call a witness, by the name of its key.
    titles: dict[str, str]
    log: Log = Log.LEDGER

    def origin_at(self, size: int) -> str:
        """Return the name under which the log signs a tree of this size."""
        return [origin for from_size, origin in self.origins if from_size < size or from_size == 0][-1]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with the offices that signed it beside the bank.

    offices: what they are called, each verified; needed: so many of them make it witnessed.
    """

    checkpoint: Checkpoint
    offices: tuple[str, ...]
    needed: int

    @property
    def is_witnessed(self) -> bool:
        """Tell whether enough other offices signed, where any are asked for."""
        return 0 < self.needed <= len(self.offices)

    @property
    def mark(self) -> str:
        """The first characters of the root, as they stand in the seal and first on the notice board."""
        return board.spell(self.checkpoint.root)[:MARK_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Seal:
    """What stands for one entry or deed. due_at: by then it is in a signed checkpoint, or something is wrong."""

    book_code: str
    leaf_hash: bytes
    due_at: datetime
    is_overdue: bool
    #: None while it is in no signed checkpoint.
    signed: Signed | None
    index: int | None
    #: The address of the proof's page, with the leaf's hash behind the #, which no server sees.
    url: str = ""

    @property
    def hash_text(self) -> str:
        return self.leaf_hash.hex()

    @property
    def short_hash(self) -> str:
        """Enough of the hash to compare by eye."""
        return f"{self.hash_text[:8]}…{self.hash_text[-4:]}"


@dataclass(frozen=True, slots=True)
class Slip:
    """What a resident takes away after an award or a charge: the line as it stands in the passbook, and its seal."""

    seal: Seal
    n: int
    balance_after: int
