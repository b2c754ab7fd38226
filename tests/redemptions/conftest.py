"""A street with a shop: who sells there, who saves there, and how much each has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pytest
from sqlalchemy import Connection

from moralbank import ids, ledger
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.merchants import queries as merchant_queries
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import Merchant, Offer
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.redemptions import codes, service
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from moralbank.residents import service as residents
from moralbank.residents.queries import Resident, find_card
from moralbank.residents.service import Person
from tests._people import MadeLogin, make_branch_tree, make_login
from tests._worlds import world


@dataclass(frozen=True)
class Street:
    """Zhang Jiansan saves and has 1,000 points; Li Yulan keeps the shop, with Wang Fang as her second operator."""

    tree: dict[str, Branch]
    zhang: Resident
    zhang_login: MadeLogin
    zhang_card: str
    shop: Merchant
    soap: Offer
    towel: Offer
    umbrella: Offer
    li: MadeLogin
    wang: MadeLogin
    till: Till
    other_till: Till


@world
def street(database: Database) -> Street:
    return database.transact(make_street)


def make_street(db: Connection) -> Street:
    tree = make_branch_tree(db)
    zhang = make_resident(db, tree["NS-01"], "张建三", household="H-01")
    give_points(db, zhang, 1000)
    details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
    shop = merchants.add_merchant(db, tree["NS-01"], "M002", details, status="active")
    soap = merchants.add_offer(db, shop.merchant_id, "O002", OfferDetails("香皂一块", 30, 3, 2, 300))
    towel = merchants.add_offer(db, shop.merchant_id, "O003", OfferDetails("毛巾一条", 40, 60, 5, 500))
    umbrella = merchants.add_offer(db, shop.merchant_id, "O014", OfferDetails("雨伞借用一次", 0, 200, 8, 0))
    li = make_login(db, "operator", tree["NS-01"], shop.merchant_id)
    wang = make_login(db, "operator", tree["NS-01"], shop.merchant_id)
    return Street(
        tree=tree,
        zhang=zhang,
        zhang_login=make_login(db, "resident", tree["NS-01"], resident_id=zhang.resident_id),
        zhang_card=card_of(db, zhang),
        shop=shop,
        soap=soap,
        towel=towel,
        umbrella=umbrella,
        li=li,
        wang=wang,
        till=Till(shop.merchant_id, li.login_id, "till-1"),
        other_till=Till(shop.merchant_id, wang.login_id, "till-2"),
    )


def make_resident(db: Connection, branch: Branch, name: str, household: str | None = None) -> Resident:
    person = Person(name, branch.branch_id, "13800000001", household, born_on=date(1950, 5, 1))
    return residents.enrol(db, person, actor="staff:1")


def give_points(db: Connection, resident: Resident, points: int) -> None:
    opening = ledger.internal_account(db, resident.book_id, ledger.AccountKind.OPENING)
    legs = (
        ledger.Leg(opening, ledger.Unit.POINTS, -points),
        ledger.Leg(resident.account_id, ledger.Unit.POINTS, points),
    )
    key = ids.token(8)
    ledger.post(db, ledger.Draft(resident.book_id, "opening", legs, key=key, actor="system", grade="D"))


def card_of(db: Connection, resident: Resident) -> str:
    card = find_card(db, resident.resident_id)
    assert card is not None
    return card.number


def show_code(db: Connection, resident: Resident) -> str:
    """Let the resident show a payment code and return its digits."""
    return codes.issue_code(db, resident.resident_id).number


def by_code(number: str, *, offer: Offer | None = None, points: int | None = None, again: bool = False) -> Order:
    return Order(offer.offer_id if offer else None, points, Means.CODE, number, is_confirmed=again)


def balance_of(db: Connection, resident: Resident) -> int:
    return ledger.balance(db, resident.book_id, resident.account_id, ledger.Unit.POINTS).balance


def pay(database: Database, street: Street, *, key: str = "", till: Till | None = None, **order):
    code = order.pop("code", None) or database.transact(show_code, street.zhang)
    return database.transact(service.charge, till or street.till, by_code(code, **order), key or ids.token(8))


def left_of(database: Database, offer: Offer) -> int:
    with database.reading() as db:
        return merchant_queries.get_stocked_offer(db, offer.offer_id).left


Balance = Callable[[Resident], int]


@pytest.fixture
def balance(database: Database) -> Balance:
    """balance(resident) reads what a resident has now."""

    def read(resident: Resident) -> int:
        with database.reading() as db:
            return balance_of(db, resident)

    return read
