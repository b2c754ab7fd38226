"""Connections that a server closed, and statements that the driver runs itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa

from moralbank.db import Database, UtcDateTime
from moralbank.prepared import Prepared

_things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("thing_id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), unique=True),
    sa.Column("uuid", sa.Uuid),
    sa.Column("made_at", UtcDateTime),
    sa.Column("made_on", sa.Date),
    sa.Column("is_good", sa.Boolean),
    sa.Column("content", sa.LargeBinary),
)
_ROW = {
    "thing_id": 1,
    "name": "杯子%",
    "uuid": UUID("0192f1c5-9a3c-7e8b-8f00-000000000001"),
    "made_at": datetime(2026, 11, 21, 6, 30, 0, 5, tzinfo=UTC),
    "made_on": date(2026, 11, 21),
    "is_good": True,
    "content": b"\0\xff",
}
_ADD = Prepared(
    lambda insert: (
        insert(_things)
        .values({column.name: sa.bindparam(column.name) for column in _things.c})
        .on_conflict_do_nothing()
        .returning(*_things.c)
    )
)
_FIND = Prepared(sa.select(*_things.c).where(_things.c.made_at == sa.bindparam("at"), _things.c.name.like("杯%")))
_RENAME = Prepared(_things.update().where(_things.c.thing_id == sa.bindparam("id")).values(name=sa.bindparam("to")))
_NAMED = Prepared(sa.select(_things.c.thing_id, _things.c.is_good).where(_things.c.name == sa.bindparam("name")))

#: A file closes no connection, and its snapshot becomes a writer's transaction at the first write.
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def things(database: Database) -> Database:
    def make(db: sa.Connection) -> None:
        if not database.is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        _things.metadata.create_all(db)
        if not database.is_sqlite:
            db.exec_driver_sql("GRANT ALL ON things TO PUBLIC")
            db.exec_driver_sql("SET ROLE moralbank_app")

    def drop(db: sa.Connection) -> None:
        if not database.is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        _things.metadata.drop_all(db)
        if not database.is_sqlite:
            db.exec_driver_sql("SET ROLE moralbank_app")

    database.transact(make)
    yield database
    database.transact(drop)


def _end_idle_connections(database: Database) -> None:
    """End every connection of the pool at the server, as a restart or a failover does."""
    other = Database(database.engine.url.render_as_string(hide_password=False))
    with other.engine.connect() as db:
        db.exec_driver_sql("RESET ROLE")
        db.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.dispose()


def _one(db: sa.Connection) -> int:
    return Prepared(sa.select(sa.literal(1, sa.Integer).label("one"))).all(db)[0][0]


def test_a_value_comes_back_as_core_would_give_it(things: Database) -> None:
    assert things.transact(_ADD.first, **_ROW) == tuple(_ROW.values())
    assert things.transact(_ADD.first, **_ROW) is None
    with things.reading() as db:
        assert _FIND.all(db, at=_ROW["made_at"]) == [tuple(row) for row in db.execute(sa.select(_things))]
        assert _FIND.first(db, at=datetime(2026, 11, 22, tzinfo=UTC)) is None


def test_a_change_tells_how_many_rows_it_touched(things: Database) -> None:
    things.transact(_ADD.first, **_ROW)
    assert things.transact(_RENAME.touch, id=1, to="碗") == 1
    assert things.transact(_RENAME.touch, id=2, to="碗") == 0


def _cups(numbers: Iterable[int]) -> list[dict[str, object]]:
    return [_ROW | {"thing_id": number, "name": f"杯{number}"} for number in numbers]


def test_a_set_is_written_in_its_order_but_for_what_was_there(things: Database) -> None:
    assert [row[0] for row in things.transact(_ADD.insert_all, _cups([3, 1, 2]))] == [3, 1, 2]
    assert things.transact(_ADD.insert_all, _cups([5, 2, 4])) == [tuple(row.values()) for row in _cups([5, 4])]
    assert things.transact(_ADD.insert_all, _cups([4])) == things.transact(_ADD.insert_all, []) == []
    with things.reading() as db:
        assert sorted(_FIND.all(db, at=_ROW["made_at"])) == [tuple(row.values()) for row in _cups(range(1, 6))]


def test_each_of_a_set_finds_its_own_rows(things: Database) -> None:
    long = "长" * 20
    things.transact(_ADD.insert_all, [*_cups([1, 2]), _ROW | {"thing_id": 3, "name": long}])
    asked = [{"name": name} for name in ("杯2", "none", "杯1", "杯2", f"{long}长", long)]
    with things.reading() as db:
        assert _NAMED.each(db, asked) == [[(2, True)], [], [(1, True)], [(2, True)], [], [(3, True)]]


@only_postgresql
def test_what_locks_is_run_in_the_order_asked(things: Database) -> None:
    things.transact(_ADD.insert_all, _cups([1, 2]))
    locking = Prepared(sa.select(_things.c.thing_id).where(_things.c.thing_id == sa.bindparam("id")).with_for_update())
    assert things.transact(locking.each, [{"id": 2}, {"id": 1}]) == [[(2,)], [(1,)]]


def test_what_an_undone_act_wrote_is_gone(things: Database) -> None:
    def act(db: sa.Connection) -> None:
        _ADD.first(db, **_ROW)
        raise LookupError

    with pytest.raises(LookupError):
        things.transact(act)
    assert things.look(_FIND.all, at=_ROW["made_at"]) == []


def test_a_constraint_is_named_as_core_names_it(things: Database) -> None:
    things.transact(_ADD.first, **_ROW)
    things.transact(_ADD.first, **{**_ROW, "thing_id": 2, "name": "碗"})
    with pytest.raises(sa.exc.IntegrityError):
        things.transact(_RENAME.touch, id=1, to="碗")


@only_postgresql
def test_a_snapshot_writes_nothing(things: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), things.reading() as db:
        _ADD.first(db, **_ROW)


@only_postgresql
def test_a_connection_that_the_server_closed_is_replaced_unseen(database: Database) -> None:
    for use in (database.transact, database.look):
        assert use(_one) == 1
        _end_idle_connections(database)
        assert use(_one) == 1
    _end_idle_connections(database)
    with database.reading() as db:
        assert _one(db) == 1


@only_postgresql
def test_a_connection_lost_in_the_middle_of_an_act_is_a_fault_and_the_next_act_works(database: Database) -> None:
    tried = []

    def act(db: sa.Connection) -> int:
        tried.append(_one(db))
        if len(tried) == 1:
            _end_idle_connections(database)
        return _one(db)

    with pytest.raises(sa.exc.DBAPIError):
        database.transact(act)
    assert database.transact(act) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_eager_writer_finds_the_gaps_of_one_who_writes_all_the_time(database: Database, database_url: str) -> None:
    eager = Database(database_url, is_eager=True)
    stop = threading.Event()

    def write(db: sa.Connection) -> None:
        db.exec_driver_sql("UPDATE ledger_books SET last_account = last_account")

    def write_on() -> None:
        while not stop.is_set():
            database.transact(write)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for _ in range(10):
            eager.transact(write)
    finally:
        stop.set()
        writer.join()
    with eager.engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    eager.dispose()
