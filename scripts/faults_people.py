"""Who takes part in a fault campaign: staff, operators, and residents with points and a token of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from moralbank import clock, setup
from moralbank.access import queries as access
from moralbank.access.sessions import issue_token
from moralbank.activities import queries as activity_queries
from moralbank.activities import service as activities
from moralbank.activities.values import Plan
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.merchants import service as merchants
from moralbank.merchants.service import MerchantDetails
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from tests._people import MadeLogin, make_branch_tree, make_login

OPENING_POINTS = 60
RULE = "V01"


@dataclass(frozen=True, slots=True)
class Payer:
    """A resident who pays, and what their phone needs for it."""

    resident_id: int
    number: str
    token: str


@dataclass(frozen=True, slots=True)
class Till:
    """An operator's program at a merchant."""

    merchant_id: int
    token: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody the clients speak for."""

    staff_token: str
    staff_login_id: int
    station_id: int
    activity_id: int
    payers: tuple[Payer, ...]
    tills: tuple[Till, ...]


def gather(url: str, payers: int) -> People:
    """Open the bank and let everybody in, before the service starts."""
    os.environ.setdefault("MORALBANK_CHEAP_HASHES", "1")
    database = Database(url)
    try:
        setup.first_start(database)
        return database.transact(_gather, payers)
    finally:
        database.dispose()


def _gather(db: Connection, payers: int) -> People:
    from tests.redemptions.conftest import give_points

    station = make_branch_tree(db)["NS-01"]
    staff = make_login(db, "staff", station)
    tills = []
    for number, name in enumerate(("邻家便利店", "老街理发店")):
        details = MerchantDetails(name, "店", "李玉兰", f"1390000000{number}", "subsidised")
        shop = merchants.add_merchant(db, station, f"M{number:03}", details, status="active")
        operator = make_login(db, "operator", station, shop.merchant_id)
        tills.append(Till(shop.merchant_id, _token(db, operator)))
    people = []
    for number in range(payers):
        person = Person(f"储户{number}", station.branch_id, f"138{number:08}")
        resident = residents.enrol(db, person, actor="system")
        give_points(db, resident, OPENING_POINTS)
        login = make_login(db, "resident", station, resident_id=resident.resident_id)
        people.append(Payer(resident.resident_id, resident.number, _token(db, login)))
    return People(
        _token(db, staff), staff.login_id, station.branch_id, _announce(db, station), tuple(people), tuple(tills)
    )


def _token(db: Connection, login: MadeLogin) -> str:
    scopes = access.scopes_of(login.principal)
    return issue_token(db, login.principal, "faults", scopes, clock.today() + timedelta(days=30))


def _announce(db: Connection, station: Branch) -> int:
    plan = Plan(title="河岸清洁", rule_code=RULE, branch_id=station.branch_id, place="河岸公园")
    activity = activities.create_activity(db, plan, actor="system")
    long_ago = clock.now() - timedelta(days=3)
    activities.add_session(db, activity.activity_id, long_ago, long_ago + timedelta(hours=1))
    activities.publish_activity(db, activity.activity_id)
    assert activity_queries.get_activity(db, activity.activity_id) is not None
    return activity.activity_id
