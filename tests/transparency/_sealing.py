"""Posting and sealing for tests, what must then hold, and a poster who takes its time."""

from __future__ import annotations

import contextlib
import json
import threading

import sqlalchemy as sa

from moralbank import ledger
from moralbank.db import Database
from moralbank.transparency import Log, heads, integrate, queries, tree
from tests.ledger.conftest import Book


def award(database: Database, book: Book, *keys: str, to: int | None = None) -> list[ledger.Posted]:
    drafts = [book.award(key, to or book.guiying, 5) for key in keys]
    return [each for each in database.transact(ledger.post_many, drafts) if isinstance(each, ledger.Posted)]


def integrate_all(database: Database, book: int, log: Log = Log.LEDGER, limit: int = integrate.BATCH) -> int:
    total = 0
    while added := database.transact(integrate.integrate, book, log, limit):
        total += added
    return total


def sealed(database: Database, book: int, log: Log = Log.LEDGER) -> list[bytes]:
    with database.reading() as db:
        return [leaf for _, leaf in queries.list_leaves(db, book, log, 0, 1_000_000)]


def require_whole(database: Database, book: Book) -> None:
    """Every entry is in the log once, the root follows from the leaves, and every account's lines rise along it."""
    leaves = sealed(database, book.book)
    with database.reading() as db:
        entries = ledger.list_leaves(db, book.book, [(1, ledger.ENDLESS)], 1_000_000)
        head = heads.head_of(db, book.book, Log.LEDGER)
    of_entries = [leaf for leaf in leaves if b'"legs":' in leaf]
    assert sorted(of_entries) == sorted(leaf for _, leaf in entries)
    frontier = tree.Frontier()
    frontier.extend(tree.leaf_hash(leaf) for leaf in leaves)
    assert (frontier.size, frontier.root(), frontier.encode()) == (head.size, head.root, head.frontier)
    lines: dict[tuple[int, str], int] = {}
    for leaf in of_entries:
        for leg in json.loads(leaf)["legs"]:
            if "n" in leg:
                key = leg["a"], leg["u"]
                assert leg["n"] == lines.get(key, 0) + 1
                lines[key] = leg["n"]


class Poster(threading.Thread):
    """Posts within a transaction that stays open until it is told to commit or to give up."""

    def __init__(self, database: Database, book: Book, key: str, to: int) -> None:
        super().__init__()
        self._database, self._draft = database, book.award(key, to, 5)
        self._drawn, self._go = threading.Event(), threading.Event()
        self._gives_up = False
        self.start()
        assert self._drawn.wait(30)

    def run(self) -> None:
        def act(db: sa.Connection) -> None:
            ledger.post(db, self._draft)
            self._drawn.set()
            assert self._go.wait(60)
            if self._gives_up:
                raise InterruptedError

        with contextlib.suppress(InterruptedError):
            self._database.transact(act)

    def end(self, *, gives_up: bool = False) -> None:
        self._gives_up = gives_up
        self._go.set()
        self.join()
