"""One try at a charge from the counter: proves a card's PIN, charges, and remembers a refusal.

It begins transactions, three short ones instead of a long one, so only views use it. The PIN is proven outside of
the charge because a wrong try must be counted although the charge is undone, and because hashing takes its time.
"""

from __future__ import annotations

from dataclasses import replace

from moralbank.access.errors import WrongSecret
from moralbank.errors import Refused
from moralbank.redemptions import service, vouchers
from moralbank.redemptions.charging import charge_at_tills, find_card_holder
from moralbank.redemptions.errors import WrongPin
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order, Till
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.tills import check_till
from moralbank.web import auth
from moralbank.web.db import database


def charge(till: Till, order: Order, pin: str, key: str) -> Receipt:
    """Charge once for the key. Raises: as charge_at_tills refuses, and Locked after too many wrong PINs."""
    try:
        if order.means is Means.CARD_PIN:
            order = _proven(till, order, pin, key)
        if order.means is Means.VOUCHER:
            return database().transact(vouchers.collect, Ask(till, order, key))
        return database().join(charge_at_tills, Ask(till, order, key))
    except Refused as refusal:
        outcome = database().transact(service.remember_refusal, till, key, order.fingerprint, refusal)
        if isinstance(outcome, Receipt):
            # The same key was charged while this try was being refused: that is the true result.
            return replace(outcome, replayed=True)
        raise outcome from None


def _proven(till: Till, order: Order, pin: str, key: str) -> Order:
    """Return the order with the login whose PIN was right; a key that has its answer counts no try."""
    with database().reading() as db:
        if service.find_outcome(db, till, key) is not None:
            return order
        check_till(db, till.operator_id)
        login_id = find_card_holder(db, order.number)[1]
    try:
        auth.prove(order.number, [login_id], pin)
    except WrongSecret:
        raise WrongPin from None
    return replace(order, proven_login_id=login_id)
