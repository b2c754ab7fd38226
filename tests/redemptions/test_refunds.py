"""Giving back after two minutes: to the payer alone, in parts, never above the rest, by two after the day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, ids, ledger
from moralbank.approvals import service as approvals
from moralbank.approvals.errors import OwnRequest
from moralbank.approvals.queries import get_request
from moralbank.approvals.service import Hand
from moralbank.merchants.errors import UnknownOperator
from moralbank.merchants.supervisors import end_supervisor, list_supervisors, name_supervisor
from moralbank.redemptions import errors, queries, refunds, service
from moralbank.redemptions.refunds import Wish
from moralbank.residents import service as residents
from moralbank.residents.service import Person
from tests._people import form, sign_in
from tests._worlds import world
from tests.redemptions.conftest import Street, left_of, make_street, pay
from tests.settlements.conftest import IN_DECEMBER, IN_NOVEMBER, IN_OCTOBER, NOVEMBER, settle
from tests.settlements.test_service import lines_of, on_account

NOON = IN_OCTOBER
LATER = NOON + timedelta(minutes=5)
NEXT_DAY = NOON + timedelta(days=1)
ZHOU = Hand("staff:901", 901, "周敏")


@world
def shop(database) -> Street:
    """Li Yulan is the shop's supervisor; Wang Fang is not."""
    with clock.at(NOON):
        street = database.transact(make_street)
        database.transact(name_supervisor, street.shop.merchant_id, street.li.login_id, actor="staff:901")
    return street


def hand(login) -> Hand:
    return Hand(f"operator:{login.login_id}", login.login_id, "收银员")


def bought(database, street, **order) -> queries.Receipt:
    with clock.at(NOON):
        return pay(database, street, **order)


def give(database, street, receipt, points, *, returned=False, by=None, key="", at=LATER, own_id=None):
    wish, who = Wish(points, returned, "少了一块"), hand(by or street.li)
    with clock.at(at):
        return database.transact(
            refunds.refund, who, receipt.charge_id, wish, key or ids.token(8), operator_resident_id=own_id
        )


def lines(database, street):
    with database.reading() as db:
        return ledger.history(db, street.zhang.book_id, street.zhang.account_id, ledger.Unit.POINTS)


def approve(database, refund, by=ZHOU, at=NEXT_DAY):
    with clock.at(at + timedelta(hours=1)):
        return database.transact(approvals.approve, by, refund.request_id)


def test_parts_are_given_back_until_nothing_is_left_and_never_more(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    assert give(database, shop, receipt, 15).number == 1
    assert balance(shop.zhang) == 975
    with pytest.raises(errors.RefundTooMuch) as more:
        give(database, shop, receipt, 26)
    assert more.value.fields == {"points": 25}
    second = give(database, shop, receipt, 25, returned=True)
    assert (second.number, balance(shop.zhang)) == (2, 1000)
    with pytest.raises(errors.NothingToRefund):
        give(database, shop, receipt, 1)
    assert left_of_october(database, shop.towel) == 60
    entries = [(line.kind, line.amount, line.source[1]) for line in lines(database, shop)[:2]]
    assert entries == [
        ("refund", 25, f"{receipt.entry_id.hex}:2"),
        ("refund", 15, f"{receipt.entry_id.hex}:1"),
    ]
    assert lines(database, shop)[0].private == {"memo": "毛巾一条", "place": "邻家便利店", "reason": "少了一块"}


def test_the_whole_given_back_at_once_is_the_mirror_of_its_entry(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    give(database, shop, receipt, 40)
    assert balance(shop.zhang) == 1000
    back, paid = lines(database, shop)[:2]
    assert (back.kind, back.reverses, paid.reversed_by) == ("refund", receipt.entry_id, back.entry_id)
    # It did not come back, so the shelf and the resident's own limit stay as they were.
    assert left_of_october(database, shop.towel) == 59


def test_the_same_key_again_gives_nothing_back_twice(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    first = give(database, shop, receipt, 10, key="one-press")
    assert give(database, shop, receipt, 10, key="one-press") == first
    with pytest.raises(errors.RefundKeyReused):
        give(database, shop, receipt, 12, key="one-press")
    assert balance(shop.zhang) == 970


def test_within_two_minutes_it_is_undone_and_what_was_undone_is_not_given_back(database, shop) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    with pytest.raises(errors.RefundTooEarly):
        give(database, shop, receipt, 10, at=NOON + timedelta(seconds=60))
    with clock.at(NOON + timedelta(seconds=60)):
        database.transact(service.undo, shop.till, receipt.charge_id)
    with pytest.raises(errors.NothingToRefund):
        give(database, shop, receipt, 10)
    free = bought(database, shop, offer=shop.umbrella)
    with pytest.raises(errors.NothingToRefund):
        give(database, shop, free, 1)


def test_a_clock_that_is_set_back_undoes_nothing_that_was_given_back(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    give(database, shop, receipt, 15)
    with clock.at(NOON + timedelta(seconds=60)), pytest.raises(errors.UndoTooLate):
        database.transact(service.undo, shop.till, receipt.charge_id)
    assert balance(shop.zhang) == 975


def test_on_the_day_itself_only_the_supervisor_gives_back_and_never_to_their_own(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    with pytest.raises(errors.SupervisorNeeded):
        give(database, shop, receipt, 10, by=shop.wang)
    with pytest.raises(errors.OwnHousehold):
        give(database, shop, receipt, 10, own_id=shop.zhang.resident_id)
    assert balance(shop.zhang) == 960
    database.transact(end_supervisor, shop.shop.merchant_id, shop.li.login_id, actor="staff:901")
    with pytest.raises(errors.SupervisorNeeded):
        give(database, shop, receipt, 10)


def test_only_an_operator_of_the_shop_can_be_its_supervisor(database, shop) -> None:
    with pytest.raises(UnknownOperator):
        database.transact(name_supervisor, shop.shop.merchant_id, shop.zhang_login.login_id)
    with database.reading() as db:
        assert list_supervisors(db, shop.shop.merchant_id) == {shop.li.login_id}


def test_after_the_day_a_second_person_decides_and_both_are_in_the_entry(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    asked = give(database, shop, receipt, 15, by=shop.wang, at=NEXT_DAY)
    assert (asked.state, asked.entry_id, balance(shop.zhang)) == ("waiting", None, 960)
    with pytest.raises(OwnRequest):
        approve(database, asked, by=Hand(f"operator:{shop.wang.login_id}", shop.wang.login_id, "王"))
    with database.reading() as db:
        told = approvals.facts_of(db, get_request(db, asked.request_id))
    assert told["商家"] == "邻家便利店"
    done = approve(database, asked)
    line = lines(database, shop)[0]
    assert (line.amount, line.actor, line.checker) == (15, f"operator:{shop.wang.login_id}", "staff:901")
    assert done.posted_entry_id == line.entry_id
    assert balance(shop.zhang) == 975
    with database.reading() as db:
        assert refunds.get_refund(db, asked.refund_id).state == "posted"
    assert approve(database, asked).posted_entry_id == line.entry_id
    assert balance(shop.zhang) == 975


def test_two_requests_that_are_more_than_the_rest_together_are_not_both_approved(database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    first, second = (give(database, shop, receipt, 30, at=NEXT_DAY) for _ in range(2))
    approve(database, first)
    with pytest.raises(errors.RefundTooMuch):
        approve(database, second)
    assert balance(shop.zhang) == 990
    with clock.at(NEXT_DAY + timedelta(hours=2)):
        database.transact(approvals.refuse, ZHOU, second.request_id, "只剩 10 分")
        with database.reading() as db:
            assert refunds.get_refund(db, second.refund_id).state == "refused"


def test_what_came_back_is_on_the_shelf_again_and_may_be_had_again(database, shop) -> None:
    receipts = [bought(database, shop, offer=shop.soap, again=True) for _ in range(2)]
    with pytest.raises(errors.OfferLimitReached):
        bought(database, shop, offer=shop.soap, again=True)
    give(database, shop, receipts[0], 30, returned=True)
    assert left_of_october(database, shop.soap) == 2
    with clock.at(LATER):
        pay(database, shop, offer=shop.soap, again=True)
        with database.reading() as db:
            totals = queries.day_totals(db, [shop.shop.merchant_id], clock.today())
    assert (totals.charges, totals.refunds, totals.refunded_points) == (3, 1, 30)


def left_of_october(database, offer) -> int:
    with clock.at(LATER):
        return left_of(database, offer)


def test_a_part_lives_as_long_as_the_points_it_was_paid_with(database, shop) -> None:
    with clock.at(NOON):
        with database.reading() as db:
            issuer = ledger.internal_account(db, shop.zhang.book_id, ledger.AccountKind.ISSUER)
        person = Person("何短期", shop.tree["NS-01"].branch_id, "13800000009", None, born_on=date(1950, 5, 1))
        he = database.transact(residents.enrol, person, actor="staff:1")
        for amount, day in ((20, date(2027, 1, 1)), (50, date(2028, 1, 1))):
            legs = (
                ledger.Leg(issuer, ledger.Unit.POINTS, -amount),
                ledger.Leg(he.account_id, ledger.Unit.POINTS, amount, day),
            )
            draft = ledger.Draft(he.book_id, "opening", legs, key=ids.token(8), actor="system", grade="D")
            database.transact(ledger.post, draft)
    street = Street(**{**{n: getattr(shop, n) for n in Street.__dataclass_fields__}, "zhang": he})
    receipt = bought(database, street, points=30)
    give(database, street, receipt, 10)
    with database.reading() as db:
        left = ledger.open_lots(db, he.book_id, he.account_id, ledger.Unit.POINTS, LATER + timedelta(hours=1))
    assert [(lot.expires_on, lot.rest) for lot in left] == [(date(2028, 1, 1), 40), (date(2028, 1, 1), 10)]


def test_settlements_sum_to_the_ledger_in_the_month_of_the_charge_and_in_the_month_of_the_refund(
    database, shop
) -> None:
    towel = bought(database, shop, offer=shop.towel)
    soap = bought(database, shop, offer=shop.soap)
    give(database, shop, towel, 15)
    give(database, shop, towel, 5)
    give(database, shop, soap, 30, returned=True)
    [october] = settle(database, shop)
    told = [(line.kind, line.points, line.owed_fen) for line in lines_of(database, october)]
    assert told == [
        ("sale", 40, 500),
        ("sale", 30, 300),
        ("taken_back", -15, -187),
        ("taken_back", -5, -63),
        ("taken_back", -30, -300),
    ]
    assert (october.points, october.due_fen) == (20, 250)
    assert on_account(database, shop) == 0
    late = give(database, shop, towel, 20, at=IN_NOVEMBER + timedelta(days=1))
    approve(database, late, at=IN_NOVEMBER + timedelta(days=1))
    [november] = settle(database, shop, NOVEMBER, IN_DECEMBER)
    assert (november.points, november.due_fen) == (-20, -250)
    assert on_account(database, shop) == 0


def test_what_was_given_back_stands_in_the_database(database, shop) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    give(database, shop, receipt, 10)
    for act in (
        "UPDATE redemptions_refunds SET points = 5",
        "UPDATE redemptions_refunds SET entry_id = NULL, number = NULL, owed_fen = NULL, refunded_at = NULL, "
        "refunded_by = NULL",
        "DELETE FROM redemptions_refunds",
        "UPDATE redemptions_charges SET refunded_points = 41",
    ):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, act=act: db.execute(sa.text(act)))
    database.transact(refunds.forget, shop.zhang.resident_id)


def test_the_till_gives_back_and_the_station_agrees_on_its_pages(app, database, shop, balance) -> None:
    receipt = bought(database, shop, offer=shop.towel)
    till = app.test_client()
    sign_in(till, shop.li)
    url = f"/counter/receipts/{receipt.charge_id}/refund"
    with clock.at(LATER):
        assert "还能退" in till.get(url).text
        key = ids.token(16)
        too_much = form(till, url, {"key": key, "points": "41", "reason": "少了一块"})
        assert (too_much.status_code, "最多还能退 40 分" in too_much.text) == (422, True)
        done = form(till, url, {"key": key, "points": "15", "reason": "少了一块", "returned": "1"})
        assert done.status_code == 303
        assert "已退给张*三 15 分" in till.get(done.location).text
        assert "已退 15 分" in till.get(f"/counter/receipts/{receipt.charge_id}").text
    assert balance(shop.zhang) == 975
    with clock.at(NEXT_DAY):
        asked = form(till, url, {"key": ids.token(16), "points": "5", "reason": "又坏了一块"})
        assert "已交驿站复核" in till.get(asked.location).text
    with clock.at(NEXT_DAY), database.reading() as db:
        [waiting] = [one for one, _ in refunds.list_refunds(db, receipt.charge_id) if one.state == "waiting"]
    assert waiting.points == 5
