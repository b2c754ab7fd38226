"""Public figures come to what the tables hold, stand as they were computed, and tell of no small group."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from moralbank import clock, ids, ledger
from moralbank.activities import models as activity_models
from moralbank.branches.queries import list_branches
from moralbank.db import Database, UtcDateTime
from moralbank.figures import jobs, models, queries
from moralbank.figures.charts import bars
from moralbank.figures.computing import _coverage, compute
from moralbank.figures.values import FIGURES
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.ledger.jobs import expire_points
from moralbank.merchants import service as merchants
from moralbank.merchants.service import MerchantDetails
from moralbank.redemptions import codes
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from moralbank.settlements.queries import Budget
from tests._people import make_login
from tests._worlds import world
from tests.disclosure.conftest import IN_NOVEMBER, IN_OCTOBER, OCTOBER, Town, award, enrol, make_town

SINCE, UNTIL = clock.start_of(OCTOBER), clock.start_of(date(2026, 11, 1))
BRANCHES = ("DZ", "NS", "NS-00", "NS-01", "NS-02", "XX-00")

#: Written apart from the code: from the tables, by the path of the branch.
HERE = "SELECT branch_id FROM branches_branches WHERE path LIKE :path || '%'"
LINES = (
    "FROM ledger_postings p JOIN ledger_entries e ON e.book_id = p.book_id AND e.entry_id = p.entry_id "
    "WHERE p.n IS NOT NULL AND e.posted_at >= :since AND e.posted_at < :until "
)
STANDS = (
    "AND e.kind = 'award' AND NOT EXISTS (SELECT 1 FROM ledger_entries r WHERE r.book_id = e.book_id "
    "AND r.reverses = e.entry_id AND r.posted_at < :until) "
)
HOME = f"AND p.account_id IN (SELECT account_id FROM residents_residents WHERE branch_id IN ({HERE}))"
SQL = {
    "depositors": "SELECT count(*) FROM residents_residents WHERE enrolled_at < :until AND status <> 'left' "
    f"AND branch_id IN ({HERE})",
    "merchants": f"SELECT count(*) FROM merchants_merchants WHERE status = 'active' AND branch_id IN ({HERE})",
    "activities": "SELECT count(DISTINCT s.activity_id) FROM activities_awards a "
    "JOIN activities_sessions s ON s.session_id = a.session_id JOIN activities_activities c "
    "ON c.activity_id = s.activity_id JOIN ledger_entries e ON e.entry_id = a.entry_id "
    f"WHERE e.posted_at >= :since AND e.posted_at < :until AND e.branch_id IN ({HERE})",
    "participants": f"SELECT count(DISTINCT p.account_id) {LINES} {STANDS} AND e.branch_id IN ({HERE})",
    "issued_points": f"SELECT sum(p.amount) {LINES} {STANDS} AND p.unit = 1 AND e.branch_id IN ({HERE})",
    "service_minutes": f"SELECT sum(p.amount) {LINES} {STANDS} AND p.unit = 2 AND e.branch_id IN ({HERE})",
    "redeemed_points": f"SELECT -sum(p.amount) {LINES} AND e.kind IN ('redemption', 'undo', 'refund') AND p.unit = 1 "
    f"AND e.branch_id IN ({HERE})",
    "expired_points": f"SELECT -sum(p.amount) {LINES} AND e.kind = 'expiry' AND p.unit = 1 {HOME}",
    "outstanding_points": "SELECT sum(p.amount) FROM ledger_postings p WHERE p.n IS NOT NULL AND p.unit = 1 "
    f"AND p.posted_at < :until AND :since < :until {HOME}",
    "satisfaction_percent": "SELECT 100 * sum((r.rating - 1) * r.times) / (2 * sum(r.times)) FROM activities_ratings r "
    "JOIN activities_activities a ON a.activity_id = r.activity_id WHERE r.month = '2026-10-01' "
    f"AND a.branch_id IN ({HERE})",
    **{
        f"grade_{grade}": f"SELECT count(DISTINCT e.entry_id) {LINES} {STANDS} AND e.grade = '{grade.upper()}' "
        f"AND e.branch_id IN ({HERE})"
        for grade in "abcd"
    },
}


@world
def october(database: Database) -> Town:
    """The town of the notices; at the station seven redeemed, one undid it, and points of six expired."""
    with clock.at(IN_OCTOBER):
        town = database.transact(make_town)
        station, book = town.station, town.station.book_id
        assert book is not None

        def trade(db) -> None:
            shop = merchants.add_merchant(
                db,
                station,
                "M1",
                MerchantDetails("邻家", "便利店", "李玉兰", "13900000002", "donated"),
                status="active",
            )
            login = make_login(db, "operator", station, shop.merchant_id)
            till = Till(shop.merchant_id, login.login_id, "till-1")
            receipts = []
            for who in [*town.agreed[2:], town.silent[0]][:7]:
                order = Order(None, 10, Means.CODE, codes.issue_code(db, who.resident_id).number)
                receipts.append(redemptions.charge(db, till, order, ids.token(8)))
            redemptions.undo(db, till, receipts[0].charge_id)
            issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
            for who in town.silent:
                legs = (
                    Leg(issuer, Unit.POINTS, -5),
                    Leg(who.account_id, Unit.POINTS, 5, date(2026, 10, 20)),
                )
                draft = Draft(book, "award", legs, ids.token(8), "staff:1", branch=station.branch_id, grade="A")
                ledger.post(db, draft)
            for rating, times in ((3, 4), (2, 2)):
                row = {"activity_id": 1, "month": OCTOBER, "rating": rating, "times": times}
                db.execute(activity_models.ratings.insert().values(row))
            for number in range(5):
                for branch in ("NS-01", "XX-01"):
                    who = enrol(db, town.tree[branch], f"吕{number}{branch}", "七网格")
                    award(db, who, town.tree[branch], 5 + number, grade="B")

        database.transact(trade)
        expire_points(database)
    with clock.at(IN_OCTOBER + timedelta(days=8)):
        expire_points(database)
    with clock.at(IN_NOVEMBER):
        for code in ("NS-00", "XX-00"):
            database.transact(ledger.close_day, town.tree[code].book_id, date(2026, 10, 31))
        # What comes later is no part of the month.
        database.transact(award, town.agreed[0], station, 99)
        assert jobs.freeze_months(database) == 2
        assert jobs.freeze_months(database) == 0
    return town


def counted(database: Database, town: Town, branch: str, name: str) -> int:
    query = sa.text(SQL[name]).bindparams(
        *(sa.bindparam(at, type_=UtcDateTime) for at in ("since", "until") if f":{at}" in SQL[name])
    )
    given = {"path": town.tree[branch].path, "since": SINCE, "until": UNTIL}
    with database.reading() as db:
        found = db.execute(query, {name: value for name, value in given.items() if f":{name}" in query.text}).scalar()
    return int(found or 0)


def told(database: Database, town: Town, branch: str) -> dict[str, int | None]:
    with database.reading() as db:
        [month] = queries.list_months(db, town.tree[branch].branch_id)
    assert month.month_on == OCTOBER
    return dict(month.told)


def test_every_figure_is_what_the_tables_hold(database: Database, october: Town) -> None:
    compared = 0
    for branch in BRANCHES:
        figures = told(database, october, branch)
        assert figures.keys() == {figure.name for figure in FIGURES}
        for name in SQL:
            if figures[name] is not None:
                assert figures[name] == counted(database, october, branch, name), (branch, name)
                compared += 1
    assert compared > 50


def test_a_district_is_covered_by_what_its_hubs_hold_together_and_not_told_while_one_is_unknown() -> None:
    def hub(points: int, cost: int | None, pledged: int) -> Budget:
        return Budget(points, cost, pledged, 0, 0, 0, 0)

    assert _coverage([]) is None
    assert _coverage([hub(1000, 100, 500)]) == 50
    assert _coverage([hub(1000, 100, 500), hub(3000, 100, 3000)]) == 87
    assert _coverage([hub(1000, 100, 500), hub(1000, 100, -900)]) == 25
    assert _coverage([hub(1000, 100, 500), hub(1000, None, 500)]) is None
    assert _coverage([hub(0, 100, 500)]) is None


def test_every_merchant_counts_however_many_there_are(
    database: Database, october: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moralbank.merchants.queries.LIST_MAX", 2)
    details = MerchantDetails("一家店", "便利店", "李", "13900000002", "donated")
    for number in range(2, 6):
        database.transact(merchants.add_merchant, october.station, f"M{number}", details, status="active")
    with database.reading() as db:
        figures = compute(db, list_branches(db, october.tree["DZ"].branch_id), OCTOBER)
    assert figures[october.tree["DZ"].branch_id]["merchants"] == 5


def test_a_small_station_is_told_nowhere_and_not_by_difference(database: Database, october: Town) -> None:
    small, hub, station = (told(database, october, code) for code in ("NS-02", "NS-00", "NS-01"))
    for name in ("participants", "issued_points", "service_minutes", "depositors", "outstanding_points"):
        assert small[name] is None, name
        assert hub[name] is not None
        assert station[name] is not None
    # What is left of the hub is the station's four together with the hub's own three.
    assert hub["participants"] - station["participants"] == 7
    assert (station["satisfaction_percent"], small["satisfaction_percent"]) == (83, None)
    # One award of grade C is one person's, so no grade has a figure where it would come out.
    assert all(station[f"grade_{grade}"] is None for grade in "abcd")


def test_a_month_stands_as_it_was_computed(database: Database, october: Town) -> None:
    for change in (models.months.update().values(told="{}"), models.months.delete()):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, change=change: db.execute(change))


def test_anybody_reads_them_as_a_page_a_file_and_a_table(
    client: FlaskClient, database: Database, october: Town
) -> None:
    page = client.get("/figures/NS-00").text
    figures = told(database, october, "NS-00")
    assert f"{figures['issued_points']:,}" in page
    assert page.count('<svg class="chart"') == 6
    assert page.count("<details>") == 6
    assert 'href="/figures/NS-01"' in page
    data = client.get("/figures/NS-00.json")
    assert data.headers["Cache-Control"] == "public, max-age=300"
    assert json.loads(data.text)["months"][0]["figures"] == figures
    rows = list(csv.DictReader(io.StringIO(client.get("/figures/all.csv").text.lstrip("\ufeff"))))
    [hub] = [row for row in rows if row["branch"] == "NS-00"]
    assert hub["issued_points"] == str(figures["issued_points"])
    [small] = [row for row in rows if row["branch"] == "NS-02"]
    assert small["participants"] == ""
    said = list(csv.DictReader(io.StringIO(client.get("/figures/dictionary.csv").text.lstrip("\ufeff"))))
    assert {row["column"] for row in said} == set(hub)
    assert client.get("/figures/nowhere").status_code == 404
    assert "NS-00" in client.get("/figures").text
    client.set_cookie("lang", "en")
    assert "Open data" in client.get("/figures/NS-00").text


def test_a_bank_without_a_closed_month_says_so(client: FlaskClient, database: Database) -> None:
    assert "还没有公开数据" in client.get("/figures").text
    assert jobs.freeze_months(database) == 0


def test_months_come_oldest_first_and_only_when_every_book_is_closed(database: Database, october: Town) -> None:
    with clock.at(datetime(2027, 1, 4, 4, 0, tzinfo=UTC)):
        assert jobs.freeze_months(database) == 0
        database.transact(ledger.close_day, october.tree["NS-00"].book_id, date(2026, 12, 31))
        assert jobs.freeze_months(database) == 2
        with database.reading() as db:
            found = queries.list_months(db, october.tree["DZ"].branch_id)
    assert [one.month_on.month for one in found] == [12, 11, 10]
    assert found[1].told["issued_points"] is None  # One person's alone.
    assert found[0].told["issued_points"] == 0


def test_a_chart_has_a_bar_for_each_month_that_is_told() -> None:
    drawn = bars(["26-10", "26-11", "26-12"], [5, None, 1234], "积分 <b>", "三个月")
    assert drawn.count("<rect") == 2
    assert ">–<" in drawn
    assert "积分 &lt;b&gt;" in drawn
    heights = [float(found) for found in re.findall(r'height="([\d.]+)"', drawn)]
    assert heights[1] > heights[0] > 0
    assert bars([], [], "", "").count("<rect") == 0
