"""The demonstration's three witnesses. They live on this very machine, so they show how it works and prove nothing."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import Book
from moralbank.logbook import queries, service
from moralbank.logbook.asking import local_place
from moralbank.logbook.queries import LOCAL
from moralbank.transparency import witness_files
from moralbank.transparency.note import VerifierKey
from moralbank.transparency.witness_files import Witness

#: Directory, and what people call the office.
OFFICES = (
    ("street-office", "街道办事处（演示）"),
    ("residents", "居民监督员（演示）"),
    ("auditor", "外部审计（演示）"),
)
NEEDED = 2


def establish(database: Database, var: Path, *, anew: bool) -> None:
    """See to it that three witnesses live under var and are registered for every book, two of which must sign.

    anew: the bank was filled just now, so whatever earlier witnesses signed was another bank's; they are put aside.
    """
    keys = [(_witness(local_place(var, LOCAL + place), place, anew=anew), place, title) for place, title in OFFICES]
    with database.reading() as db:
        missing = [book for book in ledger.list_books(db) if not _are_registered(db, book, keys)]
    for book in missing:
        database.transact(_register, book.book_id, keys)


def _witness(place: Path, name: str, *, anew: bool) -> VerifierKey:
    if anew and place.exists():
        place.rename(place.with_name(f"{place.name}.{clock.now():%Y%m%d%H%M%S%f}"))
    if not place.exists():
        return witness_files.found(place, f"demo.example/{name}").key
    return Witness(place).key


def _are_registered(db: Connection, book: Book, keys: list[tuple[VerifierKey, str, str]]) -> bool:
    known = {witness.key for witness in queries.list_witnesses(db, book.book_id)}
    return {key for key, _, _ in keys} <= known


def _register(db: Connection, book: int, keys: list[tuple[VerifierKey, str, str]]) -> None:
    """Register those that are not, in the place of any of the same name whose key was lost."""
    for key, place, title in keys:
        known = queries.find_witness(db, book, key.name)
        if known is not None and known.key == key:
            continue
        if known is not None:
            service.set_policy(db, book, 0, actor=service.SYSTEM)
            service.retire_witness(db, book, known.witness_id, actor=service.SYSTEM)
        service.add_witness(db, book, str(key), title, LOCAL + place, actor=service.SYSTEM)
    service.set_policy(db, book, NEEDED, actor=service.SYSTEM)
