"""Charging and undoing, as the counter and the API do it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moralbank import clock, ids, ledger
from moralbank.db import Database
from moralbank.errors import Refused
from moralbank.merchants import service as merchants
from moralbank.merchants.errors import MerchantNotActive, OfferNotActive, OfferUsedUp, UnknownOffer
from moralbank.prepared import ask
from moralbank.redemptions import codes, errors, queries, service
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from moralbank.residents import service as residents
from moralbank.residents.errors import CardRevoked
from moralbank.residents.values import Status
from tests.redemptions.conftest import (
    Street,
    balance_of,
    by_code,
    card_of,
    give_points,
    left_of,
    make_resident,
    pay,
    show_code,
)

SECOND = timedelta(seconds=1)


def pay_by_card(database: Database, street: Street, points: int, *, proven: bool = True, card: str = ""):
    login = street.zhang_login.login_id if proven else None
    order = Order(None, points, Means.CARD_PIN, card or street.zhang_card, login, is_confirmed=True)
    return database.transact(service.charge, street.till, order, ids.token(8))


def test_a_charge_moves_the_offers_points_from_the_resident_to_the_merchant(database, street, balance) -> None:
    receipt = pay(database, street, offer=street.soap)
    assert (receipt.points, receipt.title, receipt.merchant_name) == (30, "香皂一块", "邻家便利店")
    assert receipt.masked_name == "张*三"
    assert balance(street.zhang) == 970
    with database.reading() as db:
        line = ledger.history(db, street.zhang.book_id, street.zhang.account_id, ledger.Unit.POINTS, limit=1)[0]
        arrived = ledger.balance(db, street.shop.book_id, street.shop.account_id, ledger.Unit.POINTS)
    assert (line.kind, line.amount, line.actor) == ("redemption", -30, street.till.actor)
    assert line.source == ("redemption", str(receipt.charge_id))
    assert line.private == {"memo": "香皂一块", "place": "邻家便利店"}
    assert arrived.balance == 30
    assert left_of(database, street.soap) == 2


def test_points_may_be_typed_where_there_is_no_offer(database, street, balance) -> None:
    assert pay(database, street, points=15).points == 15
    assert balance(street.zhang) == 985


def test_an_offer_that_costs_nothing_is_counted_and_posts_no_entry(database, street, balance) -> None:
    receipt = pay(database, street, offer=street.umbrella)
    assert (receipt.points, receipt.entry_id) == (0, None)
    assert balance(street.zhang) == 1000
    assert left_of(database, street.umbrella) == 199
    assert database.transact(service.undo, street.till, receipt.charge_id).undone_at is not None
    assert left_of(database, street.umbrella) == 200


def test_the_same_key_again_gives_the_first_receipt_and_charges_nothing(database, street, balance) -> None:
    code = database.transact(show_code, street.zhang)
    first = pay(database, street, key="double-enter", code=code, points=20)
    again = pay(database, street, key="double-enter", code=code, points=20)
    assert (again.charge_id, again.replayed, first.replayed) == (first.charge_id, True, False)
    assert balance(street.zhang) == 980


def test_a_key_cannot_come_back_with_other_content(database, street, balance) -> None:
    code = database.transact(show_code, street.zhang)
    pay(database, street, key="one-key", code=code, points=20)
    with pytest.raises(errors.KeyReused):
        pay(database, street, key="one-key", code=code, points=21)
    assert balance(street.zhang) == 980


def test_another_operators_key_is_another_key(database, street, balance) -> None:
    pay(database, street, key="same-text", points=20)
    pay(database, street, key="same-text", points=30, till=street.other_till)
    assert balance(street.zhang) == 950


def test_a_remembered_refusal_stays_the_answer_of_its_key(database, street, balance) -> None:
    order = by_code(database.transact(show_code, street.zhang), points=299)
    refusal = errors.DayLimitReached(points=300)
    database.transact(service.remember_refusal, street.till, "k", order.fingerprint, refusal)
    with pytest.raises(errors.DayLimitReached) as again:
        database.transact(service.charge, street.till, order, "k")
    assert again.value.fields == {"points": 300}
    assert balance(street.zhang) == 1000


def test_a_refusal_that_comes_after_a_charge_of_the_same_key_gives_way_to_it(database, street) -> None:
    code = database.transact(show_code, street.zhang)
    receipt = pay(database, street, key="k", code=code, points=20)
    late = errors.CodeUsed()
    outcome = database.transact(service.remember_refusal, street.till, "k", b"anything", late)
    assert isinstance(outcome, queries.Receipt)
    assert outcome.charge_id == receipt.charge_id


def test_a_key_that_never_arrived_is_closed_for_good(database, street, balance) -> None:
    order = by_code(database.transact(show_code, street.zhang), points=20)
    assert isinstance(database.transact(service.close_key, street.till, "lost"), errors.NeverArrived)
    with pytest.raises(errors.NeverArrived):
        database.transact(service.charge, street.till, order, "lost")
    assert balance(street.zhang) == 1000
    assert pay(database, street, key="next", code=order.number, points=20).points == 20


def test_asking_after_a_lost_answer_tells_the_true_result(database, street) -> None:
    with database.reading() as db:
        assert service.find_outcome(db, street.till, "lost answer") is None
    receipt = pay(database, street, key="lost answer", points=20)
    with database.reading() as db:
        assert service.find_outcome(db, street.till, "lost answer") == receipt
    assert database.transact(service.close_key, street.till, "lost answer") == receipt


def test_a_payment_code_pays_once(database, street, balance) -> None:
    code = database.transact(show_code, street.zhang)
    pay(database, street, code=code, points=20)
    with pytest.raises(errors.CodeUsed):
        pay(database, street, code=code, points=25, till=street.other_till)
    assert balance(street.zhang) == 980


@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (60, True), (74, True), (75, False), (3600, False)])
def test_a_code_is_good_for_a_minute_and_a_little(database, street, seconds: int, taken: bool) -> None:
    now = clock.now()
    with clock.at(now):
        code = database.transact(show_code, street.zhang)
    with clock.at(now + seconds * SECOND):
        if taken:
            assert pay(database, street, code=code, points=20).points == 20
        else:
            with pytest.raises(errors.CodeExpired):
                pay(database, street, code=code, points=20)


@pytest.mark.parametrize(("seconds", "taken"), [(14, True), (15, False)])
def test_a_code_that_was_replaced_stays_good_for_the_scan_under_way(database, street, seconds, taken) -> None:
    now = clock.now()
    with clock.at(now):
        former = database.transact(show_code, street.zhang)
        database.transact(show_code, street.zhang)
    with clock.at(now + seconds * SECOND):
        if taken:
            assert pay(database, street, code=former, points=20).points == 20
        else:
            with pytest.raises(errors.CodeExpired):
                pay(database, street, code=former, points=20)


def test_only_a_hash_of_a_code_is_kept(database, street) -> None:
    code = database.transact(show_code, street.zhang)
    with database.reading() as db:
        rows = db.exec_driver_sql("SELECT * FROM redemptions_codes").all()
    assert len(rows) == 1
    assert all(code.encode() not in bytes(v) if isinstance(v, bytes | memoryview) else code != v for v in rows[0])


def test_unused_codes_are_forgotten_after_a_day_and_used_ones_are_not(database, street) -> None:
    used = database.transact(show_code, street.zhang)
    pay(database, street, code=used, points=20)
    database.transact(show_code, street.zhang)
    with clock.at(clock.now() + timedelta(hours=23)):
        assert database.transact(codes.purge_codes) == 0
    with clock.at(clock.now() + timedelta(hours=25)):
        assert database.transact(codes.purge_codes) == 1
        with pytest.raises(errors.CodeUsed):
            pay(database, street, code=used, points=25)


def test_a_card_pays_only_with_its_pin_proven(database, street, balance) -> None:
    with pytest.raises(errors.WrongPin):
        pay_by_card(database, street, 20, proven=False)
    assert balance(street.zhang) == 1000
    assert pay_by_card(database, street, 20).means is Means.CARD_PIN
    assert balance(street.zhang) == 980


def test_a_pin_proven_for_one_card_does_not_pay_with_another(database, street) -> None:
    other = database.transact(make_resident, street.tree["NS-01"], "李四")
    card = database.transact(card_of, other)
    with pytest.raises(errors.CardWithoutPin):
        pay_by_card(database, street, 20, card=card)


def test_a_revoked_card_is_refused_by_its_tail(database, street) -> None:
    database.transact(residents.revoke_card, street.zhang.resident_id, "丢了", actor="staff:1")
    with pytest.raises(CardRevoked) as refused:
        pay_by_card(database, street, 20)
    assert refused.value.fields == {"tail": street.zhang_card[-4:]}


def test_a_card_nobody_issued_is_unknown(database, street) -> None:
    with pytest.raises(errors.UnknownCard):
        pay_by_card(database, street, 20, card=ids.checked_digits("70", 20))


def test_a_card_alone_spends_at_most_fifty_points_a_day(database, street) -> None:
    pay_by_card(database, street, 30)
    with pytest.raises(errors.CardLimitReached):
        pay_by_card(database, street, 21)
    pay_by_card(database, street, 20)
    assert pay(database, street, points=100).points == 100


def test_a_resident_spends_at_most_three_hundred_a_day(database, street) -> None:
    pay(database, street, points=200)
    with pytest.raises(errors.DayLimitReached):
        pay(database, street, points=101)
    pay(database, street, points=100)
    with clock.at(clock.now() + timedelta(days=1)):
        assert pay(database, street, points=101).points == 101


def test_a_resident_spends_at_most_six_hundred_a_month(database, street) -> None:
    first = clock.start_of(clock.today().replace(day=1))
    for day in range(2):
        with clock.at(first + timedelta(days=day, hours=9)):
            pay(database, street, points=300)
    with clock.at(first + timedelta(days=3)), pytest.raises(errors.MonthLimitReached):
        pay(database, street, points=1)
    with clock.at(first + timedelta(days=32)):
        assert pay(database, street, points=1).points == 1


def test_what_was_undone_counts_towards_no_limit(database, street, balance) -> None:
    for _ in range(3):
        receipt = pay(database, street, points=300, again=True)
        database.transact(service.undo, street.till, receipt.charge_id)
    assert balance(street.zhang) == 1000
    assert pay(database, street, points=300, again=True).points == 300


def test_a_resident_takes_an_offer_as_often_as_the_month_allows(database, street) -> None:
    pay(database, street, offer=street.soap)
    pay(database, street, offer=street.soap, again=True)
    with pytest.raises(errors.OfferLimitReached) as refused:
        pay(database, street, offer=street.soap, again=True)
    assert refused.value.fields == {"offer": "香皂一块", "times": 2}


def test_an_offer_gives_no_more_than_its_month_holds(database, street, balance) -> None:
    zhao = database.transact(make_resident, street.tree["NS-02"], "赵六")
    database.transact(give_points, zhao, 500)
    for resident in (street.zhang, street.zhang, zhao):
        pay(database, street, code=database.transact(show_code, resident), offer=street.soap, again=True)
    with pytest.raises(OfferUsedUp):
        pay(database, street, code=database.transact(show_code, zhao), offer=street.soap, again=True)
    assert (left_of(database, street.soap), balance(zhao)) == (0, 470)


def test_too_few_points_are_refused_without_saying_how_many_there_are(database, street) -> None:
    poor = database.transact(make_resident, street.tree["NS-01"], "钱七")
    database.transact(give_points, poor, 12)
    with pytest.raises(errors.NotEnoughPoints) as refused:
        pay(database, street, code=database.transact(show_code, poor), points=20)
    assert refused.value.fields == {"points": 20}
    assert "12" not in str(refused.value)


def test_the_same_again_within_a_minute_asks_first(database, street, balance) -> None:
    pay(database, street, points=20)
    code = database.transact(show_code, street.zhang)
    with pytest.raises(errors.ChargedJustNow):
        pay(database, street, code=code, points=20)
    assert balance(street.zhang) == 980
    pay(database, street, code=code, points=20, again=True)
    assert balance(street.zhang) == 960
    with clock.at(clock.now() + 61 * SECOND):
        assert pay(database, street, points=20).points == 20


def test_a_merchant_or_an_offer_that_is_closed_takes_nothing(database, street) -> None:
    database.transact(merchants.show_offer, street.soap.offer_id, active=False)
    with pytest.raises(OfferNotActive):
        pay(database, street, offer=street.soap)
    database.transact(merchants.move_merchant, street.shop.merchant_id, "suspended")
    with pytest.raises(MerchantNotActive):
        pay(database, street, points=20)


def test_another_merchants_offer_cannot_be_charged(database, street) -> None:
    details = merchants.MerchantDetails("丰年粮油", "粮油", "周国庆", "13900000003", "donated")
    other = database.transact(merchants.add_merchant, street.tree["NS-02"], "M003", details, status="active")
    rice = merchants.OfferDetails("大米", 10, 5, 1, 0)
    offer = database.transact(merchants.add_offer, other.merchant_id, "O004", rice)
    with pytest.raises(UnknownOffer):
        pay(database, street, offer=offer)


def test_a_suspended_resident_pays_nothing(database, street) -> None:
    code = database.transact(show_code, street.zhang)
    database.transact(residents.set_status, street.zhang.resident_id, Status.SUSPENDED, "核对身份", actor="staff:1")
    with pytest.raises(errors.ResidentNotActive):
        pay(database, street, code=code, points=20)
    with pytest.raises(errors.ResidentNotActive):
        database.transact(show_code, street.zhang)


def test_a_resident_of_another_bank_is_told_so(database, street) -> None:
    stranger = database.transact(make_resident, street.tree["XX-01"], "外乡人")
    with pytest.raises(errors.OtherBank):
        pay(database, street, code=database.transact(show_code, stranger), points=20)


def test_an_operator_does_not_charge_the_own_household(database, street) -> None:
    wife = database.transact(make_resident, street.tree["NS-01"], "王小梅", "H-01")
    for operator in (wife, street.zhang):
        till = Till(street.shop.merchant_id, street.li.login_id, "till-1", operator.resident_id)
        with pytest.raises(errors.OwnHousehold):
            pay(database, street, till=till, points=20)
    neighbour = database.transact(make_resident, street.tree["NS-01"], "邻居", "H-02")
    till = Till(street.shop.merchant_id, street.li.login_id, "till-1", neighbour.resident_id)
    assert pay(database, street, till=till, points=20).points == 20


def test_an_operator_who_tries_out_numbers_is_stopped_for_a_minute(database, street) -> None:
    now = clock.now()
    with clock.at(now):
        for n in range(10):
            order = by_code(ids.checked_digits("71", 14), points=20)
            with pytest.raises(errors.UnknownCode) as refused:
                database.transact(service.charge, street.till, order, f"guess-{n}")
            database.transact(service.remember_refusal, street.till, f"guess-{n}", order.fingerprint, refused.value)
        with pytest.raises(errors.TillLocked) as locked:
            pay(database, street, points=20)
        assert locked.value.fields["seconds"] <= 61
        assert pay(database, street, points=20, till=street.other_till).points == 20
    with clock.at(now + 61 * SECOND):
        assert pay(database, street, points=21).points == 21


# Undoing


def test_an_undo_gives_back_the_points_the_offer_and_shows_both_lines(database, street, balance) -> None:
    receipt = pay(database, street, offer=street.soap)
    undone = database.transact(service.undo, street.till, receipt.charge_id)
    assert undone.undone_at is not None
    assert balance(street.zhang) == 1000
    assert left_of(database, street.soap) == 3
    with database.reading() as db:
        lines = ledger.history(db, street.zhang.book_id, street.zhang.account_id, ledger.Unit.POINTS, limit=2)
    assert [(line.kind, line.amount) for line in lines] == [("undo", 30), ("redemption", -30)]
    assert lines[0].reverses == receipt.entry_id


def test_a_second_undo_gets_the_first_answer_and_gives_back_nothing(database, street, balance) -> None:
    receipt = pay(database, street, points=20)
    database.transact(service.undo, street.till, receipt.charge_id)
    again = database.transact(service.undo, street.till, receipt.charge_id)
    assert again.replayed
    assert balance(street.zhang) == 1000


def test_only_the_same_operator_at_the_same_till_undoes(database, street, balance) -> None:
    receipt = pay(database, street, points=20)
    elsewhere = Till(street.shop.merchant_id, street.li.login_id, "till-9")
    for till in (street.other_till, elsewhere):
        with pytest.raises(errors.UndoByOther):
            database.transact(service.undo, till, receipt.charge_id)
    foreign = Till(street.shop.merchant_id + 1, street.li.login_id, "till-1")
    with pytest.raises(errors.UnknownCharge):
        database.transact(service.undo, foreign, receipt.charge_id)
    assert balance(street.zhang) == 980


@pytest.mark.parametrize(("seconds", "is_undone"), [(119, True), (121, False)])
def test_a_charge_is_undone_within_two_minutes_or_not_at_the_till(database, street, seconds, is_undone) -> None:
    now = clock.now()
    with clock.at(now):
        receipt = pay(database, street, points=20)
    with clock.at(now + seconds * SECOND):
        if is_undone:
            assert database.transact(service.undo, street.till, receipt.charge_id).undone_at is not None
        else:
            with pytest.raises(errors.UndoTooLate):
                database.transact(service.undo, street.till, receipt.charge_id)


def test_an_undone_code_stays_used(database, street) -> None:
    code = database.transact(show_code, street.zhang)
    receipt = pay(database, street, code=code, points=20)
    database.transact(service.undo, street.till, receipt.charge_id)
    with pytest.raises(errors.CodeUsed):
        pay(database, street, code=code, points=20)


# Whatever is tried

MEANS = ("live", "used", "stale", "guessed", "card", "card+pin")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["live", "used", "stale", "guessed", "card", "card+pin"]), st.integers(1, 40)))
)
def test_nothing_is_ever_charged_without_a_live_code_or_a_proven_pin(database, street, tries) -> None:
    now = clock.now()
    for means, points in tries:
        with database.reading() as db:
            before = balance_of(db, street.zhang)
        with suppress(Refused):
            _try(database, street, means, points, now)
        with database.reading() as db:
            moved = before - balance_of(db, street.zhang)
        assert moved in ((0, points) if means in ("live", "card+pin") else (0,))


def _try(database: Database, street: Street, means: str, points: int, now) -> None:
    if means in ("card", "card+pin"):
        pay_by_card(database, street, points, proven=means == "card+pin")
        return
    code = ids.checked_digits("71", 14) if means == "guessed" else database.transact(show_code, street.zhang)
    if means == "used":
        assert database.transact(lambda db: ask(db, codes.spending(db, [codes.digest(code)]))) == [1]
    later = now + timedelta(seconds=76) if means == "stale" else clock.now()
    with clock.at(later + timedelta(seconds=1)):
        pay(database, street, code=code, points=points, again=True)
