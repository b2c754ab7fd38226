"""A merchant's month is settled to the line, once, and what is wrong is put right in the next."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import get_merchant
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.settlements import errors, jobs, queries, service
from tests.redemptions.conftest import pay
from tests.settlements.conftest import IN_DECEMBER, IN_NOVEMBER, IN_OCTOBER, NOVEMBER, OCTOBER, settle

STAFF, OTHER, SHOP = "staff:7", "staff:8", "operator:9"


def lines_of(database, settlement):
    with database.reading() as db:
        return queries.list_lines(db, settlement.settlement_id)


def on_account(database, street, kind=None):
    """Return the sum of the shop's lines in the ledger, of one kind or of all."""
    with database.reading() as db:
        lines = ledger.history(db, street.shop.book_id, street.shop.account_id, ledger.Unit.POINTS, limit=1000)
    return sum(line.amount for line in lines if kind in (None, line.kind))


def owed(database, settlement, number):
    return lines_of(database, settlement)[number - 1].owed_fen


def test_a_month_is_settled_to_the_line_and_sums_to_the_ledger(database, october):
    before = on_account(database, october)
    [settlement] = settle(database, october)
    lines = lines_of(database, settlement)
    told = [(line.kind, line.title, line.points, line.owed_fen) for line in lines]
    assert told == [
        ("sale", "香皂一块", 30, 300),
        ("sale", "毛巾一条", 40, 500),
        ("sale", "毛巾一条", 40, 500),
        ("taken_back", "毛巾一条", -40, -500),
        ("sale", "", 20, 0),
        ("sale", "雨伞借用一次", 0, 0),
    ]
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6]
    assert (settlement.points, settlement.due_fen, settlement.lines_count) == (90, 800, 6) == (before, 800, 6)
    assert on_account(database, october, "settlement") == -90
    assert on_account(database, october) == 0
    assert settlement.lines_hash == queries.lines_hash(lines)


def test_settled_again_it_stays_as_it_was(database, october):
    first = settle(database, october)
    assert settle(database, october, actor=OTHER) == first
    assert on_account(database, october, "settlement") == -90


def test_a_month_that_is_still_open_is_not_settled(database, october):
    with database.reading() as db:
        merchant = get_merchant(db, october.shop.merchant_id)
    with clock.at(IN_NOVEMBER), pytest.raises(errors.MonthNotClosed, match="2026-10"):
        database.transact(service.settle, merchant, OCTOBER, actor=STAFF)
    assert on_account(database, october) == 90


def test_a_shop_that_sold_nothing_gets_no_settlement(database, october):
    settle(database, october)
    assert settle(database, october, NOVEMBER, IN_DECEMBER) == []


def test_what_was_sold_under_another_mode_is_settled_under_it(database, october):
    with clock.at(IN_OCTOBER + timedelta(days=3)):
        details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "recirculated")
        database.transact(merchants.edit_merchant, october.shop.merchant_id, details, actor=STAFF)
        pay(database, october, offer=october.soap)
    found = settle(database, october)
    assert {one.mode: (one.points, one.due_fen) for one in found} == {"subsidised": (90, 800), "recirculated": (30, 0)}
    assert on_account(database, october, "recirculation") == -30
    with database.reading() as db:
        issuer = ledger.internal_account(db, october.shop.book_id, ledger.AccountKind.ISSUER)
        assert ledger.balance(db, october.shop.book_id, issuer, ledger.Unit.POINTS).balance == 30


def test_the_amount_is_that_of_the_day_it_was_sold(database, october):
    with clock.at(IN_NOVEMBER):
        details = OfferDetails("香皂一块", 30, 3, 2, 9_900)
        database.transact(merchants.edit_offer, october.soap.offer_id, details, actor=STAFF)
    [settlement] = settle(database, october)
    assert owed(database, settlement, 1) == 300


def test_two_who_settle_at_once_issue_one(database, october):
    found, start = [], threading.Barrier(4)

    def issue():
        start.wait()
        found.append(settle(database, october)[0].settlement_id)

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert on_account(database, october, "settlement") == -90


def test_a_granted_dispute_is_corrected_in_the_next_settlement_once(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        asked = database.transact(service.raise_dispute, first.settlement_id, 1, "香皂应补 4 元", actor=SHOP)
        with pytest.raises(errors.LineDisputed):
            database.transact(service.raise_dispute, first.settlement_id, 1, "再问一次", actor=SHOP)
        with pytest.raises(errors.NothingCorrected):
            database.transact(service.answer_dispute, asked.dispute_id, note="没错", owed_fen=300, actor=STAFF)
        answered = database.transact(service.answer_dispute, asked.dispute_id, note="改了", owed_fen=400, actor=STAFF)
        assert (answered.answer, answered.correct_fen) == ("corrected", 100)
        with pytest.raises(errors.DisputeAnswered):
            database.transact(service.answer_dispute, asked.dispute_id, note="再改", owed_fen=900, actor=OTHER)
        pay(database, october, offer=october.soap)
    [second] = settle(database, october, NOVEMBER, IN_DECEMBER)
    told = [(line.kind, line.points, line.owed_fen) for line in lines_of(database, second)]
    assert told == [("sale", 30, 300), ("correction", 0, 100)]
    assert (second.points, second.due_fen) == (30, 400)
    assert first == settle(database, october)[0]


def test_an_explained_dispute_changes_nothing(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        asked = database.transact(service.raise_dispute, first.settlement_id, 2, "毛巾不是我们的", actor=SHOP)
        with pytest.raises(errors.DisputeStillOpen):
            database.transact(service.confirm, first.settlement_id, actor=SHOP)
        database.transact(service.answer_dispute, asked.dispute_id, note="看过监控", owed_fen=None, actor=STAFF)
        assert database.transact(service.confirm, first.settlement_id, actor=SHOP).state == "confirmed"
    assert settle(database, october, NOVEMBER, IN_DECEMBER) == []


def test_an_amount_below_zero_is_carried_on_and_never_paid(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        asked = database.transact(service.raise_dispute, first.settlement_id, 2, "多补了", actor=SHOP)
        database.transact(service.answer_dispute, asked.dispute_id, note="是多了", owed_fen=0, actor=STAFF)
    with clock.at(IN_DECEMBER):
        [second] = settle(database, october, NOVEMBER, IN_DECEMBER)
        assert (second.points, second.due_fen) == (0, -500)
        database.transact(service.confirm, second.settlement_id, actor=SHOP)
        with pytest.raises(errors.NothingToPay):
            database.transact(service.pay, second.settlement_id, "X-1", clock.today(), actor=OTHER)
        pay(database, october, offer=october.soap)
    [third] = settle(database, october, date(2026, 12, 1), IN_DECEMBER + timedelta(days=31))
    told = [(line.kind, line.owed_fen) for line in lines_of(database, third)]
    assert told == [("sale", 300), ("carried", -500)]
    assert third.due_fen == -200


def test_a_dispute_is_taken_until_its_day_and_only_of_a_line_that_is_there(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        with pytest.raises(errors.UnknownSettlementLine):
            database.transact(service.raise_dispute, first.settlement_id, 7, "第七行", actor=SHOP)
        with pytest.raises(errors.UnknownSettlement):
            database.transact(service.raise_dispute, first.settlement_id + 1, 1, "别的单", actor=SHOP)
    with clock.at(IN_NOVEMBER + timedelta(days=service.DISPUTE_DAYS + 1)), pytest.raises(errors.DisputeTooLate):
        database.transact(service.raise_dispute, first.settlement_id, 1, "太晚", actor=SHOP)


def test_a_payment_needs_the_merchants_word_a_second_person_and_happens_once(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        today = clock.today()
        with pytest.raises(errors.SettlementNotConfirmed):
            database.transact(service.pay, first.settlement_id, "B-100", today, actor=OTHER)
        database.transact(service.confirm, first.settlement_id, actor=SHOP)
        with pytest.raises(errors.SettlementConfirmed):
            database.transact(service.raise_dispute, first.settlement_id, 1, "晚了", actor=SHOP)
        with pytest.raises(errors.PayerIssued):
            database.transact(service.pay, first.settlement_id, "B-100", today, actor=STAFF)
        paid = database.transact(service.pay, first.settlement_id, "B-100", today, actor=OTHER)
        assert (paid.state, paid.payment_reference) == ("paid", "B-100")
        with pytest.raises(errors.SettlementPaid, match="B-100"):
            database.transact(service.pay, first.settlement_id, "B-101", today, actor=OTHER)


def test_the_database_itself_refuses_a_payer_who_issued_and_a_changed_line(database, october):
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        database.transact(service.confirm, first.settlement_id, actor=SHOP)
    for act in (
        "UPDATE settlements_settlements SET paid_on = '2026-11-05', paid_by = issued_by, payment_reference = 'X'",
        "UPDATE settlements_lines SET owed_fen = 1",
        "DELETE FROM settlements_lines",
    ):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, act=act: db.execute(sa.text(act)))


def test_the_job_settles_every_shop_once_and_takes_silence_for_consent(database, october):
    with clock.at(IN_NOVEMBER):
        assert jobs.settle_months(database) == 0
        database.transact(ledger.close_day, october.shop.book_id, date(2026, 10, 31))
        assert jobs.settle_months(database) == 1
        assert jobs.settle_months(database) == 1
        with database.reading() as db:
            [first] = queries.list_settlements(db)
            assert first.state == "issued"
    with clock.at(IN_NOVEMBER + timedelta(days=service.DISPUTE_DAYS + 1)):
        jobs.settle_months(database)
        with database.reading() as db:
            assert queries.get_settlement(db, first.settlement_id).confirmed_by == "system"
    assert on_account(database, october, "settlement") == -90


def test_the_job_makes_up_for_every_month_that_was_missed_oldest_first_and_for_none_without_a_sale(database, october):
    in_march = IN_DECEMBER + timedelta(days=90)
    with clock.at(IN_DECEMBER):
        pay(database, october, offer=october.umbrella)
    with clock.at(in_march - timedelta(days=35)):
        pay(database, october, points=10)
    with clock.at(in_march):
        database.transact(ledger.close_day, october.shop.book_id, date(2026, 12, 31))
        assert jobs.settle_months(database) == 2
        database.transact(ledger.close_day, october.shop.book_id, date(2027, 2, 28))
        assert jobs.settle_months(database) == 1
        assert jobs.settle_months(database) == 0
        with database.reading() as db:
            found = queries.list_settlements(db)[::-1]
    assert [one.month_on for one in found] == [OCTOBER, date(2026, 12, 1), date(2027, 1, 1)]
    assert [one.points for one in found] == [90, 0, 10]
    assert on_account(database, october) == 0


def test_a_bigger_month_takes_no_more_statements(database, october):
    def statements():
        seen = []

        def count(_connection, _cursor, text, *_rest):
            seen.append(text)

        with database.reading() as db:
            merchant = get_merchant(db, october.shop.merchant_id)
            sa.event.listen(db, "before_cursor_execute", count)
            found = len(service._sold(db, merchant, OCTOBER))
            sa.event.remove(db, "before_cursor_execute", count)
        return found, len(seen)

    few, some = statements()
    for hour in range(1, 13):
        with clock.at(IN_OCTOBER + timedelta(hours=hour)):
            pay(database, october, points=1)
    assert statements() == (few + 12, some)


def test_a_budget_holds_what_is_outstanding_against_what_is_pledged(database, october):
    book = october.shop.book_id
    [first] = settle(database, october)
    with clock.at(IN_NOVEMBER):
        database.transact(service.note_pledge, book, "街道社区基金", 10_000, date(2026, 11, 1), actor=STAFF)
        database.transact(service.set_reference_cost, book, 1_100, actor=STAFF)
        database.transact(service.set_reference_cost, book, 1_000, actor=STAFF)
        with database.reading() as db:
            budget = queries.budget(db, book, clock.today())
        assert budget.outstanding_points == 1000 - 90
        assert (budget.needed_fen, budget.pledged_fen, budget.owed_fen, budget.paid_fen) == (9_100, 10_000, 800, 0)
        assert (budget.available_fen, budget.coverage_percent) == (9_200, 101)
        assert budget.offered_fen == 3 * 300 + 60 * 500
        database.transact(service.confirm, first.settlement_id, actor=SHOP)
        database.transact(service.pay, first.settlement_id, "B-1", clock.today(), actor=OTHER)
        database.transact(service.note_pledge, book, "街道社区基金", -1_000, date(2026, 11, 1), actor=STAFF)
        with database.reading() as db:
            budget = queries.budget(db, book, clock.today())
        assert (budget.paid_fen, budget.owed_fen, budget.available_fen) == (800, 0, 8_200)
        assert budget.coverage_percent == 90
