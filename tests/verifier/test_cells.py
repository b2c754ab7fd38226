"""Whoever holds the database's own password can change any cell; an auditor with an export and known keys sees it.

Every cell of every table of the ledger and of its logs is changed, one at a time, with all guards taken away, and the
book exported and verified each time. What no export shows must be seen by the bank's own `audit verify`, or be named
below with the reason why it is no evidence of anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.ledger import models as books
from moralbank.reports import beside
from moralbank.reports.errors import BookUnreadable
from moralbank.transparency import models as logs
from moralbank.transparency.verify import verify_all
from tests.ledger.test_verify import other
from tests.verifier._bank import Bank, open_bank
from tests.verifier._run import run

TABLES = (
    books.books, books.accounts, books.entries, books.postings, books.balances, books.keys, books.private_parts,
    books.closed_days, books.folds, logs.logs, logs.runs, logs.facts, logs.counters, logs.origins, logs.checkpoints,
    logs.keys, logs.cosignatures,
)  # fmt: skip
#: Cells that may be changed unseen: no entry, balance, line or proof is another one by it.
NO_EVIDENCE = {
    "ledger_books.code": "what people call the book; leaves and checkpoints name it by number and origin",
    "ledger_books.name": "what people call the book",
    "ledger_books.last_account": "the next account's number; a lower one is refused as taken",
    "ledger_books.opened_at": "shown nowhere; the first leaf tells when the book began",
    "ledger_balances.next_expiry_on": "when somebody must look at the lots again, which are made of the lines",
    "ledger_folds.book_id": "a running total that is gone is added up anew",
    "ledger_folds.through_seq": "where no line lies between the two numbers, the total is true of both",
    "ledger_keys.key": "keeps a repeated request from acting twice; whose entry it is, is checked",
    "ledger_keys.fingerprint": "as the key; it is never shown, since it is made of what may be private",
    "ledger_keys.refusal": "what a request was refused with: nothing was posted by it",
    "ledger_keys.actor": "of a refused request; an answered one's is compared with its entry's",
    "ledger_keys.book_id": "of a refused request, likewise",
    "transparency_logs.epoch": "which worker sealed last",
    "transparency_logs.integrated_at": "when it did, for the alarm",
    "transparency_logs.settled_seq": "how far the next batch need not look back",
    "transparency_runs.integrated_at": "when a leaf was sealed, for the alarm; its place is checked",
    "transparency_origins.set_at": "when the log got its name",
    "transparency_origins.from_size": "from which size on a name holds, of a log that has only one",
    "transparency_keys.valid_from": "when a key began to sign; its leaf says so",
    "transparency_keys.valid_until": "when a key ceases to sign; its successor's leaf says so",
    "transparency_checkpoints.signed_at": "when it was signed; witnesses state their own times, and sign them",
    "transparency_cosignatures.added_at": "when a witness's line came in; the line states its time itself",
    "transparency_cosignatures.book_id": "a cosignature that is lost proves less, not otherwise",
    "transparency_cosignatures.log": "likewise",
    "transparency_cosignatures.size": "likewise",
}


def disarm(db: sa.Connection, tables: Sequence[sa.Table] = TABLES) -> None:
    """Take every trigger, foreign key and check away."""
    if db.dialect.name == "sqlite":
        for name in db.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            db.exec_driver_sql(f"DROP TRIGGER {name}")
        return
    db.exec_driver_sql("RESET ROLE")
    for table in tables:
        db.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER ALL")
        names = sa.text(
            "SELECT conname FROM pg_constraint WHERE conrelid = CAST(:t AS regclass) AND contype IN ('c', 'f')"
        )
        for name in db.execute(names, {"t": table.name}).scalars().all():
            db.exec_driver_sql(f'ALTER TABLE {table.name} DROP CONSTRAINT IF EXISTS "{name}" CASCADE')


def is_seen_outside(db: sa.Connection, bank: Bank, folder) -> bool:
    """Tell whether the export is refused, or not even made, as it stands now."""
    try:
        exported = bank.export(db)
    except BookUnreadable:
        return True
    (folder / "export.zip").write_bytes(exported)
    return run(folder / "export.zip", "--key", folder / "keys.txt")[0] == 1


def is_seen_inside(db: sa.Connection, bank: Bank) -> bool:
    number = bank.book.book_id
    try:
        is_sound = ledger.verify(db, number).is_sound and all(log.is_sound for log in verify_all(db, number))
        return not is_sound or bool(beside.verify(db, number).faults)
    except (ValueError, TypeError, LookupError, sa.exc.StatementError, MoralBankError):
        return True


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_cell_can_be_changed_unseen(database_url: str, tmp_path) -> None:
    database = Database(database_url)
    # What is checked is the same on both engines; SQLite's cells hold more, and are changed faster.
    outside, unseen = walk(open_bank(database), TABLES, tmp_path, is_quick=not database.is_sqlite)
    database.dispose()
    assert sorted(unseen - set(NO_EVIDENCE)) == []
    assert outside > (400 if database.is_sqlite else 100)


def walk(bank: Bank, tables: Sequence[sa.Table], folder: Path, *, is_quick: bool = False) -> tuple[int, set[str]]:
    """Change every cell of these tables, one at a time; return how many the export shows, and which nobody sees.

    Of the rows of one kind the first one's cells are changed in every way, the others' in one.
    is_quick: in one way only, and of rows of one kind only the last.
    """
    database = bank.database
    (folder / "keys.txt").write_text(bank.policy)
    outside = inside = refused = 0
    unseen: dict[str, int] = {}
    with database.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as db:
        if database.is_sqlite:
            db.exec_driver_sql("COMMIT")
            raw = db.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
            raw.execute("PRAGMA ignore_check_constraints=ON")
            raw.execute("BEGIN IMMEDIATE")
        disarm(db, tables)
        assert not is_seen_outside(db, bank, folder)
        assert not is_seen_inside(db, bank)
        for table in tables:
            key = list(table.primary_key.columns)
            rows = db.execute(table.select()).all()
            assert rows, f"{table.name} has no row to change"
            if is_quick and "kind" in table.columns:
                rows = list({row.kind: row for row in rows}.values())
            kinds = set()
            for row in rows:
                kind = row._mapping.get("kind")
                in_every_way = kind not in kinds and not is_quick
                kinds.add(kind)
                here = sa.and_(*(column == row._mapping[column.name] for column in key))
                for column in table.columns:
                    values = other(row._mapping[column.name], column)
                    for value in values if in_every_way else values[-1:] if is_quick else values[:1]:
                        if value == row._mapping[column.name]:
                            continue
                        attempt = db.begin_nested()
                        try:
                            db.execute(table.update().where(here).values({column.name: value}))
                        except sa.exc.DBAPIError:
                            refused += 1  # The database can't even hold it: two rows would be the same.
                        else:
                            if is_seen_outside(db, bank, folder):
                                outside += 1
                            elif is_seen_inside(db, bank):
                                inside += 1
                            else:
                                name = f"{table.name}.{column.name}"
                                unseen[name] = unseen.get(name, 0) + 1
                        attempt.rollback()
        db.rollback()
    told = ", ".join(f"{name} ×{count}" for name, count in sorted(unseen.items()))
    print(
        f"{outside + inside + sum(unseen.values())} cells changed: {outside} seen by the offline verifier, "
        f"{inside} by audit verify, {refused} refused by the database, 0 evidence unseen; no evidence: {told}"
    )
    return outside, set(unseen)
