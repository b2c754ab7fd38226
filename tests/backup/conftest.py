"""A small bank worth backing up, and an empty place of the same kind to restore it into."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from moralbank import ledger
from moralbank.db import Database
from moralbank.setup import first_start
from tests import _postgres
from tests.conftest import PG_PORT
from tests.ledger.conftest import Book, open_test_book


@pytest.fixture
def book(database: Database) -> Book:
    """A bank on its first day, and a book in it with thirty entries, one of them reversed."""
    first_start(database)
    book = database.transact(open_test_book)
    for number in range(1, 15):
        award = book.award(f"a{number}", book.guiying, 10, minutes=30, private={"memo": "扫雪"})
        database.transact(ledger.post_many, [award, book.redemption(f"r{number}", book.guiying, 4)])
    last = database.transact(ledger.post, book.award("last", book.qiang, 7))
    database.transact(ledger.reverse, book.book, last.entry_id, key="undo", actor="staff:1", checker="staff:99")
    return book


@pytest.fixture
def empty_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a place of the same kind as `database_url` where there is nothing yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/restored.db"
        return
    cluster = _postgres.Cluster(int(os.environ[PG_PORT]))
    name = f"t_{uuid4().hex}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.touch(mode=0o600)
    path.write_text("not so random, but thirty-two characters long\n")
    return path
