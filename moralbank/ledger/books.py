"""Books, the accounts in them, and the days that are closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import models
from moralbank.ledger.errors import BadDraft, UnknownBook
from moralbank.ledger.looking import BOOK_SHIFT
from moralbank.ledger.rows import DAY_LOCK
from moralbank.ledger.values import INTERNAL, NEVER, Account, AccountKind, Book, Unit
from moralbank.prepared import Prepared


def open_book(db: Connection, code: str, name: str) -> int:
    """Open a book with one of each internal account; return its number."""
    insert = models.books.insert().values(code=code, name=name, opened_at=clock.now())
    book: int = db.execute(insert.returning(models.books.c.book_id)).scalar_one()
    if db.dialect.name == "postgresql":
        db.execute(sa.text("SELECT ledger_open_sequence(:book)"), {"book": book})
    open_accounts(db, book, INTERNAL)
    return book


def list_books(db: Connection) -> list[Book]:
    rows = db.execute(sa.select(models.books).order_by(models.books.c.book_id))
    return [Book(row.book_id, row.code, row.name) for row in rows]


def open_accounts(db: Connection, book: int, kinds: Sequence[AccountKind]) -> list[int]:
    """Open an account for each kind given and return their numbers in that order.

    Raises: UnknownBook.
    """
    if not kinds:
        return []
    advance = (
        sa.update(models.books)
        .where(models.books.c.book_id == book)
        .values(last_account=models.books.c.last_account + len(kinds))
        .returning(models.books.c.last_account)
    )
    last = db.execute(advance).scalar()
    if last is None:
        raise UnknownBook(book=book)
    first = (book << BOOK_SHIFT) + last - len(kinds) + 1
    opened = list(zip(range(first, first + len(kinds)), kinds, strict=True))
    db.execute(
        models.accounts.insert(),
        [{"book_id": book, "account_id": account, "kind": str(kind)} for account, kind in opened],
    )
    empty = [
        {
            "book_id": book,
            "account_id": account,
            "unit": int(unit),
            "n": 0,
            "balance": 0,
            "last_at": None,
            "next_expiry_on": NEVER,
        }
        for account, kind in opened
        if kind.is_guarded
        for unit in Unit
    ]
    if empty:
        db.execute(models.balances.insert(), empty)
    return [account for account, _ in opened]


def internal_account(db: Connection, book: int, kind: AccountKind) -> int:
    """Return the book's one account of an internal kind.

    Raises: UnknownBook when there is no such book.
    """
    query = sa.select(sa.func.min(models.accounts.c.account_id)).where(
        models.accounts.c.book_id == book, models.accounts.c.kind == str(kind)
    )
    account: int | None = db.execute(query).scalar()
    if kind not in INTERNAL or account is None:
        raise UnknownBook(book=book)
    return account


def hold_account(db: Connection, book: int) -> int:
    """Return the book's account of what is reserved, opened when there is none yet. Raises: UnknownBook."""
    query = sa.select(sa.func.min(models.accounts.c.account_id)).where(
        models.accounts.c.book_id == book, models.accounts.c.kind == str(AccountKind.HOLD)
    )
    found: int | None = db.execute(query).scalar()
    if found is None:
        # Whoever opens accounts of the book at the same time waits here, and then finds it.
        books = models.books
        db.execute(sa.update(books).where(books.c.book_id == book).values(last_account=books.c.last_account))
        found = db.execute(query).scalar()
    return open_accounts(db, book, [AccountKind.HOLD])[0] if found is None else found


def resume_numbers(db: Connection) -> None:
    """Let every book's numbers go on after its last entry, in a PostgreSQL database whose rows were just restored."""
    db.execute(sa.text("SELECT ledger_open_sequence(book_id) FROM ledger_books ORDER BY book_id"))
    last = "SELECT setval(concat('ledger_seq_', book_id)::regclass, max(seq)) FROM ledger_entries GROUP BY book_id"
    db.execute(sa.text(last))


_KIND = Prepared(
    sa.select(models.accounts.c.kind).where(
        models.accounts.c.book_id == sa.bindparam("book"), models.accounts.c.account_id == sa.bindparam("account")
    )
)


def find_account(db: Connection, book: int, account: int) -> Account | None:
    """Return an account of the book, or None."""
    row = _KIND.first(db, book=book, account=account)
    return None if row is None else Account(book, account, AccountKind(row[0]))


def book_of(account: int) -> int:
    """Return the book in which an account of this number would be."""
    return account >> BOOK_SHIFT


def list_accounts(db: Connection, book: int, kinds: Iterable[AccountKind], *, limit: int = 200) -> list[Account]:
    """Return the first accounts of the kinds, by number."""
    query = (
        sa.select(models.accounts)
        .where(models.accounts.c.book_id == book, models.accounts.c.kind.in_([str(kind) for kind in kinds]))
        .order_by(models.accounts.c.account_id)
        .limit(limit)
    )
    return [Account(book, row.account_id, AccountKind(row.kind)) for row in db.execute(query)]


def count_accounts(db: Connection, book: int) -> int:
    """Return how many accounts were ever opened in a book."""
    query = sa.select(models.books.c.last_account).where(models.books.c.book_id == book)
    return int(db.execute(query).scalar_one())


def closed_through(db: Connection, book: int) -> date | None:
    """Return the last day that takes no further entry, or None when none was closed yet."""
    days = models.closed_days
    return db.execute(sa.select(sa.func.max(days.c.day)).where(days.c.book_id == book)).scalar()


def close_day(db: Connection, book: int, day: date) -> bool:
    """Close a past or present local day and all before it; return False when that was done already.

    Raises: BadDraft for a day to come.
    """
    if day > clock.today():
        raise BadDraft(field="day")
    if db.dialect.name == "postgresql":
        # Waits for every posting that looked at the days before, and keeps new ones waiting until the close commits.
        db.execute(sa.text("SELECT pg_advisory_xact_lock(:space, :book)"), {"space": DAY_LOCK, "book": book})
    closed = closed_through(db, book)
    if closed is not None and day <= closed:
        return False
    last = sa.select(sa.func.coalesce(sa.func.max(models.entries.c.seq), 0)).where(models.entries.c.book_id == book)
    last_seq = db.execute(last).scalar_one()
    db.execute(models.closed_days.insert().values(book_id=book, day=day, closed_at=clock.now(), last_seq=last_seq))
    return True
