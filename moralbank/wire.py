"""PostgreSQL statements prepared once per connection and run through libpq itself. Knows no SQLAlchemy.

psycopg's cursors cost the interpreter three times what libpq costs it, and ten times within a pipeline. Connection,
errors and the reading of values stay psycopg's.
"""

from __future__ import annotations

import re
import select
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import count
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

Row = tuple[Any, ...]
_TEXT, _BINARY = 0, 1
_FINE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_MARK = re.compile(r"%\((\w+)\)s|%%")
_NAMES = (b"moralbank_%d" % number for number in count(1))
_TO_ESCAPE = re.compile(r'(["\\])')


class Words:
    """A statement as libpq takes it: its values are numbered in the order in which their names first come."""

    __slots__ = ("name", "names", "text")

    def __init__(self, text: str) -> None:
        """Read a statement whose values are marked as psycopg has them marked, `%(name)s`."""
        places: dict[str, int] = {}

        def number(mark: re.Match[str]) -> str:
            return "%" if mark[1] is None else f"${places.setdefault(mark[1], len(places) + 1)}"

        self.text = _MARK.sub(number, text).encode()
        self.names = tuple(places)
        #: Under which it is prepared, on any connection.
        self.name = next(_NAMES)


class Answer:
    """What a statement came to."""

    __slots__ = ("_driver", "_result")

    def __init__(self, driver: psycopg.Connection[Any], result: PGresult) -> None:
        self._driver, self._result = driver, result

    def rows(self) -> list[Row]:
        reader = Transformer(self._driver)
        reader.set_pgresult(self._result)
        return cast(list[Row], reader.load_rows(0, self._result.ntuples, tuple))

    def count(self) -> int:
        """Return how many rows were changed."""
        return self._result.command_tuples or 0


Call = tuple[Words, Sequence[object]]


class Wire:
    """One connection's way to its server; whoever has the connection has it alone."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver
        self._pgconn: PGconn = driver.pgconn
        self._known: set[bytes] = set()
        self._poll: select.poll | None = None

    def tell(self, command: bytes) -> None:
        """Run a command that has no values and no rows."""
        self._checked(self._pgconn.exec_(command))

    def commit(self) -> None:
        """End the transaction, if there is one."""
        if self._pgconn.transaction_status != TransactionStatus.IDLE:
            self.tell(b"COMMIT")

    def roll_back(self) -> None:
        """Undo the transaction, if there is one; with the connection it is gone by itself."""
        if self._pgconn.status != ConnStatus.BAD and self._pgconn.transaction_status != TransactionStatus.IDLE:
            self.tell(b"ROLLBACK")

    def run(self, words: Words, values: Sequence[object]) -> Answer:
        """Run a statement in a round trip of its own. Raises what psycopg raises for it."""
        if words.name not in self._known:
            self._checked(self._pgconn.prepare(words.name, words.text))
            self._known.add(words.name)
        result = self._pgconn.exec_prepared(words.name, *self._spell(values), _BINARY)
        return Answer(self._driver, self._checked(result))

    def run_all(self, calls: Sequence[Call]) -> list[Answer]:
        """Run statements one after another in one round trip; of those behind the first that fails, none is run."""
        if len(calls) < 2:
            return [self.run(*call) for call in calls]
        spelled = [(words, *self._spell(values)) for words, values in calls]
        fresh = {words.name: words for words, _, _ in spelled if words.name not in self._known}
        pgconn = self._pgconn
        try:
            pgconn.enter_pipeline_mode()
            for words in fresh.values():
                pgconn.send_prepare(words.name, words.text)
            for words, values, formats in spelled:
                pgconn.send_query_prepared(words.name, values, formats, _BINARY)
            pgconn.pipeline_sync()
            results = list(self._receive())
            pgconn.exit_pipeline_mode()
        except BaseException:
            # Answers may be under way that nobody will read: no one must be given this connection again.
            pgconn.finish()
            raise
        prepared, ran = results[: len(fresh)], results[len(fresh) :]
        for name, result in zip(fresh, prepared, strict=True):
            self._checked(result)
            self._known.add(name)
        return [Answer(self._driver, self._checked(result)) for result in ran]

    def _receive(self) -> Iterator[PGresult]:
        """Give the results up to the mark that ends what was sent, however much the sockets hold."""
        pgconn = self._pgconn
        while pgconn.flush():
            if self._wait(select.POLLIN | select.POLLOUT) & ~select.POLLOUT:
                pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                self._wait(select.POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return
            yield result
            if pgconn.status == ConnStatus.BAD:
                raise self._fault(result)

    def _wait(self, what: int) -> int:
        if self._poll is None:
            self._poll = select.poll()
        self._poll.register(self._pgconn.socket, what)
        [(_, happened)] = self._poll.poll()
        return happened

    def _checked(self, result: PGresult) -> PGresult:
        if result.status not in _FINE:
            raise self._fault(result)
        return result

    def _fault(self, result: PGresult) -> psycopg.Error:
        fault = psycopg.errors.error_from_result(result, self._driver.info.encoding)
        if self._pgconn.status == ConnStatus.BAD and not isinstance(fault, psycopg.OperationalError):
            return psycopg.OperationalError(str(fault))
        return fault

    def _spell(self, values: Sequence[object]) -> tuple[Any, list[int] | None]:
        """Return the values as the server reads them, and which of them are in its binary format, if any is."""
        spelled: list[bytes | None] = []
        formats: list[int] | None = None
        for value in values:
            speller = _SPELLERS.get(type(value))
            if speller is not None:
                spelled.append(speller(value))
            elif value is None:
                spelled.append(None)
            elif isinstance(value, bytes | bytearray | memoryview | psycopg.Binary):
                formats = formats or [_TEXT] * len(values)
                formats[len(spelled)] = _BINARY
                spelled.append(bytes(value.obj if isinstance(value, psycopg.Binary) else value))
            else:
                dumper = Transformer(self._driver).get_dumper(value, PyFormat.TEXT)
                dumped = dumper.dump(value)
                spelled.append(None if dumped is None else bytes(dumped))
        return spelled, formats


def _text(value: str) -> bytes:
    if "\0" in value:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


_SPELLERS: dict[type, Any] = {
    int: lambda value: b"%d" % value,
    str: _text,
    bool: lambda value: b"t" if value else b"f",
    datetime: lambda value: value.isoformat().encode(),
    date: lambda value: value.isoformat().encode(),
    UUID: lambda value: value.hex.encode(),
    list: lambda value: _text(f"{{{','.join(map(_element, value))}}}"),
}


def _element(value: object) -> str:
    """Spell what stands in an array; what needs no care, and is most of it, first."""
    kind = type(value)
    if kind is int:
        return str(value)
    if value is None:
        return "NULL"
    if kind is UUID:
        return cast(UUID, value).hex
    if isinstance(value, psycopg.Binary):
        value = value.obj
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    text = str(value)
    return f'"{_TO_ESCAPE.sub(_ESCAPED, text)}"' if '"' in text or "\\" in text else f'"{text}"'


_ESCAPED = r"\\\1"
