"""A station with two people at its desk and one who earned too much.

Zhang Jiansan was awarded 50 points that were somebody else's. Chen Hong of the station notices; Wu Ping, at the same
desk, checks. Lin Mei manages the hub. Sun of the strangers' station has nothing to say here. Wang Guiying works
there too, and is Zhang's wife. Chen Hong has a second login at the hub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.access import queries as access_queries
from moralbank.access import service as access
from moralbank.access.service import GrantDraft
from moralbank.activities.awarding import expiry_of
from moralbank.approvals import offsets, queries, service
from moralbank.approvals.queries import Request
from moralbank.approvals.service import Hand, hand_of
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.residents.queries import Resident
from tests._people import MadeLogin, make_branch_tree, make_login
from tests._worlds import world
from tests.redemptions.conftest import make_resident

DAY = timedelta(days=1)


@dataclass
class Desk:
    """Who is there, and their verbs."""

    database: Database
    tree: dict[str, Branch]
    zhang: Resident
    wang: Resident
    chen: MadeLogin
    wu: MadeLogin
    lin: MadeLogin
    sun: MadeLogin
    wife: MadeLogin
    twin: MadeLogin
    now: Any = field(default_factory=clock.now)

    def hand(self, login: MadeLogin, role: str = "staff") -> Hand:
        return hand_of(login.principal, role)

    def do(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        with clock.at(self.now):
            return self.database.transact(verb, *args, **more)

    def read(self, query: Callable[..., Any], *args: Any, **more: Any) -> Any:
        with clock.at(self.now), self.database.reading() as db:
            return query(db, *args, **more)

    def award(self, points: int, minutes: int = 0, *, to: Resident | None = None) -> UUID:
        """Award as a session's sign-off does, with what follows an award."""
        return self.do(award, to or self.zhang, points, minutes)

    def spend(self, points: int) -> ledger.Posted:
        return self.do(spend, self.zhang, points)

    def ask(self, entry_id: UUID, reason: str = "签到人登记错了") -> Request:
        return self.do(service.ask_reversal, self.hand(self.chen), self.zhang.book_id, entry_id, reason)

    def approve(self, request: Request, by: MadeLogin | None = None) -> Request:
        return self.do(service.approve, self.hand(by or self.wu), request.request_id)

    def offset(self, request: Request) -> queries.Offset | None:
        return self.read(queries.find_offset, request.request_id)

    @property
    def balance(self) -> int:
        return self.read(lambda db: ledger.balance(db, self.zhang.book_id, self.zhang.account_id, Unit.POINTS).balance)

    @property
    def lines(self) -> list[tuple[str, int]]:
        found = self.read(
            ledger.history, self.zhang.book_id, self.zhang.account_id, Unit.POINTS, newest_first=False, limit=1000
        )
        return [(line.kind, line.amount) for line in found]


def award(db: Connection, to: Resident, points: int, minutes: int = 0) -> UUID:
    book = to.book_id
    issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
    registry = ledger.internal_account(db, book, AccountKind.REGISTRY)
    legs = (
        Leg(issuer, Unit.POINTS, -points),
        Leg(to.account_id, Unit.POINTS, points, expiry_of(clock.today())),
    )
    if minutes:
        legs += (Leg(registry, Unit.MINUTES, -minutes), Leg(to.account_id, Unit.MINUTES, minutes))
    private = {"activity": "河岸清洁", "place": "洛水河岸"}
    draft = Draft(book, "award", legs, ids.token(8), "staff:1", branch=to.branch_id, grade="A", private=private)
    verdicts = ledger.post_many(db, [draft])
    offsets.follow_posted(db, book, [draft], verdicts)
    return verdicts[0].entry_id


def spend(db: Connection, who: Resident, points: int) -> ledger.Posted:
    [shop] = [
        *ledger.list_accounts(db, who.book_id, [AccountKind.MERCHANT])[:1],
    ] or [ledger.open_accounts(db, who.book_id, [AccountKind.MERCHANT])]
    account = shop.account if hasattr(shop, "account") else shop[0]
    legs = (Leg(who.account_id, Unit.POINTS, -points), Leg(account, Unit.POINTS, points))
    return ledger.post(db, Draft(who.book_id, "redemption", legs, ids.token(8), "operator:9"))


def make_colleague(db: Connection, role: str, branch: Branch, display_name: str) -> MadeLogin:
    opened = access.open_login(db, f"other-{role}", display_name, [GrantDraft(role, branch.branch_id)], by=None)
    return MadeLogin(opened.login_id, None, opened.secret, access_queries.get_principal(db, opened.login_id))


def make_desk(db: Connection, database: Database) -> Desk:
    tree = make_branch_tree(db)
    station = tree["NS-01"]
    zhang = make_resident(db, station, "张建三", household="H-01")
    wang = make_resident(db, station, "王桂英", household="H-01")
    chen = make_login(db, "staff", station)
    return Desk(
        database,
        tree,
        zhang,
        wang,
        chen=chen,
        wu=make_login(db, "staff", station),
        lin=make_login(db, "admin", tree["NS-00"]),
        sun=make_login(db, "staff", tree["XX-01"]),
        wife=make_colleague(db, "staff", station, "王桂英"),
        twin=make_colleague(db, "admin", tree["NS-00"], f" {chen.name.upper()}"),
    )


@world
def cast(database: Database) -> Desk:
    return replace(database.transact(make_desk, database), database=None)


@pytest.fixture
def desk(database: Database, cast: Desk) -> Desk:
    return replace(cast, database=database)
