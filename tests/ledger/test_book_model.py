"""The book against a model of a dozen lines: whatever is posted, in whatever order and batches, they agree."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from moralbank import clock, db, ledger, schema
from moralbank.ledger import Posted, Unit
from tests import _ci, _postgres
from tests.conftest import PG_PORT, TEMPLATE
from tests.ledger.conftest import Book, open_test_book

NAMES = ("guiying", "qiang")
START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


class BookMachine(RuleBasedStateMachine):
    """Awards, redemptions, reversals, replays and batches against balances kept in a dict."""

    def _database(self) -> db.Database:
        raise NotImplementedError

    def _discard(self) -> None:
        raise NotImplementedError

    posted = Bundle("posted")
    drafts = Bundle("drafts")

    @initialize()
    def open(self) -> None:
        self.database = self._database()
        self.book: Book = self.database.transact(open_test_book)
        self.balance = dict.fromkeys(NAMES, 0)
        self.lines = dict.fromkeys(NAMES, 0)
        self.now = START
        self.serial = 0
        self.effects: dict[UUID, tuple[str, int]] = {}
        self.reversed: set[UUID] = set()
        self.first: dict[str, object] = {}

    def _key(self) -> str:
        self.serial += 1
        return f"k{self.serial}"

    def _post(self, drafts: list) -> list:
        self.now += timedelta(hours=7)
        with clock.at(self.now):
            return self.database.transact(ledger.post_many, drafts)

    def _account(self, name: str) -> int:
        return getattr(self.book, name)

    def _note(self, name: str, amount: int, verdict: object) -> bool:
        """Carry the model on by one item and hold the verdict against it."""
        if self.balance[name] + amount < 0:
            assert isinstance(verdict, ledger.InsufficientBalance)
            return False
        assert isinstance(verdict, Posted)
        self.balance[name] += amount
        self.lines[name] += 1
        leg = verdict.leg(self._account(name), Unit.POINTS)
        assert (leg.n, leg.balance_after) == (self.lines[name], self.balance[name])
        self.effects[verdict.entry_id] = name, amount
        return True

    @rule(
        target=posted,
        items=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(-40, 40).filter(bool)), min_size=1, max_size=8),
    )
    def post_a_batch(self, items):
        drafts = []
        for name, amount in items:
            account, key = self._account(name), self._key()
            expires = date(2026, 3, 1) + timedelta(days=(self.serial * 37) % 90) if self.serial % 3 else None
            drafts.append(
                self.book.award(key, account, amount, expires_on=expires)
                if amount > 0
                else self.book.redemption(key, account, -amount)
            )
        verdicts = self._post(drafts)
        fine = []
        for (name, amount), draft, verdict in zip(items, drafts, verdicts, strict=True):
            if self._note(name, amount, verdict):
                fine.append((draft, verdict))
            self.first[draft.key] = verdict
        return multiple(*fine)

    @rule(one=posted)
    def ask_again(self, one):
        draft, first = one
        [again] = self._post([draft])
        assert again.replayed
        assert (again.entry_id, again.legs, again.leaf_hash) == (first.entry_id, first.legs, first.leaf_hash)

    @rule(one=posted)
    def ask_something_else_under_the_same_key(self, one):
        draft, _ = one
        [verdict] = self._post([ledger.Draft(**{**_fields(draft), "grade": "D"})])
        assert isinstance(verdict, ledger.KeyReused)

    @rule(one=consumes(posted))
    def reverse(self, one):
        _, original = one
        name, amount = self.effects[original.entry_id]
        self.now += timedelta(hours=1)

        def act(connection):
            return ledger.reverse(
                connection, self.book.book, original.entry_id, key=self._key(), actor="staff:1", checker="staff:99"
            )

        with clock.at(self.now):
            if original.entry_id in self.reversed:
                with pytest.raises(ledger.AlreadyReversed):
                    self.database.transact(act)
                return
            if self.balance[name] - amount < 0:
                with pytest.raises(ledger.InsufficientBalance):
                    self.database.transact(act)
                return
            self.reversed.add(original.entry_id)
            mirror = self.database.transact(act)
        self.balance[name] -= amount
        self.lines[name] += 1
        assert mirror.leg(self._account(name), Unit.POINTS).balance_after == self.balance[name]

    @invariant()
    def book_and_model_agree(self):
        if not hasattr(self, "book"):
            return
        with clock.at(self.now + timedelta(seconds=1)), self.database.reading() as connection:
            for name in NAMES:
                standing = ledger.balance(connection, self.book.book, self._account(name), Unit.POINTS)
                assert (standing.balance, standing.n) == (self.balance[name], self.lines[name])
                lines = ledger.history(
                    connection, self.book.book, self._account(name), Unit.POINTS, limit=1000, newest_first=False
                )
                assert [line.n for line in lines] == list(range(1, self.lines[name] + 1))
                assert sum(lot.rest for lot in ledger.lots(lines)) == self.balance[name]

    def teardown(self):
        if hasattr(self, "book"):
            with clock.at(self.now), self.database.reading() as connection:
                report = ledger.verify(connection, self.book.book)
                assert report.is_sound, report.first_fault
                assert sum(row.balance for row in ledger.trial_balance(connection, self.book.book)) == 0
            self.database.dispose()
            self._discard()


def _fields(draft: ledger.Draft) -> dict:
    return {name: getattr(draft, name) for name in draft.__slots__}


_template: list[Path] = []


class SqliteBook(BookMachine):
    def _database(self) -> db.Database:
        if not _template:
            path = Path(tempfile.mkdtemp()) / "template.db"
            schema.migrate(f"sqlite:///{path}")
            _template.append(path)
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(_template[0], self.folder / "book.db")
        return db.Database(f"sqlite:///{self.folder / 'book.db'}")

    def _discard(self) -> None:
        shutil.rmtree(self.folder)


class PostgresqlBook(BookMachine):
    def _database(self) -> db.Database:
        if PG_PORT not in os.environ:
            _ci.missing("no PostgreSQL on this machine")
        self.cluster, self.name = _postgres.Cluster(int(os.environ[PG_PORT])), f"m_{uuid4().hex}"
        return db.Database(self.cluster.create_database(self.name, TEMPLATE))

    def _discard(self) -> None:
        self.cluster.drop_database(self.name)


_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}
TestSqliteBook = SqliteBook.TestCase
TestSqliteBook.settings = settings(max_examples=40, stateful_step_count=25, **_SETTINGS)
TestPostgresqlBook = PostgresqlBook.TestCase
TestPostgresqlBook.settings = settings(max_examples=15, stateful_step_count=20, **_SETTINGS)
