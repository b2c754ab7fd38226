"""A Saturday morning by the river: a station, a few neighbours, and an activity that runs from 9:00 to 11:30."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from moralbank import clock, ledger
from moralbank.activities import checkin, service, signoff
from moralbank.activities.answers import Answer
from moralbank.activities.checkin import Scan
from moralbank.activities.signoff import Decision, SignOff
from moralbank.activities.values import Direction, Means, Plan, Session
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.earning import load_rules, packaged_rules
from moralbank.ledger import Unit
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests._people import make_branch_tree
from tests._worlds import world

#: 9:00 in the morning on the bank's clock.
START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
END = START + timedelta(minutes=150)
STAFF = "staff:1"


@dataclass
class Scene:
    """The cast and their morning. `at("9:05")` sets the clock for what follows in the block."""

    database: Database
    branches: dict[str, Branch]
    people: dict[str, Resident]
    nonces: Iterator[int] = field(default_factory=lambda: count(1))

    def do(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.database.transact(act, *args, **kwargs)

    def look(self, read: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.reading() as db:
            return read(db, *args, **kwargs)

    def plan(self, **changes: Any) -> Plan:
        given = {
            "title": "河岸清洁",
            "rule_code": "V01",
            "branch_id": self.branches["NS-01"].branch_id,
            "place": "河岸公园",
        }
        return Plan(**{**given, **changes})

    def session(self, starts_at: datetime = START, minutes: int = 150, **changes: Any) -> Session:
        """Announce a published activity with one session."""
        activity = self.do(service.create_activity, self.plan(**changes), actor=STAFF, login_id=1)
        session = self.do(service.add_session, activity.activity_id, starts_at, starts_at + timedelta(minutes=minutes))
        self.do(service.publish_activity, activity.activity_id)
        return self.look(service.queries.get_session, session.session_id)

    def scan(self, session: Session, who: str, clock_time: str, **changes: Any) -> Answer:
        """Let somebody be scanned at the desk (or as `changes` say) at a time of the day."""
        given: dict[str, Any] = {"means": Means.DESK_CARD, "nonce": f"test:{next(self.nonces)}", "actor": STAFF}
        scan = Scan(session.session_id, self.people[who].resident_id, **{**given, **changes})
        with clock.at(time_of(clock_time)):
            return self.database.join(checkin.check_in_many, scan)

    def stay(self, session: Session, *names: str, come: str = "9:00", leave: str = "11:30") -> None:
        for name in names:
            self.scan(session, name, come, direction=Direction.IN)
            self.scan(session, name, leave, direction=Direction.OUT)

    def sign(self, session: Session, *names: str, head_count: int | None = None, **changes: Any) -> SignOff:
        """Let the leader confirm people a quarter of an hour after the last check-out, at 12:45."""
        minutes = changes.pop("minutes", {})
        given: dict[str, Any] = {"actor": STAFF, **changes}
        decisions = [Decision(self.people[name].resident_id, minutes.get(name)) for name in names]
        with clock.at(
            max(session.out_until + timedelta(minutes=15), clock.now() if given.pop("now", False) else START)
        ):
            return self.do(
                signoff.sign_off,
                session.session_id,
                decisions,
                len(names) if head_count is None else head_count,
                **given,
            )

    def holds(self, who: str) -> tuple[int, int]:
        """Return somebody's points and minutes."""
        resident = self.people[who]
        with self.database.reading() as db:
            return tuple(  # type: ignore[return-value]
                ledger.balance(db, resident.book_id, resident.account_id, unit).balance
                for unit in (Unit.POINTS, Unit.MINUTES)
            )


def time_of(text: str) -> datetime:
    """Return a time of that Saturday on the bank's clock."""
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return START + timedelta(hours=hours - 9, minutes=minutes, seconds=seconds[0] if seconds else 0)


def in_this_context(act: Callable[..., Any]) -> Callable[..., Any]:
    """Return the act as a thread runs it with this test's clock."""
    context = copy_context()
    return lambda *args: context.copy().run(act, *args)


@world
def settled(database: Database) -> tuple[dict[str, Branch], dict[str, Resident]]:
    """Wei and her husband Qiang share a home and a phone; Lan, Bo and the volunteer leader Yong live alone."""
    with clock.at(START - timedelta(days=3)):
        branches = database.transact(make_branch_tree)
        database.transact(load_rules, packaged_rules(), actor="system", consultation="居民议事会 2025-12-20 通过")
        people = {
            name: database.transact(
                residents.enrol,
                Person(full, branches["NS-01"].branch_id, phone=phone, household_code=home),
                actor="admin:1",
            )
            for name, full, phone, home in (
                ("wei", "陈薇", "13800000001", "H1"),
                ("qiang", "刘强", "13800000001", "H1"),
                ("lan", "欧阳兰", "13800000002", None),
                ("bo", "王博", None, None),
                ("yong", "谢勇海", "13800000003", None),
            )
        }
    return branches, people


@pytest.fixture
def scene(database: Database, settled: tuple[dict[str, Branch], dict[str, Resident]]) -> Iterator[Scene]:
    """The place and its people, three days before their morning."""
    with clock.at(START - timedelta(days=3)):
        yield Scene(database, *settled)
