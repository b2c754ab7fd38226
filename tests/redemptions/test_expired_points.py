"""Points whose day has come, at the counter: nobody pays with them, and what is left still pays.

Zhou Guilan has 40 points that are gone on 1 March 2029, of which she was told, and 20 that stay.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Unit, jobs
from moralbank.redemptions import errors
from moralbank.residents.queries import Resident
from tests.redemptions.conftest import Street, make_resident, pay, show_code

MIDNIGHT = datetime(2029, 3, 1, tzinfo=clock.TIMEZONE)


@pytest.fixture
def guilan(database: Database, street: Street) -> Resident:
    def live(db: Connection) -> Resident:
        who = make_resident(db, street.tree["NS-01"], "周桂兰")
        issuer = ledger.internal_account(db, who.book_id, AccountKind.ISSUER)
        for points, until in ((40, date(2029, 3, 1)), (20, date(2030, 1, 1))):
            legs = (ledger.Leg(issuer, Unit.POINTS, -points), ledger.Leg(who.account_id, Unit.POINTS, points, until))
            ledger.post(db, ledger.Draft(who.book_id, "award", legs, ids.token(8), "staff:1"))
        return who

    with clock.at(MIDNIGHT - timedelta(days=900)):
        who = database.transact(live)
    with clock.at(MIDNIGHT - timedelta(days=30)):
        jobs.expire_points(database)
    return who


def pay_with(database: Database, street: Street, who: Resident, points: int) -> None:
    pay(database, street, code=database.transact(show_code, who), points=points)


def lines(database: Database, who: Resident) -> list[tuple[str, int]]:
    with database.reading() as db:
        found = ledger.history(db, who.book_id, who.account_id, Unit.POINTS, newest_first=False)
    return [(line.kind, line.amount) for line in found][2:]


def test_a_minute_before_midnight_all_of_them_pay(database: Database, street: Street, guilan: Resident) -> None:
    with clock.at(MIDNIGHT - timedelta(minutes=1)):
        pay_with(database, street, guilan, 60)
    with clock.at(MIDNIGHT):
        assert jobs.expire_points(database) == 0
    assert lines(database, guilan) == [("redemption", -60)]


def test_from_midnight_on_they_pay_for_nothing_and_the_others_still_do(
    database: Database, street: Street, guilan: Resident
) -> None:
    with clock.at(MIDNIGHT):
        with pytest.raises(errors.NotEnoughPoints):
            pay_with(database, street, guilan, 21)
        pay_with(database, street, guilan, 20)
        assert jobs.expire_points(database) == 0
    assert lines(database, guilan) == [("expiry", -40), ("redemption", -20)]
