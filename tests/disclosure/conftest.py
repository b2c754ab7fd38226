"""A station and its neighbour in October: names of every length, minors, who took back their word, and small groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.activities import models as activity_models
from moralbank.activities import service as activities
from moralbank.activities.values import Plan
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.earning import load_rules, packaged_rules
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from moralbank.residents.values import Consent, Status
from tests._people import MadeLogin, make_branch_tree, make_login
from tests._worlds import world

OCTOBER = date(2026, 10, 1)
IN_OCTOBER = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)
IN_NOVEMBER = datetime(2026, 11, 4, 4, 0, tzinfo=UTC)

#: Names as people bear them, 1 to 50 characters, and how they may be shown.
NAMES = {
    "龘": "*",
    "张三": "张*",
    "张建三": "张*三",
    "欧阳娜": "欧阳*",
    "欧阳娜娜": "欧阳*娜",
    "司马相如": "司马*如",
    "阿依古丽·买买提": "阿*提",
    "𠮷野家": "𠮷*家",
    "古丽米热" * 12 + "依木": "古*木",
}


@dataclass
class Town:
    """Who is there. `agreed` are named, the others are not, each for a reason of their own."""

    tree: dict[str, Branch]
    chen: MadeLogin
    wu: MadeLogin
    agreed: list[Resident] = field(default_factory=list)
    silent: list[Resident] = field(default_factory=list)
    minor: Resident | None = None
    took_back: Resident | None = None
    left: Resident | None = None
    helped: Resident | None = None

    @property
    def station(self) -> Branch:
        return self.tree["NS-01"]

    def unnamed(self) -> list[Resident]:
        others = [self.minor, self.took_back, self.left, self.helped]
        return self.silent + [one for one in others if one is not None]


def enrol(db: Connection, branch: Branch, name: str, grid: str, consents: tuple[Consent, ...] = (), **more) -> Resident:
    phone = f"138{abs(hash(name)) % 10**8:08d}"
    person = Person(name, branch.branch_id, phone, grid=grid, building="7栋302", **more)
    return residents.enrol(db, person, consents, actor="staff:1")


def award(db: Connection, who: Resident, branch: Branch, points: int, session_id: int | None = None, grade: str = "A"):
    """Award somebody as the sign-off of a session does."""
    book = who.book_id
    legs = (
        Leg(ledger.internal_account(db, book, AccountKind.ISSUER), Unit.POINTS, -points),
        Leg(who.account_id, Unit.POINTS, points),
        Leg(ledger.internal_account(db, book, AccountKind.REGISTRY), Unit.MINUTES, -points * 6),
        Leg(who.account_id, Unit.MINUTES, points * 6),
    )
    draft = Draft(book, "award", legs, ids.token(8), "staff:1", branch=branch.branch_id, grade=grade)
    posted = ledger.post(db, draft)
    if session_id is not None:
        row = {
            "session_id": session_id, "resident_id": who.resident_id, "kind": "attendance", "rule_code": "V01",
            "rule_version": 1, "occurred_on": clock.today(), "grade": grade, "reason": "ok", "capped_by": "",
            "review": False, "entry_id": posted.entry_id, "counted_times": 1, "surplus_points": 0, "points": points,
            "present_minutes": points * 6, "counted_minutes": points * 6, "service_minutes": points * 6,
        }  # fmt: skip
        db.execute(activity_models.awards.insert().values(row))
    return posted


def make_session(db: Connection, branch: Branch, title: str) -> int:
    plan = Plan(title=title, rule_code="V01", branch_id=branch.branch_id, place="河边")
    activity = activities.create_activity(db, plan, actor="system")
    starts_at = clock.now()
    session = activities.add_session(db, activity.activity_id, starts_at, starts_at + timedelta(hours=2))
    return session.session_id


def make_town(db: Connection) -> Town:
    tree = make_branch_tree(db)
    load_rules(db, packaged_rules(), actor="system", consultation="居民议事会通过")
    station = tree["NS-01"]
    town = Town(tree, make_login(db, "staff", station), make_login(db, "staff", station))
    clean, help_wang, few = (make_session(db, station, t) for t in ("河岸清洁", "帮王桂英老人修灯", "小组读书"))
    for number, name in enumerate(NAMES):
        who = enrol(db, station, name, "三网格", (Consent.NOTICE,))
        award(db, who, station, 20 + 40 * number, clean)
        town.agreed.append(who)
    for number, name in enumerate(("王桂英", "李玉兰", "赵铁柱", "孙小梅", "周大勇", "吴静")):
        who = enrol(db, station, name, "五网格" if number < 5 else "独一网格")
        award(db, who, station, 30, help_wang if number < 5 else few, grade="A" if number else "C")
        town.silent.append(who)
    notice = (Consent.NOTICE,)
    guardian = {"guardian_name": "郑家长", "guardian_relation": "母亲"}
    town.minor = enrol(db, station, "郑童童", "三网格", notice, born_on=date(2012, 5, 1), **guardian)
    town.took_back = enrol(db, station, "冯撤回", "三网格", notice)
    town.left = enrol(db, station, "褚离开", "三网格", notice)
    town.helped = enrol(db, station, "蒋受助", "三网格", notice)
    for who in (town.minor, town.took_back, town.left, town.helped):
        award(db, who, station, 60, clean)
    helped = {"session_id": help_wang, "number": 1, "resident_id": town.helped.resident_id, "label": ""}
    row = helped | {"secret_hash": b"1", "made_at": clock.now()}
    db.execute(activity_models.helped.insert().values(row))
    residents.withdraw_consent(db, town.took_back.resident_id, Consent.NOTICE, actor="self")
    # The sibling station has four people, who must not come out by difference from the hub's figures.
    for name in ("沈甲一", "韩乙二", "杨丙三", "朱丁四"):
        award(db, enrol(db, tree["NS-02"], name, "九网格"), tree["NS-02"], 25)
    for name in ("秦戊五", "尤己六", "许庚七"):
        award(db, enrol(db, tree["NS-00"], name, "九网格"), tree["NS-00"], 25)
    return town


@world
def town(database: Database) -> Town:
    with clock.at(IN_OCTOBER):
        town = database.transact(make_town)
    with clock.at(IN_NOVEMBER):
        database.transact(ledger.close_day, town.station.book_id, date(2026, 10, 31))
        assert town.left is not None
        database.transact(residents.set_status, town.left.resident_id, Status.LEFT, "搬走了", actor="staff:1")
    return town
