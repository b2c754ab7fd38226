"""Lets people spend: a code on the phone or a card with its PIN, at the till of a merchant; now and then undone."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from moralbank import clock, ids
from moralbank.access.queries import find_login
from moralbank.demo.logins import WITH_PHONE
from moralbank.demo.neighbours import Neighbour
from moralbank.demo.opening import till_name
from moralbank.demo.town import Town
from moralbank.errors import Refused
from moralbank.merchants.queries import StockedOffer, list_offers
from moralbank.redemptions import codes, service
from moralbank.redemptions.limits import DEFAULT_LIMITS
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from moralbank.redemptions.queries import Receipt

_SPENDS_FROM = 15
#: Whom the demonstration's card names leaves a visitor something to spend.
_GUEST_KEEPS = 150
_RICH_FROM, _DEAR_FROM = 260, 200
_AT_TILL = timedelta(minutes=2)
_ELDER_OFFER, _ELDER_FROM = "60岁", 60


class Market:
    """The merchants with their tills, and the days on which people come."""

    def __init__(self, town: Town) -> None:
        self._town = town
        offers = [one for one in list_offers(town.db, book_id=town.book) if one.merchant.is_active]
        self._stalls = [(one, self._till(one)) for one in offers]

    def open_days(self, opened_at: datetime) -> None:
        """Write every market day into the diary."""
        day = opened_at + timedelta(days=2)
        while day <= self._town.now:
            self._town.diary.at(clock.local(day).replace(hour=7, minute=0), self._day)
            day += timedelta(days=1)

    def _till(self, stocked: StockedOffer) -> Till:
        login = find_login(self._town.db, till_name(stocked.merchant.code))
        assert login is not None, "every active merchant has an operator"
        return Till(stocked.merchant.merchant_id, login.login_id, f"demo-{stocked.merchant.code}")

    def _day(self) -> None:
        """Let some go shopping today, the more points they have the likelier."""
        random = self._town.random
        for person in self._town.residents.values():
            keeps = _GUEST_KEEPS if person.name == WITH_PHONE else 0
            if person.login_id is None or person.balance < keeps + _SPENDS_FROM:
                continue
            if random.random() < 0.004 + person.balance / 3500:
                when = clock.now() + timedelta(minutes=random.randint(100, 690), seconds=random.randint(0, 59))
                # Nobody is still at the till when the history ends.
                if when + _AT_TILL <= self._town.now:
                    self._town.diary.at(when, partial(self._shop, person))

    def _shop(self, person: Neighbour) -> None:
        random = self._town.random
        stocked, till = self._choose(person)
        receipt = self._charge(person, stocked, till)
        if receipt is None:
            return
        person.balance -= receipt.points
        if random.random() < 0.03:
            self._town.diary.at(clock.now() + timedelta(seconds=70), partial(self._undo, person, till, receipt))

    def _choose(self, person: Neighbour) -> tuple[StockedOffer, Till]:
        """Return what somebody wants: mostly what they can afford, near home."""
        is_bold = self._town.random.random() < 0.02
        spare = max(0, person.balance - (_GUEST_KEEPS if person.name == WITH_PHONE else 0))
        limit = spare if person.phone else min(spare, DEFAULT_LIMITS.card_points_per_day_max)
        # Who can afford everything overreaches nothing.
        overreaches = is_bold and any(stocked.offer.points > limit for stocked, _ in self._stalls)
        chances = [
            (stall, self._liking(person, stall[0]))
            for stall in self._stalls
            if (stall[0].offer.points > limit) == overreaches
            and (_ELDER_OFFER not in stall[0].offer.title or person.age(clock.today()) >= _ELDER_FROM)
        ]
        [stall] = self._town.random.choices([stall for stall, _ in chances], [liking for _, liking in chances])
        return stall

    def _liking(self, person: Neighbour, stocked: StockedOffer) -> float:
        at_home = self._town.branches[person.branch].branch_id
        liking = 3.0 if stocked.merchant.branch_id == at_home else 1.0
        if stocked.offer.points >= _DEAR_FROM:
            return liking * (6.0 if person.balance >= _RICH_FROM else 0.3)
        return liking * (0.3 if stocked.offer.points == 0 else 1.0)

    def _charge(self, person: Neighbour, stocked: StockedOffer, till: Till) -> Receipt | None:
        """Pay as the person can; a refusal is remembered, as the counter does it."""
        offer_id = stocked.offer.offer_id
        if person.phone is None:
            order = Order(offer_id, None, Means.CARD_PIN, person.card_number, proven_login_id=person.login_id)
        else:
            order = Order(offer_id, None, Means.CODE, codes.issue_code(self._town.db, person.resident_id).number)
        with clock.at(clock.now() + timedelta(seconds=20)):
            receipt = self._at_till(till, order)
        if receipt is not None and order.means is Means.CODE and self._town.random.random() < 0.01:
            with clock.at(clock.now() + timedelta(seconds=45)):
                self._at_till(till, order)  # The same code shown a second time, which is refused.
        return receipt

    def _at_till(self, till: Till, order: Order) -> Receipt | None:
        db, key = self._town.db, ids.token(16)
        try:
            with db.begin_nested():
                return service.charge(db, till, order, key)
        except Refused as refusal:
            service.remember_refusal(db, till, key, order.fingerprint, refusal)
        return None

    def _undo(self, person: Neighbour, till: Till, receipt: Receipt) -> None:
        service.undo(self._town.db, till, receipt.charge_id)
        person.balance += receipt.points
