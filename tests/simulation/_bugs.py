"""Bugs that a bank must not have, planted one at a time; the simulation is worth what it finds of them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from moralbank.errors import MoralBankError
from moralbank.lane import CommitLane, Wish
from moralbank.ledger import posting
from moralbank.ledger.rows import Seen, Writes
from tests.simulation._engine import Engine, Transaction, pause
from tests.simulation._world import World

Plant = Callable[[], Any]


def _look(change: Callable[[Transaction, Seen], Seen]) -> Plant:
    """Change what posting sees of the database."""
    real = Transaction.look

    def look(self: Transaction, *asked: Any) -> Seen:
        return change(self, real(self, *asked))

    return lambda: patch.object(Transaction, "look", look)


def _apply(change: Callable[[Transaction, Writes], Writes]) -> Plant:
    """Change what becomes durable."""
    real = Transaction.apply
    return lambda: patch.object(Transaction, "apply", lambda self, writes: real(self, change(self, writes)))


def _lost_write(transaction: Transaction, writes: Writes) -> Writes:
    return replace(writes, moved={}) if len(writes.entries) > 1 else writes


def _forgotten_refusals(_transaction: Transaction, writes: Writes) -> Writes:
    return replace(writes, keys=[key for key in writes.keys if key[3] is not None])


def _no_keys(_transaction: Transaction, seen: Seen) -> Seen:
    seen.answered.clear()
    return seen


def _key_looked_up_late() -> Any:
    """The key is looked at after the effect, and doesn't stop it."""
    real = Transaction.append

    def append(self: Transaction, book: int, writes: Writes) -> None:
        known, self.engine.state.answered = self.engine.state.answered, {}
        try:
            real(self, book, writes)
        finally:
            self.engine.state.answered = known | self.engine.state.answered

    look = _look(_no_keys)()
    return _both(look, patch.object(Transaction, "append", append))


class _both:
    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __enter__(self) -> None:
        for part in self._parts:
            part.__enter__()

    def __exit__(self, *how: Any) -> None:
        for part in self._parts:
            part.__exit__(*how)


def _cached_balances() -> Any:
    """Balances are remembered by the process that read them first."""

    class Cached(Engine):
        def __init__(self, kinds: Any) -> None:
            super().__init__(kinds)
            self.cache: dict[Any, Any] = {}

    def cached(transaction: Transaction, seen: Seen) -> Seen:
        cache = transaction.engine.cache  # type: ignore[attr-defined]
        for what, held in seen.held.items():
            cache.setdefault(what, copy(held))
        return replace(seen, held={what: copy(cache[what]) for what in seen.held})

    return _both(_look(cached)(), patch.object(World, "engine_class", Cached))


def _no_locks() -> Any:
    return patch.object(Transaction, "lock", lambda _self, _what: None)


def _half_a_commit() -> Any:
    """A batch becomes durable entry by entry, and a crash may come between."""

    def commit(self: Transaction) -> None:
        for writes in self._pending:
            for place, entry in enumerate(writes.entries):
                self.apply(replace(writes, entries=[entry], keys=[k for k in writes.keys if k[3] == entry.entry_id]))
                if place == 0:
                    pause()
            self.apply(replace(writes, entries=[], keys=[k for k in writes.keys if k[3] is None], moved={}))

    return patch.object(Transaction, "commit", commit)


def _told_before_the_commit() -> Any:
    real = World._kill

    def kill(self: World, process: Any) -> None:
        thread = process.thread
        if thread is not None and not thread.dead:
            for request, wish in process.carried:
                if request.answer is None and (wish.value is not None):
                    self._answer(request, wish)
        real(self, process)

    return patch.object(World, "_kill", kill)


class _Careless(CommitLane):
    """Keeps the verdicts of a set whose transaction broke."""

    def _carry_out(self, wishes: list[Wish]) -> None:
        try:
            with self._begin() as db:
                self._decide_all(db, wishes)
        except Exception as fault:
            for wish in wishes:
                if wish.value is None and wish.fault is None:
                    wish.fault = fault


class _AllOrNothing(CommitLane):
    """One refusal refuses everybody in the set."""

    def _decide_all(self, db: Any, wishes: list[Wish]) -> None:
        super()._decide_all(db, wishes)
        refusal = next((wish.fault for wish in wishes if isinstance(wish.fault, MoralBankError)), None)
        for wish in wishes:
            if refusal is not None:
                wish.value, wish.fault = None, refusal


class _Twice(CommitLane):
    """Carries a write out once more, under another key, when it took long."""

    def carry_out_alone(self, wish: Wish) -> None:
        super().carry_out_alone(wish)
        if wish.verb is not None and wish.fault is None and wish.item.source is None:
            again = Wish(None, wish.verb, replace(wish.item, actor="staff:2"))
            super().carry_out_alone(again)


def _numbers_given_back(transaction: Transaction, seen: Seen) -> Seen:
    transaction.engine.seq = len(transaction.engine.state.entries)
    return seen


def _no_times(_transaction: Transaction, seen: Seen) -> Seen:
    for held in seen.held.values():
        held.last_at = None
    return seen


def _credit(_transaction: Transaction, seen: Seen) -> Seen:
    for held in seen.held.values():
        held.balance += 3
    return seen


def _deaf_to_content() -> Any:
    return patch.object(posting, "_is_same", lambda *_: True)


def _sources_forgotten() -> Any:
    def forget(_transaction: Transaction, seen: Seen) -> Seen:
        seen.posted_sources.clear()
        return seen

    real = Transaction.append

    def append(self: Transaction, book: int, writes: Writes) -> None:
        known, self.engine.state.sources = self.engine.state.sources, set()
        try:
            real(self, book, writes)
        finally:
            self.engine.state.sources |= known

    return _both(_look(forget)(), patch.object(Transaction, "append", append))


def _lane(lane: type[CommitLane]) -> Plant:
    return lambda: patch.object(World, "lane_class", lane)


BUGS: dict[str, Plant] = {
    "lost write": _apply(_lost_write),
    "check before key": _key_looked_up_late,
    "refusals forgotten": _apply(_forgotten_refusals),
    "cached balance": _cached_balances,
    "no locks": _no_locks,
    "half a commit": _half_a_commit,
    "told before the commit": _told_before_the_commit,
    "verdicts of a broken set": _lane(_Careless),
    "one refusal refuses all": _lane(_AllOrNothing),
    "double effect": _lane(_Twice),
    "numbers given back": _look(_numbers_given_back),
    "time runs backwards": _look(_no_times),
    "credit that nobody gave": _look(_credit),
    "content of a key ignored": _deaf_to_content,
    "one source twice": _sources_forgotten,
}
