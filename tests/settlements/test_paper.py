"""A settlement on paper: every line and the sum to the hundredth, what was asked, and by which transfer it was paid."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from moralbank import clock, ledger, papers
from moralbank.merchants.queries import get_merchant
from moralbank.settlements import paper, queries, service
from tests import _ci
from tests._people import make_login, sign_in
from tests.papers._paper import pages_of, text_of
from tests.settlements.conftest import IN_NOVEMBER, settle

#: Fifty characters, none of which may be lost or run over the edge.
LONG_NAME = "洛水街道南山社区邻里互助便民综合服务超市（中心空间一号直营店）暨居民公益兑换爱心驿站联合体旗舰门店总铺"[
    :50
]


@pytest.fixture(autouse=True)
def _paper() -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")


@pytest.fixture
def settled(database, october):
    [settlement] = settle(database, october, actor="system")
    return settlement


@pytest.fixture
def shop(app, october):
    client = app.test_client()
    sign_in(client, october.li)
    return client


def test_paper_has_every_line_and_sums_to_what_the_ledger_holds(app, database, october, settled, shop):
    with clock.at(IN_NOVEMBER):
        made = shop.get(f"/counter/settlements/{settled.settlement_id}.pdf")
        assert (made.status_code, made.mimetype) == (200, "application/pdf")
        text = text_of(made.data)
        again = shop.get(f"/counter/settlements/{settled.settlement_id}.pdf").data
        shown = shop.get(f"/counter/settlements/{settled.settlement_id}").text
    assert again == made.data
    assert f"/counter/settlements/{settled.settlement_id}.pdf" in shown
    with database.reading() as db:
        lines = queries.list_lines(db, settled.settlement_id)
        booked = ledger.history(db, october.shop.book_id, october.shop.account_id, ledger.Unit.POINTS, limit=100)
    sold = [line for line in booked if line.kind != "settlement"]
    assert sum(line.amount for line in sold) == sum(line.points for line in lines) == settled.points == 90
    assert sum(line.owed_fen for line in lines) == settled.due_fen == 800
    printed = re.findall(r"(\d+)2026-10-14\d\d:\d\d", text)
    assert len(printed) == len(lines)
    assert "合计6行90分·8.00元" in text
    for words in ("其中兑换5行130分·13.00元", "其中撤销或退回1行−40分·−5.00元", "商家还没有确认", "雨伞借用一次",
                  settled.number, settled.lines_hash.hex(), settled.entry_id.hex[:8]):  # fmt: skip
        assert words in text, words
    assert "张建三" not in text


def test_paper_says_what_was_asked_what_was_answered_and_how_it_was_paid(app, database, october, settled, shop):
    path = f"/counter/settlements/{settled.settlement_id}.pdf"
    with clock.at(IN_NOVEMBER):
        dispute = database.transact(
            service.raise_dispute,
            settled.settlement_id,
            1,
            "香皂应补 4 元",
            actor=october.li.principal.actor("operator"),
        )
        asked = text_of(shop.get(path).data)
        assert "还有1条疑问没有答复" in asked
        assert "驿站还没有答复" in asked
        database.transact(service.answer_dispute, dispute.dispute_id, note="是少了", owed_fen=400, actor="staff:7")
        database.transact(service.confirm, settled.settlement_id, actor=october.li.principal.actor("operator"))
        database.transact(
            service.pay, settled.settlement_id, "B-2026-1", clock.local(IN_NOVEMBER).date(), actor="staff:8"
        )
        text = text_of(shop.get(path).data)
        staff = app.test_client()
        sign_in(staff, database.transact(make_login, "staff", october.tree["NS-00"]))
        theirs = staff.get(f"/staff/settlements/{settled.settlement_id}.pdf")
    assert text_of(theirs.data) == text
    for words in ("已付款", "凭证号B-2026-1", "2026-11-04", "香皂应补4元", "是少了", "+1.00"):
        assert words in text, words
    assert "没有答复" not in text


def test_a_long_name_and_hundreds_of_lines_stay_on_the_page(database, october, settled):
    with database.reading() as db:
        merchant = replace(get_merchant(db, october.shop.merchant_id), name=LONG_NAME)
        lines = queries.list_lines(db, settled.settlement_id)
    many = [replace(lines[0], number=n, title=LONG_NAME) for n in range(1, 121)]
    sums = replace(settled, lines_count=120, points=120 * many[0].points, due_fen=120 * many[0].owed_fen)
    whole = paper.Whole(sums, merchant, "南山驿站", many, [], {})
    data = {"title": "x", "lang": "zh", "pages": "{n}/{m}", "documents": [paper.document(whole)]}
    made = papers.pdf("sheet", data, paper.made_at(whole))
    assert text_of(made).count(LONG_NAME) >= 120
    for page in pages_of(made, 50):
        edge = page.convert("L").crop((page.width - 20, 0, page.width, page.height))
        assert edge.getextrema() == (255, 255)


def test_nobody_takes_home_another_shops_settlement(app, database, october, settled):
    with clock.at(IN_NOVEMBER):
        stranger = app.test_client()
        sign_in(stranger, database.transact(make_login, "staff", october.tree["XX-00"]))
        assert stranger.get(f"/staff/settlements/{settled.settlement_id}.pdf").status_code == 403
