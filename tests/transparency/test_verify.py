"""Verification of a log finds every altered cell, every row that is gone, and calm where nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from moralbank.db import Database
from moralbank.transparency import Log, append_fact, models
from moralbank.transparency.signer import Signer
from moralbank.transparency.signer_memory import Place
from moralbank.transparency.signing_keys import KeyFile
from moralbank.transparency.verify import verify_all, verify_log
from tests.transparency._sealing import award, integrate_all

#: What nothing else in the database says; a checkpoint's time is of the signer's word alone.
FREE = {
    "transparency_logs": {"epoch", "integrated_at"},
    "transparency_runs": {"integrated_at"},
    "transparency_checkpoints": {"signed_at"},
    "transparency_keys": {"valid_from", "valid_until"},
    "transparency_origins": {"set_at", "from_size"},
}
#: A checkpoint that is gone, or is said to be of a log that isn't there, is missed by those who hold it, not here.
LEADS_NOWHERE = {f"transparency_checkpoints{what}" for what in (" gone", ".book_id", ".log")}
TABLES = (models.logs, models.runs, models.tiles, models.facts, models.counters, models.checkpoints, models.keys,
          models.origins)  # fmt: skip


@pytest.fixture
def sealed(database: Database, book, tmp_path):
    """Two tiles' worth of leaves in ragged batches, facts among them, and checkpoints on the way."""
    signer = Signer(database, KeyFile(tmp_path / "signing.key"), Place(tmp_path / "signer"), "bank.example", every=0)
    for part in range(4):
        award(database, book, *(f"{part}-{n}" for n in range(70)))
        database.transact(append_fact, book.book, Log.LEDGER, "snap", {"part": part})
        database.transact(append_fact, book.book, Log.ACCESS, "view", {"part": part})
        for log in Log:
            integrate_all(database, book.book, log)
        signer.cycle()
    award(database, book, "waits")
    return book


def reports(database: Database, book: int):
    with database.reading() as db:
        return verify_all(db, book)


def test_a_sound_log_is_calm_and_says_how_much_it_checked(database, sealed):
    entries, deeds = reports(database, sealed.book)
    assert (entries.faults, deeds.faults) == ([], [])
    assert (entries.leaves, entries.tiles, entries.facts, entries.checkpoints, entries.waiting) == (284, 1, 4, 4, 1)
    assert (deeds.leaves, deeds.tiles, deeds.facts, deeds.checkpoints, deeds.waiting) == (4, 0, 4, 4, 0)


def alterations(db: sa.Connection) -> Iterator[tuple[str, sa.Update | sa.Delete]]:
    """Every cell of the first and the last row of each table with another value, and every such row gone."""
    for table in TABLES:
        keys = list(table.primary_key.columns)
        rows = db.execute(sa.select(table).order_by(*keys)).all()
        for row in {rows[0]: None, rows[-1]: None}:
            which = [key == row._mapping[key.name] for key in keys]
            yield f"{table.name} gone", table.delete().where(*which)
            for column in table.columns:
                if column.name in FREE.get(table.name, set()):
                    continue
                value = row._mapping[column.name]
                if isinstance(value, bytes):
                    other = bytes([value[0] ^ 1]) + value[1:] if value else b"x"
                elif isinstance(value, str):
                    other = value + "x" if len(value) < 16 else value[:-1] + ("A" if value[-1] != "A" else "B")
                elif isinstance(value, int):
                    other = value + 1_000
                else:
                    other = value.replace(microsecond=(value.microsecond + 1) % 1_000_000)
                yield f"{table.name}.{column.name}", table.update().where(*which).values({column: other})


def test_every_altered_cell_and_every_row_that_is_gone_is_found(database, sealed, database_url):
    # As in moralbank.db: the driver's own preparing forgets ours at a rollback to a savepoint.
    engine = sa.create_engine(database_url, connect_args={} if database.is_sqlite else {"prepare_threshold": None})
    unseen, seen = [], 0
    with engine.connect() as db:
        loosen(db)
        for what, alteration in list(alterations(db)):
            step = db.begin_nested()
            try:
                db.execute(alteration)
                is_found = any(report.faults for report in verify_all(db, sealed.book))
            except sa.exc.IntegrityError:
                is_found = True  # Not even without its guards does the database take it.
            seen += is_found
            unseen += [] if is_found else [what]
            step.rollback()
    engine.dispose()
    assert set(unseen) <= LEADS_NOWHERE
    assert seen > 60


def loosen(db: sa.Connection) -> None:
    """Take the guards away, within a transaction that is never committed."""
    if db.dialect.name == "postgresql":
        for table in TABLES:
            db.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        return
    for name in db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
        db.exec_driver_sql(f"DROP TRIGGER {name}")


def test_a_log_of_another_leaf_order_or_with_a_leaf_twice_is_found(database, sealed, database_url):
    engine = sa.create_engine(database_url)
    with engine.connect() as db:
        loosen(db)
        runs = models.runs
        first, second = db.execute(sa.select(runs).where(runs.c.log == 1, runs.c.source == 1).limit(2)).all()
        for one, other in ((first, second), (second, first)):
            db.execute(
                runs.update()
                .where(runs.c.first_index == one.first_index, runs.c.log == 1)
                .values(first_number=other.first_number + 10_000)
            )
        db.execute(runs.update().where(runs.c.first_number > 10_000).values(first_number=runs.c.first_number - 10_000))
        found = verify_log(db, sealed.book, Log.LEDGER)
        assert "the head does not follow from the leaves" in found.faults
        db.rollback()
    engine.dispose()
