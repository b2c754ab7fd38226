"""Charges that come together: each has the verdict it would have had alone, and the set shares its statements."""

from __future__ import annotations

from collections import Counter

import pytest

from moralbank import ids, ledger
from moralbank.branches.queries import get_branch
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.merchants.errors import OfferUsedUp
from moralbank.redemptions import errors
from moralbank.redemptions.charging import charge_many
from moralbank.redemptions.orders import Ask
from moralbank.redemptions.queries import Receipt
from tests._trips import counted
from tests.redemptions.conftest import Street, balance_of, by_code, give_points, left_of, make_resident, show_code


@pytest.fixture
def crowd(database: Database, street: Street) -> list:
    """Twenty residents with 100 points each."""

    def make(db) -> list:
        people = [make_resident(db, get_branch(db, street.zhang.branch_id), f"赵{n}") for n in range(20)]
        for person in people:
            give_points(db, person, 100)
        return people

    return database.transact(make)


def ask(database: Database, street: Street, resident, key: str = "", **order) -> Ask:
    return Ask(street.till, by_code(database.transact(show_code, resident), **order), key or ids.token(8))


def told(verdict: Receipt | MoralBankError) -> str:
    return "charged" if isinstance(verdict, Receipt) else verdict.code


def test_everybody_in_a_set_is_charged_once_and_refusals_leave_neighbours_alone(database, street, crowd) -> None:
    asks = [ask(database, street, person, points=10) for person in crowd]
    asks.insert(3, ask(database, street, crowd[19], points=101))
    asks.insert(7, Ask(street.till, by_code(ids.checked_digits("71", 14), points=1), "guessed"))
    verdicts = database.transact(charge_many, asks)
    assert Counter(map(told, verdicts)) == {"charged": 20, "not-enough-points": 1, "unknown-code": 1}
    assert told(verdicts[3]) == "not-enough-points"
    with database.reading() as db:
        assert {balance_of(db, person) for person in crowd} == {90}


def test_one_key_twice_in_a_set_is_one_charge_and_its_replay(database, street, crowd) -> None:
    one = ask(database, street, crowd[0], "same", points=10)
    other = Ask(one.till, by_code(one.order.number, points=11), "same")
    first, second, third = database.transact(charge_many, [one, one, other])
    assert (first.replayed, second.replayed, first.charge_id) == (False, True, second.charge_id)
    assert isinstance(third, errors.KeyReused)
    with database.reading() as db:
        assert balance_of(db, crowd[0]) == 90


def test_one_resident_twice_in_a_set_meets_the_own_first_charge(database, street, crowd) -> None:
    first = ask(database, street, crowd[0], points=60)
    same_code = Ask(first.till, by_code(first.order.number, points=1), "other key")
    again = ask(database, street, crowd[0], points=60)
    dearer = ask(database, street, crowd[0], points=41)
    verdicts = database.transact(charge_many, [first, same_code, again, dearer])
    assert [told(verdict) for verdict in verdicts] == ["charged", "code-used", "charged-just-now", "not-enough-points"]


def test_an_offers_last_pieces_go_to_the_first_who_asked(database, street, crowd) -> None:
    asks = [ask(database, street, person, offer=street.soap) for person in crowd[:5]]
    verdicts = database.transact(charge_many, asks)
    assert [told(verdict) for verdict in verdicts] == ["charged"] * 3 + [OfferUsedUp.code] * 2
    with database.reading() as db:
        assert [balance_of(db, person) for person in crowd[:5]] == [100 - street.soap.points] * 3 + [100] * 2
    later = database.transact(charge_many, [ask(database, street, crowd[4], points=100)])
    assert told(later[0]) == "charged", "a refused charge counts towards no limit"


def test_who_is_refused_leaves_the_last_piece_to_a_neighbour(database, street, crowd) -> None:
    database.transact(charge_many, [ask(database, street, person, offer=street.soap) for person in crowd[:2]])
    poor = database.transact(make_resident, street.tree["NS-01"], "没有积分的人")
    asks = [ask(database, street, person, offer=street.soap) for person in (poor, crowd[2], crowd[3], poor)]
    asks.append(ask(database, street, poor, offer=street.towel))
    verdicts = [told(verdict) for verdict in database.transact(charge_many, asks)]
    short = errors.NotEnoughPoints.code
    assert verdicts == [short, "charged", OfferUsedUp.code, short, short]
    assert (left_of(database, street.soap), left_of(database, street.towel)) == (0, 60)


def test_each_offer_of_a_set_is_used_up_for_itself(database, street, crowd) -> None:
    offers = [street.soap, street.towel] * 8
    asks = [ask(database, street, person, offer=offer) for person, offer in zip(crowd, offers, strict=False)]
    verdicts = database.transact(charge_many, asks)
    soaps = [told(verdict) for verdict in verdicts[::2]]
    assert soaps == ["charged"] * 3 + [OfferUsedUp.code] * 5
    assert [told(verdict) for verdict in verdicts[1::2]] == ["charged"] * 8
    assert (left_of(database, street.soap), left_of(database, street.towel)) == (0, 52)


def test_a_set_comes_to_the_same_as_its_charges_one_by_one(database, street, crowd) -> None:
    def outcome(size: int) -> list[str]:
        people = crowd[:10]
        asks = [ask(database, street, person, points=1 + place % 3) for place, person in enumerate(people)]
        asks += [ask(database, street, people[0], points=200), asks[1]]
        parts = [asks[start : start + size] for start in range(0, len(asks), size)]
        return [told(verdict) for part in parts for verdict in database.transact(charge_many, part)]

    alone = outcome(1)
    assert alone == ["charged"] * 10 + ["not-enough-points", "charged"]
    with database.reading() as db:
        assert ledger.verify(db, street.zhang.book_id).is_sound


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no round trips.
def test_an_offer_is_used_up_last_since_every_till_waits_for_it(database_url, database, street, crowd) -> None:
    asks = [ask(database, street, person, offer=street.soap) for person in crowd[:2]]
    with counted() as trips:
        database.transact(charge_many, asks)
    *_, written, commit = trips
    assert written.split(" | ")[-1].startswith("INSERT INTO merchants_offer")
    assert commit == "COMMIT"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no round trips.
def test_a_large_set_takes_no_more_round_trips_than_a_small_one(database_url, database, street, crowd) -> None:
    def count(people) -> int:
        asks = [ask(database, street, person, points=2) for person in people]
        with counted() as trips:
            verdicts = database.transact(charge_many, asks)
        assert {told(verdict) for verdict in verdicts} == {"charged"}
        return len(trips)

    # What is named, what it is judged by, what is written; BEGIN and COMMIT are the other two.
    assert count(crowd[:2]) == count(crowd[2:18]) == 5
