"""Makes the sheet of a sealed day, once a signed checkpoint holds its seal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from moralbank.ledger import Book
from moralbank.noticeboard.errors import NoSheet
from moralbank.noticeboard.queries import find_day, index_of_day
from moralbank.noticeboard.values import Day
from moralbank.proofs import queries as proofs
from moralbank.proofs.values import Signed
from moralbank.transparency import Log, queries

#: So many checkpoints after a day's close may have been printed before one was signed by enough offices.
_PRINTED_MAX = 200


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sealed day that hangs on the wall: what it came to, and the checkpoint that holds its seal."""

    book: Book
    day: Day
    signed: Signed


def get_sheet(db: Connection, book: Book, day: date) -> Sheet:
    """Return the sheet of a day. Raises: NoSheet, also while no signed checkpoint holds the day's seal."""
    index = index_of_day(db, book.book_id, day)
    found = None if index is None else proofs.find_signed(db, book.book_id, index, proofs.trust_of(db, book.book_id))
    if found is None:
        raise NoSheet(day=day.isoformat())
    sealed = find_day(db, book.book_id, day)
    assert sealed is not None, "a day with a leaf has what the leaf says"
    return Sheet(book, sealed, found)


def roots_of_day(db: Connection, book: Book, day: date) -> list[bytes]:
    """Return the roots that a sheet of the day may have been printed with, that of the present sheet first.

    Raises: NoSheet.
    """
    sheet = get_sheet(db, book, day)
    index = index_of_day(db, book.book_id, day)
    assert index is not None
    others = queries.list_checkpoints(db, book.book_id, Log.LEDGER, index, _PRINTED_MAX)
    return [sheet.signed.checkpoint.root, *(one.root for one in others if one.size < sheet.signed.checkpoint.size)]


def find_root(db: Connection, book: Book, size: int) -> bytes | None:
    """Return the root of the first so many leaves, or None while the tree isn't so large."""
    if not 0 < size <= queries.size(db, book.book_id, Log.LEDGER):
        return None
    return queries.root_at(db, book.book_id, Log.LEDGER, size)
