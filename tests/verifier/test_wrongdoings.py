"""What somebody with the database's own password would do whole: each is seen by whoever kept a checkpoint or a key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import models as books
from moralbank.transparency import Log, integrate
from moralbank.transparency import models as logs
from tests.verifier._bank import START, Bank, open_bank
from tests.verifier._run import run
from tests.verifier.test_cells import disarm

OF_ENTRIES = (books.entries, books.postings, books.keys, books.private_parts)


def last_entry(db: sa.Connection) -> sa.Row:
    return db.execute(books.entries.select().order_by(books.entries.c.seq.desc()).limit(1)).one()


def remove_entry(db: sa.Connection, entry: sa.Row) -> None:
    for table in OF_ENTRIES:
        db.execute(table.delete().where(table.c.entry_id == entry.entry_id))


def set_back_balances(db: sa.Connection) -> None:
    """Make every balance row what the lines that are left say."""
    for row in db.execute(books.balances.select()).all():
        of_it = [books.postings.c[name] == row._mapping[name] for name in ("account_id", "unit")]
        lines = books.postings.select().where(*of_it).order_by(books.postings.c.n.desc()).limit(1)
        last = db.execute(lines).first()
        now = {"n": last.n, "balance": last.balance_after, "last_at": last.posted_at} if last else {}
        here = [books.balances.c[name] == row._mapping[name] for name in ("account_id", "unit")]
        db.execute(books.balances.update().where(*here).values(now or {"n": 0, "balance": 0, "last_at": None}))


def forget_signing(db: sa.Connection, bank: Bank, above: int) -> None:
    """Take the log back to a size: later checkpoints are gone, and the head says that it never came further."""
    number = bank.book.book_id
    for table in (logs.cosignatures, logs.checkpoints):
        db.execute(table.delete().where(table.c.log == Log.LEDGER, table.c.size > above))
    for table in (logs.runs, logs.tiles, logs.logs):
        db.execute(table.delete().where(table.c.log == Log.LEDGER))
    while integrate.integrate(db, number, Log.LEDGER, 100):
        pass


def delete_last_row(db: sa.Connection, bank: Bank) -> None:
    remove_entry(db, last_entry(db))
    set_back_balances(db)


def delete_last_row_and_what_was_signed(db: sa.Connection, bank: Bank) -> None:
    delete_last_row(db, bank)
    forget_signing(db, bank, above=4)


def delete_last_day(db: sa.Connection, bank: Bank) -> None:
    since = clock.start_of((START + timedelta(days=1)).date())
    for row in db.execute(books.entries.select().where(books.entries.c.posted_at >= since)).all():
        remove_entry(db, row)
    facts = logs.facts.c
    db.execute(logs.facts.delete().where(facts.log == Log.LEDGER, facts.made_at >= since))
    db.execute(logs.counters.delete().where(logs.counters.c.log == Log.LEDGER))
    db.execute(books.closed_days.delete())
    set_back_balances(db)
    forget_signing(db, bank, above=0)


def swap_two_rows(db: sa.Connection, bank: Bank) -> None:
    """Exchange the numbers of the first two entries, leaves and all, as if the second had come first."""
    one, two = db.execute(books.entries.select().order_by(books.entries.c.seq).limit(2)).all()
    for entry, seq in ((one, 1_000), (two, one.seq), (one, two.seq)):
        for table in (books.postings, books.entries):
            db.execute(table.update().where(table.c.entry_id == entry.entry_id).values(seq=seq))


def sign_with_another_key(db: sa.Connection, bank: Bank) -> None:
    """Sign the whole history anew with a key that nobody knows, and say that it always was this one."""
    for table in (logs.cosignatures, logs.checkpoints, logs.keys, logs.origins):
        db.execute(table.delete())
    bank.take_keys(9)
    for log in Log:
        bank.sign(db, log)


WRONGDOINGS = (
    delete_last_row, delete_last_row_and_what_was_signed, delete_last_day, swap_two_rows, sign_with_another_key,
)  # fmt: skip


@pytest.fixture
def bank(database_url: str):
    database = Database(database_url)
    yield open_bank(database)
    database.dispose()


@pytest.mark.parametrize("wrongdoing", WRONGDOINGS, ids=lambda act: act.__name__)
def test_an_auditor_who_kept_something_sees_it(
    bank: Bank, tmp_path: Path, wrongdoing: Callable[[sa.Connection, Bank], None]
) -> None:
    (tmp_path / "keys.txt").write_text(bank.policy)
    kept = bank.write(tmp_path / "kept.zip")
    with bank.database.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as db:
        if bank.database.is_sqlite:
            db.exec_driver_sql("COMMIT")
            db.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
            db.connection.driver_connection.execute("BEGIN IMMEDIATE")
        disarm(db)
        wrongdoing(db, bank)
        (tmp_path / "now.zip").write_bytes(bank.export(db))
        db.rollback()
    status, said = run("since", kept, tmp_path / "now.zip", "--key", tmp_path / "keys.txt")
    print(f"{wrongdoing.__name__}: {said.splitlines()[-1]}")
    assert status == 1
    assert run("since", kept, bank.write(tmp_path / "now.zip"), "--key", tmp_path / "keys.txt")[0] == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_yesterdays_database_put_back_is_seen(bank: Bank, tmp_path: Path) -> None:
    """Sound in itself, with the bank's own keys: only who kept something of today knows that there was more."""
    (tmp_path / "keys.txt").write_text(bank.policy)
    yesterday = bank.write(tmp_path / "yesterday.zip")
    with clock.at(START + timedelta(days=1, hours=5)):
        bank.database.transact(ledger.post, bank.people.award("today", bank.people.guiying, 5))
        bank.seal()
    today = bank.write(tmp_path / "today.zip")
    assert run(yesterday, "--key", tmp_path / "keys.txt")[0] == 0
    status, said = run("since", today, yesterday, "--key", tmp_path / "keys.txt")
    assert status == 1
    assert "the book was set back" in said
