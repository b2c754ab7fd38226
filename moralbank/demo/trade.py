"""The counter's other acts: reserved, given back, closed in the evening, settled, told to the public, certified.

Whoever is to do them may not have the points just then; the act is left out, as it would be at a real till.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial

from moralbank import clock, ids
from moralbank.access.queries import find_login, get_principal
from moralbank.approvals.service import hand_of
from moralbank.certificates import service as certificates
from moralbank.demo.logins import WITH_PHONE
from moralbank.demo.neighbours import Neighbour
from moralbank.demo.opening import HUB, till_name
from moralbank.demo.town import Town
from moralbank.disclosure import service as disclosure
from moralbank.disclosure.values import Kind, period_before
from moralbank.errors import MoralBankError
from moralbank.merchants.queries import Merchant, list_merchants, list_offers
from moralbank.merchants.supervisors import name_supervisor
from moralbank.noticeboard.service import seal_next_day
from moralbank.redemptions import codes, refunds, service, vouchers, zreports
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order, Till
from moralbank.redemptions.refunds import Wish
from moralbank.settlements import service as settlements
from moralbank.settlements.queries import list_settlements

#: The shop whose till the demonstration's card names first.
_SHOP = "M002"
_NIGHT, _MORNING, _EVENING = timedelta(hours=3), timedelta(hours=10), timedelta(hours=20, minutes=30)
_REPORTS_DAYS = 21
#: How many days ago each was reserved, and what became of it.
_RESERVED = {13: "forgotten", 6: "collected", 2: "waiting"}
_REFUND_DAYS = 4


class Trade:
    """One shop's reservations, refund and reports, and the village's months."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._shop = next(one for one in list_merchants(town.db) if one.code == _SHOP)
        login = find_login(town.db, till_name(_SHOP))
        assert login is not None, "every active merchant has an operator"
        self._operator = get_principal(town.db, login.login_id)
        self._till = Till(self._shop.merchant_id, login.login_id, f"demo-{_SHOP}")
        name_supervisor(town.db, self._shop.merchant_id, login.login_id, actor=town.staff_actor(HUB))

    def open_days(self, opened_at: datetime) -> None:
        """Write it all into the diary, as far back as the bank was open."""
        today = clock.local(self._town.now).date()
        month = today.replace(day=1)
        for instant, deed in self._deeds(today, month):
            if instant > opened_at + timedelta(days=3):
                self._town.diary.at(instant, deed)
        day = clock.local(opened_at).date()
        while (day := settlements.next_month(day.replace(day=1))) <= month:
            self._town.diary.at(clock.start_of(day) + _NIGHT, partial(self._settle, day, is_last=day == month))

    def _deeds(self, today: date, month: date) -> Iterator[tuple[datetime, Callable[[], object]]]:
        def on(days: int, hour: timedelta) -> datetime:
            return clock.start_of(today - timedelta(days=days)) + hour

        yield clock.start_of(month - timedelta(days=9)) + _MORNING, self._buy
        for days, fate in _RESERVED.items():
            yield on(days, _MORNING), partial(self._reserve, fate)
        yield on(_REFUND_DAYS, _MORNING), self._buy_and_return
        for days in range(_REPORTS_DAYS, 0, -1):
            yield on(days, _NIGHT), partial(vouchers.lapse, self._town.db, 50)
            yield on(days, _EVENING), self._close_day
        yield on(1, _EVENING + timedelta(hours=1)), self._certify

    def _close_day(self) -> None:
        zreports.close_day(self._town.db, self._shop.merchant_id, actor=self._till.actor)

    def _buyers(self, *, is_guest_first: bool) -> list[Neighbour]:
        """Return who could buy now, those with phone and login by what they have.

        Whom the demonstration's card names comes first or not at all: a visitor is to find a share of this month left.
        """
        able = [one for one in self._town.residents.values() if one.phone and one.login_id]
        guests = [one for one in able if one.name == WITH_PHONE] if is_guest_first else []
        return guests + sorted((one for one in able if one.name != WITH_PHONE), key=lambda one: -one.balance)

    def _first(
        self, act: Callable[[Neighbour, int, int], int], *, is_guest_first: bool, is_dear: bool = False
    ) -> int | None:
        """Do an act for the first buyer for whom an offer of the shop isn't refused; return what it made."""
        offers = [one.offer for one in list_offers(self._town.db, merchant_id=self._shop.merchant_id)]
        for person in self._buyers(is_guest_first=is_guest_first)[:6]:
            for offer in sorted(offers, key=lambda one: one.points, reverse=is_dear):
                if not 0 < offer.points <= person.balance:
                    continue
                try:
                    with self._town.db.begin_nested():
                        made = act(person, offer.offer_id, offer.points)
                except MoralBankError:
                    continue
                person.balance -= offer.points
                return made
        return None

    def _buy(self) -> int | None:
        return self._first(self._charge, is_guest_first=False)

    def _charge(self, person: Neighbour, offer_id: int, _points: int) -> int:
        number = codes.issue_code(self._town.db, person.resident_id).number
        order = Order(offer_id, None, Means.CODE, number)
        return service.charge(self._town.db, self._till, order, ids.token(16)).charge_id

    def _buy_and_return(self) -> None:
        """Sell something of which a part is given back within the hour."""
        charge_id = self._buy()
        if charge_id is not None:
            self._town.diary.at(clock.now() + timedelta(minutes=40), partial(self._refund, charge_id))

    def _refund(self, charge_id: int) -> None:
        hand = hand_of(self._operator, "operator")
        wish = Wish(5, False, "有一块破了包装，退一部分")
        try:
            with self._town.db.begin_nested():
                refunds.refund(self._town.db, hand, charge_id, wish, ids.token(16))
        except MoralBankError:
            return  # Undone meanwhile: there is nothing left to give back.

    def _reserve(self, fate: str) -> None:
        voucher_id = self._first(self._hold, is_guest_first=True, is_dear=fate == "waiting")
        if voucher_id is not None and fate == "collected":
            self._town.diary.at(clock.now() + timedelta(hours=26), partial(self._collect, voucher_id))

    def _hold(self, person: Neighbour, offer_id: int, _points: int) -> int:
        actor = f"resident:{person.login_id}"
        made = vouchers.reserve(self._town.db, person.resident_id, offer_id, ids.token(16), actor=actor)
        return made.voucher_id

    def _collect(self, voucher_id: int) -> None:
        number = vouchers.get_voucher(self._town.db, voucher_id).number
        vouchers.collect(self._town.db, Ask(self._till, Order(None, None, Means.CODE, number), ids.token(16)))

    def _settle(self, day: date, *, is_last: bool) -> None:
        """Close the month's days, settle it for every shop, and pay what was settled before and nobody asked about."""
        db, month = self._town.db, (day - timedelta(days=1)).replace(day=1)
        while seal_next_day(db, self._town.book):
            pass
        settlements.confirm_silent(db, day)
        payer = self._town.staff_actor(HUB)
        for one in list_settlements(db, branch_ids=self._branches(), state="confirmed", limit=100):
            if one.due_fen > 0:
                settlements.pay(db, one.settlement_id, f"JZ{day:%Y%m}{one.settlement_id:04d}", day, actor=payer)
        for merchant in list_merchants(db):
            for made in settlements.settle(db, merchant, month, actor=settlements.SYSTEM):
                if is_last and merchant.code == _SHOP:
                    asks_at = clock.now() + timedelta(hours=7)
                    self._town.diary.at(asks_at, partial(self._ask_about, made.settlement_id))
        if is_last:
            self._publish(self._shop)

    def _branches(self) -> list[int]:
        return [branch.branch_id for branch in self._town.branches.values()]

    def _ask_about(self, settlement_id: int) -> None:
        reason = "这一笔合同上写的是 6 元，请核对"
        settlements.raise_dispute(self._town.db, settlement_id, 1, reason, actor=self._till.actor)

    def _publish(self, shop: Merchant) -> None:
        """Tell the public what came of the month at the shop's station."""
        period = period_before(Kind.TOTALS, clock.today())
        try:
            with self._town.db.begin_nested():
                notice = disclosure.draft(
                    self._town.db, shop.branch_id, Kind.TOTALS, period, actor=self._town.staff_actor("NS-01")
                )
                disclosure.publish(self._town.db, notice.notice_id, actor=self._town.admin.actor("admin"), days=30)
        except MoralBankError:
            return  # The bank was not open yet in that month.

    def _certify(self) -> None:
        """Certify the year of the first of the cast who has served and of whom all is written down."""
        today = clock.today()
        for person in self._buyers(is_guest_first=True):
            try:
                with self._town.db.begin_nested():
                    certificates.issue(
                        self._town.db,
                        person.resident_id,
                        today - timedelta(days=180),
                        today,
                        handler="周敏",
                        contact="南山驿站服务台",
                        actor=self._town.staff_actor("NS-01"),
                    )
            except MoralBankError:
                continue
            return
