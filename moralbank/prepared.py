"""Statements whose text never changes, compiled once per engine and run by the driver itself. For the busiest paths.

Building a Core expression and finding it in SQLAlchemy's cache takes longer than a small statement takes to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect

from moralbank.db import UtcDateTime, named_fault, wire_of

if TYPE_CHECKING:
    from moralbank.wire import Answer, Call, Words

Row = tuple[Any, ...]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Spelling = sa.Select[*tuple[Any, ...]] | sa.Insert | sa.Update
#: The engine's own insert(), with `on_conflict_do_nothing` and `on_conflict_do_update`.
Insert = Callable[[sa.Table], Any]
_Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What the driver needs: text, the values that are part of the statement, and how to carry values over."""

    text: str
    #: The same as libpq takes it; only on PostgreSQL.
    words: Words | None
    #: The same for many at once, whose values are arrays; only on PostgreSQL, of INSERTs and of what locks nothing.
    words_of_set: Words | None
    is_insert: bool
    #: The same for many at once on SQLite, whose values come as JSON; only of plain look-ups.
    text_of_set: str | None
    #: Values that all of a set share.
    same: frozenset[str]
    own: dict[str, Any]
    #: The values that the caller gives.
    asked: tuple[str, ...]
    #: Every value by its name, in the order of `words`, and what makes the driver's value of Core's.
    binds: tuple[tuple[str, _Processor | None], ...]
    #: Those of them that need it.
    processed: tuple[tuple[str, _Processor], ...]
    #: What makes Core's value of the driver's, by the place of the column; most columns need nothing.
    results: tuple[tuple[int, _Processor], ...]

    def bound(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the statement's parameters as the driver takes them."""
        values = self.own | given
        for name, process in self.processed:
            values[name] = process(values[name])
        return values

    def call(self, given: dict[str, Any]) -> Call:
        """Return the statement with its values in their order, as libpq takes them."""
        assert self.words is not None, "it was compiled for PostgreSQL"
        values = self.own | given if self.own else given
        return self.words, [values[name] if process is None else process(values[name]) for name, process in self.binds]

    def is_set(self, many: Sequence[dict[str, Any]]) -> bool:
        """Tell whether one statement asks PostgreSQL for all of them."""
        return self.words_of_set is not None and len(many) > 1

    def calls(self, many: Sequence[dict[str, Any]]) -> list[Call]:
        """Return what asks for each of many: as a set that is one statement, however many they are."""
        if self.words_of_set is None or len(many) < 2:
            return [self.call(given) for given in many]
        values: dict[str, Any] = self.own | {name: many[0][name] for name in self.same}
        for name, process in self.binds:
            if name in values:
                values[name] = values[name] if process is None else process(values[name])
            else:
                column = [given[name] for given in many]
                values[name] = column if process is None else [process(value) for value in column]
        return [(self.words_of_set, [values[name] for name in self.words_of_set.names])]

    def found(self, many: Sequence[dict[str, Any]], answers: Iterator[Answer]) -> list[list[Row]]:
        """Return the rows of each of many, those of an INSERT all together; `answers` begins with those to `calls`."""
        if self.words_of_set is None or len(many) < 2:
            return [self.carried(next(answers).rows()) for _ in many]
        if self.is_insert:
            return [self.carried(next(answers).rows())]
        found: list[list[Row]] = [[] for _ in many]
        rows = next(answers).rows()
        for (place, *_), row in zip(rows, self.carried([row[1:] for row in rows]), strict=True):
            found[place - 1].append(row)
        return found

    def carried(self, rows: list[Row]) -> list[Row]:
        """Return the driver's rows with the values that Core would give."""
        if not self.results:
            return rows
        carried = []
        for row in rows:
            values = list(row)
            for place, process in self.results:
                values[place] = process(values[place])
            carried.append(tuple(values))
        return carried


class Prepared:
    """A Core statement with named `bindparam`s, or a function that makes one with the engine's own insert().

    It runs on the connection as it stands, in the transaction that its caller began. No lists as parameters.
    """

    def __init__(self, spelled: Spelling | Callable[[Insert], Spelling]) -> None:
        self._spelled = spelled
        self._compiled: dict[str, _Compiled] = {}

    def first(self, db: Connection, **given: Any) -> Row | None:
        """Run it and return its first row with the values that Core would give, or None."""
        found = self._fetch(db, given)
        return found[0] if found else None

    def all(self, db: Connection, **given: Any) -> list[Row]:
        """Run it and return its rows."""
        return self._fetch(db, given)

    def touch(self, db: Connection, **given: Any) -> int:
        """Run it and return how many rows it changed."""
        return self.touch_each(db, [given])

    def each(self, db: Connection, many: Sequence[dict[str, Any]]) -> list[list[Row]]:
        """Run what is no INSERT once for each of many and return the rows of each; PostgreSQL gets all at once."""
        [found] = ask(db, Question(self, many, list))
        rows: list[list[Row]] = found
        return rows

    def insert_all(self, db: Connection, many: Sequence[dict[str, Any]]) -> list[Row]:
        """Run an INSERT for each of many, as one statement on PostgreSQL; return the rows that were written, in order.

        What stands outside of VALUES is the same for all.
        """
        [rows] = ask(db, Question(self, many, all_rows))
        return list(rows)

    def touch_each(self, db: Connection, many: Sequence[dict[str, Any]]) -> int:
        """Run it once for each of many and return how many rows all together changed."""
        if not many:
            return 0
        compiled = self._for(db)
        try:
            if compiled.words is not None:
                return sum(answer.count() for answer in wire_of(db).run_all([compiled.call(given) for given in many]))
            driver: Any = db.connection.driver_connection
            count: int = driver.executemany(compiled.text, [compiled.bound(given) for given in many]).rowcount
            return count
        except db.dialect.loaded_dbapi.Error as error:
            raise named_fault(db, error) from error

    def _fetch(self, db: Connection, given: dict[str, Any]) -> list[Row]:
        compiled = self._for(db)
        try:
            if compiled.words is not None:
                return compiled.carried(wire_of(db).run(*compiled.call(given)).rows())
            driver: Any = db.connection.driver_connection
            return compiled.carried(driver.execute(compiled.text, compiled.bound(given)).fetchall())
        except db.dialect.loaded_dbapi.Error as error:
            raise named_fault(db, error) from error

    def fetch_each(self, db: Connection, many: Sequence[dict[str, Any]]) -> list[list[Row]]:
        """Ask SQLite for each of many and return the rows of each."""
        compiled = self._for(db)
        if compiled.text_of_set is not None and len(many) > 1:
            return self._fetch_set(db, compiled, many)
        run: Any = db.connection.driver_connection.execute  # type: ignore[union-attr]
        text, bound, carried = compiled.text, compiled.bound, compiled.carried
        try:
            return [carried(run(text, bound(given)).fetchall()) for given in many]
        except db.dialect.loaded_dbapi.Error as error:
            raise named_fault(db, error) from error

    def _fetch_set(self, db: Connection, compiled: _Compiled, many: Sequence[dict[str, Any]]) -> list[list[Row]]:
        assert compiled.text_of_set is not None, "it can be asked for as a set"
        values = [compiled.bound(given) for given in many]
        given = {_GIVEN: json.dumps([[value[name] for name in compiled.asked] for value in values])}
        driver: Any = db.connection.driver_connection
        found: list[list[Row]] = [[] for _ in many]
        try:
            rows = driver.execute(compiled.text_of_set, compiled.own | given).fetchall()
        except db.dialect.loaded_dbapi.Error as error:
            raise named_fault(db, error) from error
        for (place, *_), row in zip(rows, compiled.carried([row[1:] for row in rows]), strict=True):
            found[place].append(row)
        return found

    def calls(self, db: Connection, many: Sequence[dict[str, Any]]) -> list[Call]:
        """Return what asks PostgreSQL for each of many."""
        return self._for(db).calls(many)

    def found(self, db: Connection, many: Sequence[dict[str, Any]], answers: Iterator[Answer]) -> list[list[Row]]:
        """Return the rows of each of many; `answers` begins with those to `calls`."""
        return self._for(db).found(many, answers)

    def count(self, db: Connection, many: Sequence[dict[str, Any]], answers: Iterator[Answer]) -> int:
        """Return how many rows all together changed; `answers` begins with those to `calls`."""
        number = 1 if self._for(db).is_set(many) else len(many)
        return sum(next(answers).count() for _ in range(number))

    def _for(self, db: Connection) -> _Compiled:
        return self._compiled.get(db.dialect.name) or self._compile(db.dialect)

    def _compile(self, dialect: Dialect) -> _Compiled:
        is_sqlite = dialect.name == "sqlite"
        if not isinstance(self._spelled, sa.Executable):
            insert: Insert = sqlite.insert if is_sqlite else postgresql.insert
            statement = self._spelled(insert)
        else:
            statement = self._spelled
        # Named marks on both engines, so that values are found by name and not by place.
        speller = sqlite.dialect(paramstyle="named") if is_sqlite else dialect
        compiled = statement.compile(dialect=speller)
        # A parameter that stands in several places is one value.
        binds = {name: bind for bind, name in compiled.bind_names.items()}.items()
        carried = [(name, _processor(bind.type, speller)) for name, bind in binds]
        results = [
            column.type.dialect_impl(speller).result_processor(speller, None) for column in statement.exported_columns
        ]
        words = of_set = text_of_set = None
        same: frozenset[str] = frozenset()
        asked = {name: bind.type for name, bind in binds if bind.required}
        if is_sqlite:
            if isinstance(statement, sa.Select):
                text_of_set = _text_of_set(compiled.string, asked)
        else:
            words = _words(compiled.string)
            if isinstance(statement, sa.Insert):
                of_set, same = _insert_of_set(compiled.string, asked, speller)
            elif isinstance(statement, sa.Select) and not _LOCKS.search(compiled.string):
                of_set = _select_of_set(compiled.string, asked, speller)
        processors = dict(carried)
        ready = _Compiled(
            text=compiled.string,
            words=words,
            words_of_set=of_set,
            is_insert=isinstance(statement, sa.Insert),
            text_of_set=text_of_set,
            asked=tuple(asked),
            same=same,
            own={name: bind.value for name, bind in binds if not bind.required},
            binds=tuple((name, processors[name]) for name in (words.names if words else processors)),
            processed=tuple((name, process) for name, process in processors.items() if process is not None),
            results=tuple((place, process) for place, process in enumerate(results) if process is not None),
        )
        self._compiled[dialect.name] = ready
        return ready


def _processor(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    process: _Processor | None = kind.dialect_impl(dialect).bind_processor(dialect)
    # What comes together has few instants.
    return lru_cache(maxsize=64)(process) if process is not None and isinstance(kind, UtcDateTime) else process


def _words(text: str) -> Words:
    # The driver is there where PostgreSQL is.
    from moralbank.wire import Words

    return Words(text)


#: Rows are locked in the order of the statements, which a set would leave to the engine.
_LOCKS = re.compile(r"\bFOR (UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b")
_VALUES = re.compile(
    r"(?P<head>INSERT INTO \S+ \([^)]*\)) VALUES \((?P<values>(?:%\(\w+\)s[^,()]*(?:, )?)+)\)(?P<tail>.*)", re.S
)
_LENGTH = re.compile(r"\(\d+\)")


Types = dict[str, sa.types.TypeEngine[Any]]


def _select_of_set(text: str, types: Types, dialect: Dialect) -> Words | None:
    """Return a statement that reads what `text` reads for each place of the arrays given, and the place before it."""
    if not types or any(isinstance(kind, sa.types.NullType) for kind in types.values()):
        return None
    many = _places(types, dialect)
    found = _by_place(text, types)
    # OFFSET keeps it a look-up for each: joined with a table that was small when it was planned, it reads it whole.
    each = f"({found} OFFSET 0)"
    return _words(f"SELECT given.place, found.* FROM {many} CROSS JOIN LATERAL {each} AS found")  # noqa: S608 - ours


#: A look-up without aggregates, subqueries and limits.
_PLAIN = re.compile(
    r"SELECT (?P<columns>[^()]+)\nFROM (?P<tables>[^()]+)\nWHERE (?P<where>.+?)(?: ORDER BY (?P<order>[^()]+))?", re.S
)
_NOT_PLAIN = re.compile(r"\b(GROUP BY|HAVING|LIMIT|SELECT DISTINCT|UNION)\b|\bSELECT\b.*\bSELECT\b", re.S)
#: What the places of a set come as.
_GIVEN = "given_many"


def _text_of_set(text: str, types: Types) -> str | None:
    """Return a look-up for SQLite that reads what `text` reads for each place of a list in JSON, and that place."""
    parts = _PLAIN.fullmatch(text)
    # JSON has no octets.
    if not types or not parts or _NOT_PLAIN.search(text) or any(map(_is_octets, types.values())):
        return None
    found = f"{parts['tables']} WHERE {parts['where']}"
    for place, name in enumerate(types):
        found = re.sub(rf":{name}\b", f"(given.value ->> {place})", found)
    order = f"given.key, {parts['order']}" if parts["order"] else "given.key"
    # CROSS JOIN keeps the places outermost, so that each is a probe.
    many = f"json_each(:{_GIVEN}) AS given CROSS JOIN"
    return f"SELECT given.key, {parts['columns']} FROM {many} {found} ORDER BY {order}"  # noqa: S608 - ours


def _is_octets(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.types.LargeBinary | sa.types.NullType)


def _insert_of_set(text: str, types: Types, dialect: Dialect) -> tuple[Words | None, frozenset[str]]:
    """Return an INSERT of all places of the arrays given, and the values that stand outside of its VALUES."""
    parts = _VALUES.fullmatch(text)
    if parts is None:
        return None, frozenset()
    rows = {name: kind for name, kind in types.items() if f"%({name})s" in parts["values"]}
    chosen = _by_place(parts["values"], rows)
    many = _places(rows, dialect)
    words = _words(f"{parts['head']} SELECT {chosen} FROM {many} ORDER BY given.place {parts['tail']}")  # noqa: S608 - ours
    return words, frozenset(types.keys() - rows.keys())


def _places(types: Types, dialect: Dialect) -> str:
    # A length would cut off what is too long, and then find what was not asked for.
    arrays = ", ".join(f"%({name})s::{_LENGTH.sub('', kind.compile(dialect))}[]" for name, kind in types.items())
    return f"unnest({arrays}) WITH ORDINALITY AS given ({', '.join(types)}, place)"


def _by_place(text: str, types: Types) -> str:
    for name in types:
        text = text.replace(f"%({name})s", f"given.{name}")
    return text


class Asking(Protocol[T_co]):
    """What can be asked alone, or in one round trip with others."""

    def now(self, db: Connection) -> T_co:
        """Ask where there is no round trip to share, on SQLite."""

    def calls(self, db: Connection) -> list[Call]:
        """Return the statements that ask PostgreSQL."""

    def told(self, db: Connection, answers: Iterator[Answer]) -> T_co:
        """Read the answers to just these statements."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A statement to be run once for each of many, and how to read the rows that each of them finds."""

    prepared: Prepared
    many: Sequence[dict[str, Any]]
    #: Of an INSERT it gets the rows in order, but not always a list for each.
    read: Callable[[list[list[Row]]], T]

    def now(self, db: Connection) -> T:
        return self.read(self.prepared.fetch_each(db, self.many))

    def calls(self, db: Connection) -> list[Call]:
        return self.prepared.calls(db, self.many)

    def told(self, db: Connection, answers: Iterator[Answer]) -> T:
        return self.read(self.prepared.found(db, self.many, answers))


@dataclass(frozen=True, slots=True)
class Change:
    """A statement without rows to be run once for each of many: how many rows all together changed."""

    prepared: Prepared
    many: Sequence[dict[str, Any]]

    def now(self, db: Connection) -> int:
        return self.prepared.touch_each(db, self.many)

    def calls(self, db: Connection) -> list[Call]:
        return self.prepared.calls(db, self.many)

    def told(self, db: Connection, answers: Iterator[Answer]) -> int:
        return self.prepared.count(db, self.many, answers)


@dataclass(frozen=True, slots=True)
class Act(Generic[T]):
    """What an engine without round trips does when it is its turn."""

    act: Callable[[], T]

    def now(self, _db: Connection) -> T:
        return self.act()

    def calls(self, _db: Connection) -> list[Call]:
        raise AssertionError("PostgreSQL has words of its own")

    def told(self, _db: Connection, _answers: Iterator[Answer]) -> T:
        raise AssertionError("PostgreSQL has words of its own")


def all_rows(found: list[list[Row]]) -> list[Row]:
    """Return the rows in order, whichever of the many found them."""
    return [row for rows in found for row in rows]


def ask(db: Connection, *questions: Asking[Any]) -> list[Any]:
    """Return what each question finds, in their order; PostgreSQL gets them all at once, in one round trip."""
    if db.dialect.name != "postgresql":
        return [question.now(db) for question in questions]
    try:
        asked = [question.calls(db) for question in questions]
        answers = wire_of(db).run_all([call for calls in asked for call in calls])
    except db.dialect.loaded_dbapi.Error as error:
        raise named_fault(db, error) from error
    left = iter(answers)
    return [question.told(db, left) for question in questions]
