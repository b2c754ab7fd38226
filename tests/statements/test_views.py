"""The pages and files of statements: who sees which, and what stands in them."""

from __future__ import annotations

import csv
import io
import re

import pytest

from moralbank.db import Database
from moralbank.transparency import models, note
from tests._people import give_reason, make_login, sign_in
from tests._sealing import OFFICES, Sealing
from tests.statements._story import Story


@pytest.fixture
def zhang(client, database: Database, story: Story):
    sign_in(client, database.transact(make_login, "resident", story.tree["NS-01"], None, story.zhang.resident_id))
    return client


@pytest.fixture
def staff(client, database: Database, story: Story):
    sign_in(client, database.transact(make_login, "staff", story.tree["NS-01"]))
    return client


@pytest.fixture
def operator(client, database: Database, story: Story):
    sign_in(client, database.transact(make_login, "operator", story.tree["NS-01"], story.shop.merchant_id))
    return client


@pytest.mark.parametrize(
    ("path", "tab"), [("/me", "首页"), ("/me/passbook", "存折"), ("/me/statement", "存折"), ("/me/profile", "首页")]
)
def test_the_tab_of_the_page_one_is_on_is_marked(zhang, path: str, tab: str) -> None:
    page = zhang.get(path).get_data(as_text=True)

    assert re.findall(r'aria-current="page">(\w+)</a></li>', page) == [tab]


def test_the_passbook_shows_lines_with_the_newest_first_and_months_with_their_sums(zhang) -> None:
    page = zhang.get("/me/passbook").get_data(as_text=True)

    assert page.index("n7") < page.index("n6") < page.index('id="n1"')
    for text in (
        "河岸清洁",
        "香皂一块",
        "兑换撤销：毛巾一条",
        "撤销第 4 行",
        "期初",
        "已由第 7 行冲正",
        "同一时段重复登记",
        "2025年3月",
    ):
        assert text in page, text
    assert "本月 +95 分" in page


def test_service_time_has_a_passbook_of_its_own(zhang) -> None:
    page = zhang.get("/me/passbook?unit=minutes").get_data(as_text=True)

    assert "2小时30分" in page
    assert "香皂一块" not in page


@pytest.mark.parametrize("query", ["unit=hours", "before=0", "before=x", "before=99999999999999999999"])
def test_a_passbook_address_that_cant_be_meant_is_refused(zhang, query: str) -> None:
    assert zhang.get(f"/me/passbook?{query}").status_code == 422


def test_the_statement_says_opening_lines_and_closing_and_never_a_staff_name(zhang) -> None:
    page = zhang.get("/me/statement/2025-04").get_data(as_text=True)

    for text in (
        "张建三",
        "期初",
        "95 分",
        "115 分",
        "敬老院理发",
        "松鹤敬老院",
        "规则\u00a0V01\u00a0第\u00a01\u00a0版",
        "工作人员",
        "商家",
    ):
        assert text in page, text
    assert "staff:7" not in page
    assert "2025-04-01 至 2025-04-30" in page
    assert "积分第 4 至 6 行" in page


@pytest.mark.parametrize(
    ("month", "status", "words"),
    [("2025-06", 404, "还没到"), ("2025-02", 404, "2025-03 开始有账"), ("2025-4", 422, "月份要写成")],
)
def test_a_month_without_a_statement_says_why(zhang, month: str, status: int, words: str) -> None:
    for address in (f"/me/statement/{month}", f"/me/statement/{month}.csv"):
        answer = zhang.get(address)
        assert answer.status_code == status
        assert words in answer.get_data(as_text=True)


def rows_of(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def test_the_file_has_the_lines_between_an_opening_and_a_closing(zhang) -> None:
    rows = rows_of(zhang.get("/me/statement/2025-04.csv"))

    points = [row for row in rows if row["单位"] == "积分"]
    assert [row["种类"] for row in points] == ["期初余额", "兑换", "兑换撤销", "存入", "期末余额"]
    assert [row["变动"] for row in points] == ["", "-40", "40", "20", ""]
    assert [row["余额"] for row in points] == ["95", "55", "95", "115", "115"]
    assert points[1]["记账时间"] == "2025-04-02 10:00:00"


def test_staff_see_the_statements_of_their_own_residents_only_with_masked_names(staff, story: Story) -> None:
    give_reason(staff, story.zhang.resident_id)
    page = staff.get(f"/staff/residents/{story.zhang.resident_id}/statement/2025-03").get_data(as_text=True)
    assert "张*三" in page
    assert "张建三" not in page
    assert rows_of(staff.get(f"/staff/residents/{story.zhang.resident_id}/statement/2025-03.csv"))
    for somebody in (story.wang, story.zhao):
        for tail in ("", "/2025-04", "/2025-04.csv"):
            assert staff.get(f"/staff/residents/{somebody.resident_id}/statement{tail}").status_code == 403
    assert staff.get("/staff/residents/4000000/statement").status_code == 404


def test_a_merchant_reads_points_and_offers_and_no_service(operator, story: Story) -> None:
    assert "2025-03" in operator.get("/counter/statement").get_data(as_text=True)
    page = operator.get("/counter/statement/2025-03").get_data(as_text=True)

    assert "香皂一块" in page
    for text in ("河岸清洁", "张建三", "张*三", "服务时间"):
        assert text not in page, text
    assert [row["变动"] for row in rows_of(operator.get("/counter/statement/2025-03.csv"))] == ["", "30", ""]


def test_an_operator_does_not_read_another_merchants_statement(operator) -> None:
    assert operator.get("/counter/statement/2025-03?merchant=999").status_code == 403


def test_a_resident_reads_nobody_elses_statement(zhang, story: Story) -> None:
    assert zhang.get(f"/staff/residents/{story.wang.resident_id}/statement/2025-04").status_code == 403
    assert zhang.get("/counter/statement/2025-04").status_code == 403


@pytest.fixture
def sealed(database: Database, story: Story) -> Sealing:
    sealing = Sealing()
    database.transact(sealing.open)
    database.transact(sealing.seal, *list(OFFICES)[:2])
    return sealing


def test_a_statement_stands_under_the_seal_of_its_checkpoint(zhang, sealed) -> None:
    page = zhang.get("/me/statement/2025-03").get_data(as_text=True)

    assert '<a class="seal sealed" href="/me/statement/2025-03/proof">' in page
    assert "在两家单位签过的账里。" in page
    assert "检查点 " in page
    assert "/board/check" in page


def test_the_proof_of_a_month_says_it_in_one_sentence(zhang, sealed) -> None:
    assert "您3月的3笔都在两家单位签过的账里，一笔不少，余额95分。" in zhang.get("/me/statement/2025-03/proof").text
    assert "行号比这里大的就是少记了" in zhang.get("/me/statement/2025-05/proof").text


def test_before_anything_is_sealed_the_proof_says_so(zhang) -> None:
    page = zhang.get("/me/statement/2025-03/proof").text

    assert "您3月的3笔都还没有封存；一笔不少，余额95分。" in page
    assert "待封" in page


def test_a_statement_that_differs_from_the_log_names_no_balance_and_whom_to_tell(zhang, sealed, database) -> None:
    with database.engine.begin() as db:
        forget_the_logs_keys(db)
    page = zhang.get("/me/statement/2025-03").text
    proof = zhang.get("/me/statement/2025-03/proof").text

    assert "这张对账单和签过的账不一致，余额没有列出" in page
    assert '<strong class="number">—</strong>' in page
    assert '<div data-verdict="wrong">' in proof
    assert "一笔不少，余额" not in proof


def forget_the_logs_keys(db) -> None:
    """Put another key in the place of the log's, so that no checkpoint is signed by it."""
    for row in db.execute(models.keys.select()).all():
        known = note.parse_verifier_key(row.verifier_key)
        other = str(note.VerifierKey(known.name, known.algorithm, bytes(32)))
        db.execute(models.keys.update().where(models.keys.c.book_id == row.book_id).values(verifier_key=other))


def test_the_file_of_a_month_is_the_holders_own(zhang, sealed, staff) -> None:
    assert staff.get("/me/statement/2025-03.json").status_code == 403


def test_the_file_of_a_month_is_json_with_proofs(zhang, sealed) -> None:
    answer = zhang.get("/me/statement/2025-03.json")

    assert answer.mimetype == "application/json"
    assert answer.json["format"] == "moralbank-statement/1"
    assert len(answer.json["leaves"]) == 5


def test_a_line_of_ones_own_is_a_slip(zhang, sealed) -> None:
    page = zhang.get("/me/passbook/points/2").text

    assert "河岸清洁" in page
    assert "125 分" in page
    assert re.search(r'href="http://localhost/log/NS-00/entries/[0-9a-f]{32}#[0-9a-f]{64}"', page)
    assert zhang.get("/me/passbook/points/99").status_code == 404
    assert zhang.get("/me/passbook/minutes/1").status_code == 200
