"""What is paid only when its resident agrees on the phone: large charges, a sale's own code, a sticker on the wall."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from moralbank import clock, ids
from moralbank.db import Database
from moralbank.redemptions import errors, jobs, pay_tokens, phone_orders, queries, service
from moralbank.redemptions.charging import charge_at_tills
from moralbank.redemptions.orders import Ask
from moralbank.redemptions.pay_tokens import Key, SaleToken, StickerToken
from moralbank.redemptions.phone_orders import LARGE_SECONDS, SALE_SECONDS
from tests._people import form, make_login, sign_in
from tests.redemptions.conftest import Street, by_code, give_points, make_resident, show_code
from tests.redemptions.test_races import at_once, kinds
from tests.redemptions.test_views import press

SECOND = timedelta(seconds=1)


def ask_large(database: Database, street: Street, points=120, key="large-one"):
    order = by_code(database.transact(show_code, street.zhang), points=points)
    [refusal] = database.transact(charge_at_tills, [Ask(street.till, order, key)])
    assert isinstance(refusal, errors.PhoneNeeded)
    return order, database.transact(phone_orders.ask_phone, street.till, order, key)


def agree(database, order, who):
    return database.transact(phone_orders.agree, order.order_id, who.resident_id)


def outcome(database, street, key="large-one"):
    with database.reading() as db:
        return service.find_outcome(db, street.till, key)


def test_a_large_charge_moves_nothing_until_the_resident_agrees_and_then_once(database, street, balance) -> None:
    _, order = ask_large(database, street)
    assert (order.state, balance(street.zhang), outcome(database, street)) == ("waiting", 1000, None)
    results = at_once(*[lambda: agree(database, order, street.zhang)] * 3)
    assert [one.state for one in results] == ["paid"] * 3
    assert balance(street.zhang) == 880
    receipt = outcome(database, street)
    assert (receipt.points, receipt.charge_id) == (120, results[0].charge_id)


def test_its_code_is_spent_and_the_tills_key_leads_to_the_same_order(database, street) -> None:
    order, asked = ask_large(database, street)
    assert database.transact(phone_orders.ask_phone, street.till, order, "large-one").order_id == asked.order_id
    with pytest.raises(errors.CodeUsed):
        database.transact(service.charge, street.other_till, by_code(order.number, points=5), ids.token(8))
    other = by_code(database.transact(show_code, street.zhang), points=130)
    with pytest.raises(errors.KeyReused):
        database.transact(phone_orders.ask_phone, street.till, other, "large-one")


def test_after_two_minutes_nobody_can_agree_and_nothing_moved(database, street, balance) -> None:
    _, order = ask_large(database, street)
    with clock.at(order.expires_at):
        with pytest.raises(errors.PhoneOrderOver):
            agree(database, order, street.zhang)
        assert jobs.expire_phone_orders(database) == 1
        assert jobs.expire_phone_orders(database) == 0
        with database.reading() as db:
            assert phone_orders.get_order(db, order.order_id).state == "expired"
    assert order.expires_at - order.made_at == LARGE_SECONDS * SECOND
    assert isinstance(outcome(database, street), errors.NotAgreed)
    assert balance(street.zhang) == 1000


def test_who_says_no_and_a_till_that_gives_up_end_it_for_good(database, street, balance) -> None:
    for number, who in enumerate(({"resident_id": street.zhang.resident_id}, {"merchant_id": street.shop.merchant_id})):
        _, order = ask_large(database, street, key=f"large-{number}")
        database.transact(phone_orders.give_up, order.order_id, **who)
        with pytest.raises(errors.PhoneOrderOver):
            agree(database, order, street.zhang)
        assert isinstance(outcome(database, street, f"large-{number}"), errors.NotAgreed)
    assert balance(street.zhang) == 1000


def test_nobody_else_agrees_and_what_the_charge_is_refused_for_ends_it(database, street, balance) -> None:
    neighbour = database.transact(make_resident, street.tree["NS-01"], "何邻居")
    _, order = ask_large(database, street)
    with pytest.raises(errors.UnknownPhoneOrder):
        agree(database, order, neighbour)
    database.transact(give_points, neighbour, 50)
    code = by_code(database.transact(show_code, neighbour), points=120)
    poor = database.transact(phone_orders.ask_phone, street.till, code, "poor")
    assert agree(database, poor, neighbour).state == "refused"
    assert isinstance(outcome(database, street, "poor"), errors.NotEnoughPoints)
    assert balance(neighbour) == 50


def test_a_sale_is_paid_by_the_first_who_opens_it(database, street, balance) -> None:
    neighbour = database.transact(make_resident, street.tree["NS-01"], "何邻居")
    database.transact(give_points, neighbour, 100)
    sale = database.transact(phone_orders.show_sale, street.till, street.towel.offer_id, None, "sale-one")
    people = (street.zhang, neighbour)
    opened = at_once(
        *[lambda who=who: database.transact(phone_orders.claim, sale.number, who.resident_id) for who in people]
    )
    assert kinds(opened) == ["PhoneOrder", "UnknownPhoneOrder"]
    [first] = [who for who, one in zip(people, opened, strict=True) if isinstance(one, phone_orders.PhoneOrder)]
    before = balance(first)
    assert agree(database, sale, first).state == "paid"
    assert (before - balance(first), outcome(database, street, "sale-one").title) == (40, "毛巾一条")
    late = database.transact(phone_orders.show_sale, street.till, None, 5, "sale-two")
    database.transact(phone_orders.claim, late.number, street.zhang.resident_id)
    with clock.at(late.made_at + SALE_SECONDS * SECOND), pytest.raises(errors.PhoneOrderOver):
        agree(database, late, street.zhang)


def test_a_sticker_takes_what_is_typed_once_a_key_and_at_most_fifty_a_day(database, street, balance) -> None:
    sticker = database.transact(phone_orders.add_sticker, street.shop.merchant_id, street.li.login_id)

    def pay(points, key):
        return database.transact(phone_orders.pay_sticker, sticker, street.zhang.resident_id, points, key)

    first = pay(30, "page-one")
    assert pay(30, "page-one").charge_id == first.charge_id
    pay(20, "page-two")
    with pytest.raises(errors.StickerLimitReached):
        pay(1, "page-three")
    assert balance(street.zhang) == 950
    with database.reading() as db:
        came = queries.list_by_sticker(db, street.shop.merchant_id, 0)
        digits = phone_orders.confirmations(db, came)
    assert [one.points for one in came] == [30, 20]
    assert len(digits) == 2
    database.transact(phone_orders.revoke_sticker, sticker)
    with pytest.raises(errors.UnknownPhoneOrder):
        pay(1, "page-four")


def test_a_token_is_read_as_it_was_signed_and_in_no_other_spelling() -> None:
    key = Key(3, b"s" * 32)
    for token in (SaleToken(2**64 - 1), StickerToken(7, 2**32 - 1)):
        text = pay_tokens.sign(key, token)
        assert (len(text), pay_tokens.read(text, {3: key})) == (24, token)
        assert pay_tokens.read(text, {3: Key(3, b"t" * 32)}) is None
        octets = bytearray(text.encode())
        for place in range(24):
            changed = bytes(octets[:place]) + (b"A" if octets[place] != 65 else b"B") + bytes(octets[place + 1 :])
            assert pay_tokens.read(changed.decode(), {3: key}) is None
    four = pay_tokens.confirmation(key, 1, 20, 9)
    assert re.fullmatch(r"\d{4}", four)
    assert {four} != {pay_tokens.confirmation(key, *named) for named in ((2, 20, 9), (1, 21, 9), (1, 20, 8))}


def test_the_till_waits_and_the_phone_agrees_on_its_pages(app, database, street, balance) -> None:
    phone, counter = app.test_client(), app.test_client()
    sign_in(phone, street.zhang_login)
    sign_in(counter, street.li)
    shown = form(phone, "/me/code").text
    poll = re.search(r'data-poll="([^"]+)"', shown)[1].replace("&amp;", "&")
    digits = re.search(r'class="code-digits">([\d ]+)<', shown)[1]
    waiting = press(counter, street, points="120", code=digits)
    assert "等储户在手机上确认" in waiting.text
    state = re.search(r'id="phone-order" data-poll="([^"]+)"', waiting.text)[1].replace("&amp;", "&")
    assert counter.get(state).status_code == 204
    asked = re.search(r'href="(/me/orders/\d+)"', phone.get(poll).text)[1]
    assert "有一笔 120 分等您确认" in phone.get("/me").text
    assert "确认付 120 分" in phone.get(asked).text
    form(phone, f"{asked}/agree")
    paid = phone.get(asked).text
    four = re.search(r'result-number ok">(\d{4})<', paid)[1]
    assert f"确认码 {four}" in counter.get(state).text
    assert balance(street.zhang) == 880


def test_a_sale_and_a_sticker_are_paid_from_their_addresses(app, database, street, balance) -> None:
    phone, counter = app.test_client(), app.test_client()
    sign_in(phone, street.zhang_login)
    sign_in(counter, street.li)
    key = ids.token(16)
    shown = form(counter, "/counter/sales", {"key": key, "offer_id": street.soap.offer_id})
    assert "请储户扫这个码" in counter.get(shown.location).text
    with database.reading() as db:
        order = phone_orders.find_by_key(db, street.till, key)
        token = phone_orders.sign(db, SaleToken(int(order.number)))
    assert app.test_client().get(f"/p/{token}").status_code in (302, 303)
    opened = phone.get(f"/p/{token}")
    form(phone, f"{opened.location}/agree")
    assert "付了 30 分" in phone.get(opened.location).text
    form(counter, "/counter/stickers", {})
    with database.reading() as db:
        sticker = phone_orders.sign(db, StickerToken(street.shop.merchant_id, 1))
    assert "邻家便利店" in phone.get(f"/p/{sticker}").text
    too_much = form(phone, f"/p/{sticker}", {"key": key, "points": "51"})
    assert (too_much.status_code, "每天最多付 50 分" in too_much.text) == (409, True)
    done = form(phone, f"/p/{sticker}", {"key": key, "points": "7"})
    assert "付了 7 分" in phone.get(done.location).text
    assert "收款贴收到 7 分" in counter.get("/counter/arrivals").text
    forged = sticker[:-1] + ("B" if sticker.endswith("A") else "A")
    assert phone.get(f"/p/{forged}").status_code == 404
    assert balance(street.zhang) == 963
    stranger = app.test_client()
    other = database.transact(make_resident, street.tree["NS-01"], "何路人")
    sign_in(stranger, database.transact(make_login, "resident", street.tree["NS-01"], resident_id=other.resident_id))
    assert stranger.get(opened.location).status_code == 404


def test_a_press_that_comes_twice_at_once_asks_shows_and_pays_once(database, street, balance) -> None:
    sticker = database.transact(phone_orders.add_sticker, street.shop.merchant_id, street.li.login_id)
    zhang_id = street.zhang.resident_id
    for turn in range(5):
        order = by_code(database.transact(show_code, street.zhang), points=101 + turn)
        for act in (
            lambda o=order, t=turn: database.transact(phone_orders.ask_phone, street.till, o, f"large-{t}"),
            lambda t=turn: database.transact(phone_orders.show_sale, street.till, None, 5, f"sale-{t}"),
            lambda t=turn: database.transact(phone_orders.pay_sticker, sticker, zhang_id, 2 + t, f"own-{t}"),
        ):
            results = at_once(*[act] * 3)
            assert kinds(results) == ["PhoneOrder"] * 3
            assert len({one.order_id for one in results}) == 1
    assert balance(street.zhang) == 980
    made = at_once(*[lambda: database.transact(phone_orders.add_sticker, street.shop.merchant_id, 1)] * 3)
    assert sorted(one.serial for one in made) == [2, 3, 4]


def test_a_shops_first_sticker_is_shown_before_any_code_was_made(app, database, street) -> None:
    counter = app.test_client()
    sign_in(counter, street.li)
    assert form(counter, "/counter/stickers", {}).status_code == 303
    page = counter.get("/counter/stickers")
    assert page.status_code == 200
    assert "第 1 号" in page.text


def test_the_same_to_the_same_shop_within_a_minute_is_asked_about(app, database, street, balance) -> None:
    """The answer was lost, so the sticker was scanned again: another page, another key."""
    phone = app.test_client()
    sign_in(phone, street.zhang_login)
    sticker = database.transact(phone_orders.add_sticker, street.shop.merchant_id, street.li.login_id)
    path = f"/p/{database.transact(phone_orders.sign, sticker)}"
    assert form(phone, path, {"key": "page-one", "points": "20"}).status_code == 303
    asked = form(phone, path, {"key": "page-two", "points": "20"})
    assert (asked.status_code, balance(street.zhang)) == (409, 980)
    assert "刚刚在这家店付过 20 分" in asked.text
    assert 'name="key" value="page-two"' in asked.text
    assert 'name="confirmed" value="1"' in asked.text
    assert form(phone, path, {"key": "page-two", "points": "20", "confirmed": "1"}).status_code == 303
    assert balance(street.zhang) == 960
    used = form(phone, path, {"key": "page-two", "points": "3"})
    assert used.status_code == 409
    assert "page-two" not in used.text
    with clock.at(clock.now() + timedelta(seconds=61)):
        assert database.transact(phone_orders.pay_sticker, sticker, street.zhang.resident_id, 10, "page-six").charge_id


def test_a_key_that_comes_again_with_another_amount_is_refused(database, street, balance) -> None:
    database.transact(phone_orders.show_sale, street.till, None, 5, "sale-one")
    with pytest.raises(errors.KeyReused):
        database.transact(phone_orders.show_sale, street.till, None, 50, "sale-one")
    sticker = database.transact(phone_orders.add_sticker, street.shop.merchant_id, street.li.login_id)
    database.transact(phone_orders.pay_sticker, sticker, street.zhang.resident_id, 20, "page-one")
    with pytest.raises(errors.KeyReused):
        database.transact(phone_orders.pay_sticker, sticker, street.zhang.resident_id, 2, "page-one")
    assert balance(street.zhang) == 980
