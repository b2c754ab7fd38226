"""Lets people act for others in the demonstration: a grandfather for his grandchild, a carer for an old woman."""

from __future__ import annotations

from datetime import datetime, timedelta

from moralbank import clock, ids
from moralbank.access.queries import find_login, find_resident_login
from moralbank.behalf import service
from moralbank.behalf.service import Appointment
from moralbank.behalf.values import Basis, Limits, Link, Scope
from moralbank.demo.neighbours import Neighbour
from moralbank.demo.opening import till_name
from moralbank.demo.town import Town
from moralbank.merchants.queries import list_merchants
from moralbank.redemptions import codes
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till

HELPER = "demo-helper"
_FAMILY, _HELPED = ("陈国强", "陈雨桐"), "黄秀英"
_SHOP, _POINTS = "M002", 8
_BEFORE = timedelta(days=9)


def plan(town: Town) -> None:
    """Write into the diary when they agree, and one errand of the carer's."""
    agreed_at = clock.local(town.now - _BEFORE).replace(hour=9, minute=40)
    town.diary.at(agreed_at, lambda: _agree(town))


def _agree(town: Town) -> None:
    holder, child = (_of_the_cast(town, name) for name in _FAMILY)
    login = find_resident_login(town.db, holder.resident_id)
    if login is not None and child.resident_id:
        actor = f"resident:{login.login_id}"
        service.link_family(town.db, login, child.resident_id, Basis.GUARDIAN, actor=actor)
    helped, by = _of_the_cast(town, _HELPED), town.staff["NS-01"]
    wanted = Appointment(
        helped.resident_id, HELPER, "吴护工", Scope(), Limits(30, 50, 100),
        clock.today(), "代办夹第 1 页", clock.today() + timedelta(days=180),
    )  # fmt: skip
    made = service.appoint(town.db, wanted, by=by, actor=by.actor("staff"))
    errand: datetime = clock.now() + timedelta(days=2, hours=1)
    town.diary.at(errand, lambda: _shop(town, helped, made.link))


def _shop(town: Town, helped: Neighbour, link: Link) -> None:
    """Let the carer fetch something for who can't go."""
    if helped.balance < _POINTS:
        return
    [shop] = [one for one in list_merchants(town.db) if one.code == _SHOP]
    operator = find_login(town.db, till_name(_SHOP))
    assert operator is not None, "every active merchant has an operator"
    till = Till(shop.merchant_id, operator.login_id, f"demo-{_SHOP}")
    number = codes.issue_code(town.db, helped.resident_id, link.link_id).number
    redemptions.charge(town.db, till, Order(None, _POINTS, Means.CODE, number), ids.token(16))
    helped.balance -= _POINTS


def _of_the_cast(town: Town, name: str) -> Neighbour:
    return next(one for one in town.neighbours if one.name == name)
