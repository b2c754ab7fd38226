"""The paper passbook: lines at their places, printed on, compared by the last line and its code."""

from __future__ import annotations

import pytest

from moralbank import papers
from moralbank.db import Database
from moralbank.ledger import Unit
from moralbank.statements import booklet, queries
from moralbank.statements.booklet import Verdict
from moralbank.statements.errors import CodeMistyped, UnknownLine
from tests import _ci
from tests._people import give_reason, make_login, sign_in
from tests.papers._paper import count_pages, text_of
from tests.statements._story import Story, Teller


@pytest.fixture
def long(database: Database, story: Story) -> Story:
    """The story with sixteen lines more: 23 in all, which is a page and three lines."""

    def go_on(db) -> None:
        teller = Teller(db, story.book)
        teller.count = 100
        for number in range(16):
            teller.award(story.zhang, number + 1, 0, f"垃圾分类 {number}", "")

    database.transact(go_on)
    return story


def code_at(database: Database, story: Story, n: int) -> str:
    with database.reading() as db:
        return booklet.page_code(db, queries.owner_of_resident(db, story.zhang), Unit.POINTS, n)


def compare(database: Database, story: Story, n: int, code: str, who=None) -> booklet.Comparison:
    with database.reading() as db:
        owner = queries.owner_of_resident(db, who or story.zhang)
        return booklet.compare(db, owner, Unit.POINTS, n, code)


def test_a_booklet_is_equal_behind_or_a_case_for_staff(database: Database, long: Story) -> None:
    codes = {n: code_at(database, long, n) for n in range(1, 24)}

    assert len(set(codes.values())) == 23
    assert compare(database, long, 23, booklet.in_fours(codes[23])) == booklet.Comparison(Verdict.EQUAL, 23, 23)
    behind = compare(database, long, 17, codes[17])
    assert (behind.verdict, behind.behind) == (Verdict.BEHIND, 6)
    for n, code in ((16, codes[17]), (24, codes[23]), (0, codes[1]), (10**12, codes[3])):
        assert compare(database, long, n, code).verdict is Verdict.CASE, n
    # Another's booklet with the same number of lines is none of this book's.
    assert compare(database, long, 1, codes[1], long.wang).verdict is Verdict.CASE


def test_what_cant_be_a_code_was_copied_wrong(database: Database, story: Story) -> None:
    for typed in ("", "1234567", "123456789", "abcdefgh", "１２３４５６７８"):
        with pytest.raises(CodeMistyped):
            compare(database, story, 3, typed)


def test_every_slip_of_one_digit_is_known_as_one(database: Database, story: Story) -> None:
    code = code_at(database, story, 7)
    for at in range(8):
        slipped = code[:at] + str((int(code[at]) + 1) % 10) + code[at + 1 :]
        with pytest.raises(CodeMistyped):
            compare(database, story, 7, slipped)


def test_printing_goes_on_at_the_line_and_the_page_it_ended(database: Database, long: Story) -> None:
    with database.reading() as db:
        owner = queries.owner_of_resident(db, long.zhang)
        first, second = booklet.pages(db, owner, Unit.POINTS, 17)
        for n in (0, 24):
            with pytest.raises(UnknownLine):
                booklet.pages(db, owner, Unit.POINTS, n)

    assert [line.n for line in first.lines] == [17, 18, 19, 20]
    assert (first.number, [line.n for line in second.lines], second.number) == (1, [21, 22, 23], 2)
    assert (first.code, second.code) == (code_at(database, long, 20), code_at(database, long, 23))
    assert [booklet.slot_of(n) for n in (1, 17, 20, 21)] == [0, 16, 19, 0]


def test_only_new_lines_are_printed_and_the_desk_compares(client, database: Database, long: Story) -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    sign_in(client, database.transact(make_login, "staff", long.tree["NS-01"]))
    give_reason(client, long.zhang.resident_id)
    here = f"/staff/residents/{long.zhang.resident_id}/passbook"

    paper = client.get(f"{here}.pdf?first=17").data
    text = text_of(paper)
    assert count_pages(paper) == 2
    assert "垃圾分类9" in text
    assert "垃圾分类8" not in text
    assert "".join(booklet.in_fours(code_at(database, long, 23)).split()) in text
    code = code_at(database, long, 17)
    assert "少打了 6 行" in client.get(here, query_string={"n": 17, "code": code}).text
    assert "first=18" in client.get(here, query_string={"n": 17, "code": code}).text
    assert "交监督员" in client.get(here, query_string={"n": 18, "code": code}).text
    assert client.get(here, query_string={"n": 17, "code": "12345678"}).status_code == 422
    assert client.get(here, query_string={"n": "x", "code": code}).status_code == 404
    for first in ("0", "24", "x", "-1", ""):
        assert client.get(f"{here}.pdf?first={first}").status_code == 404, first
    assert client.get(f"/staff/residents/{long.wang.resident_id}/passbook").status_code == 403


def test_a_resident_compares_their_own_and_service_time_has_its_own_booklet(
    client, database: Database, story: Story
) -> None:
    sign_in(client, database.transact(make_login, "resident", story.tree["NS-01"], None, story.zhang.resident_id))

    with database.reading() as db:
        owner = queries.owner_of_resident(db, story.zhang)
        minutes = booklet.page_code(db, owner, Unit.MINUTES, 3)
    assert "纸存折" in client.get("/me/passbook").text
    page = client.get("/me/passbook/compare", query_string={"unit": "minutes", "n": 3, "code": minutes}).text
    assert "一致：纸存折到第 3 行" in page
    assert "对不上" in client.get("/me/passbook/compare", query_string={"n": 3, "code": minutes}).text
