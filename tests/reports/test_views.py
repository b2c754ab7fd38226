"""The audit pages: what is found, what is added up, where it leads, and who sees how much."""

from __future__ import annotations

import csv
import io

import pytest
from openpyxl import load_workbook

from moralbank import ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.reports import exports, queries
from moralbank.residents.queries import find_card
from moralbank.transparency import Head, Log
from moralbank.transparency.jobs import record_broken
from tests._people import make_login, sign_in
from tests.statements._story import Story


@pytest.fixture
def auditor(client, database: Database, story: Story):
    """Reads the hub's whole book."""
    sign_in(client, database.transact(make_login, "auditor", story.tree["NS-00"]))
    return client


def entries_in(client, query: str = "") -> list[str]:
    """Return the sequence numbers of the entries a file of the filter holds, newest first, each once."""
    answer = client.get(f"/audit/entries.csv?{query}")
    assert answer.status_code == 200
    rows = csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig")))
    return list(dict.fromkeys(row["序号"] for row in rows))


def test_the_explorer_lists_every_entry_of_the_book_with_count_and_sums(auditor) -> None:
    page = auditor.get("/audit").get_data(as_text=True)

    # 100 + 25 + 30 + 40 + 40 + 20 + 5 + 20 points, 150 + 120 + 120 minutes.
    assert "共 8 笔，动了 280 分、服务 6小时30分" in page
    for text in ("河岸清洁", "张*三", "邻家便利店", "staff:7", "V01"):
        assert text in page, text
    for secret in ("张建三", "赵白", "赵*", "别区的活动"):
        assert secret not in page, secret


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("kind=redemption", 2),
        ("kind=undo", 1),
        ("rule=V01", 2),
        ("rule=G01", 1),
        ("grade=D", 1),
        ("actor=operator:9", 3),
        ("branch=NS-02", 1),
        ("branch=NS-00", 8),
        ("since=2025-04-02&until=2025-04-02", 2),
        ("until=2025-03-20", 3),
        ("since=2025-05-07", 0),
        ("holder=M002", 3),
        ("holder=m002&kind=undo", 1),
        ("kind=award&grade=A&branch=NS-01&since=2025-04-01", 1),
    ],
)
def test_each_filter_of_the_address_holds_alone_and_together(auditor, query: str, count: int) -> None:
    page = auditor.get(f"/audit?{query}").get_data(as_text=True)

    assert f"共 {count} 笔" in page
    assert len(entries_in(auditor, query)) == count


def test_a_person_is_found_by_number_by_card_and_by_account(auditor, database: Database, story: Story) -> None:
    with database.reading() as db:
        card = find_card(db, story.zhang.resident_id)
    assert card is not None
    for text in (story.zhang.number, card.number, str(story.zhang.account_id)):
        assert len(entries_in(auditor, f"holder={text}")) == 7


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("holder=12345678", "没有“12345678”"),
        ("holder=nobody", "没有“nobody”"),
        ("holder=99999999999999999999", "没有“9999"),
        ("kind=theft", "请选择种类"),
        ("grade=E", "请选择证据等级"),
        ("since=yesterday", "请填一个日期"),
        ("since=0001-01-01", "2000 年"),
        ("until=9999-12-31", "2000 年"),
    ],
)
def test_a_filter_that_cant_be_meant_is_said_beside_its_field(auditor, query: str, words: str) -> None:
    answer = auditor.get(f"/audit?{query}")
    page = answer.get_data(as_text=True)

    assert answer.status_code == 422
    assert words in page
    assert "共 " not in page
    assert auditor.get(f"/audit/entries.csv?{query}").status_code == 422
    assert auditor.get(f"/audit/entries.xlsx?{query}").status_code == 422


@pytest.mark.parametrize("query", ["before=0", "before=99999999999999999999", "rule=" + "x" * 99])
def test_no_address_breaks_the_explorer(auditor, query: str) -> None:
    assert auditor.get(f"/audit?{query}").status_code == 422


def test_the_pages_of_the_explorer_join_without_gap_or_overlap(auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    seen: list[str] = []
    url: str | None = "/audit?kind="
    while url:
        page = auditor.get(url).get_data(as_text=True)
        seen += [part.split('"')[0] for part in page.split("/audit/entries/NS-00/")[1:]]
        after = page.partition('rel="next" href="')[2].partition('"')[0]
        url = after.replace("&amp;", "&") or None
    assert len(seen) == len(set(seen)) == 8


def test_an_entry_leads_to_its_accounts_its_source_and_its_reversal_and_back(auditor, story: Story) -> None:
    book = story.tree["NS-00"].code
    page = auditor.get(f"/audit/entries/{book}/{story.service.entry_id}").get_data(as_text=True)

    assert story.service.leaf_hash in page
    assert f"/audit/entries/{book}/{story.reversal.entry_id}" in page
    assert f"/audit/accounts/{story.zhang.account_id}" in page
    assert "attendance:" in page
    assert "敬老院理发" in page
    back = auditor.get(f"/audit/entries/{book}/{story.reversal.entry_id}").get_data(as_text=True)
    assert f"/audit/entries/{book}/{story.service.entry_id}" in back
    assert "同一时段重复登记" in back


def test_an_account_shows_its_balance_now_and_at_any_past_instant(auditor, story: Story) -> None:
    address = f"/audit/accounts/{story.zhang.account_id}"

    assert "<strong>95</strong>" in auditor.get(address).get_data(as_text=True)
    then = auditor.get(f"{address}?at=2025-04-02T10:00:30").get_data(as_text=True)
    assert "<strong>55</strong>" in then
    assert "到第 4 行" in then
    assert "<strong>4小时30分</strong>" in auditor.get(f"{address}?at=2025-05-01T00:00&unit=minutes").get_data(
        as_text=True
    )
    for at in ("2025-05-21T00:00", "noon", "0001-01-01T00:00"):
        assert auditor.get(f"{address}?at={at}").status_code == 422
    assert auditor.get("/audit/accounts/1").status_code == 404


def test_the_trial_balance_closes_now_and_then(auditor) -> None:
    page = auditor.get("/audit/trial-balance").get_data(as_text=True)
    assert "平了" in page
    assert "积分发放" in page
    assert "平了" in auditor.get("/audit/trial-balance?at=2025-04-02T10:00").get_data(as_text=True)
    assert auditor.get("/audit/trial-balance?at=2099-01-01T10:00").status_code == 422


def test_verification_runs_when_asked_and_says_what_it_checked(auditor) -> None:
    assert "没有一处不对" not in auditor.get("/audit/verify").get_data(as_text=True)
    assert "8 笔分录，没有一处不对" in auditor.get("/audit/verify?run=1").get_data(as_text=True)


def test_the_verification_page_says_in_plain_words_when_a_tree_was_not_signed(
    auditor, database: Database, story: Story
) -> None:
    book = story.tree["NS-00"].book_id
    assert "还没有检查点" in auditor.get("/audit/verify").get_data(as_text=True)
    database.transact(record_broken, Head(book, Log.LEDGER, 8, b"", b"", 8, 8, 0, 0, None))
    page = auditor.get("/audit/verify").get_data(as_text=True)
    assert "检查点停签了" in page
    assert "有人改过账目或日志" in page


def test_who_covers_one_station_reads_its_entries_and_no_sums_of_the_book(
    client, database: Database, story: Story
) -> None:
    sign_in(client, database.transact(make_login, "auditor", story.tree["NS-02"]))

    assert "共 1 笔" in client.get("/audit").get_data(as_text=True)
    assert len(entries_in(client)) == 1
    assert client.get(f"/audit/entries/NS-00/{story.sorting.entry_id}").status_code == 200
    assert client.get(f"/audit/accounts/{story.wang.account_id}").status_code == 200
    for closed in (
        f"/audit/entries/NS-00/{story.soap.entry_id}",
        f"/audit/accounts/{story.zhang.account_id}",
        "/audit?branch=NS-01",
        "/audit/entries.csv?branch=NS-01",
        "/audit/trial-balance",
        "/audit/verify?run=1",
    ):
        assert client.get(closed).status_code == 403, closed


def test_another_banks_book_is_out_of_reach(auditor, story: Story) -> None:
    for address in ("/audit?book=XX-00", "/audit/entries.csv?book=XX-00", "/audit/verify?book=XX-00"):
        assert auditor.get(address).status_code == 404, address
    assert auditor.get(f"/audit/accounts/{story.zhao.account_id}").status_code == 404


def test_residents_and_operators_see_nothing_of_it(client, database: Database, story: Story) -> None:
    for login in (
        database.transact(make_login, "resident", story.tree["NS-01"], None, story.zhang.resident_id),
        database.transact(make_login, "operator", story.tree["NS-01"], story.shop.merchant_id),
    ):
        sign_in(client, login)
        for address in ("/audit", "/audit/entries.csv", "/audit/entries.xlsx", "/audit/verify", "/audit/trial-balance"):
            assert client.get(address).status_code == 403


def danger(db, story: Story) -> None:
    """An activity whose title a spreadsheet would run."""
    issuer = ledger.internal_account(db, story.book, AccountKind.ISSUER)
    legs = (Leg(issuer, Unit.POINTS, -1), Leg(story.zhang.account_id, Unit.POINTS, 1))
    private = {"activity": '=HYPERLINK("http://example.com")', "place": "@SUM(A1)"}
    ledger.post(db, Draft(story.book, "award", legs, "danger", "staff:7", private=private))


def test_nothing_in_a_csv_file_is_run_by_a_spreadsheet(auditor, database: Database, story: Story) -> None:
    database.transact(danger, story)
    text = auditor.get("/audit/entries.csv").get_data()

    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert rows[0]["事由"] == '\'=HYPERLINK("http://example.com")'
    assert rows[0]["地点"] == "'@SUM(A1)"
    assert {row["数目"] for row in rows[:2]} == {"-1", "1"}, "amounts stay numbers"


def test_a_workbook_holds_the_same_rows_as_text_and_numbers(auditor, database: Database, story: Story) -> None:
    database.transact(danger, story)
    answer = auditor.get("/audit/entries.xlsx?kind=award")
    sheet = load_workbook(io.BytesIO(answer.get_data())).active
    assert sheet is not None
    heading, *rows = sheet.iter_rows()
    columns = {cell.value: place for place, cell in enumerate(heading)}

    assert len(rows) == 2 + 4 + 4 + 2
    assert rows[0][columns["事由"]].value == '=HYPERLINK("http://example.com")'
    assert rows[0][columns["事由"]].data_type == "s", "a text, not a formula"
    assert [row[columns["数目"]].value for row in rows[:2]] == [-1, 1]


def test_too_large_an_export_is_refused_with_the_figures(auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "CSV_ENTRIES_MAX", 7)
    answer = auditor.get("/audit/entries.csv")

    assert answer.status_code == 422
    assert "有 8 笔，一次最多导出 7 笔" in answer.get_data(as_text=True)
    assert auditor.get("/audit/entries.csv?kind=award").status_code == 200
