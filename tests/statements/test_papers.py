"""Statements on paper: a resident's, a merchant's, a household's; the same octets each time; nobody else's."""

from __future__ import annotations

from datetime import date

import pytest

from moralbank import clock, ledger, papers
from moralbank.db import Database
from moralbank.residents import service as residents
from moralbank.statements import jobs
from tests import _ci
from tests._people import give_reason, make_login, sign_in
from tests.papers._paper import text_of
from tests.statements._story import Story, Teller, at


@pytest.fixture(autouse=True)
def _paper() -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")


@pytest.fixture
def april(database: Database, story: Story) -> Story:
    database.transact(ledger.close_day, story.book, date(2025, 4, 30))
    jobs.issue_periods(database)
    return story


def log_in(client, database: Database, role: str, story: Story, **more: object) -> None:
    sign_in(client, database.transact(make_login, role, story.tree["NS-01"], **more))


def test_paper_says_what_the_page_says_and_stays_the_same_to_the_octet(client, database: Database, april) -> None:
    log_in(client, database, "resident", april, resident_id=april.zhang.resident_id)

    paper = client.get("/me/statement/2025-04.pdf")

    assert (paper.status_code, paper.mimetype) == (200, "application/pdf")
    text = text_of(paper.data)
    for words in (
        "2025年4月对账单", "张建三", april.zhang.number, "95分", "115分", "敬老院理发", "松鹤敬老院",
        "规则V01第1版", "2小时", "2025-04-01至2025-04-30", "对账单编号", "没有人打开过您的资料",
        "第1页，共1页", "将于2028-03-02到期",
    ):  # fmt: skip
        assert words in text, words
    assert "staff:7" not in text

    def go_on(db) -> None:
        with clock.at(at(5, 19)):
            Teller(db, april.book).award(april.zhang, 30, 60, "后来的活动", "河边")

    database.transact(go_on)
    assert client.get("/me/statement/2025-04.pdf").data == paper.data
    page = client.get("/me/statement/2025-04").text
    assert "第 6 行在 2025-05-06 被冲正" in page
    assert "出单以后内容不再改动" in page


def test_quarters_are_offered_once_they_are_issued_and_a_running_month_says_that_it_runs(
    client, database: Database, april
) -> None:
    log_in(client, database, "resident", april, resident_id=april.zhang.resident_id)

    assert "2025年第1季度" in client.get("/me/statement").text
    quarter = client.get("/me/statement/2025-Q1").text
    assert "2025-01-01 至 2025-03-31" in quarter
    assert "95 分" in quarter
    assert "不是正式出单" in text_of(client.get("/me/statement/2025-05.pdf").data)
    for tail, status in (("2025-06", 404), ("2025-Q3", 404), ("2024", 404), ("2025-Q5", 422)):
        for name in (tail, f"{tail}.pdf", f"{tail}.csv"):
            assert client.get(f"/me/statement/{name}").status_code == status, name


def test_staff_print_for_their_own_residents_and_it_is_written_down(client, database: Database, april) -> None:
    log_in(client, database, "staff", april)
    whose = f"/staff/residents/{april.zhang.resident_id}"
    give_reason(client, april.zhang.resident_id)

    assert "张建三" in text_of(client.get(f"{whose}/statement/2025-04.pdf").data)
    for somebody in (april.wang, april.zhao):
        assert client.get(f"/staff/residents/{somebody.resident_id}/statement/2025-04.pdf").status_code == 403
    log_in(client, database, "resident", april, resident_id=april.zhang.resident_id)
    assert "打印或导出" in client.get("/me/profile/lookers").text
    assert "工作人员看过您的资料 2 次" in client.get("/me/statement/2025-05").text


def test_a_merchants_paper_has_points_and_no_people(client, database: Database, april) -> None:
    log_in(client, database, "operator", april, merchant_id=april.shop.merchant_id)

    text = text_of(client.get("/counter/statement/2025-03.pdf").data)

    assert "邻家便利店" in text
    assert "香皂一块" in text
    for words in ("张建三", "张*三", "服务时间", "河岸清洁"):
        assert words not in text, words
    assert client.get("/counter/statement/2025-03.pdf?merchant=999").status_code == 403


def test_a_household_reads_what_was_credited_to_it_together(client, database: Database, april) -> None:
    log_in(client, database, "resident", april, resident_id=april.zhang.resident_id)
    assert client.get("/me/statement?of=household").status_code == 404

    def sort_waste(db) -> None:
        home = residents.join_household(db, april.zhang.resident_id, "3-502", actor="staff:7")
        account = residents.household_account(db, home.household_id)
        teller = Teller(db, april.book)
        legs = (
            ledger.Leg(teller.internal(ledger.AccountKind.ISSUER), ledger.Unit.POINTS, -3),
            ledger.Leg(account, ledger.Unit.POINTS, 3),
        )
        teller.post("award", legs, "staff:7", {"activity": "垃圾分类一周"}, grade="B", rule=("G01", 1))

    database.transact(sort_waste)

    assert "看家庭的对账单" in client.get("/me/statement").text
    page = client.get("/me/statement/2025-05?of=household").text
    assert "户号 3-502" in page
    assert "垃圾分类一周" in page
    assert "敬老院理发" not in page
    assert "垃圾分类一周" in text_of(client.get("/me/statement/2025-05.pdf?of=household").data)


def test_without_typst_the_page_offers_itself_to_be_printed_and_the_address_says_why(
    client, database: Database, april, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moralbank.papers.typesetting.find_spec", lambda name: None)
    log_in(client, database, "resident", april, resident_id=april.zhang.resident_id)
    client.application.jinja_env.globals["pdf_is_available"] = papers.is_available

    page = client.get("/me/statement/2025-04").text

    assert "这里没有装 PDF 组件" in page
    assert "2025-04.pdf" not in page
    refused = client.get("/me/statement/2025-04.pdf")
    assert refused.status_code == 501
    assert "请改用网页上的打印" in refused.text


def test_auditors_have_any_accounts_issued_statements_made_again(client, database: Database, april) -> None:
    sign_in(client, database.transact(make_login, "auditor", april.tree["NS-00"]))
    account = april.shop.account_id

    assert "出过的对账单（3）" in client.get(f"/audit/accounts/{account}").text
    content = client.get(f"/audit/accounts/{account}/statements/2025-Q1.txt")
    assert content.text.startswith("moralbank-issued-statement/1\n")
    assert "points closing 30 lines 1\n" in content.text
    for month, status in (("2025-05", 409), ("2025-5", 422)):
        assert client.get(f"/audit/accounts/{account}/statements/{month}.txt").status_code == status
    assert client.get(f"/audit/accounts/{april.zhao.account_id}/statements/2025-03.txt").status_code in (403, 404)


def test_staff_and_auditors_read_what_is_no_persons_own_and_nobody_else_does(client, database, april) -> None:
    with database.reading() as db:
        pool = ledger.internal_account(db, april.book, ledger.AccountKind.POOL)
    sign_in(client, database.transact(make_login, "auditor", april.tree["NS-00"]))
    listed = client.get("/audit/statements").text
    assert "互助池" in listed
    assert "邻家便利店" in listed
    here = f"/audit/accounts/{april.shop.account_id}/statements"
    assert f"{here}/2025-04" in client.get(here).text
    shown = client.get(f"{here}/2025-03").text
    assert "香皂一块" in shown
    assert 'class="qr"' in shown
    assert "邻家便利店" in text_of(client.get(f"{here}/2025-03.pdf").data)
    assert "香皂一块" in client.get(f"{here}/2025-03.csv").data.decode("utf-8-sig")
    assert "这段时间没有变动" in client.get(f"/audit/accounts/{pool}/statements/2025-05").text
    for tail in ("", "/2025-03", "/2025-03.pdf", "/2025-03.csv"):
        assert client.get(f"/audit/accounts/{april.zhang.account_id}/statements{tail}").status_code == 404, tail
    log_in(client, database, "staff", april)
    assert "互助池和团队" not in client.get("/audit/statements").text
    assert client.get(f"{here}/2025-03").status_code == 200
    assert client.get(f"/audit/accounts/{pool}/statements/2025-05").status_code == 403
    sign_in(client, database.transact(make_login, "staff", april.tree["XX-01"]))
    assert client.get(f"{here}/2025-03.pdf").status_code == 404


def test_a_teams_points_have_statements_of_their_own(client, database, april) -> None:
    def give(db) -> int:
        [team] = ledger.open_accounts(db, april.book, [ledger.AccountKind.TEAM])
        issuer = ledger.internal_account(db, april.book, ledger.AccountKind.ISSUER)
        legs = (ledger.Leg(issuer, ledger.Unit.POINTS, -40), ledger.Leg(team, ledger.Unit.POINTS, 40))
        draft = ledger.Draft(april.book, "award", legs, "team-prize", "staff:7", private={"memo": "楼道美化团队"})
        ledger.post(db, draft)
        return team

    team = database.transact(give)
    auditor = database.transact(make_login, "auditor", april.tree["NS-00"])
    sign_in(client, auditor)
    assert "团队" in client.get("/audit/statements").text
    here = f"/audit/accounts/{team}/statements/2025-05"
    assert "楼道美化团队" in client.get(here).text
    text = text_of(client.get(f"{here}.pdf").data)
    for words in ("2025年5月对账单", "团队", "40分", "楼道美化团队"):
        assert words in text, words
    with clock.at(at(6, 20)):
        database.transact(ledger.close_day, april.book, date(2025, 5, 31))
        jobs.issue_periods(database)
        sign_in(client, auditor)
        issued = client.get(f"/audit/accounts/{team}/statements/2025-05.txt")
    assert "points closing 40 lines 1\n" in issued.text
