"""A database in memory whose every wait, commit and crash is a point where a seeded scheduler chooses what goes on.

It keeps what PostgreSQL keeps for the ledger's posting: row locks, unique keys and sources, numbers that a rollback
doesn't give back, and a commit that is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import greenlet

from moralbank.db import Raced
from moralbank.ledger import AccountKind, Unit
from moralbank.ledger.rows import Answered, Held, NewEntry, Seen, Writes
from moralbank.ledger.values import NEVER
from moralbank.prepared import Act

Name = tuple[str, str]


class Killed(BaseException):
    """The process that this ran in is gone."""


def pause() -> None:
    """Let the scheduler choose what goes on."""
    greenlet.getcurrent().parent.switch()


@dataclass
class State:
    """What is durable."""

    kinds: dict[int, AccountKind]
    held: dict[tuple[int, Unit], Held]
    answered: dict[Name, Answered] = field(default_factory=dict)
    entries: dict[UUID, NewEntry] = field(default_factory=dict)
    sources: set[tuple[str, str, str]] = field(default_factory=set)


class Engine:
    """The durable state, who holds what lock, and everything that was committed, in order."""

    def __init__(self, kinds: dict[int, AccountKind]) -> None:
        held = {
            (account, unit): Held(0, 0, None, NEVER)
            for account, kind in kinds.items()
            if kind.is_guarded
            for unit in Unit
        }
        self.state = State(kinds, held)
        self.log: list[Writes] = []
        self.locks: dict[object, Transaction] = {}
        self.seq = 0

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        transaction = Transaction(self)
        try:
            yield transaction
            pause()
            transaction.commit()
            pause()
        finally:
            self.locks = {what: by for what, by in self.locks.items() if by is not transaction}


class Transaction:
    """One connection in a transaction; stands in for SQLAlchemy's, as far as posting and the lane use it."""

    dialect = SimpleNamespace(name="memory")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.connection = SimpleNamespace(driver_connection=SimpleNamespace(execute=self._mark))
        self.waits_for: Transaction | None = None
        self._pending: list[Writes] = []
        self._marks: list[int] = []

    def _mark(self, words: str) -> None:
        if words.startswith("SAVEPOINT"):
            self._marks.append(len(self._pending))
        elif words.startswith("ROLLBACK TO"):
            del self._pending[self._marks[-1] :]
        else:
            self._marks.pop()

    def lock(self, what: object) -> None:
        """Wait for a lock, or raise Raced where waiting would be for ever."""
        while (holder := self.engine.locks.get(what, self)) is not self:
            self.waits_for = holder
            while holder is not None and holder is not self:
                holder = holder.waits_for
            if holder is self:
                self.waits_for = None
                raise Raced
            pause()
        self.waits_for = None
        self.engine.locks[what] = self

    def commit(self) -> None:
        for writes in self._pending:
            self.apply(writes)

    def apply(self, writes: Writes) -> None:
        """Make a batch durable."""
        state = self.engine.state
        for entry in writes.entries:
            state.entries[entry.entry_id] = entry
            if entry.source[0] is not None:
                state.sources.add((entry.kind, *entry.source))
        for actor, key, asked, entry_id, refusal in writes.keys:
            leaf = state.entries[entry_id].leaf if entry_id else None
            state.answered[actor, key] = Answered(asked, leaf, refusal)
        for what, held in writes.moved.items():
            state.held[what] = copy(held)
        self.engine.log.append(writes)

    # What moralbank.ledger.rows.Rows describes

    def looking(self, *asked: Any) -> Act[Seen]:
        return Act(lambda: self.look(*asked))

    def appending(self, book: int, writes: Writes) -> Act[None]:
        return Act(lambda: self.append(book, writes))

    def look(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[Name],
        sources: Sequence[tuple[str, str, str]],
        brought: Sequence[UUID],
        seqs: int,
    ) -> Seen:
        for account in accounts:
            if self.engine.state.kinds[account].is_guarded:
                self.lock(account)
        pause()
        view = self._view()
        first = self.engine.seq + 1
        self.engine.seq += seqs
        return Seen(
            held={what: copy(held) for what, held in view.held.items() if what[0] in accounts},
            known={account for account in accounts if account in view.kinds},
            answered={name: view.answered[name] for name in keys if name in view.answered},
            posted_sources={source for source in sources if source in view.sources},
            taken_ids={entry_id for entry_id in brought if entry_id in view.entries},
            closed_through=None,
            seqs=list(range(first, first + seqs)),
        )

    def append(self, book: int, writes: Writes) -> None:
        for actor, key, *_ in writes.keys:
            self.lock(("key", actor, key))
        for entry in writes.entries:
            if entry.source[0] is not None:
                self.lock(("source", entry.kind, *entry.source))
        view = self._view()
        if any((actor, key) in view.answered for actor, key, *_ in writes.keys):
            raise Raced
        if any((entry.kind, *entry.source) in view.sources for entry in writes.entries):
            raise Raced
        self._pending.append(writes)

    def _view(self) -> State:
        """Return what is durable with this transaction's own writes on it."""
        state = self.engine.state
        if not self._pending:
            return state
        engine = copy(self.engine)
        engine.log = []
        engine.state = State(
            state.kinds, dict(state.held), dict(state.answered), dict(state.entries), set(state.sources)
        )
        own = Transaction(engine)
        for writes in self._pending:
            own.apply(writes)
        return engine.state
