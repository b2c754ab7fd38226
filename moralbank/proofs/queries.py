"""Reads what is sealed of an entry, and by whom."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.ledger import Book, Entry, Unit
from moralbank.logbook import queries as logbook
from moralbank.proofs.errors import UnknownProofDeed, UnknownProofEntry
from moralbank.proofs.values import Seal, Signed, Slip, Trust
from moralbank.transparency import Log, cosignature, facts, note, queries, tree
from moralbank.transparency.proof import Proof
from moralbank.transparency.values import Checkpoint
from moralbank.transparency.witnessed import first_cosigned_size

#: What a slip promises. It takes ten seconds at most while all is well; a minute is what people read off a clock.
PROMISED = timedelta(minutes=1)
_NUMBER_MAX = 2**63 - 1


def find_book(db: Connection, code: str) -> Book | None:
    """Return the book of this code, or None."""
    return next((book for book in ledger.list_books(db) if book.code == code), None)


def trust_of(db: Connection, book: int, log: Log = Log.LEDGER) -> Trust | None:
    """Return whose signatures count for a log of the book; None before its first checkpoint."""
    origins = tuple(queries.list_origins(db, book, log))
    if not origins:
        return None
    keys = tuple(note.parse_verifier_key(key.text) for key in queries.verifier_keys(db, book, log))
    witnesses = logbook.list_witnesses(db, book)
    titles = {witness.name: witness.title for witness in witnesses}
    return Trust(origins, keys, logbook.policy_of(db, book), titles, log)


def find_signed(db: Connection, book: int, index: int, trust: Trust | None) -> Signed | None:
    """Return the checkpoint that a leaf's proof leads to: the first that holds it and enough offices signed.

    While there is none, the first that the bank alone, or too few others, signed; None while there is none at all.
    """
    if trust is None:
        return None
    found = _first_witnessed(db, book, index, trust)
    if found is None:
        found = next(iter(queries.list_checkpoints(db, book, trust.log, index, 1)), None)
    return None if found is None else signed(found, trust)


def _first_witnessed(db: Connection, book: int, index: int, trust: Trust) -> Checkpoint | None:
    if not trust.policy.needed:
        return None
    names = [key.name for key in trust.policy.keys]
    size = first_cosigned_size(db, book, trust.log, names, index + 1, trust.policy.needed)
    return None if size is None else queries.find_checkpoint(db, book, trust.log, size)


def signed(checkpoint: Checkpoint, trust: Trust) -> Signed:
    """Return a checkpoint with the offices whose signatures below it hold. Raises: WrongSignature."""
    cosigned = cosignature.verify(note.parse(checkpoint.note), trust.policy.keys)
    offices = tuple(trust.titles.get(one.key.name, one.key.name) for one in cosigned)
    return Signed(checkpoint, offices, trust.policy.needed)


def seal_of(db: Connection, book: Book, entry_id: UUID, public_url: str) -> Seal:
    """Return what stands for an entry. Raises: UnknownProofEntry."""
    entry = ledger.find_entry(db, book.book_id, entry_id)
    if entry is None:
        raise UnknownProofEntry()
    return _seal(db, book, entry, public_url)


def _seal(db: Connection, book: Book, entry: Entry, public_url: str) -> Seal:
    index = queries.leaf_index_of_entry(db, book.book_id, entry.entry_id)
    page = f"{public_url}/log/{book.code}/entries/{entry.entry_id.hex}"
    return _seal_leaf(db, book, Log.LEDGER, index, entry.leaf_bytes, entry.posted_at, page)


def seal_of_deed(db: Connection, book: Book, no: int, public_url: str) -> Seal:
    """Return what stands for a deed, the fact of this number in the book's access log. Raises: UnknownProofDeed."""
    found = facts.list_leaves(db, book.book_id, Log.ACCESS, no, 1) if 0 < no <= _NUMBER_MAX else []
    if not found or found[0][0] != no:
        raise UnknownProofDeed()
    leaf = found[0][1]
    index = queries.leaf_index_of_fact(db, book.book_id, Log.ACCESS, no)
    made_at = datetime.fromisoformat(json.loads(leaf)["at"])
    return _seal_leaf(db, book, Log.ACCESS, index, leaf, made_at, f"{public_url}/log/{book.code}/access/deeds/{no}")


def _seal_leaf(db: Connection, book: Book, log: Log, index: int | None, leaf: bytes, at: datetime, page: str) -> Seal:
    found = None if index is None else find_signed(db, book.book_id, index, trust_of(db, book.book_id, log))
    leaf_hash = tree.leaf_hash(leaf)
    due_at = (at + PROMISED).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return Seal(
        book_code=book.code,
        leaf_hash=leaf_hash,
        due_at=due_at,
        is_overdue=found is None and clock.now() > due_at,
        signed=found,
        index=index,
        url=f"{page}#{leaf_hash.hex()}",
    )


def find_slip(db: Connection, book_id: int, entry_id: UUID, account: int, unit: Unit, public_url: str) -> Slip | None:
    """Return what an account's holder takes away of an entry; None when it has no line of the account in the unit."""
    book = next(book for book in ledger.list_books(db) if book.book_id == book_id)
    entry = ledger.find_entry(db, book_id, entry_id)
    legs = () if entry is None else entry.legs
    for leg in legs:
        if (leg.account, leg.unit) == (account, unit) and leg.n is not None and leg.balance_after is not None:
            assert entry is not None
            return Slip(_seal(db, book, entry, public_url), leg.n, leg.balance_after)
    return None


def proof_of(db: Connection, book: int, seal: Seal, log: Log = Log.LEDGER) -> Proof | None:
    """Return the proof that leads from an entry's or deed's leaf to its checkpoint; None while it is in none."""
    if seal.signed is None or seal.index is None:
        return None
    checkpoint = seal.signed.checkpoint
    path = queries.inclusion_proof(db, book, log, seal.index, checkpoint.size)
    return Proof(seal.index, tuple(path), checkpoint.note)
