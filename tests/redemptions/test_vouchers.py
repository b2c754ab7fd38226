"""Reserving an offer: held, handed over, given up or lapsed, and never promised twice."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, ids, ledger
from moralbank.merchants.service import MerchantDetails, add_merchant
from moralbank.merchants.supervisors import name_supervisor
from moralbank.redemptions import errors, jobs, queries, service, vouchers
from moralbank.redemptions.models import spendings
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order, Till
from tests._people import form, make_login, sign_in
from tests._worlds import world
from tests.redemptions.conftest import give_points, left_of, make_resident, make_street, pay
from tests.redemptions.test_races import at_once, kinds
from tests.redemptions.test_refunds import LATER, NOON, give
from tests.redemptions.test_views import press
from tests.settlements.conftest import settle
from tests.settlements.test_service import lines_of, on_account

ME = "resident:1"


@world
def shop(database):
    with clock.at(NOON):
        return database.transact(make_street)


def reserve(database, shop, offer=None, *, who=None, key="", at=NOON):
    with clock.at(at):
        who, offer = who or shop.zhang, offer or shop.towel
        return database.transact(vouchers.reserve, who.resident_id, offer.offer_id, key or ids.token(8), actor=ME)


def collect(database, shop, voucher, *, key="", till=None, at=LATER):
    with clock.at(at):
        order = Order(None, None, Means.VOUCHER, voucher.number)
        return database.transact(vouchers.collect, Ask(till or shop.till, order, key or ids.token(8)))


def held(database, shop) -> int:
    """Return what the ledger holds, after seeing that it is what waits."""
    with database.reading() as db:
        account = ledger.hold_account(db, shop.zhang.book_id)
        points = ledger.balance(db, shop.zhang.book_id, account, ledger.Unit.POINTS).balance
        assert points == vouchers.held_points(db, shop.zhang.resident_id)
    return points


def now_left(database, offer) -> int:
    with clock.at(LATER):
        return left_of(database, offer)


def test_what_is_reserved_is_held_and_goes_to_the_shop_when_it_is_collected(database, shop, balance) -> None:
    voucher = reserve(database, shop)
    assert (balance(shop.zhang), held(database, shop), now_left(database, shop.towel)) == (960, 40, 59)
    assert on_account(database, shop) == 0
    receipt = collect(database, shop, voucher, key="one-scan")
    assert (receipt.points, receipt.title, receipt.masked_name) == (40, "毛巾一条", "张*三")
    assert (balance(shop.zhang), held(database, shop), now_left(database, shop.towel)) == (960, 0, 59)
    assert on_account(database, shop) == 40
    again = collect(database, shop, voucher, key="one-scan")
    assert (again.charge_id, again.replayed) == (receipt.charge_id, True)
    with pytest.raises(errors.VoucherCollected):
        collect(database, shop, voucher)
    [settlement] = settle(database, shop)
    assert [(line.kind, line.points, line.owed_fen) for line in lines_of(database, settlement)] == [("sale", 40, 500)]


def test_the_same_press_reserves_once_and_giving_up_gives_everything_back(database, shop, balance) -> None:
    voucher = reserve(database, shop, key="one-press")
    assert reserve(database, shop, key="one-press") == voucher
    with clock.at(LATER):
        for _ in range(2):
            done = database.transact(vouchers.cancel, shop.zhang.resident_id, voucher.voucher_id, actor=ME)
    assert done.state == "cancelled"
    assert (balance(shop.zhang), held(database, shop), now_left(database, shop.towel)) == (1000, 0, 60)
    with pytest.raises(errors.VoucherEnded):
        collect(database, shop, voucher)
    with database.reading() as db:
        lines = ledger.history(db, shop.zhang.book_id, shop.zhang.account_id, ledger.Unit.POINTS, limit=2)
    assert [(line.kind, line.amount) for line in lines] == [("release", 40), ("hold", -40)]


def test_the_same_press_at_the_same_instant_is_one_voucher(database, shop) -> None:
    for _ in range(8):
        key = ids.token(8)
        results = at_once(*[lambda k=key: reserve(database, shop, key=k)] * 3)
        assert kinds(results) == ["Voucher"] * 3
        [made] = {one.voucher_id for one in results}
        with clock.at(LATER):
            database.transact(vouchers.cancel, shop.zhang.resident_id, made, actor=ME)
    assert now_left(database, shop.towel) == 60


def test_what_nobody_collects_lapses_and_its_points_are_back(database, shop, balance) -> None:
    voucher = reserve(database, shop)
    last, after = NOON + timedelta(days=vouchers.DAYS), NOON + timedelta(days=vouchers.DAYS + 1)
    with clock.at(last):
        assert jobs.lapse_vouchers(database) == 0
    with pytest.raises(errors.VoucherEnded):
        collect(database, shop, voucher, at=after)
    with clock.at(after):
        assert jobs.lapse_vouchers(database) == 1
        assert jobs.lapse_vouchers(database) == 0
    assert (balance(shop.zhang), held(database, shop), now_left(database, shop.towel)) == (1000, 0, 60)


def test_the_last_one_is_reserved_by_one_of_two(database, shop) -> None:
    with clock.at(NOON):
        neighbours = [database.transact(make_resident, shop.tree["NS-01"], name) for name in ("何甲", "何乙")]
        for one in neighbours:
            database.transact(give_points, one, 100)
    for _ in range(2):
        reserve(database, shop, shop.soap)
    results = at_once(*[lambda who=who: reserve(database, shop, shop.soap, who=who) for who in neighbours])
    assert kinds(results) == ["OfferUsedUp", "Voucher"]
    assert now_left(database, shop.soap) == 0


def test_what_is_reserved_counts_against_what_one_may_have(database, shop) -> None:
    for _ in range(2):
        reserve(database, shop, shop.soap)
    with clock.at(NOON), pytest.raises(errors.OfferLimitReached):
        pay(database, shop, offer=shop.soap)
    reserve(database, shop)
    with pytest.raises(errors.VouchersFull):
        reserve(database, shop)


def test_more_than_one_has_is_not_reserved_and_leaves_everything_as_it_was(database, shop) -> None:
    with clock.at(NOON):
        poor = database.transact(make_resident, shop.tree["NS-01"], "何少分")
        database.transact(give_points, poor, 39)
    with pytest.raises(errors.NotEnoughPoints):
        reserve(database, shop, who=poor)
    assert now_left(database, shop.towel) == 60


def test_it_is_handed_over_in_its_own_shop_only(database, shop) -> None:
    voucher = reserve(database, shop, shop.umbrella)
    assert voucher.hold_entry_id is None
    with clock.at(NOON):
        details = MerchantDetails("另一家", "便利店", "李", "13900000003", "donated")
        elsewhere = database.transact(add_merchant, shop.tree["NS-01"], "M009", details, status="active")
    other = Till(elsewhere.merchant_id, shop.li.login_id, "till-9")
    with pytest.raises(errors.VoucherElsewhere, match="邻家便利店"):
        collect(database, shop, voucher, till=other)
    assert collect(database, shop, voucher).points == 0


def test_undone_it_waits_again_and_given_back_it_goes_to_who_reserved_it(database, shop, balance) -> None:
    voucher = reserve(database, shop)
    first = collect(database, shop, voucher)
    with clock.at(LATER + timedelta(seconds=30)):
        database.transact(service.undo, shop.till, first.charge_id)
    assert (balance(shop.zhang), held(database, shop), on_account(database, shop)) == (960, 40, 0)
    second = collect(database, shop, voucher, at=LATER + timedelta(minutes=1))
    with clock.at(LATER):
        database.transact(name_supervisor, shop.shop.merchant_id, shop.li.login_id)
    give(database, shop, second, 40, returned=True, at=LATER + timedelta(minutes=10))
    assert (balance(shop.zhang), on_account(database, shop), now_left(database, shop.towel)) == (1000, 0, 60)
    with database.reading() as db:
        assert queries.get_receipt(db, second.charge_id).rest_points == 0


def test_what_was_reserved_last_month_is_given_back_to_that_month_and_its_shelf(database, shop, balance) -> None:
    last_day, first_day = NOON + timedelta(days=17), NOON + timedelta(days=18)
    voucher = reserve(database, shop, at=last_day)
    receipt = collect(database, shop, voucher, at=first_day)
    with clock.at(first_day):
        database.transact(name_supervisor, shop.shop.merchant_id, shop.li.login_id)
        taken = pay(database, shop, offer=shop.towel, again=True)
        database.transact(service.undo, shop.till, taken.charge_id)
        pay(database, shop, points=50)
    give(database, shop, receipt, 40, returned=True, at=first_day + timedelta(minutes=5))
    with clock.at(last_day):
        assert left_of(database, shop.towel) == 60
    with clock.at(first_day):
        assert left_of(database, shop.towel) == 60
    with database.reading() as db:
        spent = dict(db.execute(sa.select(spendings.c.month_on, spendings.c.points)).all())
    assert spent == {date(2026, 10, 1): 0, date(2026, 11, 1): 50}


def test_a_phone_reserves_and_the_counter_hands_over(app, database, shop, balance) -> None:
    with clock.at(NOON):
        phone, counter = app.test_client(), app.test_client()
        sign_in(phone, shop.zhang_login)
        sign_in(counter, shop.li)
        offers = phone.get("/me/offers").text
        key = re.search(r'name="key" value="([^"]+)"', offers)[1]
        made = form(phone, "/me/vouchers", {"offer_id": shop.towel.offer_id, "key": key})
        page = phone.get(made.location).text
        digits = re.search(r'class="code-digits">([\d ]+)<', page)[1]
        assert "已为您留好" in page
        assert "已为我预留" in phone.get("/me/offers").text
        assert "40 分已预留" in phone.get("/me").text
        stranger = app.test_client()
        other = database.transact(make_resident, shop.tree["NS-01"], "何路人")
        sign_in(stranger, database.transact(make_login, "resident", shop.tree["NS-01"], resident_id=other.resident_id))
        assert stranger.get(made.location).status_code == 404
        assert "收到" in press(counter, shop, code=digits).text
        assert "已取走" in phone.get(made.location).text
        assert "已经取过了" in press(counter, shop, code=digits).text
    assert balance(shop.zhang) == 960
