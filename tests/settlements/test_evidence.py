"""What an auditor holds a settled month against: the merchant's own lines, in the export and in the verifier."""

from __future__ import annotations

from moralbank.settlements import queries
from tests.settlements.conftest import settle


def test_every_settlement_of_a_book_is_told_with_its_account_and_its_entry(database, october):
    [settlement] = settle(database, october)
    with database.reading() as db:
        told = list(queries.stream_book(db, october.shop.book_id))
    assert settlement.entry_id is not None
    assert told == [(october.shop.account_id, "2026-10", 90, settlement.entry_id.hex)]
