"""The database: engine, column types, one write transaction per act, migrations. Knows no package above it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Engine

from moralbank import primary
from moralbank.lane import MOST, CommitLane, Wish

if TYPE_CHECKING:
    from moralbank.wire import Wire

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Row ids: 64 bits; SQLite numbers rows by itself only in a column of type INTEGER.
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")

APP_ROLE = "moralbank_app"
#: PostgreSQL: serialization failure, deadlock. Nothing was done, so the whole act is run again.
RETRYABLE = frozenset({"40001", "40P01"})
_UNIQUE_VIOLATION = "23505"
#: How long a write waits for others on SQLite, and between two looks of an eager one.
_PATIENCE_SECONDS, _GAP_SECONDS = 30, 0.0003
#: The connection used last is the one whose pages and plans are still in memory; the others rest.
_POOL: dict[str, Any] = {"pool_size": 16, "max_overflow": 32, "pool_use_lifo": True}
_SNAPSHOT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: Whatever writes finds its rows by their keys, so planning it anew each time costs more than it runs.
_BEGIN_WRITING = b"BEGIN; SET LOCAL plan_cache_mode = force_generic_plan"


class Raced(Exception):
    """Another transaction won a race that only the database could see; nothing was done, run the act again."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC instant in Python on both engines."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone can't be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One database and the two ways to use it: `transact` to write, `reading` to read."""

    def __init__(self, url: str, *, commit_most: int = MOST, is_eager: bool = False) -> None:
        """`commit_most`: how many writes may share a commit.

        is_eager: on SQLite, look for a moment between another process's writes instead of dozing for up to 0.1 s:
            for one who writes seldom and shortly beside a process that writes all the time.
        """
        self.url = url
        engine = make_engine(url)
        self.engine = engine.execution_options(is_eager=True) if is_eager else engine
        self._commit_most = commit_most
        #: The same pool; only how a transaction begins is another.
        self.reader = self.engine.execution_options(begin="DEFERRED" if self.is_sqlite else _SNAPSHOT)
        #: SQLite has one writer, so one lane carries everything; on PostgreSQL each verb has its own.
        self._lane = self._new_lane()
        self._lanes: dict[object, CommitLane] = {}

    def _new_lane(self) -> CommitLane:
        return CommitLane(lambda: self._begun(self.engine), _is_retryable, self._commit_most)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def transact(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `act(db, …)` in one write transaction and return what it returns, once that is durable.

        A deadlock or serialization failure is nobody's refusal: the act runs again, unseen by the caller.
        """
        wish = Wish(lambda db: act(db, *args, **kwargs))
        if self.is_sqlite:
            self._lane.run(wish)
        else:
            self._lane.carry_out_alone(wish)
        value: R = wish.verdict()
        return value

    def join(self, verb: Callable[[Connection, Sequence[T]], Sequence[R | Exception]], item: T) -> R:
        """Have `verb(db, [item, …])` decide the item with whatever else waits for the same verb, in one transaction.

        Returns the item's verdict once that is durable, or raises it when it is an exception: what the verb wrote
        for a refusal it returned stays. What it raises undoes the set, and each item is then decided alone.
        """
        wish = Wish(None, verb, item)
        self._lane_of(verb).run(wish)
        value: R = wish.verdict()
        return value

    def join_many(
        self, verb: Callable[[Connection, Sequence[T]], Sequence[R | Exception]], items: Sequence[T]
    ) -> list[R | BaseException]:
        """Do what `join` does for each of some items that came together; what it would raise is returned."""
        wishes = [Wish(None, verb, item) for item in items]
        self._lane_of(verb).run(*wishes)
        return [wish.value if wish.fault is None else wish.fault for wish in wishes]

    def _lane_of(self, verb: Callable[..., Any]) -> CommitLane:
        return self._lane if self.is_sqlite else self._lanes.get(verb) or self._lanes.setdefault(verb, self._new_lane())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot and writes nothing."""
        with self._begun(self.reader) as db:
            yield db

    def look(self, query: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what `query(db, …)` finds with one statement: that is a snapshot by itself, so none is begun.

        The query runs again when the server had closed the connection.
        """
        try:
            with self.reader.connect() as db:
                return query(db, *args, **kwargs)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self.engine.dispose()
        with self.reader.connect() as db:
            return query(db, *args, **kwargs)

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        with self._begin(engine) as db:
            transaction = db.get_transaction()
            assert transaction is not None, "it has just begun"
            with transaction:
                yield db

    def _begin(self, engine: Engine) -> Connection:
        """Return a connection whose transaction has begun; one that the server had closed is replaced.

        BEGIN is sent for itself, so it is also the test of a connection that lay in the pool.
        """
        for is_last in (False, True):
            db = engine.connect()
            try:
                db.begin()
                return db
            except sa.exc.DBAPIError as error:
                db.close()
                if is_last or not error.connection_invalidated:
                    raise
                # A server that went away closed all of them.
                self.engine.dispose()
        raise AssertionError("unreachable")

    def dispose(self) -> None:
        self.engine.dispose()


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, Raced) or getattr(getattr(error, "orig", None), "sqlstate", None) in RETRYABLE


def make_engine(url: str) -> Engine:
    """Return an engine whose acknowledged commits are durable and whose SQLite writers begin IMMEDIATE."""
    if not url.startswith("sqlite"):
        settings = primary.connection_settings(sa.make_url(url).query)
        engine = sa.create_engine(url, connect_args=settings, **_POOL)
        sa.event.listen(engine, "connect", _on_postgresql_connect)
        sa.event.listen(engine, "begin", _on_postgresql_begin)
        engine.dialect.do_commit = _commit_postgresql  # type: ignore[method-assign]
        engine.dialect.do_rollback = _roll_back_postgresql  # type: ignore[method-assign]
        primary.wait_for_standbys(engine)
        primary.watch(engine)
        return engine
    engine = sa.create_engine(url, connect_args={"timeout": _PATIENCE_SECONDS}, **_POOL)
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(dbapi: sqlite3.Connection, _record: object) -> None:
    dbapi.isolation_level = None  # sqlite3 must not begin transactions on its own
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_PATIENCE_SECONDS * 1000}",
        "recursive_triggers=ON",  # otherwise INSERT OR REPLACE deletes past the append-only triggers
        "trusted_schema=OFF",
        "cache_size=-16000",
    ):
        dbapi.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(db: Connection) -> None:
    driver: Any = db.connection.driver_connection
    options = db.get_execution_options()
    kind = options.get("begin", "IMMEDIATE")
    try:
        if options.get("is_eager") and kind == "IMMEDIATE":
            _begin_eagerly(driver)
        else:
            driver.execute("BEGIN " + kind)
    except db.dialect.loaded_dbapi.Error as error:
        raise named_fault(db, error) from error


def _begin_eagerly(driver: sqlite3.Connection) -> None:
    """Begin to write in the first gap: SQLite's own waiting sleeps ever longer, and misses those of a busy writer."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_GAP_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout={_PATIENCE_SECONDS * 1000}")


def _on_postgresql_begin(db: Connection) -> None:
    how = db.get_execution_options().get("begin")
    try:
        wire_of(db).tell(f"BEGIN {how}".encode() if how else _BEGIN_WRITING)
    except db.dialect.loaded_dbapi.Error as error:
        raise named_fault(db, error) from error


def _commit_postgresql(dbapi_connection: Any) -> None:
    _wire(dbapi_connection).commit()


def _roll_back_postgresql(dbapi_connection: Any) -> None:
    from moralbank.wire import Wire

    # The first connection of an engine is rolled back before anything can be kept with it.
    Wire(dbapi_connection.driver_connection).roll_back()


def wire_of(db: Connection) -> Wire:
    """Return the way past psycopg's cursors to the PostgreSQL of this connection."""
    return _wire(db.connection)


def _wire(dbapi: Any) -> Wire:
    # What is kept here goes with the server's end of the connection, and so do the statements it has prepared.
    wire: Wire | None = dbapi.info.get("wire")
    if wire is None:
        from moralbank.wire import Wire

        wire = dbapi.info["wire"] = Wire(dbapi.driver_connection)
    return wire


def _on_postgresql_connect(dbapi: Any, _record: object) -> None:
    """Work as the role that may only insert into the ledger, where the migrations could make it."""
    dbapi.autocommit = True  # psycopg must not begin transactions on its own
    # Its own preparing forgets every prepared statement of the connection, ours too, at a rollback to a savepoint.
    dbapi.prepare_threshold = None
    with dbapi.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')",
            (APP_ROLE,),
        )
        if cursor.fetchone():
            cursor.execute(f"SET ROLE {APP_ROLE}")
        cursor.execute("SET TIME ZONE 'UTC'")
        # The default is of disks that turn: it has small tables read whole that an index knows its way around in.
        cursor.execute("SET random_page_cost = 1.1")


def insert_for(db: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return the engine's own INSERT for `table`, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)


def named_fault(db: Connection, fault: Exception) -> sa.exc.DBAPIError:
    """Return a driver's fault as SQLAlchemy would raise it, its connection given up when the server closed it."""
    is_closed = db.dialect.is_disconnect(fault, db.connection.driver_connection, None)  # type: ignore[arg-type]
    named = sa.exc.DBAPIError.instance(
        None, None, fault, db.dialect.loaded_dbapi.Error, connection_invalidated=is_closed, dialect=db.dialect
    )
    if is_closed:
        db.invalidate(fault)
    assert isinstance(named, sa.exc.DBAPIError), "it is the driver's"
    return named


@contextmanager
def racing() -> Iterator[None]:
    """Take a unique key that another transaction took meanwhile for a lost race: the act runs again, as Raced says.

    On SQLite, whose writers come one after the other, it would be a fault, and stays one.
    """
    try:
        yield
    except sa.exc.IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
        raise Raced from error


def violated(error: sa.exc.IntegrityError, *names: str) -> bool:
    """Tell whether one of the named constraints (PostgreSQL) or `table.column` lists (SQLite) refused the row."""
    text = str(error.orig)
    return any(name in text for name in names)
