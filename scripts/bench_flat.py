"""What an act costs in books of 10,000 entries and more: posting, charge, balance, a page of history, a statement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from moralbank import ledger
from moralbank.ledger import Unit
from moralbank.statements import queries as statements
from scripts.bench_engines import Engines
from scripts.bench_grown import Grown
from scripts.bench_plot import Curve
from scripts.bench_table import Family, Figures, Measure, Row

#: The smallest book; each of the others is ten times the one before, but for the last, which is as large as asked for.
SMALLEST = 10_000
STEP = 10
#: Growth that is still called flat.
FLAT = 1.1
Act = Callable[[], object]
#: Gives a fresh act for the n-th repetition; making it is not timed.
Verb = Callable[[Grown, int], Act]


def _post(grown: Grown, turn: int) -> Act:
    draft = grown.award(grown.witnesses[turn % len(grown.witnesses)])
    return lambda: grown.database.transact(ledger.post, draft)


def _charge(grown: Grown, turn: int) -> Act:
    till, order, key = grown.order(grown.witnesses[turn % len(grown.witnesses)])
    return lambda: grown.charge(till, order, key)


def _balance(grown: Grown, turn: int) -> Act:
    return partial(_read_balance, grown, grown.witnesses[turn % len(grown.witnesses)].account_id)


def _merchant_balance(grown: Grown, turn: int) -> Act:
    return partial(_read_balance, grown, grown.merchant.account_id)


def _read_balance(grown: Grown, account: int) -> None:
    with grown.database.reading() as db:
        ledger.balance(db, grown.book, account, Unit.POINTS)


def _history(grown: Grown, turn: int) -> Act:
    return partial(_read_page, grown, grown.witnesses[turn % len(grown.witnesses)].account_id)


def _merchant_history(grown: Grown, turn: int) -> Act:
    return partial(_read_page, grown, grown.merchant.account_id)


def _read_page(grown: Grown, account: int) -> None:
    with grown.database.reading() as db:
        ledger.history(db, grown.book, account, Unit.POINTS, limit=20)


def _statement(grown: Grown, turn: int) -> Act:
    def read() -> None:
        with grown.database.reading() as db:
            owner = statements.owner_of_resident(db, grown.witnesses[turn % len(grown.witnesses)])
            statements.statement(db, owner, grown.month)

    return read


VERBS: dict[str, Verb] = {
    "ledger.post": _post,
    "charge": _charge,
    "balance": _balance,
    "page of history": _history,
    "month's statement": _statement,
    "merchant's balance": _merchant_balance,
    "merchant's page of history": _merchant_history,
}


class Books:
    """Books of each size on an engine, grown when first asked for."""

    def __init__(self, engines: Engines, engine: str, entries: int) -> None:
        self._engines, self._engine = engines, engine
        sizes = [min(SMALLEST, max(entries // STEP, 1))]
        while sizes[-1] < entries:
            sizes.append(min(sizes[-1] * STEP, entries))
        self.sizes = sizes
        self._grown: dict[int, Grown] = {}

    def of(self, size: int) -> Grown:
        if size not in self._grown:
            self._grown[size] = Grown(self._engines.database(self._engine), size)
        return self._grown[size]

    def close(self) -> None:
        for grown in self._grown.values():
            grown.close()


def families(books: Books, engine: str, repeats: int) -> Iterator[Family]:
    smallest, largest = books.sizes[0], books.sizes[-1]
    rows = tuple(
        Row(
            f"{verb}: cost at {largest:,} entries / at {smallest:,}",
            figure(verb, largest),
            figure(verb, smallest),
            FLAT,
            unit="ms",
            at_most=True,
        )
        for verb in VERBS
    )
    yield Family("flat", engine, rows, partial(_open, books, repeats))


@contextmanager
def _open(books: Books, repeats: int) -> Iterator[tuple[Measure, ...]]:
    grown = [books.of(size) for size in books.sizes]
    names = {verb: tuple(figure(verb, size) for size in books.sizes) for verb in VERBS}
    yield tuple(Measure(names[verb], partial(_costs, grown, VERBS[verb], repeats)) for verb in VERBS)


def figure(verb: str, size: int) -> str:
    """Return the name of a verb's cost in a book of a size."""
    return f"{verb} at {size}"


def curves(books: Books, rounds: Sequence[Figures]) -> dict[str, Curve]:
    """Return what to draw: each verb that was measured, its cost by the size of the book."""
    measured = [verb for verb in VERBS if figure(verb, books.sizes[0]) in rounds[0]]
    return {
        verb: [(size, statistics.median(one[figure(verb, size)] for one in rounds)) for size in books.sizes]
        for verb in measured
    }


def _costs(books: Sequence[Grown], verb: Verb, repeats: int) -> list[float]:
    """Return the median milliseconds of the verb in each book; the books take turns, so a slow moment meets all."""
    taken: list[list[float]] = [[] for _ in books]
    for turn in range(repeats):
        for grown, times in zip(books, taken, strict=True):
            act = verb(grown, turn)
            started = time.perf_counter()
            act()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) * 1000 for times in taken]
