"""When an offer can be had: what the till, the list, reservations and the API say before, within and after."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from moralbank import clock, ids
from moralbank.merchants import queries, service
from moralbank.merchants.errors import OfferEnded, OfferNotYet
from moralbank.merchants.schedules import ALWAYS, Schedule, closed, reservable
from moralbank.merchants.service import OfferDetails
from moralbank.redemptions import phone_orders, vouchers
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order
from tests._people import form, make_login, sign_in
from tests._worlds import world
from tests.redemptions.conftest import (
    by_code,
    give_points,
    left_of,
    make_resident,
    make_street,
    pay,
    show_code,
)
from tests.redemptions.test_races import at_once, kinds

#: A Thursday.
NOON = datetime(2026, 11, 26, 12, tzinfo=clock.TIMEZONE)
SATURDAY = datetime(2026, 11, 28, 9, tzinfo=clock.TIMEZONE)
MARKET = Schedule(date(2026, 11, 1), date(2026, 12, 12), 0b010_0000, 9 * 60, 11 * 60 + 30)
SECOND = timedelta(seconds=1)


@world
def street(database):
    with clock.at(NOON):
        return database.transact(make_street)


def put(database, offer, schedule) -> None:
    details = OfferDetails(offer.title, offer.points, offer.monthly_quota, offer.per_resident_per_month, 0, schedule)
    database.transact(service.edit_offer, offer.offer_id, details)


def reserve(database, street, at):
    with clock.at(at):
        who, offer = street.zhang.resident_id, street.soap.offer_id
        return database.transact(vouchers.reserve, who, offer, ids.token(8), actor="resident:1")


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        (NOON, SATURDAY),
        (SATURDAY - SECOND, SATURDAY),
        (SATURDAY, SATURDAY),
        (SATURDAY + timedelta(hours=2.5) - SECOND, SATURDAY + timedelta(hours=2.5) - SECOND),
        (SATURDAY + timedelta(hours=2.5), SATURDAY + timedelta(days=7)),
        (datetime(2026, 10, 1, tzinfo=clock.TIMEZONE), datetime(2026, 11, 7, 9, tzinfo=clock.TIMEZONE)),
        (datetime(2026, 12, 12, 11, 30, tzinfo=clock.TIMEZONE), None),
        (datetime(2027, 1, 1, tzinfo=clock.TIMEZONE), None),
    ],
)
def test_a_schedule_knows_when_it_opens_next(at, opens) -> None:
    assert MARKET.next_opening(at) == opens
    assert MARKET.is_open(at) == (opens == at)
    assert ALWAYS.next_opening(at) == at


def test_a_schedule_without_a_day_has_none() -> None:
    assert not Schedule(date(2026, 11, 23), date(2026, 11, 27), 0b110_0000).has_days
    assert MARKET.has_days
    assert ALWAYS.has_days


def test_what_is_reserved_waits_no_longer_than_the_offer_is_given() -> None:
    assert reservable(ALWAYS, "", NOON, 7) == date(2026, 12, 3)
    assert reservable(MARKET, "", NOON, 7) == date(2026, 11, 28)
    assert reservable(Schedule(until_on=date(2026, 11, 27)), "", NOON, 7) == date(2026, 11, 27)
    with pytest.raises(OfferNotYet):
        reservable(Schedule(from_on=date(2026, 11, 27)), "", NOON, 7)
    with pytest.raises(OfferEnded):
        reservable(MARKET, "", datetime(2026, 12, 12, 12, tzinfo=clock.TIMEZONE), 7)
    assert closed(ALWAYS, "", NOON) is None


def test_the_till_takes_it_within_its_hours_alone(database, street) -> None:
    put(database, street.soap, MARKET)
    for at, refusal in ((NOON, OfferNotYet), (SATURDAY.replace(month=12, day=19), OfferEnded)):
        with clock.at(at), pytest.raises(refusal):
            pay(database, street, offer=street.soap)
    with clock.at(SATURDAY):
        assert pay(database, street, offer=street.soap).points == 30
        assert left_of(database, street.soap) == 2


def test_a_sale_shown_before_closing_is_not_charged_after_it(database, street) -> None:
    put(database, street.soap, MARKET)
    last = SATURDAY + timedelta(hours=2.5) - SECOND
    with clock.at(NOON), pytest.raises(OfferNotYet):
        database.transact(phone_orders.show_sale, street.till, street.soap.offer_id, None, ids.token(8))
    with clock.at(last):
        shown = database.transact(phone_orders.show_sale, street.till, street.soap.offer_id, None, ids.token(8))
        database.transact(phone_orders.claim, shown.number, street.zhang.resident_id)
    with clock.at(last + SECOND):
        ended = database.transact(phone_orders.agree, shown.order_id, street.zhang.resident_id)
    assert (ended.state, ended.refusal) == ("refused", OfferNotYet.code)


def test_the_last_one_goes_to_one_of_two_until_the_hour_and_to_nobody_after(database, street) -> None:
    put(database, street.soap, MARKET)
    neighbour = database.transact(make_resident, street.tree["NS-01"], "邻居")
    database.transact(give_points, neighbour, 500)
    with clock.at(SATURDAY):
        for who in (street.zhang, neighbour):
            pay(database, street, offer=street.soap, code=database.transact(show_code, who))
    last = SATURDAY + timedelta(hours=2.5) - SECOND

    def both(at):
        """Charge both at two tills at an instant."""
        with clock.at(at):
            codes = [database.transact(show_code, who) for who in (street.zhang, neighbour)]

        def one(code, till):
            with clock.at(at):
                order = by_code(code, offer=street.soap, again=True)
                return database.transact(redemptions.charge, till, order, ids.token(8))

        return at_once(
            lambda: one(codes[0], street.till),
            lambda: one(codes[1], street.other_till),
        )

    assert kinds(both(last + SECOND)) == ["OfferNotYet", "OfferNotYet"]
    with clock.at(last):
        assert left_of(database, street.soap) == 1
    assert kinds(both(last)) == ["OfferUsedUp", "Receipt"]
    with clock.at(last):
        assert left_of(database, street.soap) == 0


def test_what_is_reserved_is_collected_in_its_hours_and_though_its_days_were_shortened(database, street) -> None:
    put(database, street.soap, MARKET)
    voucher = reserve(database, street, NOON)
    assert voucher.until_on == date(2026, 11, 28)
    order = Order(None, None, Means.VOUCHER, voucher.number)
    with clock.at(NOON), pytest.raises(OfferNotYet):
        database.transact(vouchers.collect, Ask(street.till, order, ids.token(8)))
    put(database, street.soap, Schedule(date(2026, 11, 1), date(2026, 11, 27), 0b010_0000, 9 * 60, 11 * 60 + 30))
    with clock.at(SATURDAY):
        assert database.transact(vouchers.collect, Ask(street.till, order, ids.token(8))).points == 30
    put(database, street.soap, Schedule(until_on=date(2026, 11, 25)))
    with pytest.raises(OfferEnded):
        reserve(database, street, NOON)


def test_what_is_open_is_listed_and_what_is_over_is_not(database, street) -> None:
    put(database, street.soap, MARKET)
    put(database, street.towel, Schedule(until_on=date(2026, 11, 25)))

    def listed(at, **which) -> set[str]:
        with clock.at(at), database.reading() as db:
            return {one.offer.title for one in queries.list_offers(db, **which)}

    assert listed(NOON, only_open=True) == {"雨伞借用一次"}
    assert listed(NOON, only_standing=True) == {"雨伞借用一次", "香皂一块"}
    assert listed(SATURDAY, only_open=True) == {"雨伞借用一次", "香皂一块"}
    assert listed(SATURDAY + timedelta(hours=2.5), only_open=True) == {"雨伞借用一次"}


def test_the_pages_say_from_when_it_can_be_had_and_never_what_is_over(app, database, street) -> None:
    put(database, street.soap, MARKET)
    put(database, street.towel, Schedule(until_on=date(2026, 11, 25)))
    resident, operator = app.test_client(), app.test_client()
    with clock.at(NOON):
        sign_in(resident, street.zhang_login)
        sign_in(operator, street.li)
        page = resident.get("/me/offers").text
        assert "周六 09:00 起可以换" in page
        assert "周六 09:00–11:30，11月1日（周日）到12月12日（周六）" in page
        assert "毛巾" not in page
        till = operator.get("/counter").text
        assert "周六 09:00 起可以换" in till
        assert "毛巾" not in till
        voucher = resident.get(
            form(resident, "/me/vouchers", {"offer_id": street.soap.offer_id, "key": "k" * 8}).location
        )
        assert "店里可以换的时间：周六 09:00–11:30" in voucher.text


def test_the_deed_says_which_days_were_set(app, database, street) -> None:
    put(database, street.soap, MARKET)
    with database.reading() as db:
        [deed] = [one for one in queries.list_deeds(db, street.shop.merchant_id) if one.deed == "edited"]
    said = {change.detail: (change.before, change.after) for change in deed.changes}
    assert said["until_on"] == (None, "2026-12-12")
    assert said["weekdays"] == (127, 32)
    assert said["closes_minutes"] == (1440, 690)


def test_staff_set_days_and_hours_on_the_form(app, database, street) -> None:
    staff = app.test_client()
    sign_in(staff, database.transact(make_login, "staff", street.tree["NS-01"]))
    path = f"/staff/offers/{street.soap.offer_id}"
    given = {
        "title": "香皂一块", "points": "30", "monthly_quota": "3", "per_resident_per_month": "2",
        "settlement_yuan": "3",
        "from_on": "2026-11-01", "until_on": "2026-12-12", "weekdays": ["6"], "opens": "09:00", "closes": "11:30",
    }  # fmt: skip
    assert form(staff, path, given).status_code == 303
    with database.reading() as db:
        assert queries.get_offer(db, street.soap.offer_id).schedule == MARKET
    page = staff.get(path).text
    for said in ('value="2026-11-01"', 'value="6" checked', 'value="11:30"'):
        assert said in page
    for wrong, said in (
        ({"until_on": "2026-10-31"}, "结束日期不能早于开始日期"),
        ({"closes": "09:00"}, "结束时间要晚于开始时间"),
        ({"from_on": "2026-12-06", "until_on": "2026-12-11"}, "没有您选的星期几"),
        ({"opens": "noon"}, "请填一个时间"),
    ):
        refused = form(staff, path, given | wrong)
        assert (refused.status_code, said in refused.text) == (422, True)
        assert 'value="6" checked' in refused.text
    always = dict.fromkeys(("from_on", "until_on", "opens", "closes"), "")
    assert form(staff, path, given | always | {"weekdays": []}).status_code == 303
    with database.reading() as db:
        assert queries.get_offer(db, street.soap.offer_id).schedule == ALWAYS
