"""Holds the database after a fault campaign against what its clients were told: nothing lost, doubled or half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.db import Database
from moralbank.transparency import queries
from moralbank.transparency.verify import verify_all
from scripts.faults_clients import Journal, Operation
from scripts.faults_people import OPENING_POINTS, People


def audit(url: str, people: People, journal: Journal) -> list[str]:
    """Return everything in the database that the clients' record doesn't explain, and the other way round."""
    database = Database(url)
    try:
        with database.reading() as db:
            return [
                *_books(db),
                *_entries(db, journal),
                *_balances(db, people, journal),
                *_beside_the_books(db, people, journal),
            ]
    finally:
        database.dispose()


def _books(db: Connection) -> Iterator[str]:
    """Check that every book closes, by the ledger's own verifier and by sums that know nothing of it."""
    for book in ledger.list_books(db):
        report = ledger.verify(db, book.book_id)
        yield from (f"book {book.code}: {fault}" for fault in report.faults)
        for log in verify_all(db, book.book_id):
            yield from (f"book {book.code}, {log.log.name.lower()} log: {fault}" for fault in log.faults)
    yield from (f"a tree was not signed: {refusal}" for refusal in queries.list_refusals(db))
    open_sums = "SELECT book_id, unit, sum(amount) FROM ledger_postings GROUP BY book_id, unit HAVING sum(amount) <> 0"
    yield from (f"a unit does not sum to zero: {tuple(row)}" for row in db.execute(sa.text(open_sums)))
    apart = """
        SELECT b.book_id, b.account_id, b.unit, b.balance, coalesce(sum(p.amount), 0)
        FROM ledger_balances b LEFT JOIN ledger_postings p
          ON p.book_id = b.book_id AND p.account_id = b.account_id AND p.unit = b.unit
        GROUP BY b.book_id, b.account_id, b.unit, b.balance
        HAVING b.balance <> coalesce(sum(p.amount), 0) OR b.balance < 0
    """
    yield from (f"a balance is not its lines, or negative: {tuple(row)}" for row in db.execute(sa.text(apart)))
    half = """
        SELECT p.entry_id FROM ledger_postings p LEFT JOIN ledger_entries e
          ON e.book_id = p.book_id AND e.entry_id = p.entry_id WHERE e.entry_id IS NULL
    """
    yield from (f"lines without an entry: {row[0]}" for row in db.execute(sa.text(half)))


def _entries(db: Connection, journal: Journal) -> Iterator[str]:
    """Compare the entries of each kind with those that were acknowledged."""
    told = {
        "redemption": [one.said["entry_id"] for one in journal.acknowledged("charge")],
        "award": [
            award["entry_id"]
            for one in journal.acknowledged("award")
            for award in one.said["awards"]
            if award["entry_id"] is not None
        ],
    }
    for kind, acknowledged in told.items():
        found = db.execute(sa.select(sa.column("entry_id", sa.Uuid)).select_from(_of_kind(kind))).scalars()
        yield from _compare(f"{kind} entries", (str(entry) for entry in found), acknowledged)
    reversed_entries = db.execute(sa.select(sa.column("reverses", sa.Uuid)).select_from(_of_kind("undo"))).scalars()
    undone = (one.said["entry_id"] for one in journal.acknowledged("undo"))
    yield from _compare("undo entries", (str(entry) for entry in reversed_entries), undone)


def _of_kind(kind: str) -> sa.Subquery:
    entries = sa.table("ledger_entries", sa.column("entry_id", sa.Uuid), sa.column("reverses", sa.Uuid))
    return sa.select(entries.c.entry_id, entries.c.reverses).where(sa.literal_column("kind") == kind).subquery()


def _balances(db: Connection, people: People, journal: Journal) -> Iterator[str]:
    """Compare what every resident has with what the clients' record comes to."""
    points = Counter({payer.number: OPENING_POINTS for payer in people.payers})
    minutes: Counter[str] = Counter()
    for one in journal.acknowledged("enrol"):
        points[one.said["number"]] += 0
    for one in journal.acknowledged("award"):
        for award in one.said["awards"]:
            points[award["resident_number"]] += award["points"]
            minutes[award["resident_number"]] += award["service_minutes"]
    for sign, kind in ((-1, "charge"), (1, "undo")):
        for one in journal.acknowledged(kind):
            assert one.payer is not None, "somebody pays"
            points[one.payer.number] += sign * one.said["points"]
    held = sa.text(
        "SELECT r.number, b.unit, b.balance FROM residents_residents r "
        "JOIN ledger_balances b ON b.book_id = r.book_id AND b.account_id = r.account_id"
    )
    found = {(number, unit): balance for number, unit, balance in db.execute(held)}
    for number, wanted in points.items():
        if found.get((number, 1), 0) != wanted:
            yield f"resident {number} has {found.get((number, 1), 0)} points and should have {wanted}"
        if found.get((number, 2), 0) != minutes[number]:
            yield f"resident {number} has {found.get((number, 2), 0)} minutes and should have {minutes[number]}"


def _beside_the_books(db: Connection, people: People, journal: Journal) -> Iterator[str]:
    """Compare what goes with the entries: charges, the months' totals, scans, sessions, residents."""
    charged = db.execute(sa.text("SELECT charge_id FROM redemptions_charges")).scalars()
    yield from _compare("charges", charged, (one.said["charge_id"] for one in journal.acknowledged("charge")))
    totals = """
        SELECT s.resident_id, s.points, coalesce(c.points, 0)
        FROM (SELECT resident_id, sum(points) AS points FROM redemptions_spendings GROUP BY resident_id) s
        LEFT JOIN (SELECT resident_id, sum(points) AS points FROM redemptions_charges
                   WHERE undone_at IS NULL GROUP BY resident_id) c ON c.resident_id = s.resident_id
        WHERE s.points <> coalesce(c.points, 0)
    """
    yield from (f"a month's total is not its charges: {tuple(row)}" for row in db.execute(sa.text(totals)))
    nonces = db.execute(sa.text("SELECT nonce FROM activities_checkins WHERE nonce LIKE 'api:%'")).scalars()
    counted = {nonce for one in journal.acknowledged("check-in") for nonce in _counted(one, people.staff_login_id)}
    yield from _compare("scans", nonces, counted)
    held = db.execute(sa.text("SELECT session_id FROM activities_sessions WHERE out_after_minutes = 1440")).scalars()
    yield from _compare("sessions", held, (one.said["session_id"] for one in journal.acknowledged("session")))
    enrolled = db.execute(sa.text("SELECT number FROM residents_residents WHERE enrolled_by <> 'system'")).scalars()
    yield from _compare("residents", enrolled, (one.said["number"] for one in journal.acknowledged("enrol")))


def _counted(scanned: Operation, login_id: int) -> Iterator[str]:
    yield from (f"api:{login_id}:{item['nonce']}" for item in scanned.said["items"] if item["direction"] is not None)


def _compare(what: str, found: Iterable[object], acknowledged: Iterable[object]) -> Iterator[str]:
    there, told = Counter(found), Counter(acknowledged)
    for entry in told - there:
        yield f"{what}: acknowledged and lost: {entry}"
    for entry in there - told:
        yield f"{what}: there and never acknowledged, or doubled: {entry}"
