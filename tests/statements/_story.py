"""A spring at the bank, told once for statements and for the auditors, on a clock of its own.

Zhang Jiansan brought 100 points from the old book in March, cleans the river bank and buys soap at Li Yulan's shop. In
April he takes a towel and gives it back within the minute, and cleans again; in May that service is reversed, since he
had been counted twice. Wang Xiaomei of the next station only sorts waste. Zhao Bai is another bank's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.branches.queries import Branch
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import Merchant
from moralbank.merchants.service import MerchantDetails
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests._people import make_branch_tree

NOW = datetime(2025, 5, 20, 12, tzinfo=clock.TIMEZONE)


@dataclass(frozen=True)
class Story:
    """Who is in it, and the entries worth pointing at."""

    tree: dict[str, Branch]
    book: int
    zhang: Resident
    wang: Resident
    zhao: Resident
    shop: Merchant
    soap: Posted
    service: Posted
    reversal: Posted
    sorting: Posted


def tell(db: Connection) -> Story:
    with clock.at(at(3, 1, 9)):
        tree = make_branch_tree(db)
        zhang = enrol(db, tree["NS-01"], "张建三", "13800000001")
        wang = enrol(db, tree["NS-02"], "王小妹", "13800000002")
        zhao = enrol(db, tree["XX-01"], "赵白", "13800000003")
        details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
        shop = merchants.add_merchant(db, tree["NS-01"], "M002", details, status="active")
    teller = Teller(db, zhang.book_id)
    with clock.at(at(3, 2)):
        teller.opening(zhang, 100)
    with clock.at(at(3, 15)):
        teller.award(zhang, 25, 150, "河岸清洁", "洛水河岸", happened_on=date(2025, 3, 14))
    with clock.at(at(3, 20)):
        soap = teller.redeem(zhang, shop, 30, "香皂一块")
    with clock.at(at(4, 2)):
        towel = teller.redeem(zhang, shop, 40, "毛巾一条")
    with clock.at(at(4, 2) + timedelta(seconds=50)):
        teller.undo(towel, "毛巾一条", shop)
    with clock.at(at(4, 12)):
        service = teller.award(zhang, 20, 120, "敬老院理发", "松鹤敬老院")
        sorting = teller.award(wang, 5, 0, "垃圾分类", "", branch=tree["NS-02"].branch_id, rule="G01")
    with clock.at(at(5, 6)):
        reversal = ledger.reverse(
            db,
            zhang.book_id,
            service.entry_id,
            key="r-1",
            actor="staff:7",
            checker="staff:99",
            private={"reason": "同一时段重复登记"},
        )
        Teller(db, zhao.book_id).award(zhao, 10, 60, "别区的活动", "别区", branch=tree["XX-01"].branch_id)
    return Story(tree, zhang.book_id, zhang, wang, zhao, shop, soap, service, reversal, sorting)


def at(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2025, month, day, hour, tzinfo=clock.TIMEZONE)


def enrol(db: Connection, branch: Branch, name: str, phone: str) -> Resident:
    return residents.enrol(db, Person(name, branch.branch_id, phone, born_on=date(1950, 5, 1)), actor="staff:7")


class Teller:
    """Posts what the verbs of the other packages post, in one line each."""

    def __init__(self, db: Connection, book: int) -> None:
        self.db, self.book, self.count = db, book, 0

    def post(self, kind: str, legs: tuple[Leg, ...], actor: str, private: dict[str, str], **more: object) -> Posted:
        self.count += 1
        draft = Draft(self.book, kind, legs, f"{kind}:{self.count}", actor, private=private, **more)  # type: ignore[arg-type]
        return ledger.post(self.db, draft)

    def internal(self, kind: AccountKind) -> int:
        return ledger.internal_account(self.db, self.book, kind)

    def opening(self, who: Resident, points: int) -> Posted:
        legs = (
            Leg(self.internal(AccountKind.OPENING), Unit.POINTS, -points),
            Leg(who.account_id, Unit.POINTS, points, date(2028, 3, 2)),
        )
        return self.post("opening", legs, "staff:7", {"row": "4"}, branch=who.branch_id, grade="D")

    def award(
        self,
        who: Resident,
        points: int,
        minutes: int,
        activity: str,
        place: str,
        *,
        branch: int | None = None,
        rule: str = "V01",
        happened_on: date | None = None,
    ) -> Posted:
        expires_on = clock.today() + timedelta(days=1096)
        legs: tuple[Leg, ...] = (
            Leg(self.internal(AccountKind.ISSUER), Unit.POINTS, -points),
            Leg(who.account_id, Unit.POINTS, points, expires_on),
        )
        if minutes:
            legs += (
                Leg(self.internal(AccountKind.REGISTRY), Unit.MINUTES, -minutes),
                Leg(who.account_id, Unit.MINUTES, minutes),
            )
        return self.post(
            "award", legs, "staff:7", {"activity": activity, "place": place},
            branch=branch or who.branch_id, rule=(rule, 1), grade="A", occurred_on=happened_on,
            source=("attendance", f"{self.count + 1}:{who.resident_id}"),
        )  # fmt: skip

    def redeem(self, who: Resident, shop: Merchant, points: int, offer: str) -> Posted:
        legs = (Leg(who.account_id, Unit.POINTS, -points), Leg(shop.account_id, Unit.POINTS, points))
        return self.post(
            "redemption", legs, "operator:9", {"memo": offer, "place": shop.name},
            branch=shop.branch_id, source=("redemption", str(self.count + 1)),
        )  # fmt: skip

    def undo(self, first: Posted, offer: str, shop: Merchant) -> Posted:
        return ledger.reverse(
            self.db, self.book, first.entry_id, kind="undo", key="undo-1", actor="operator:9",
            private={"memo": offer, "place": shop.name},
        )  # fmt: skip
