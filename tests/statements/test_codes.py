"""The signed code on an issued statement: scanned from paper and page, checked in public and without the bank."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger, papers
from moralbank.certificates import service as certificates
from moralbank.certificates import tokens
from moralbank.db import Database
from moralbank.residents.queries import get_resident
from moralbank.statements import codes, jobs
from moralbank.statements.issued import Issued, get_issued
from moralbank.statements.periods import read_period
from scripts import verify_certificate
from tests import _ci
from tests._people import make_login, sign_in
from tests.papers import _paper
from tests.statements._story import Story

APRIL, MARCH, QUARTER = "2025-04", "2025-03", "2025-Q1"


@pytest.fixture
def april(database: Database, story: Story) -> Story:
    database.transact(ledger.close_day, story.book, date(2025, 4, 30))
    jobs.issue_periods(database)
    return story


def issued_of(database: Database, story: Story, account: int, period: str) -> Issued:
    with database.reading() as db:
        return get_issued(db, story.book, account, read_period(period))


def path_of(database: Database, one: Issued) -> str:
    with database.reading() as db:
        address = codes.find_address(db, one, "")
    assert address is not None
    return address


def test_the_code_on_paper_and_page_is_checked_in_public_and_offline(
    client, database: Database, april: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    sign_in(client, database.transact(make_login, "resident", april.tree["NS-01"], resident_id=april.zhang.resident_id))
    pdf = client.get(f"/me/statement/{MARCH}.pdf").data
    [page] = _paper.pages_of(pdf)
    [address] = _paper.codes_of(page)
    web = client.get(f"/me/statement/{MARCH}").text
    assert "/v/statement" in web
    assert 'class="qr"' in web
    assert 'class="qr"' not in client.get("/me/statement/2025-05").text
    content = client.get(f"/me/statement/{MARCH}.txt")
    database.transact(certificates.rotate_key)
    assert client.get(f"/me/statement/{MARCH}.pdf").data == pdf

    stranger = client.application.test_client()
    checked = stranger.get(address.removeprefix("http://localhost"))
    one = issued_of(database, april, april.zhang.account_id, MARCH)
    for words in ("账簿和出单时一样", "张*三", one.number, one.mark, "2025年3月"):
        assert words in checked.text, words
    for secret in ("张建三", "95 分", april.zhang.number, "河岸"):
        assert secret not in checked.text, secret
    assert checked.headers["X-Robots-Tag"] == "noindex, nofollow"
    for points, answer in (("95", "和出单时一样。"), ("950", "和出单时不一样")):
        assert answer in stranger.get(address.removeprefix("http://localhost"), query_string={"points": points}).text

    keys, file = tmp_path / "keys.txt", tmp_path / "content.txt"
    keys.write_bytes(stranger.get("/v/keys").data)
    file.write_bytes(content.data)
    assert verify_certificate.main([address, str(keys)]) == 0
    assert f"{one.number}  {one.mark}" in capsys.readouterr().out
    assert verify_certificate.main([address, str(keys), str(file)]) == 0
    assert "points closing 95 lines 3" in capsys.readouterr().out
    file.write_bytes(content.data.replace(b"closing 95", b"closing 99"))
    assert verify_certificate.main([address, str(keys), str(file)]) == 1
    _seed, other = tokens.new_seed()
    keys.write_text(f"1 {base64.b64encode(other).decode()} 2026-06-20 -\n")
    assert verify_certificate.main([address, str(keys)]) == 1


def test_what_was_reversed_since_what_is_nobodys_and_who_is_forgotten_is_said(client, database, april: Story) -> None:
    zhang = april.zhang.account_id
    assert "1 行被冲正" in client.get(path_of(database, issued_of(database, april, zhang, APRIL))).text
    shop = client.get(path_of(database, issued_of(database, april, april.shop.account_id, QUARTER))).text
    assert "邻家便利店" in shop
    assert "2025年第1季度" in shop

    def forget(db) -> None:
        at = clock.now().replace(tzinfo=None).isoformat(sep=" ")
        db.execute(sa.text("UPDATE residents_residents SET name = '', status = 'left', forgotten_at = :at"), {"at": at})

    database.transact(forget)
    page = client.get(path_of(database, issued_of(database, april, zhang, MARCH))).text
    assert "不再显示姓名" in page
    assert "张*三" not in page
    with database.reading() as db:
        assert get_resident(db, april.zhang.resident_id).is_forgotten


def test_number_and_check_are_typed_from_the_paper_and_a_wrong_digit_is_no_match(client, database, april) -> None:
    one = issued_of(database, april, april.zhang.account_id, MARCH)
    plain = {"number": f" {one.number.lower()} ", "mark": one.mark.replace(" ", "").lower()}
    assert "账簿和出单时一样" in client.get("/v/statement", query_string=plain).text
    assert client.get("/v/statement").status_code == 200
    for wrong in (
        {"number": one.number, "mark": one.mark[:-1] + ("A" if one.mark[-1] != "A" else "B")},
        {"number": "2025-03-99999999", "mark": one.mark},
        {"number": "2025-13-00000001", "mark": one.mark},
        {"number": "——", "mark": ""},
    ):
        answer = client.get("/v/statement", query_string=wrong)
        assert answer.status_code == 404
        assert "不符" in answer.text


def test_a_genuine_code_is_of_this_content_alone_and_an_altered_one_of_none(client, database, april) -> None:
    one = issued_of(database, april, april.zhang.account_id, MARCH)
    path = path_of(database, one)
    altered = path[:40] + ("A" if path[40] != "A" else "B") + path[41:]
    assert client.get(altered).status_code == 404

    def sign(db, document: int, digest: bytes) -> str | None:
        return certificates.paper_keys(db).sign(tokens.STATEMENT, document, digest, one.issued_at)

    right = codes.document_of(one.account, one.period)
    with database.reading() as db:
        others = [
            sign(db, right, bytes(16)),
            sign(db, 5, one.content_hash[:16]),
            sign(db, codes.document_of(one.account, read_period("2025-02")), one.content_hash[:16]),
            sign(db, codes.document_of(one.account + (1 << 32), one.period), one.content_hash[:16]),
        ]
    for token in others:
        assert client.get(f"/v/{token}").status_code == 404


@pytest.mark.parametrize("name", ["2026", "2026-01", "2026-12", "2026-Q1", "2026-Q4", "1000", "9999-Q4"])
def test_every_period_and_account_comes_back_from_the_number_in_the_code(name: str) -> None:
    for account in (1, 7 << 32 | 8, (1 << 46) - 1):
        document = codes.document_of(account, read_period(name))
        assert document < 1 << 64
        assert codes.read_document(document) == (account, read_period(name))
        assert verify_certificate.period_of(document) == name
