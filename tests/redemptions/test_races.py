"""Tills, thumbs and lost answers at the same instant: one charge, one undo, one answer."""

from __future__ import annotations

import threading

from moralbank import clock, ids
from moralbank.errors import MoralBankError
from moralbank.redemptions import errors, queries, service
from tests.redemptions.conftest import by_code, give_points, left_of, make_resident, pay, show_code


def at_once(*acts) -> list[object]:
    """Run the acts in threads that start together and return what each gave, or its refusal."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act) -> None:
        barrier.wait()
        try:
            results[place] = act()
        except MoralBankError as refusal:
            results[place] = refusal

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def kinds(results: list[object]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def test_the_same_code_at_two_tills_at_once_is_one_charge(database, street, balance) -> None:
    database.transact(give_points, street.zhang, 1000)
    for number in range(25):
        code = database.transact(show_code, street.zhang)
        order = by_code(code, points=1 + number % 9, again=True)
        results = at_once(
            lambda o=order: database.transact(service.charge, street.till, o, ids.token(8)),
            lambda o=order: database.transact(service.charge, street.other_till, o, ids.token(8)),
        )
        assert kinds(results) == ["CodeUsed", "Receipt"]
    with database.reading() as db:
        today = queries.day_totals(db, [street.shop.merchant_id], clock.today())
    assert today.charges == 25
    assert balance(street.zhang) == 2000 - today.points


def test_the_slower_till_hears_of_the_code_and_not_of_the_charge_that_used_it(database, street) -> None:
    for points in range(1, 21):
        order = by_code(database.transact(show_code, street.zhang), points=points)
        results = at_once(
            *[lambda o=order: database.transact(service.charge, street.till, o, ids.token(8)) for _ in range(2)]
        )
        assert kinds(results) == ["CodeUsed", "Receipt"]


def test_a_double_enter_at_the_same_instant_is_one_charge(database, street, balance) -> None:
    for _ in range(10):
        order = by_code(database.transact(show_code, street.zhang), points=7, again=True)
        key = ids.token(8)
        results = at_once(*[lambda o=order, k=key: database.transact(service.charge, street.till, o, k)] * 3)
        assert len({receipt.charge_id for receipt in results}) == 1
        assert sorted(receipt.replayed for receipt in results) == [False, True, True]
    assert balance(street.zhang) == 1000 - 70


def test_the_last_of_an_offer_goes_to_one_of_two(database, street) -> None:
    neighbour = database.transact(make_resident, street.tree["NS-01"], "邻居")
    database.transact(give_points, neighbour, 500)
    pay(database, street, offer=street.soap)
    pay(database, street, offer=street.soap, code=database.transact(show_code, neighbour))
    orders = [
        by_code(database.transact(show_code, who), offer=street.soap, again=True) for who in (street.zhang, neighbour)
    ]
    results = at_once(
        lambda: database.transact(service.charge, street.till, orders[0], ids.token(8)),
        lambda: database.transact(service.charge, street.other_till, orders[1], ids.token(8)),
    )
    assert kinds(results) == ["OfferUsedUp", "Receipt"]
    assert left_of(database, street.soap) == 0


def test_two_tills_at_once_do_not_go_beyond_the_day_together(database, street, balance) -> None:
    pay(database, street, points=200)
    orders = [by_code(database.transact(show_code, street.zhang), points=points) for points in (60, 61)]
    results = at_once(
        lambda: database.transact(service.charge, street.till, orders[0], ids.token(8)),
        lambda: database.transact(service.charge, street.other_till, orders[1], ids.token(8)),
    )
    assert kinds(results) == ["DayLimitReached", "Receipt"]


def test_an_undo_pressed_twice_at_once_gives_back_once(database, street, balance) -> None:
    receipt = pay(database, street, points=20)
    results = at_once(*[lambda: database.transact(service.undo, street.till, receipt.charge_id)] * 3)
    assert kinds(results) == ["Receipt"] * 3
    assert balance(street.zhang) == 1000


def test_asking_what_became_of_a_key_while_it_arrives_has_one_answer(database, street, balance) -> None:
    for _ in range(10):
        order = by_code(database.transact(show_code, street.zhang), points=3, again=True)
        key, before = ids.token(8), balance(street.zhang)
        charged, told = at_once(
            lambda o=order, k=key: database.transact(service.charge, street.till, o, k),
            lambda k=key: database.transact(service.close_key, street.till, k),
        )
        if isinstance(told, queries.Receipt):
            assert charged.charge_id == told.charge_id
            assert balance(street.zhang) == before - 3
        else:
            assert isinstance(charged, errors.NeverArrived)
            assert balance(street.zhang) == before
