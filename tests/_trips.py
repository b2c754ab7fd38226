"""Counts how often PostgreSQL is asked and answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from moralbank.wire import Wire


@contextmanager
def counted() -> Iterator[list[str]]:
    """Give a list that grows by what each round trip was for, however many statements went with it."""
    trips: list[str] = []
    tell, run, run_all, execute = Wire.tell, Wire.run, Wire.run_all, psycopg.Cursor.execute

    def counted_tell(self, command):  # type: ignore[no-untyped-def]
        trips.append(command.decode())
        return tell(self, command)

    def counted_run(self, words, values):  # type: ignore[no-untyped-def]
        trips.append(words.text.decode().strip()[:60])
        return run(self, words, values)

    def counted_run_all(self, calls):  # type: ignore[no-untyped-def]
        if len(calls) > 1:
            trips.append(" | ".join(words.text.decode().strip()[:30] for words, _ in calls))
        return run_all(self, calls)

    def counted_execute(self, query, *given, **how):  # type: ignore[no-untyped-def]
        trips.append(str(query)[:60])
        return execute(self, query, *given, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "tell", counted_tell)
        patch.setattr(Wire, "run", counted_run)
        patch.setattr(Wire, "run_all", counted_run_all)
        patch.setattr(psycopg.Cursor, "execute", counted_execute)
        yield trips
