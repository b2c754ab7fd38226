"""The page behind a slip: for anybody, about hashes only, and honest about what is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import Posted
from moralbank.transparency import models
from moralbank.transparency.cosignature import NO_WITNESSES
from moralbank.transparency.note import parse_verifier_key
from moralbank.transparency.proof import parse, verify
from tests._sealing import OFFICES, Sealing
from tests.ledger.conftest import Book
from tests.noticeboard.conftest import at, book

__all__ = ["book"]

TWO = list(OFFICES)[:2]


@pytest.fixture
def sealing(database: Database, book: Book) -> Sealing:
    sealing = Sealing()
    with clock.at(at(1, 11)):
        database.transact(sealing.open)
    return sealing


def post(database: Database, book: Book, key: str = "a") -> Posted:
    draft = book.award(key, book.guiying, 7_321_904, private={"activity": "河岸清洁", "place": "洛水"})
    with clock.at(at(2)):
        posted: Posted = database.transact(ledger.post, draft)
    return posted


def seal(database: Database, sealing: Sealing, *offices: str) -> None:
    with clock.at(at(2, 10, 1)):
        database.transact(sealing.seal, *offices)


def page_of(client: Any, posted: Posted, *, after: timedelta = timedelta(minutes=5)) -> str:
    with clock.at(at(2) + after):
        page = client.get(f"/log/NS-00/entries/{posted.entry_id.hex}")
    assert page.status_code == 200
    return str(page.text)


def test_a_sealed_line_is_said_to_be_in_the_book_that_offices_signed(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing, *TWO)
    page = page_of(client, posted)

    assert "这一笔在两家单位签过的账里，没有改过。" in page
    assert posted.leaf_hash in page
    assert "育苗街道办事处、居民监督小组" in page


def test_the_page_says_nothing_of_what_the_line_is_about_or_whose_it_is(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing, *TWO)
    page = page_of(client, posted)

    for private in ("河岸清洁", "洛水", "7321904", "7,321,904", str(book.guiying), "staff:1"):
        assert private not in page.replace(posted.leaf_hash, "").replace(posted.entry_id.hex, "").partition("<main")[2]


def test_what_only_the_bank_signed_is_said_to_be(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing)
    page = page_of(client, posted)

    assert "这一笔在银行签过的账里" in page
    assert "银行已签，别的单位还没有签。" in page


def test_one_signature_where_two_are_needed_is_counted_and_not_called_enough(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing, TWO[0])

    assert "别的单位已有 1 家签了，要 2 家才算数。" in page_of(client, posted)


def test_the_first_checkpoint_that_enough_signed_takes_the_place_of_the_banks_own(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing)
    post(database, book, "b")
    seal(database, sealing, *TWO)

    assert "两家单位签过的账" in page_of(client, posted)


def test_a_line_of_just_now_says_when_it_will_be_sealed_and_later_that_it_was_not(client, database, book, sealing):
    posted = post(database, book)

    assert "10:02前封存" in page_of(client, posted, after=timedelta(seconds=5))
    late = page_of(client, posted, after=timedelta(minutes=10))
    assert "还没有封" in late
    assert "告诉驿站和监督单位" in late
    assert client.get(f"/log/NS-00/entries/{posted.entry_id.hex}.tlog-proof").status_code == 425


def test_a_number_that_is_in_no_book_is_taken_seriously(client, database, book, sealing):
    for path in (f"/log/NS-00/entries/{uuid4().hex}", f"/log/XX-99/entries/{uuid4().hex}", "/log/NS-00/entries/xyz"):
        page = client.get(path)
        assert page.status_code == 404
        assert "请保留小票" in page.text


def test_the_proof_file_is_one_that_other_programs_read(client, database, book, sealing):
    posted = post(database, book)
    post(database, book, "b")
    seal(database, sealing, *TWO)
    answer = client.get(f"/log/NS-00/entries/{posted.entry_id.hex}.tlog-proof")

    proof = parse(answer.data)
    with database.reading() as db:
        keys = [row.verifier_key for row in db.execute(models.keys.select()) if row.book_id == book.book]
    origin = "bank.example/log/NS-00"
    proven = verify(proof, bytes.fromhex(posted.leaf_hash), origin, tuple(map(parse_verifier_key, keys)), NO_WITNESSES)
    assert proven.body.size == 2


def test_a_proof_that_fails_is_red_without_any_script(client, database, book, sealing):
    posted = post(database, book)
    seal(database, sealing, *TWO)
    other = sealing.log_keys[book.book].key
    with database.engine.begin() as db:
        # Another key of the log's name: nothing that was signed by the old one is believed.
        changed = str(type(other)(other.name, other.algorithm, bytes(32)))
        db.execute(models.keys.update().where(models.keys.c.book_id == book.book).values(verifier_key=changed))
    page = page_of(client, posted)

    assert '<div data-verdict="wrong">' in page
    assert '<div data-verdict="service" hidden>' in page
    assert "proof.js" not in page
