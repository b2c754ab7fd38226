"""The commit lane: writes that wait at the same moment share one transaction, each with its own verdict.

Knows nothing of engines: `begin` opens the transaction, `is_retryable` tells a lost race from a fault. There is no
thread of its own and nothing polls: the first to come leads, the others sleep until their verdict is durable.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

#: The most that share a transaction, so that nobody waits for a commit without end.
MOST = 512
RETRIES = 8

#: A verb that takes whatever waits for it as a set. An exception in the list is that item's refusal.
Verb = Callable[[Connection, list[Any]], Sequence[Any]]


@dataclass(slots=True, eq=False)
class Wish:
    """One caller's write: an act of its own, or an item for a verb that takes many."""

    act: Callable[[Connection], Any] | None
    verb: Verb | None = None
    item: Any = None
    context: Context = field(default_factory=copy_context)
    value: Any = None
    fault: BaseException | None = None
    leads: bool = False
    #: Held until the wish has its verdict, or its turn to lead.
    gate: threading.Lock = field(default_factory=threading.Lock)

    def verdict(self) -> Any:
        if self.fault is not None:
            raise self.fault
        return self.value


class CommitLane:
    """Runs wishes in the order they came; one transaction at a time."""

    def __init__(
        self,
        begin: Callable[[], AbstractContextManager[Connection]],
        is_retryable: Callable[[BaseException], bool],
        most: int = MOST,
    ) -> None:
        self._begin = begin
        self._is_retryable = is_retryable
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Wish] = deque()
        self._is_led = False

    def run(self, *wishes: Wish) -> None:
        """Return when every wish has its verdict and the transaction it was part of has ended."""
        with self._lock:
            queued = wishes
            if not self._is_led:
                self._is_led = wishes[0].leads = True
                queued = wishes[1:]
            for wish in queued:
                wish.gate.acquire()
            self._waiting.extend(queued)
        for wish in wishes:
            if not wish.leads:
                wish.gate.acquire()
            if wish.leads:
                self._lead(wish)

    def _lead(self, own: Wish) -> None:
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most - 1))]
        try:
            self._carry_out([own, *others])
        except BaseException as end:  # The leading thread is being ended: the others must not sleep for ever.
            for wish in others:
                wish.fault = wish.fault or RuntimeError("the thread that carried this write was ended")
            raise end
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                heir = self._waiting.popleft() if self._waiting else None
            for wish in others:
                wish.gate.release()
            if heir is not None:
                heir.leads = True
                heir.gate.release()

    def _carry_out(self, wishes: list[Wish]) -> None:
        if len(wishes) > 1:
            has_begun = False
            try:
                with self._begin() as db:
                    has_begun = True
                    self._decide_all(db, wishes)
                return
            except Exception as fault:  # Whatever it was: alone each one meets its own fault, or none.
                is_away = not has_begun and not self._is_retryable(fault)
                for wish in wishes:
                    wish.value, wish.fault = None, fault if is_away else None
                if is_away:  # None of them would get further.
                    return
        for wish in wishes:
            self.carry_out_alone(wish)

    def _decide_all(self, db: Connection, wishes: list[Wish]) -> None:
        """Decide wishes for the same verb as a set, and every act behind a savepoint of its own."""
        sets: dict[Verb, list[Wish]] = {}
        parts: list[list[Wish]] = []
        for wish in wishes:
            if wish.verb is None:
                parts.append([wish])
            else:
                sets.setdefault(wish.verb, []).append(wish)
        parts += sets.values()
        if len(parts) == 1:
            _decide(db, parts[0])
            return
        for part in parts:
            _mark(db, "SAVEPOINT wish")
            try:
                _decide(db, part)
            except Exception as fault:
                if len(part) > 1 or self._is_retryable(fault):
                    raise
                _mark(db, "ROLLBACK TO SAVEPOINT wish")
                part[0].fault = fault
            _mark(db, "RELEASE SAVEPOINT wish")

    def carry_out_alone(self, wish: Wish) -> None:
        """Carry one wish out in a transaction of its own; a lost race is run again, unseen by the caller."""
        for attempt in range(RETRIES):
            try:
                with self._begin() as db:
                    _decide(db, [wish])
                return
            except Exception as fault:
                wish.fault = fault
                if not self._is_retryable(fault):
                    return
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing


def _decide(db: Connection, part: list[Wish]) -> None:
    [first, *_] = part
    if first.act is not None:
        first.value, first.fault = first.context.run(first.act, db), None
        return
    assert first.verb is not None, "a wish has an act or a verb"
    verdicts = first.context.run(first.verb, db, [wish.item for wish in part])
    for wish, verdict in zip(part, verdicts, strict=True):
        is_refused = isinstance(verdict, Exception)
        wish.value, wish.fault = (None, verdict) if is_refused else (verdict, None)


def _mark(db: Connection, words: str) -> None:
    driver: Any = db.connection.driver_connection
    driver.execute(words)
