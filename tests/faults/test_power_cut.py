"""A power cut at random moments under SQLite with the service's own settings: what was acknowledged stays.

SIGKILL can't show this, for the system still writes down what a killed process had written. Here what was not synced
is thrown away, or all of it but a random choice of its sectors.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import ids, ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from tests import _ci
from tests.faults import disk as trial_disk
from tests.faults.disk import Disk

CUTS = 15
THREADS = 4
RESIDENTS = 20


class Book:
    """A book on a disk that can be cut off, and the keys of everything that was acknowledged."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.disk = disk
        self.path = path
        self.database = Database(disk.url(path))
        self.acknowledged: list[str] = []

    def open(self) -> None:
        self.book = self.database.transact(ledger.open_book, "CUT", "Cut")
        kinds = [AccountKind.RESIDENT] * RESIDENTS + [AccountKind.MERCHANT]
        *self.residents, self.shop = self.database.transact(ledger.open_accounts, self.book, kinds)
        with self.database.reading() as db:
            self.issuer = ledger.internal_account(db, self.book, AccountKind.ISSUER)

    def work(self, seed: int, stop: threading.Event) -> None:
        """Award and redeem at random until told to stop; what is refused is not acknowledged."""
        dice = random.Random(seed)
        while not stop.is_set():
            resident, points = dice.choice(self.residents), dice.randint(1, 9)
            kind, giver, taker = ("award", self.issuer, resident)
            if dice.random() < 0.4:
                kind, giver, taker = ("redemption", resident, self.shop)
            legs = (Leg(giver, Unit.POINTS, -points), Leg(taker, Unit.POINTS, points))
            draft = Draft(self.book, kind, legs, ids.token(9), "system")
            try:
                self.database.transact(ledger.post, draft)
            except ledger.InsufficientBalance:
                continue
            self.acknowledged.append(draft.key)

    def cut(self, dice: random.Random, into: Path) -> list[str]:
        """Write what a cut at this moment leaves into a folder, and return what was acknowledged before it."""
        with self.disk.still():
            acknowledged = list(self.acknowledged)
            survivors = self.disk.survivors(self.path, dice)
        into.mkdir()
        for suffix, content in survivors.items():
            (into / f"{self.path.name}{suffix}").write_bytes(content)
        return acknowledged


@pytest.fixture
def book(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Book]:
    path = tmp_path / "bank.db"
    shutil.copy(migrated_sqlite, path)
    try:
        disk = Disk(tmp_path / "synced")
    except trial_disk.Unavailable as error:
        _ci.missing(str(error))
    disk.adopt(path)
    book = Book(disk, path)
    yield book
    book.database.dispose()


def lost_in_cuts(book: Book, folder: Path) -> list[int]:
    """Let four threads post, cut the power again and again, and return how many acknowledged entries each cut took."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # pytest shows it when the test fails.
    dice, stop = random.Random(seed), threading.Event()
    threads = [threading.Thread(target=book.work, args=(seed + number, stop)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    cuts = []
    for number in range(CUTS):
        time.sleep(dice.uniform(0.005, 0.05))
        into = folder / f"cut-{number}"
        cuts.append((into / book.path.name, book.cut(dice, into)))
    stop.set()
    for thread in threads:
        thread.join()
    assert len(book.acknowledged) > CUTS
    lost = [lost_after(path, book.book, acknowledged) for path, acknowledged in cuts]
    print(f"{CUTS} cuts, {len(book.acknowledged)} acknowledged, {sum(lost)} lost, {max(lost)} at the worst")
    return lost


def lost_after(path: Path, book: int, acknowledged: list[str]) -> int:
    """Open what a cut left as the service would; its books must close, and what is missing is counted."""
    database = Database(f"sqlite:///{path}")
    with database.reading() as db:
        kept = set(db.execute(sa.text("SELECT key FROM ledger_keys WHERE entry_id IS NOT NULL")).scalars())
        report = ledger.verify(db, book)
    database.dispose()
    assert report.is_sound, report.first_fault
    assert report.entries == len(kept)
    return len(set(acknowledged) - kept)


def test_a_power_cut_takes_nothing_that_was_acknowledged(book: Book, tmp_path: Path) -> None:
    book.open()
    assert sum(lost_in_cuts(book, tmp_path)) == 0


def test_without_a_sync_at_each_commit_a_power_cut_takes_acknowledged_entries(book: Book, tmp_path: Path) -> None:
    """The trial would notice: with synchronous=NORMAL the same cuts lose what had been acknowledged."""

    @sa.event.listens_for(book.database.engine, "connect")
    def loosen(connection: object, _record: object) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]

    book.open()
    assert sum(lost_in_cuts(book, tmp_path)) > 0
