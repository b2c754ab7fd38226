"""What one person alone may not post: refused by the service, by the database and by the verifier.

Li Qiang was awarded 25 points that were Wang Guiying's; staff 1 finds out, staff 2 looks at it too.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import pytest
import sqlalchemy as sa

from moralbank import clock, db, ledger
from moralbank.db import Database
from moralbank.ledger import Draft, Leg, Unit, drafts, leaf, models
from tests.ledger.conftest import Book, open_test_book, rows_of
from tests.ledger.test_verify import disarm

MAKER, CHECKER = "staff:1", "staff:2"


def take_back(book: Book, entry_id, points: int, **more) -> Draft:
    legs = (Leg(book.issuer, Unit.POINTS, points), Leg(book.qiang, Unit.POINTS, -points))
    return Draft(book.book, "reversal", legs, "v1", MAKER, reverses=entry_id, **{"checker": CHECKER} | more)


@pytest.mark.parametrize("kind", sorted(ledger.TWO_PEOPLE))
@pytest.mark.parametrize("checker", [None, MAKER, "hub:1"])
def test_what_takes_two_people_is_refused_to_one_in_whatever_role(
    database: Database, book: Book, kind: str, checker: str | None
) -> None:
    with database.reading() as before:
        rows = rows_of(before)
    with pytest.raises(ledger.SecondPersonNeeded):
        database.transact(ledger.post, replace(book.award("a1", book.qiang, 25), kind=kind, checker=checker))
    with database.reading() as after:
        assert rows_of(after) == rows


def test_nobody_checks_themselves_where_one_person_would_do(database: Database, book: Book) -> None:
    with pytest.raises(ledger.SecondPersonNeeded):
        database.transact(ledger.post, replace(book.award("a1", book.qiang, 25), checker="leader:1"))


def test_both_people_are_in_the_leaf_and_can_be_read(database: Database, book: Book) -> None:
    award = database.transact(ledger.post, book.award("a1", book.qiang, 25))
    back = database.transact(ledger.reverse, book.book, award.entry_id, key="v1", actor=MAKER, checker=CHECKER)
    with database.reading() as reading:
        entry = ledger.get_entry(reading, book.book, back.entry_id)
        [line] = ledger.history(reading, book.book, book.qiang, Unit.POINTS, limit=1)
    fields = json.loads(entry.leaf_bytes)
    assert (fields["by"], fields["ok"]) == (MAKER, CHECKER)
    assert (entry.checker, line.checker) == (CHECKER, CHECKER)


def test_the_second_person_belongs_to_what_a_key_asks_for_and_none_changes_nothing(book: Book) -> None:
    draft = book.award("a1", book.qiang, 25)
    #: The fingerprint of this draft as it was made before an entry had a checker.
    before = leaf.canonical(
        ["award", [[leg.account, 1, leg.amount, ""] for leg in draft.legs], 0, [], [], "", "", "", {}, ""]
    )
    assert drafts.fingerprint(draft) == sha256(before).digest()
    assert drafts.fingerprint(replace(draft, checker=CHECKER)) != drafts.fingerprint(draft)


def mirror_by_hand(writing: sa.Connection, checker: str | None) -> None:
    """Insert the mirror of the one entry with statements of our own, past the service."""
    entry = writing.execute(models.entries.select()).one()._asdict()
    number = UUID(int=7)
    for leg in writing.execute(models.postings.select()).all():
        row = leg._asdict() | {"entry_id": number, "seq": 2, "amount": -leg.amount}
        row |= {"n": 2, "balance_after": 0} if leg.n else {}
        writing.execute(models.postings.insert().values(row))
    row = entry | {"entry_id": number, "seq": 2, "kind": "reversal", "reverses": entry["entry_id"], "checker": checker}
    writing.execute(models.entries.insert().values(row))


@pytest.mark.parametrize("checker", [None, "staff:1", "hub:1"])
def test_the_database_itself_refuses_one_person(database: Database, book: Book, checker: str | None) -> None:
    database.transact(ledger.post, book.award("a1", book.qiang, 25))
    with pytest.raises(sa.exc.DBAPIError, match="second person"), database.engine.begin() as writing:
        mirror_by_hand(writing, checker)


def test_the_database_takes_the_same_entry_from_two(database_url: str) -> None:
    database = db.Database(database_url)
    book = database.transact(open_test_book)
    database.transact(ledger.post, book.award("a1", book.qiang, 25))
    with database.engine.begin() as writing:
        mirror_by_hand(writing, CHECKER)
    database.dispose()


def test_the_number_from_which_it_holds_can_not_be_moved(database: Database, book: Book) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="stands"), database.engine.begin() as writing:
        writing.exec_driver_sql("UPDATE ledger_books SET two_people_from = 9")


def alone(database: Database, book: Book) -> None:
    """Post a reversal as it was before two people were needed, with the guards taken off."""
    award = database.transact(ledger.post, book.award("a1", book.qiang, 25))
    database.transact(ledger.reverse, book.book, award.entry_id, key="v1", actor=MAKER, checker=CHECKER)
    with database.engine.begin() as writing:
        disarm(writing)
        if not database.is_sqlite:
            writing.exec_driver_sql("ALTER TABLE ledger_books DISABLE TRIGGER ALL")
        of_it = models.entries.c.kind == "reversal"
        fields = json.loads(writing.execute(sa.select(models.entries.c.leaf_bytes).where(of_it)).scalar_one())
        del fields["ok"]
        writing.execute(models.entries.update().where(of_it).values(checker=None, leaf_bytes=ledger.canonical(fields)))


@pytest.mark.parametrize(
    ("two_people_from", "what"),
    [
        (1, "one person alone posted what takes two"),
        (2, "the number from which two people are needed was moved"),
        (3, None),
        (4, "the number from which two people are needed was moved"),
    ],
)
def test_an_entry_of_one_person_is_sound_only_where_the_book_says_it_is_older(
    database_url: str, two_people_from: int, what: str | None
) -> None:
    database = db.Database(database_url)
    book = database.transact(open_test_book)
    alone(database, book)
    with database.engine.begin() as writing:
        writing.execute(models.books.update().values(two_people_from=two_people_from))
        fault = ledger.verify(writing, book.book).first_fault
    assert (fault.what if fault else None) == what
    database.dispose()


class TestTakingLess:
    """Li Qiang has spent of what is taken back."""

    def test_a_reversal_takes_what_is_left_and_no_less(self, database: Database, book: Book) -> None:
        award = database.transact(ledger.post, book.award("a1", book.qiang, 25))
        database.transact(ledger.post, book.redemption("r1", book.qiang, 15))
        for points in (9, 11, 25):
            draft = replace(take_back(book, award.entry_id, points), key=f"v{points}")
            [refusal] = database.transact(ledger.post_many, [draft])
            assert isinstance(refusal, ledger.NotReversible | ledger.InsufficientBalance)
        posted = database.transact(ledger.post, take_back(book, award.entry_id, 10))
        assert posted.leg(book.qiang, Unit.POINTS).balance_after == 0
        database.transact(ledger.post, book.award("a2", book.qiang, 25))
        [again] = database.transact(ledger.post_many, [replace(take_back(book, award.entry_id, 15), key="v2")])
        assert isinstance(again, ledger.AlreadyReversed | ledger.NotReversible)

    def test_only_a_reversal_takes_less(self, database: Database, book: Book) -> None:
        award = database.transact(ledger.post, book.award("a1", book.qiang, 25))
        database.transact(ledger.post, book.redemption("r1", book.qiang, 15))
        [refusal] = database.transact(ledger.post_many, [replace(take_back(book, award.entry_id, 10), kind="undo")])
        assert isinstance(refusal, ledger.NotReversible)

    def test_the_lots_are_the_balance_and_the_awards_own_lot_goes_first(self, database: Database, book: Book) -> None:
        sooner, later = clock.today() + timedelta(days=300), clock.today() + timedelta(days=900)
        database.transact(ledger.post, book.award("a0", book.qiang, 5, expires_on=sooner))
        award = database.transact(ledger.post, book.award("a1", book.qiang, 25, expires_on=later))
        database.transact(ledger.reverse, book.book, award.entry_id, key="v1", actor=MAKER, checker=CHECKER)
        with database.reading() as reading:
            [lot] = ledger.open_lots(reading, book.book, book.qiang, Unit.POINTS, clock.now() + timedelta(days=1))
        assert (lot.rest, lot.expires_on) == (5, sooner)
