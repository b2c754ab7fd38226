"""Orders that wait for a resident's phone, through the API."""

from __future__ import annotations

from moralbank import ids
from moralbank.redemptions import phone_orders
from moralbank.redemptions.numbers import CODE_RANDOM_DIGITS
from tests.redemptions.conftest import show_code
from tests.redemptions.test_api import api  # noqa: F401


def test_a_large_charge_is_asked_for_agreed_to_and_told(api, street, database, balance) -> None:  # noqa: F811
    body = {"merchant_id": street.shop.merchant_id, "points": 150, "code": database.transact(show_code, street.zhang)}
    needed = api("li", "POST", "/redemptions", body)
    assert (needed.status_code, needed.json["code"]) == (409, "phone-needed")
    asked = api("li", "POST", "/phone-orders", body, key="till-3-000418")
    assert (asked.status_code, asked.json["state"], balance(street.zhang)) == (201, "waiting", 1000)
    again = api("li", "POST", "/phone-orders", body, key="till-3-000418")
    assert again.json["order_id"] == asked.json["order_id"]
    path = f"/phone-orders/{asked.json['order_id']}"
    database.transact(phone_orders.agree, asked.json["order_id"], street.zhang.resident_id)
    paid = api("li", "GET", path)
    assert (paid.json["state"], balance(street.zhang)) == ("paid", 850)
    assert api("li", "GET", f"/redemptions/{paid.json['charge_id']}").json["points"] == 150
    assert api("li", "POST", f"{path}/withdraw").json["state"] == "paid"


def test_what_is_withdrawn_can_no_longer_be_agreed_to(api, street, database, balance) -> None:  # noqa: F811
    body = {"merchant_id": street.shop.merchant_id, "points": 20, "code": database.transact(show_code, street.zhang)}
    order_id = api("li", "POST", "/phone-orders", body).json["order_id"]
    for _ in range(2):
        assert api("wang", "POST", f"/phone-orders/{order_id}/withdraw").json["state"] == "cancelled"
    used = api("li", "POST", "/phone-orders", body)
    assert (used.status_code, used.json["code"]) == (409, "code-used")
    assert balance(street.zhang) == 1000


def test_a_sale_has_an_address_and_is_for_an_offer_or_points(api, street) -> None:  # noqa: F811
    shop = {"merchant_id": street.shop.merchant_id}
    shown = api("li", "POST", "/phone-orders/sales", {**shop, "offer_id": street.soap.offer_id})
    assert (shown.status_code, shown.json["points"], shown.json["title"]) == (201, 30, "香皂一块")
    assert "/p/" in shown.json["address"]
    for wrong, code in (({}, "points-missing"), ({"points": 1, "offer_id": 1}, "offer-and-points")):
        refused = api("li", "POST", "/phone-orders/sales", shop | wrong)
        assert (refused.status_code, refused.json["code"]) == (422, code)


def test_another_shops_order_is_not_there_and_guessed_codes_lock_the_till(api, street, database) -> None:  # noqa: F811
    assert api("li", "GET", "/phone-orders/999").status_code == 404
    body = {"merchant_id": street.shop.merchant_id, "points": 20}
    said = []
    for _ in range(12):
        guess = ids.checked_digits("71", CODE_RANDOM_DIGITS)
        said.append(api("li", "POST", "/phone-orders", {**body, "code": guess}).json["code"])
    assert (said[0], said[-1]) == ("unknown-code", "till-locked")
