"""What hangs on the wall and what anybody is told who types it in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from moralbank import clock, ledger
from moralbank.access import tries
from moralbank.db import Database
from moralbank.noticeboard import jobs, sheets
from moralbank.proofs import queries as proofs
from moralbank.transparency import board
from tests._sealing import OFFICES, Sealing
from tests.ledger.conftest import Book
from tests.noticeboard.conftest import at
from tests.transparency.test_board import passes

DAY = "2026-03-02"
TWO = list(OFFICES)[:2]


@pytest.fixture
def sealing(database: Database, book: Book) -> Sealing:
    """A book with one day that is closed, and keys that have signed nothing yet."""
    sealing = Sealing()
    with clock.at(at(2)):
        database.transact(ledger.post, book.award("a", book.guiying, 25, minutes=150))
        database.transact(ledger.post, book.redemption("b", book.guiying, 10))
    with clock.at(at(3, 2)):
        database.transact(sealing.open)
        jobs.seal_days(database)
    return sealing


def seal(database: Database, sealing: Sealing, day: int, *offices: str) -> None:
    with clock.at(at(day, 3)):
        database.transact(sealing.seal, *offices)


def root_of(database: Database, book: Book, day: date = date(2026, 3, 2)) -> bytes:
    with database.reading() as db:
        [known] = [one for one in ledger.list_books(db) if one.book_id == book.book]
        return sheets.get_sheet(db, known, day).signed.checkpoint.root


def check(client: Any, typed: str, **more: str) -> str:
    page = client.post("/board/check", data={"book": "NS-00", "typed": typed, **({"day": DAY} | more)})
    assert page.status_code == 200, page.text
    return str(page.text.partition('data-answer="')[2].partition('"')[0]) + page.text


@pytest.fixture(autouse=True)
def _without_csrf(app: Any) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


def test_a_day_hangs_there_once_a_signed_checkpoint_holds_its_seal(client, database, sealing):
    assert client.get(f"/board/NS-00/{DAY}").status_code == 404
    seal(database, sealing, 3)

    page = client.get(f"/board/NS-00/{DAY}")

    assert page.status_code == 200
    assert "别的单位还没有签" in page.text
    assert "not yet by other offices" in page.text


def test_the_sheet_says_what_the_day_came_to_and_its_root_in_three_ways(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)
    root = root_of(database, book)

    page = client.get(f"/board/NS-00/{DAY}").text

    assert "".join(f"<span>{group}</span>" for group in board.groups(board.spell(root))) in page
    assert "".join(f"<span>{group}</span> " for group in board.groups(root.hex())) in page
    assert "<svg" in page
    assert "育苗街道办事处、居民监督小组" in page
    for label, figure in (("issued", 25), ("redeemed", 10), ("outstanding", 15), ("minutes served", 150)):
        assert f"{label}</span></dt><dd>{figure} " in page


def test_the_sheet_that_offices_signed_takes_the_place_of_the_one_that_only_the_bank_signed(
    client, database, book, sealing
):
    seal(database, sealing, 3)
    first = root_of(database, book)
    with clock.at(at(4)):
        database.transact(ledger.post, book.award("c", book.qiang, 5))
    seal(database, sealing, 4, *TWO)
    second = root_of(database, book)

    assert first != second
    for root in (first, second):
        assert check(client, board.spell(root)).startswith("matches")


def test_the_days_are_listed_without_anybodys_name(client, database, sealing):
    seal(database, sealing, 3)

    assert DAY in client.get("/board/NS-00").text
    assert "NS-00" in client.get("/board").text
    assert client.get("/board/XX-99").status_code == 404
    assert client.get("/board/NS-00/yesterday").status_code == 404


def test_what_was_copied_right_matches_by_date_by_size_and_in_hex(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)
    root = root_of(database, book)

    assert check(client, " ".join(board.groups(board.spell(root)))).startswith("matches")
    assert check(client, root.hex().upper()).startswith("matches")
    assert check(client, board.spell(root), day="", size="3").startswith("matches")


def test_characters_of_another_book_do_not_match(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)

    assert check(client, board.spell(bytes(32))).startswith("differs")
    assert check(client, board.spell(root_of(database, book)), day="", size="2").startswith("differs")


def test_a_slip_is_told_with_its_place(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)
    right = board.spell(root_of(database, book))
    other = board.table()[board.table().index(right[6]) ^ 1]

    assert "第 7 个字打错了" in check(client, right[:6] + other + right[7:])
    assert check(client, right[:6] + "死" + right[7:]).startswith("mistyped")
    assert "第 7 个字打错了" in check(client, right[:6] + "死" + right[7:])
    at = next(at for at in range(len(right) - 1) if right[at] != right[at + 1])  # A root may spell one character twice.
    swapped = right[:at] + right[at + 1] + right[at] + right[at + 2 :]
    assert f"第 {at + 1}、{at + 2} 个字打错了" in check(client, swapped)
    assert "打了 23 个，应是 24 个" in check(client, right[1:])


def test_a_slip_that_the_check_bits_let_pass_is_no_other_book(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)
    right = board.spell(root_of(database, book))
    table = board.table()
    slips = (right[:6] + table[table.index(right[6]) ^ bits] + right[7:] for bits in range(1, len(table)))
    unseen = next(typed for typed in slips if passes(typed))

    assert "第 7 个字打错了" in check(client, unseen)


def test_a_day_or_a_size_that_is_not_in_the_book_yet_is_told_so(client, database, book, sealing):
    seal(database, sealing, 3, *TWO)
    right = board.spell(root_of(database, book))

    assert check(client, right, day="2026-03-03").startswith("not-yet")
    assert check(client, right, day="", size="4000").startswith("not-yet")


def test_a_form_without_date_and_size_is_given_back_with_what_was_typed(client, database, sealing):
    page = client.post("/board/check", data={"book": "NS-00", "typed": "矮碍隘鞍", "day": "", "size": ""})

    assert page.status_code == 422
    assert "矮碍隘鞍" in page.text
    assert "请填公示单上的日期" in page.text
    assert client.post("/board/check", data={"book": "NS-00", "typed": "x" * 500, "day": DAY}).status_code == 422
    assert client.post("/board/check", data={"book": "XX-99", "typed": "x", "day": DAY}).status_code == 404


def test_an_address_that_checks_without_end_is_asked_to_wait(client, database, sealing, monkeypatch):
    monkeypatch.setattr(tries, "REQUESTS_PER_ADDRESS", 2)
    now = at(5)
    answers = []
    for _ in range(3):
        with clock.at(now):
            form = {"book": "NS-00", "typed": "矮" * 24, "day": DAY}
            answers.append(client.post("/board/check", data=form).status_code)
    with clock.at(now + timedelta(minutes=11)):
        answers.append(client.post("/board/check", data=form).status_code)

    assert answers == [200, 200, 429, 200]


def test_what_only_the_bank_signed_is_not_called_witnessed(database, book, sealing):
    seal(database, sealing, 3, TWO[0])
    with database.reading() as db:
        trust = proofs.trust_of(db, book.book)
        found = proofs.find_signed(db, book.book, 0, trust)

    assert found is not None
    assert found.offices == ("育苗街道办事处",)
    assert not found.is_witnessed
