"""A hub's book whose logs are sealed and signed as a test wants it, and witnesses made up for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit
from moralbank.transparency import Log, append_fact, integrate, models, note, queries
from moralbank.transparency.checkpoint import Body
from moralbank.transparency.note import SigningKey
from tests._people import make_branch_tree

HOST = "bank.example"
#: The hubs' books, in the order in which make_branch_tree opens them.
CODES = {1: "NS-00", 2: "XX-00"}
TITLES = ("南山街道办事处", "居民监督员", "外部审计")
WITNESSES = [
    note.signing_key(f"{name}.example", bytes([20 + number]) * 32, note.COSIGNATURE)
    for number, name in enumerate(("street-office", "residents", "auditor"))
]


@dataclass(frozen=True)
class SignedBook:
    """The book of the hub NS-00."""

    database: Database
    book: int
    branches: dict[str, Branch]
    accounts: list[int]

    @property
    def code(self) -> str:
        return "NS-00"

    def award(self, count: int = 1) -> list[Posted]:
        """Give points to somebody, so many times."""
        return self.database.transact(self._award, count)

    def seal(self, log: Log = Log.LEDGER) -> int:
        """Integrate everything and return the log's size."""
        return self.database.transact(seal, self.book, log)

    def sign(self, log: Log = Log.LEDGER) -> int:
        """Seal everything, sign a checkpoint of it, and return its size."""
        size = self.seal(log)
        self.database.transact(sign, self.book, log, size)
        return size

    def tell(self, log: Log = Log.ACCESS) -> None:
        self.database.transact(append_fact, self.book, log, "login", {"by": "staff:12"})

    def _award(self, db: Connection, count: int) -> list[Posted]:
        issuer = ledger.internal_account(db, self.book, AccountKind.ISSUER)
        drafts = [
            Draft(
                self.book,
                "award",
                (Leg(issuer, Unit.POINTS, -5), Leg(self.accounts[0], Unit.POINTS, 5)),
                ids.token(8),
                "staff:1",
            )
            for _ in range(count)
        ]
        return [each for each in ledger.post_many(db, drafts) if isinstance(each, Posted)]


def seal(db: Connection, book: int, log: Log) -> int:
    """Integrate everything that waits and return the log's size."""
    while integrate.integrate(db, book, log, integrate.BATCH):
        pass
    return queries.size(db, book, log)


def sign(db: Connection, book: int, log: Log, size: int) -> None:
    """Sign a checkpoint of this size with the log's key, made when it signs for the first time."""
    own = {"book_id": book, "log": int(log)}
    key = key_of(book, log)
    if queries.find_origin(db, book, log) is None:
        db.execute(models.origins.insert().values(**own, from_size=0, origin=key.name, set_at=clock.now()))
        row = {"verifier_key": str(key.key), "valid_from": clock.now(), "valid_until": None}
        db.execute(models.keys.insert().values(own | row))
    root = queries.root_at(db, book, log, size)
    signed = note.sign(Body(key.name, size, root).encode(), [key])
    row = {"size": size, "root": root, "note": signed.encode(), "signed_at": clock.now()}
    db.execute(models.checkpoints.insert().values(own | row))


def key_of(book: int, log: Log) -> SigningKey:
    """Return the key of a log of the tests' bank."""
    place = f"{HOST}/log/{CODES[book]}" + ("/access" if log is Log.ACCESS else "")
    return note.signing_key(place, bytes([10 * book + log]) * 32)


def open_signed_book(database: Database) -> SignedBook:
    """Open the tree of branches, and two accounts in the hub's book."""
    branches = database.transact(make_branch_tree)
    book = branches["NS-00"].book_id
    assert book is not None
    kinds = (AccountKind.RESIDENT, AccountKind.RESIDENT)
    return SignedBook(database, book, branches, database.transact(ledger.open_accounts, book, kinds))
