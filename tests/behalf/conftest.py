"""A grandmother without a phone, her family on theirs, and a carer with a login of his own; and the street's shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import queries as access
from moralbank.behalf import service
from moralbank.behalf.service import Appointment
from moralbank.behalf.values import Basis, Limits, Link, Scope
from moralbank.db import Database
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests._people import MadeLogin, make_login
from tests.redemptions.conftest import Street, give_points, make_street

STAFF = "staff:1"


@dataclass(frozen=True)
class Home:
    """Zhou Guiying is 80 and has 500 points and a card; Zhou Ming is her daughter, Xiaoyu the daughter's child.

    Wu Gang is no resident: he cares for her. Zhang Jiansan, of the street, lives next door and has a phone.
    """

    database: Database
    street: Street
    grandma: Resident
    ming: Resident
    ming_login: MadeLogin
    child: Resident
    staff: MadeLogin
    carer: MadeLogin

    def do(self, act, *args, **kwargs):
        return self.database.transact(act, *args, **kwargs)

    def look(self, read, *args, **kwargs):
        with self.database.reading() as db:
            return read(db, *args, **kwargs)

    def link(self, person: Resident | None = None, holder: MadeLogin | None = None) -> Link:
        """Let Ming (or another) act for somebody, who agreed by PIN."""
        login = self.look(access.get_login, (holder or self.ming_login).login_id)
        person = person or self.grandma
        return self.do(service.link_family, login, person.resident_id, Basis.PIN, actor=f"resident:{login.login_id}")

    def wanted(self, **changes) -> Appointment:
        """Return what Grandma agreed to with her carer, but for the changes."""
        today = clock.today()
        given = {
            "resident_id": self.grandma.resident_id, "helper": self.carer.name, "display_name": "", "scope": Scope(),
            "limits": Limits(30, 50, 80), "agreed_on": today, "agreed_note": "代办夹第 12 页",
            "until_on": today + timedelta(days=90),
        }  # fmt: skip
        return Appointment(**given | changes)

    def appoint(self, **changes) -> Link:
        return self.do(service.appoint, self.wanted(**changes), by=None, actor=STAFF).link


@pytest.fixture
def home(database: Database) -> Home:
    return database.transact(_make_home, database)


def _make_home(db: Connection, database: Database) -> Home:
    street = make_street(db)
    branch = street.tree["NS-01"]

    def enrol(name: str, born: int, **more) -> Resident:
        details = Person(name, branch.branch_id, household_code="H-80", born_on=date(born, 5, 1), **more)
        return residents.enrol(db, details, actor=STAFF)

    grandma, ming = enrol("周桂英", 1946), enrol("周明", 1974, phone="13800000080")
    child = enrol("周小雨", clock.today().year - 10, guardian_name="周明", guardian_relation="母亲")
    give_points(db, grandma, 500)
    give_points(db, ming, 40)
    return Home(
        database,
        street,
        grandma,
        ming,
        make_login(db, "resident", branch, resident_id=ming.resident_id),
        child,
        make_login(db, "staff", branch),
        make_login(db, "helper", branch, name="wu-gang"),
    )
