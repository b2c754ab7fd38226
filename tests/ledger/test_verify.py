"""An auditor's run over the book: sound as posted, and red, naming the entry, after any single cell was changed."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, db, ledger
from moralbank.ledger import Unit, models
from tests.ledger.conftest import Book, open_test_book

START = datetime(2026, 3, 1, 2, 0, tzinfo=clock.TIMEZONE)


def fill(database: db.Database) -> Book:
    """A small book in which every column of every table is in use somewhere."""
    book = database.transact(open_test_book)
    with clock.at(START):
        first = database.transact(
            ledger.post,
            book.award(
                "a1", book.guiying, 25, minutes=150, expires_on=date(2029, 3, 1), rule=("V01", 1), grade="A",
                branch=3, source=("attendance", "1:1"), private={"activity": "楼院美化"},
            ),
        )  # fmt: skip
    steps = [
        book.award("a2", book.qiang, 40, rule=("P01", 1), grade="B", branch=3),
        book.redemption("r1", book.guiying, 5, source=("charge", "1"), private={"offer": "豆浆一杯"}),
        book.redemption("r2", book.qiang, 15, occurred_on=date(2026, 3, 1)),
        book.redemption("r3", book.qiang, 999),
    ]
    for hours, draft in enumerate(steps, start=1):
        with clock.at(START + timedelta(hours=hours)):
            database.transact(ledger.post_many, [draft])
    with clock.at(START + timedelta(days=1)):
        database.transact(ledger.post, book.award("a3", book.guiying, 50))
        database.transact(
            ledger.reverse,
            book.book,
            first.entry_id,
            key="v1",
            actor="staff:1",
            checker="staff:99",
            private={"why": "误记"},
        )
        database.transact(ledger.close_day, book.book, date(2026, 3, 1))
    return book


def disarm(db_: Connection) -> None:
    """Take every guard away, as an intruder with the database's own password would."""
    if db_.dialect.name == "sqlite":
        for name in db_.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            db_.exec_driver_sql(f"DROP TRIGGER {name}")
        return
    db_.exec_driver_sql("RESET ROLE")
    for table in ("ledger_entries", "ledger_postings", "ledger_balances"):
        db_.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        names = sa.text(
            "SELECT conname FROM pg_constraint WHERE conrelid = CAST(:t AS regclass) AND contype IN ('c', 'f')"
        )
        for name in db_.execute(names, {"t": table}).scalars().all():
            db_.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}" CASCADE')


def other(value: object, column: sa.Column) -> list[object]:
    """Values that a cell could be changed to: a neighbour, and nothing at all where the column may be empty."""
    changed: list[object]
    if isinstance(value, bool):
        changed = [not value]
    elif isinstance(value, int):
        changed = [value + 1, value - 1]
    elif isinstance(value, bytes):
        changed = [value[:-1] + b"]", value.replace(b"1", b"2", 1), b""]
    elif isinstance(value, UUID):
        changed = [UUID(int=value.int ^ 1)]
    elif isinstance(value, datetime):
        changed = [value + timedelta(microseconds=1), value - timedelta(days=1)]
    elif isinstance(value, date):
        changed = [value + timedelta(days=1)]
    elif isinstance(value, str):
        changed = [chr(ord(value[0]) ^ 1) + value[1:], value + "x"] if value else ["x"]
    else:
        kind = column.type
        if isinstance(kind, sa.String):
            changed = ["A"]
        elif isinstance(kind, sa.Date):
            changed = [date(2026, 3, 1)]
        elif isinstance(kind, sa.Uuid):
            changed = [UUID(int=7)]
        elif isinstance(kind, db.UtcDateTime):
            changed = [START]
        else:
            changed = [1]
    return changed + ([None] if value is not None and column.nullable else [])


@pytest.mark.parametrize("table", [models.entries, models.postings, models.balances], ids=lambda table: table.name)
def test_any_single_changed_cell_is_found_and_its_entry_named(database_url: str, table: sa.Table) -> None:
    """Every cell of every row, changed one at a time inside a transaction that is then given up."""
    database = db.Database(database_url)
    book = fill(database)
    key = list(table.primary_key.columns)
    tried = refused = 0
    with database.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
            connection.connection.driver_connection.execute("PRAGMA ignore_check_constraints=ON")
            connection.connection.driver_connection.execute("BEGIN IMMEDIATE")
        disarm(connection)
        rows = connection.execute(table.select()).all()
        assert ledger.verify(connection, book.book).is_sound
        for row in rows:
            here = sa.and_(*(column == row._mapping[column.name] for column in key))
            for column in table.columns:
                for value in other(row._mapping[column.name], column):
                    tried += 1
                    attempt = connection.begin_nested()
                    try:
                        connection.execute(table.update().where(here).values({column.name: value}))
                    except sa.exc.DBAPIError:
                        refused += 1  # The database can't even hold it: two rows would be the same.
                    else:
                        report = ledger.verify(connection, book.book)
                        assert not report.is_sound, f"{table.name}.{column.name}: {row} → {value!r} went unseen"
                        assert names_the_place(report.first_fault, row, value), f"{column.name}: {report.first_fault}"
                    attempt.rollback()
        connection.rollback()
    database.dispose()
    assert tried - refused > 50
    print(f"{table.name}: {tried} cells changed, {refused} refused by the database, 0 unseen")


def names_the_place(fault: ledger.Fault, row: sa.Row, value: object) -> bool:
    """A balance's row is named by its account; everything else by its entry."""
    if "entry_id" in row._mapping:
        return fault.entry_id in (row.entry_id, value)
    return fault.account in (row.account_id, value) and (fault.entry_id is not None or row.n == 0)


def tamper(database: db.Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        disarm(connection)
        for statement in statements:
            connection.execute(sa.text(statement.replace(":", r"\:")))


def first_fault(database: db.Database, book: Book) -> ledger.Fault | None:
    with database.reading() as connection:
        return ledger.verify(connection, book.book).first_fault


def test_a_sound_book_is_found_sound_and_counted(database: db.Database) -> None:
    book = fill(database)
    with database.reading() as connection:
        report = ledger.verify(connection, book.book)
    assert report.is_sound
    assert (report.entries, report.postings, report.keys, report.reversals) == (6, 16, 7, 1)
    assert report.outstanding == {Unit.POINTS: 70, Unit.MINUTES: 0}


def test_a_removed_last_entry_is_found(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    tamper(
        database,
        "DELETE FROM ledger_postings WHERE seq = (SELECT max(seq) FROM ledger_entries)",
        "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)",
    )
    assert first_fault(database, book) is not None


def test_a_manual_edit_of_balance_and_line_together_is_found_in_the_leaf(database_url: str) -> None:
    """medici #117: the cached balance was changed along with the line it came from."""
    database = db.Database(database_url)
    book = fill(database)
    tamper(
        database,
        f"UPDATE ledger_postings SET amount = 41, balance_after = 41 WHERE account_id = {book.qiang} AND n = 1",
        f"UPDATE ledger_balances SET balance = balance + 1 WHERE account_id = {book.qiang} AND unit = 1",
    )
    fault = first_fault(database, book)
    assert fault is not None
    assert "differ from the leaf" in fault.what


def test_a_private_part_that_was_rewritten_is_found(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    tamper(database, """UPDATE ledger_private_parts SET content = '{"activity":"别的"}' WHERE content LIKE '%楼院%'""")
    assert "private" in first_fault(database, book).what


def test_a_deleted_private_part_is_a_forgotten_person_and_no_fault(database: db.Database) -> None:
    book = fill(database)
    with database.engine.begin() as connection:
        connection.execute(models.private_parts.delete())
    assert first_fault(database, book) is None


def test_a_leaf_spelled_otherwise_is_found(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.engine.begin() as connection:
        disarm(connection)
        row = connection.execute(models.entries.select().limit(1)).one()
        spaced = json.dumps(json.loads(row.leaf_bytes)).encode()
        connection.execute(
            models.entries.update().where(models.entries.c.entry_id == row.entry_id).values(leaf_bytes=spaced)
        )
    assert first_fault(database, book).entry_id == row.entry_id


def test_a_leaf_that_says_more_than_its_entry_is_found(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.engine.begin() as connection:
        disarm(connection)
        row = connection.execute(models.entries.select().limit(1)).one()
        more = ledger.canonical(json.loads(row.leaf_bytes) | {"zeal": 1})
        connection.execute(
            models.entries.update().where(models.entries.c.entry_id == row.entry_id).values(leaf_bytes=more)
        )
    assert first_fault(database, book).entry_id == row.entry_id


@pytest.mark.parametrize(
    "leg",
    ["5", '{"a":7,"d":"5","u":"points"}', '{"a":7,"d":5}', '{"a":7,"d":5,"u":"hours"}', '{"a":7,"d":5.5,"u":"points"}'],
)
def test_a_leaf_that_states_nonsense_is_named_and_stops_nothing(database_url: str, leg: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.engine.begin() as connection:
        disarm(connection)
        row = connection.execute(models.entries.select().order_by(models.entries.c.seq).limit(1)).one()
        fields = json.loads(row.leaf_bytes) | {"legs": [json.loads(leg)]}
        connection.execute(
            models.entries.update()
            .where(models.entries.c.entry_id == row.entry_id)
            .values(leaf_bytes=ledger.canonical(fields))
        )
    assert first_fault(database, book).entry_id == row.entry_id


@pytest.mark.parametrize(
    "change",
    [
        # A cell that holds the JSON of two: spelled without care it would give the very bytes of the leaf.
        """occurred_on = occurred_on || '","rev":"' || reverses, reverses = NULL WHERE reverses IS NOT NULL""",
        """kind = kind || '","legs":[' WHERE seq = 1""",
        "entry_id = 'no id' WHERE seq = 1",
        "posted_at = 'no instant' WHERE seq = 1",
        "seq = 1.5 WHERE seq = 1",
    ],
)
def test_cells_that_no_column_should_hold_are_found(migrated_sqlite, tmp_path, change: str) -> None:
    """SQLite keeps in a cell whatever it is given."""
    shutil.copy(migrated_sqlite, tmp_path / "books.db")
    database = db.Database(f"sqlite:///{tmp_path}/books.db")
    book = fill(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        disarm(connection)
        connection.exec_driver_sql(f"UPDATE ledger_entries SET {change}")
    with database.reading() as connection:
        report = ledger.verify(connection, book.book)
    assert report.first_fault is not None
    assert report.first_fault.is_alteration


def test_a_fraction_in_a_sum_is_found(migrated_sqlite, tmp_path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "books.db")
    database = db.Database(f"sqlite:///{tmp_path}/books.db")
    book = fill(database)
    tamper(database, "UPDATE ledger_postings SET amount = amount + 0.5 WHERE n = 1")
    assert "differ from the leaf" in first_fault(database, book).what


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM ledger_keys WHERE key = 'a1'",
        "UPDATE ledger_keys SET entry_id = (SELECT entry_id FROM ledger_keys WHERE key = 'a2') WHERE key = 'a1'",
        "UPDATE ledger_keys SET entry_id = NULL, refusal = 'insufficient-balance' WHERE key = 'a1'",
    ],
)
def test_an_entry_whose_key_is_gone_is_named(database_url: str, change: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.reading() as connection:
        keyed = connection.execute(sa.select(models.keys.c.entry_id).where(models.keys.c.key == "a1")).scalar_one()
    with database.engine.begin() as connection:
        disarm(connection)
        if not database.is_sqlite:
            connection.exec_driver_sql("ALTER TABLE ledger_keys DISABLE TRIGGER ALL")
        connection.exec_driver_sql(change)
    fault = first_fault(database, book)
    assert fault is not None
    assert (fault.what, fault.entry_id) == ("it has not exactly one key", keyed)


def test_an_entry_behind_a_closed_day_is_named(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.engine.begin() as connection:
        disarm(connection)
        connection.execute(
            models.closed_days.insert().values(book_id=book.book, day=date(2026, 3, 2), closed_at=START, last_seq=5)
        )
    fault = first_fault(database, book)
    assert fault is not None
    assert (fault.what, fault.detail) == ("it was posted into a closed day", "2026-03-02")


def test_an_entry_moved_back_in_time_with_its_leaf_is_named(database_url: str) -> None:
    database = db.Database(database_url)
    book = fill(database)
    with database.engine.begin() as connection:
        disarm(connection)
        second, first = ledger.history(connection, book.book, book.guiying, ledger.Unit.POINTS, before_n=3)
        earlier = first.posted_at - timedelta(hours=1)
        of_it = models.entries.c.entry_id == second.entry_id
        fields = json.loads(connection.execute(sa.select(models.entries.c.leaf_bytes).where(of_it)).scalar_one())
        moved = ledger.canonical(fields | {"at": f"{earlier:%Y-%m-%dT%H:%M:%S.%fZ}"})
        connection.execute(models.entries.update().where(of_it).values(posted_at=earlier, leaf_bytes=moved))
        legs = models.postings.update().where(models.postings.c.entry_id == second.entry_id)
        connection.execute(legs.values(posted_at=earlier))
        held = models.balances.update().where(models.balances.c.last_at == second.posted_at)
        connection.execute(held.values(last_at=earlier))
    fault = first_fault(database, book)
    assert fault is not None
    assert (fault.what, fault.entry_id) == ("the line is earlier than the one before", second.entry_id)
