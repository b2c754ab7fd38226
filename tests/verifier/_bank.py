"""A small real book whose logs are sealed and signed, and which is exported as an auditor would."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.access.deeds import Deed, Kind, Reason, record
from moralbank.db import Database
from moralbank.earning import service as earning
from moralbank.earning.rules import packaged_rules
from moralbank.ledger import folds
from moralbank.logbook import service as witnesses
from moralbank.noticeboard import service as noticeboard
from moralbank.reports import evidence
from moralbank.reports.evidence import Asked
from moralbank.transparency import Log, checkpoint, cosignature, heads, integrate, models, note
from moralbank.transparency.cosignature import cosign, policy_file
from tests.ledger.conftest import Book, open_test_book

START = datetime(2026, 3, 1, 2, 0, tzinfo=clock.TIMEZONE)
WITNESSES = [
    note.signing_key(name, bytes([number]) * 32, note.COSIGNATURE)
    for number, name in enumerate(("street.example", "residents.example", "auditor.example"), 60)
]


def origin_of(book: ledger.Book, log: Log) -> str:
    return f"bank.example/log/{book.code}{'/access' if log is Log.ACCESS else ''}"


@dataclass
class Bank:
    """One book, the keys of its two logs, and the ways in which time goes on for it."""

    database: Database
    people: Book
    seed: int = 1
    book: ledger.Book = field(init=False)

    def __post_init__(self) -> None:
        with self.database.reading() as db:
            self.book = ledger.list_books(db)[0]
        self.take_keys(self.seed)

    def take_keys(self, seed: int) -> None:
        self.keys = {log: note.signing_key(origin_of(self.book, log), bytes([seed, log]) * 16) for log in Log}

    @property
    def policy(self) -> str:
        needed = cosignature.make_policy(2, [witness.key for witness in WITNESSES])
        return policy_file([key.key for key in self.keys.values()], needed)

    def seal(self) -> None:
        """Integrate and sign what is there, and have two of three witnesses cosign it."""
        for log in Log:
            while self.database.transact(integrate.integrate, self.book.book_id, log, 100):
                pass
            self.database.transact(self.sign, log)

    def sign(self, db: sa.Connection, log: Log) -> None:
        head, key, number = heads.head_of(db, self.book.book_id, log), self.keys[log], self.book.book_id
        here = {"book_id": number, "log": int(log)}
        if not db.execute(sa.select(models.keys).where(models.keys.c.log == log)).first():
            db.execute(models.origins.insert().values(**here, from_size=0, origin=key.name, set_at=clock.now()))
            db.execute(models.keys.insert().values(**here, verifier_key=str(key.key), valid_from=clock.now()))
        there = sa.select(models.checkpoints.c.size).where(models.checkpoints.c.log == log)
        if head.size in db.execute(there).scalars().all():
            return
        signed = note.sign(checkpoint.Body(key.name, head.size, head.root).encode(), [key])
        row = {"size": head.size, "root": head.root, "note": signed.encode(), "signed_at": clock.now()}
        db.execute(models.checkpoints.insert().values(**here, **row))
        for witness in WITNESSES[:2]:
            line = cosign(signed.text, witness, int(clock.now().timestamp()))
            row = {"line": str(line), "name": line.name, "key_id": line.key_id, "added_at": clock.now()}
            db.execute(models.cosignatures.insert().values(**here, size=head.size, **row))

    def export(self, db: sa.Connection, asked: Asked = Asked(with_openings=True)) -> bytes:  # noqa: B008
        return b"".join(evidence.stream(db, self.book, asked))

    def write(self, path: Path, asked: Asked = Asked(with_openings=True)) -> Path:  # noqa: B008
        with self.database.reading() as db:
            path.write_bytes(self.export(db, asked))
        return path


def open_bank(database: Database) -> Bank:
    """Two days of a small book in which every column of every table is in use somewhere, sealed and signed."""
    people = database.transact(open_test_book)
    with clock.at(START):
        rules = [rule for rule in packaged_rules() if rule.code in ("V01", "P01")]
        database.transact(earning.load_rules, rules, actor="staff:1", consultation="居民会议讨论通过")
        bank = Bank(database, people)
        for witness in WITNESSES:
            database.transact(witnesses.add_witness, people.book, str(witness.key), "见证人", None, actor="admin:1")
        database.transact(witnesses.set_policy, people.book, 2, actor="admin:1")
        grow(bank)
    return bank


def grow(bank: Bank) -> None:
    database, people = bank.database, bank.people
    number = people.book
    first = database.transact(
        ledger.post,
        people.award(
            "a1", people.guiying, 25, minutes=150, expires_on=date(2029, 3, 1), rule=("V01", 1), grade="A", branch=3,
            source=("attendance", "1:1"), private={"activity": "楼院美化"},
        ),
    )  # fmt: skip
    charge = people.redemption("r1", people.guiying, 5, source=("charge", "1"), private={"offer": "豆浆一杯"})
    charged = database.transact(ledger.post, charge)
    with clock.at(START + timedelta(hours=1)):
        database.transact(ledger.post_many, [people.redemption("r3", people.qiang, 999)])
        database.transact(ledger.reverse, number, charged.entry_id, key="u1", actor="operator:2", kind="undo")
        database.transact(record, Deed("staff:1", Kind.LIST, book_id=number, reason=Reason.WORK, note="点名", count=2))
    with clock.at(START + timedelta(days=1, hours=2)):
        assert database.transact(noticeboard.seal_next_day, number) == date(2026, 3, 1)
        bank.seal()
    with clock.at(START + timedelta(days=1, hours=3)):
        more = {"why": "误记"}
        database.transact(
            ledger.reverse, number, first.entry_id, key="v1", actor="staff:1", checker="staff:2", private=more
        )
        database.transact(record, Deed("staff:1", Kind.LOGIN, book_id=number))
        database.transact(folds.fold, number, database.transact(folds.settled_seq, number), 1)
        bank.seal()
