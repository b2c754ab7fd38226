"""Zhou Lan served twice and is on record whole; Ge Yi served too, and nobody knows a thing about him."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.activities import service as activities
from moralbank.activities.values import Plan, Session
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.earning import load_rules, packaged_rules
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests._people import MadeLogin, make_branch_tree, make_login
from tests._worlds import world

NOW = datetime(2026, 6, 20, 12, tzinfo=clock.TIMEZONE)
MARCH, JUNE = date(2026, 3, 1), date(2026, 6, 20)


@dataclass(frozen=True)
class Village:
    """Who is in it."""

    tree: dict[str, Branch]
    book: int
    zhou: Resident
    ge: Resident
    staff: MadeLogin
    service: Posted


@world
def settled(database: Database) -> Village:
    with clock.at(NOW):
        return database.transact(_make)


@pytest.fixture
def village(settled: Village) -> Iterator[Village]:
    with clock.at(NOW):
        yield settled


def _make(db: Connection) -> Village:
    with clock.at(NOW - timedelta(days=120)):
        tree = make_branch_tree(db)
        load_rules(db, packaged_rules(), actor="system", consultation="居民议事会通过")
        station = tree["NS-01"]
        whole = Person(
            "周\U0002b5af岚", station.branch_id, "13800000001", born_on=date(1958, 2, 3), sex="female", building="7号楼"
        )
        zhou = residents.enrol(db, whole, actor="staff:7")
        ge = residents.enrol(db, Person("葛一", station.branch_id), actor="staff:7")
        staff = make_login(db, "staff", station, name="王经办")
    service = None
    for day, minutes in ((20, 150), (5, 60)):
        with clock.at(NOW - timedelta(days=day)):
            session = _session(db, station, zhou)
            for one in (zhou, ge):
                service = serve(db, one, session, minutes)
    assert service is not None
    return Village(tree, station.book_id or 0, zhou, ge, staff, service)


def _session(db: Connection, station: Branch, leader: Resident) -> Session:
    plan = Plan("河岸清洁", "V01", station.branch_id, "洛水河岸", "捡拾河岸垃圾", leader_resident_id=leader.resident_id)
    activity = activities.create_activity(db, plan, actor="staff:7")
    return activities.add_session(db, activity.activity_id, clock.now(), clock.now() + timedelta(hours=2))


def serve(db: Connection, who: Resident, session: Session, minutes: int) -> Posted:
    registry = ledger.internal_account(db, who.book_id, AccountKind.REGISTRY)
    legs = (Leg(registry, Unit.MINUTES, -minutes), Leg(who.account_id, Unit.MINUTES, minutes))
    source = f"{session.session_id}:{who.resident_id}"
    draft = Draft(
        who.book_id, "award", legs, f"attendance:{source}", "staff:7", branch=who.branch_id, rule=("V01", 1),
        grade="A", source=("attendance", source),
    )  # fmt: skip
    return ledger.post(db, draft)
