"""Looking at a book before posting: locks what drafts give, and reads all that they are decided by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import rows
from moralbank.ledger.values import Draft, Unit
from moralbank.prepared import Asking, ask

if TYPE_CHECKING:
    from moralbank.wire import Answer, Call

#: An account's number carries its book, so that one of another book is told at sight.
BOOK_SHIFT = 32


@dataclass(frozen=True, slots=True)
class Looked:
    """What stands in a book of all that some drafts ask about; what they give is locked until the commit."""

    book: int
    seen: rows.Seen

    def covers(self, account: int, unit: Unit, amount: int) -> bool | None:
        """Tell whether a guarded account can give as much now.

        None: it holds as much, but some of it may have expired, and `available` knows.
        """
        held = self.seen.held.get((account, unit))
        if held is None or held.balance < amount:
            return False
        return None if held.next_expiry_on <= clock.today() else True


@dataclass(frozen=True, slots=True)
class _Looking:
    """Asks for what stands in a book; see prepared.Asking."""

    book: int
    asked: Asking[rows.Seen]

    def now(self, db: Connection) -> Looked:
        return Looked(self.book, self.asked.now(db))

    def calls(self, db: Connection) -> list[Call]:
        return self.asked.calls(db)

    def told(self, db: Connection, answers: Iterator[Answer]) -> Looked:
        return Looked(self.book, self.asked.told(db, answers))


def looking(db: Connection, items: Sequence[Draft]) -> list[Asking[Looked]]:
    """Return what asks for all that drafts are decided by, and locks it: one for each of their books, in order."""
    by_book: dict[int, list[Draft]] = {}
    for draft in items:
        by_book.setdefault(draft.book, []).append(draft)
    return [_Looking(book, _asking(db, book, by_book[book])) for book in sorted(by_book)]


def look(db: Connection, book: int, items: Sequence[Draft]) -> rows.Seen:
    """Lock and read at once what drafts in one book ask about."""
    seen: rows.Seen
    [seen] = ask(db, _asking(db, book, items))
    return seen


def look_at(db: Connection, book: int, accounts: Sequence[int]) -> rows.Seen:
    """Lock accounts and read what they hold."""
    seen: rows.Seen
    [seen] = ask(db, rows.of(db).looking(book, accounts, [], [], [], 0))
    return seen


def _asking(db: Connection, book: int, items: Sequence[Draft]) -> Asking[rows.Seen]:
    accounts = sorted({leg.account for draft in items for leg in draft.legs if leg.account >> BOOK_SHIFT == book})
    names = list({(draft.actor, draft.key): None for draft in items})
    sources = [(draft.kind, *draft.source) for draft in items if draft.source]
    brought = [draft.entry_id for draft in items if draft.entry_id]
    return rows.of(db).looking(book, accounts, names, sources, brought, len(names))
