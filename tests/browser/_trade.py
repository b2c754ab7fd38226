"""What went on at the grain shop before the Saturday: a year's worth of its pages in five weeks.

He Xiaohua buys for the whole house; she shares her phone with her son. Fang Zhiyuan keeps the grain shop and its till.
In October she bought oil and noodles, which the fund settled and the shop asked about; in November she reserved three
things, of which she collected one and forgot one, and got part of a charge back. On the Friday the shop closed its day.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.access import queries as access
from moralbank.access.service import GrantDraft, open_login
from moralbank.approvals.service import hand_of
from moralbank.certificates import service as certificates
from moralbank.disclosure import service as disclosure
from moralbank.disclosure.values import Kind, period_before
from moralbank.figures import service as figures
from moralbank.merchants import drafts
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import get_merchant
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.merchants.supervisors import name_supervisor
from moralbank.objections import service as objections
from moralbank.objections.service import Doubt
from moralbank.redemptions import codes, numbers, phone_orders, refunds, vouchers, zreports
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.orders import Order, Till
from moralbank.redemptions.phone_orders import PhoneOrder
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.refunds import Wish
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.settlements import service as settlements
from tests._people import PASSWORD, MadeLogin, make_login

if TYPE_CHECKING:
    from tests.browser._town import Town

FAMILY_PHONE = "13800000005"
_FAMILY = (("hua", "何小花", "female", date(1971, 4, 2)), ("ming", "何一鸣", "male", date(2003, 6, 1)))
_OFFERS = (("O011", "食用油一桶", 60, 20, 3, 1500), ("O012", "挂面一把", 20, 20, 5, 400))
#: What is written into the books by hand, in the language of whoever wrote it.
WORDS = (
    "何小花 何*花 何*鸣 何一鸣 洛水粮油店 粮油 方志远 食用油一桶 挂面一把 小米一袋 有一桶漏了油 "
    "这一桶是二十元的 街道社区基金 十月的人数好像少了一位 图书漂流 张经办"
).split()
_TERMINAL = "till-of-the-grain-shop"


def open_shop(db: Connection, town: Town) -> None:
    """Enrol the family and open the grain shop."""
    station = town.branches["NS-01"]
    for name, full, sex, born_on in _FAMILY:
        person = Person(full, station.branch_id, FAMILY_PHONE, "H-02", born_on=born_on, sex=sex)
        town.people[name] = residents.enrol(db, person, actor="staff:1")
        town.logins[name] = make_login(db, "resident", station, resident_id=town.people[name].resident_id)
    details = MerchantDetails("洛水粮油店", "粮油", "方志远", "13900000004", "subsidised")
    shop = merchants.add_merchant(db, station, "M002", details, status="active")
    oil, noodles = (merchants.add_offer(db, shop.merchant_id, code, OfferDetails(*facts)) for code, *facts in _OFFERS)
    grant = GrantDraft("operator", station.branch_id, shop.merchant_id)
    town.logins["fang"] = open_desk_login(db, "fangzhiyuan", "方志远", grant)
    name_supervisor(db, shop.merchant_id, town.logins["fang"].login_id, actor="staff:1")
    town.values |= {"grain": shop.merchant_id, "oil": oil.offer_id, "noodles": noodles.offer_id}
    town.values["hub"] = town.branches["NS-00"].branch_id


def open_desk_login(db: Connection, name: str, display_name: str, grant: GrantDraft) -> MadeLogin:
    """Open a login with a name, for whoever works at a desk or a till."""
    secret = "258369" if grant.role == "operator" else PASSWORD
    opened = open_login(db, name, display_name, [grant], by=None, secret=secret, must_change=False)
    return MadeLogin(opened.login_id, name, secret, access.get_principal(db, opened.login_id))


def october(db: Connection, town: Town, day: datetime) -> None:
    """Let Xiaohua have points, and buy for the house on a day of October."""
    with clock.at(day - timedelta(hours=2)):
        hua = town.people["hua"]
        opening = ledger.internal_account(db, hua.book_id, ledger.AccountKind.OPENING)
        legs = (
            ledger.Leg(opening, ledger.Unit.POINTS, -400),
            ledger.Leg(hua.account_id, ledger.Unit.POINTS, 400, date(2029, 10, 14)),
        )
        whose = {"branch": hua.branch_id, "grade": "D"}
        ledger.post(db, ledger.Draft(hua.book_id, "opening", legs, "opening:hua", "staff:1", **whose))
    for hours, offer in ((0, "oil"), (1, "noodles")):
        with clock.at(day + timedelta(hours=hours)):
            _buy(db, town, offer=offer)


def november(db: Connection, town: Town, saturday: datetime) -> None:
    """Let her reserve three things, collect one and forget one, and take back a part of Friday's charge."""
    with clock.at(saturday - timedelta(days=16)):
        forgotten = _reserve(db, town, "noodles")
    with clock.at(saturday - timedelta(days=7)):
        vouchers.lapse(db, 10)
    with clock.at(saturday - timedelta(days=2)):
        collected = _reserve(db, town, "oil")
        order = Order(None, None, numbers.Means.CODE, collected.number)
        vouchers.collect(db, redemptions.Ask(_till(town), order, ids.token(16)))
    friday = saturday - timedelta(days=1)
    with clock.at(friday):
        charge = _buy(db, town, points=50)
    with clock.at(friday + timedelta(minutes=20)):
        wish, hand = Wish(20, False, "有一桶漏了油"), hand_of(town.logins["fang"].principal, "operator")
        refunds.refund(db, hand, charge.charge_id, wish, ids.token(16))
        waiting = _reserve(db, town, "noodles")
        details = OfferDetails("小米一袋", 15, 30, 2, 300)
        draft = drafts.write_new(db, hand, town.values["grain"], details, None)
        drafts.submit(db, hand, draft.draft_id)
    with clock.at(friday + timedelta(hours=9)):
        closed = zreports.close_day(db, town.values["grain"], actor=_till(town).actor)
        sticker = phone_orders.add_sticker(db, town.values["grain"], town.logins["fang"].login_id)
        certificate = certificates.issue(
            db,
            town.people["wei"].resident_id,
            date(2026, 10, 1),
            date(2026, 10, 31),
            handler="张经办",
            contact="02787654321",
            actor=f"staff:{town.logins['min'].login_id}",
        )
    town.values |= {
        "voucher": waiting.voucher_id,
        "draft": draft.draft_id,
        "voucher_collected": collected.voucher_id,
        "voucher_lapsed": forgotten.voucher_id,
        "refunded": charge.charge_id,
        "zreport": closed.zreport_id,
        "sticker": phone_orders.sign(db, sticker),
        "certificate": certificate.certificate_id,
        "certificate_code": certificate.code,
    }


def settle(db: Connection, town: Town) -> None:
    """Settle October, whose days are closed and of which the shop asks, tell the public, say what points cost."""
    merchant, month = get_merchant(db, town.values["grain"]), date(2026, 10, 1)
    [settlement] = settlements.settle(db, merchant, month, actor="system")
    settlements.raise_dispute(db, settlement.settlement_id, 1, "这一桶是二十元的", actor=_till(town).actor)
    staff, director = (town.logins[name].principal for name in ("min", "director"))
    settlements.set_reference_cost(db, merchant.book_id, 1000, actor=staff.actor("staff"))
    settlements.note_pledge(db, merchant.book_id, "街道社区基金", 80_000, month, actor=staff.actor("staff"))
    period, station = period_before(Kind.TOTALS, clock.today()), town.branches["NS-01"].branch_id
    notice = disclosure.draft(db, station, Kind.TOTALS, period, actor=staff.actor("staff"))
    disclosure.publish(db, notice.notice_id, actor=director.actor("admin"))
    hua = town.people["hua"]
    doubt = Doubt(hua.book_id, hua.branch_id, "notice", str(notice.notice_id), "十月的人数好像少了一位")
    objection = objections.object_to(db, hua.resident_id, doubt)
    figures.freeze(db, town.branches["NS"])
    town.values |= {
        "settlement": settlement.settlement_id,
        "notice": notice.notice_id,
        "objection": objection.objection_id,
    }


def ask_phone(db: Connection, town: Town) -> None:
    """Let the till wait for her to agree to a large charge."""
    number = codes.issue_code(db, town.people["hua"].resident_id).number
    order = Order(None, 120, numbers.Means.CODE, number)
    asked = phone_orders.ask_phone(db, _till(town), order, ids.token(16))
    assert isinstance(asked, PhoneOrder)
    town.values["order"] = asked.order_id


def _till(town: Town) -> Till:
    return Till(town.values["grain"], town.logins["fang"].login_id, _TERMINAL)


def _buy(db: Connection, town: Town, *, offer: str | None = None, points: int | None = None) -> Receipt:
    number = codes.issue_code(db, town.people["hua"].resident_id).number
    order = Order(town.values[offer] if offer else None, points, numbers.Means.CODE, number)
    return redemptions.charge(db, _till(town), order, ids.token(16))


def _reserve(db: Connection, town: Town, offer: str) -> vouchers.Voucher:
    actor = f"resident:{town.logins['hua'].login_id}"
    return vouchers.reserve(db, town.people["hua"].resident_id, town.values[offer], ids.token(16), actor=actor)
