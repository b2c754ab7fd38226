"""Seals a test's books as the signer and the witnesses do: with keys of the test's own, once, when it is asked to."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.logbook import models as logbook
from moralbank.transparency import Log, integrate, models, note, queries
from moralbank.transparency.checkpoint import Body
from moralbank.transparency.cosignature import cosign
from moralbank.transparency.cosigning import keep_cosignatures
from moralbank.transparency.note import COSIGNATURE, SigningKey, generate_key

OFFICES = {"street.example": "育苗街道办事处", "residents.example": "居民监督小组", "audit.example": "区审计所"}


@dataclass
class Sealing:
    """The keys of a test: one log's and three witnesses'."""

    needed: int = 2
    log_keys: dict[int, SigningKey] = field(default_factory=dict)
    offices: dict[str, SigningKey] = field(
        default_factory=lambda: {name: generate_key(name, COSIGNATURE) for name in OFFICES}
    )

    def open(self, db: Connection) -> None:
        """Name every book's log, publish its key, and let the offices in."""
        for book in ledger.list_books(db):
            origin = f"bank.example/log/{book.code}"
            key = generate_key(origin)
            self.log_keys[book.book_id] = key
            of_log = {"book_id": book.book_id, "log": int(Log.LEDGER)}
            db.execute(models.origins.insert().values(**of_log, from_size=0, origin=origin, set_at=clock.now()))
            db.execute(models.keys.insert().values(**of_log, verifier_key=str(key.key), valid_from=clock.now()))
            by = {"added_at": clock.now(), "added_by": "system"}
            for name, office in self.offices.items():
                row = {"book_id": book.book_id, "name": name, "title": OFFICES[name], "verifier_key": str(office.key)}
                db.execute(logbook.witnesses.insert().values(**row, **by))
            policy = {"book_id": book.book_id, "needed": self.needed, "set_at": clock.now(), "set_by": "system"}
            db.execute(logbook.policies.insert().values(**policy))

    def seal(self, db: Connection, *offices: str) -> None:
        """Integrate all that was posted, sign a checkpoint of every book, and let these offices cosign it."""
        for book in self.log_keys:
            while integrate.integrate(db, book, Log.LEDGER):
                pass
            size = queries.size(db, book, Log.LEDGER)
            if not size or queries.find_checkpoint(db, book, Log.LEDGER, size):
                continue
            key = self.log_keys[book]
            text = Body(key.name, size, queries.root_at(db, book, Log.LEDGER, size)).encode()
            signed = note.sign(text, [key])
            of_log = {"book_id": book, "log": int(Log.LEDGER), "signed_at": clock.now()}
            row = {"root": queries.root_at(db, book, Log.LEDGER, size), "note": signed.encode(), "size": size}
            db.execute(models.checkpoints.insert().values(**of_log, **row))
            lines = [cosign(text, self.offices[name], int(clock.now().timestamp())) for name in offices]
            keep_cosignatures(db, book, Log.LEDGER, size, lines)
