"""Helpers: what they may do is what was agreed on paper, at the till too, and ends at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock, ids, ledger
from moralbank.access import deed_queries
from moralbank.access.deeds import Kind as DeedKind
from moralbank.access.queries import find_login
from moralbank.behalf import errors, queries, service
from moralbank.behalf.values import Limits, Scope
from moralbank.messages.queries import list_messages
from moralbank.redemptions import codes
from moralbank.redemptions import errors as refusals
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.orders import Till
from tests._people import form, give_reason, make_login, sign_in
from tests.redemptions.conftest import balance_of, by_code
from tests.redemptions.test_races import at_once, kinds

TODAY = clock.today()


def pay(home, link, points, *, till=None, code=None):
    """Let the helper's code be charged at the shop."""
    code = code or show(home, link)
    return home.do(redemptions.charge, till or home.street.till, by_code(code, points=points, again=True), ids.token(8))


def show(home, link) -> str:
    return home.do(codes.issue_code, link.resident_id, link.link_id).number


def has(home) -> int:
    return home.look(balance_of, home.grandma)


def test_a_helpers_code_pays_within_every_limit_and_never_beyond(home) -> None:
    link = home.appoint()
    with pytest.raises(refusals.HelperChargeLimitReached):
        pay(home, link, 31)
    assert has(home) == 500
    pay(home, link, 30)
    with pytest.raises(refusals.HelperDayLimitReached):
        pay(home, link, 21)
    receipt = pay(home, link, 20)
    with clock.at(clock.now() + timedelta(seconds=60)):
        home.do(redemptions.undo, home.street.till, receipt.charge_id)
        pay(home, link, 20)
    assert has(home) == 450
    tomorrow = clock.now() + timedelta(days=1)
    if clock.local(tomorrow).month == TODAY.month:
        with clock.at(tomorrow):
            pay(home, link, 30)
            with pytest.raises(refusals.HelperMonthLimitReached):
                pay(home, link, 1)
        assert has(home) == 420


def test_two_tills_at_once_do_not_go_beyond_the_helpers_day_together(home) -> None:
    link = home.appoint(limits=Limits(30, 50, 80))
    pay(home, link, 25)
    orders = [show(home, link), show(home, link)]
    results = at_once(
        lambda: pay(home, link, 14, code=orders[0]),
        lambda: pay(home, link, 13, code=orders[1], till=home.street.other_till),
    )
    assert kinds(results) == ["HelperDayLimitReached", "Receipt"]


def test_what_a_helper_does_is_written_down_as_theirs(home) -> None:
    link = home.appoint()
    receipt = pay(home, link, 10)
    assert (receipt.masked_name, receipt.acted_by) == ("周*英", "w*g")
    [line] = home.look(ledger.history, home.grandma.book_id, home.grandma.account_id, ledger.Unit.POINTS, limit=1)
    assert line.private["acted"] == f"helper:{home.carer.login_id}"
    [last, *_] = home.look(list_messages, resident_id=home.grandma.resident_id)
    assert (last.kind, last.facts["who"], last.facts["points"]) == ("acted_redemption", receipt.acted_by, 10)
    found = home.look(
        deed_queries.list_deeds, home.grandma.book_id, deed_queries.DeedFilter(resident_id=home.grandma.resident_id)
    )
    assert [(one.kind, one.actor, one.about) for one in found] == [
        (DeedKind.ACT, f"helper:{home.carer.login_id}", "code"),
        (DeedKind.SETTING, "staff:1", f"link:{link.link_id}"),
    ]


def test_ending_it_holds_from_that_moment_for_a_code_that_is_on_the_screen_too(home) -> None:
    link = home.appoint()
    code = show(home, link)
    home.do(service.end_link, link.link_id, actor="resident:1")
    with pytest.raises(refusals.HelperEnded):
        pay(home, link, 5, code=code)
    assert has(home) == 500
    with pytest.raises(errors.LinkEnded):
        home.look(service.usable, home.carer.login_id, link.link_id)


def test_what_is_agreed_anew_begins_with_what_was_spent_already(home) -> None:
    link = home.appoint()
    pay(home, link, 30)
    home.do(service.end_link, link.link_id, actor="staff:1")
    again = home.appoint()
    with pytest.raises(refusals.HelperDayLimitReached):
        pay(home, again, 21)
    assert pay(home, again, 20).points == 20


def test_after_the_last_day_nothing_is_done_and_it_can_be_agreed_anew(home) -> None:
    link = home.appoint(until_on=TODAY + timedelta(days=1))
    with clock.at(clock.now() + timedelta(days=2)):
        with pytest.raises(errors.LinkEnded):
            home.look(service.usable, home.carer.login_id, link.link_id)
        assert home.look(queries.list_held, home.carer.login_id) == []
        assert home.appoint(until_on=clock.today() + timedelta(days=30)).stands
        assert home.look(queries.get_link, link.link_id).ended_by == "system"


def test_no_till_takes_a_code_that_its_own_operator_shows_for_another(home) -> None:
    street = home.street
    link = home.appoint(helper=street.zhang.number)
    own = Till(street.shop.merchant_id, street.li.login_id, "till-1", operator_resident_id=street.zhang.resident_id)
    with pytest.raises(refusals.OwnHousehold):
        pay(home, link, 5, till=own)
    assert pay(home, link, 5).points == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": Scope(False, False, False)}, "scope"),
        ({"limits": Limits(10, 20, 101)}, "points_per_month_max"),
        ({"limits": Limits(10, 90, 80)}, "points_per_day_max"),
        ({"limits": Limits(30, 20, 80)}, "points_per_charge_max"),
        ({"until_on": TODAY}, "until_on"),
        ({"until_on": TODAY + timedelta(days=400)}, "until_on"),
        ({"agreed_on": TODAY + timedelta(days=1)}, "agreed_on"),
        ({"agreed_note": " "}, "agreed_note"),
        ({"helper": "nobody-yet"}, "display_name"),
        ({"helper": "12345678"}, "helper"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_can_not_be_agreed(home, changes, field) -> None:
    with pytest.raises(errors.BadAppointment) as refusal:
        home.appoint(**changes)
    assert list(refusal.value.errors) == [field]
    assert home.look(queries.list_about, home.grandma.resident_id, standing=False) == []


def test_who_can_be_a_helper(home) -> None:
    for helper, kind in (
        (home.staff.name, errors.HelperUnfit),
        (home.street.li.name, errors.HelperUnfit),
        (home.grandma.number, errors.LinkOneself),
        (home.child.number, errors.HelperWithoutLogin),
    ):
        with pytest.raises(kind):
            home.appoint(helper=helper)
    home.appoint()
    with pytest.raises(errors.AlreadyLinked):
        home.appoint()
    home.appoint(helper="new-carer", display_name="新护工")
    with pytest.raises(errors.HelpersFull):
        home.appoint(helper="third-carer", display_name="第三位")
    assert home.look(find_login, "third-carer") is None


def test_a_helper_sees_what_was_agreed_and_nothing_else(app, home) -> None:
    link = home.appoint(scope=Scope(may_check_in=True, may_pay=False, may_read=False))
    client = app.test_client()
    sign_in(client, home.carer)
    assert client.get("/").location == "/helping"
    page = client.get("/helping").text
    assert "周桂英" in page
    assert "500" not in page
    assert "替周桂英付款" not in page
    for path in (f"/helping/{link.link_id}", f"/helping/{link.link_id}/code"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "不在约定的范围内" in answer.text
    assert form(client, f"/helping/{link.link_id}/code").status_code == 403
    for path in ("/me", "/staff/residents", "/counter", "/audit"):
        assert client.get(path).status_code == 403
    family = home.link()
    assert client.get(f"/helping/{family.link_id}").status_code == 404
    home.do(service.end_link, link.link_id, actor="staff:1")
    wide = home.appoint()
    assert "500 <small>" in client.get(f"/helping/{wide.link_id}").text
    [look] = home.look(deed_queries.list_lookers, home.grandma.resident_id)
    assert (look.actor, look.about) == (f"helper:{home.carer.login_id}", wide.about)


def test_staff_appoint_with_a_new_login_list_and_end(app, home) -> None:
    client = app.test_client()
    sign_in(client, home.staff)
    give_reason(client, home.grandma.resident_id)
    path = f"/staff/residents/{home.grandma.resident_id}/helpers"
    given = {
        "helper": "li-shegong", "display_name": "李社工", "may_pay": "1", "points_per_charge_max": 10,
        "points_per_day_max": 20, "points_per_month_max": 40, "agreed_on": TODAY.isoformat(),
        "agreed_note": "代办夹第 3 页", "until_on": (TODAY + timedelta(days=60)).isoformat(),
    }  # fmt: skip
    wrong = form(client, path, given | {"points_per_month_max": 400})
    assert wrong.status_code == 422
    assert "请填 1 到 100 的整数" in wrong.text
    assert "代办夹第 3 页" in wrong.text
    made = form(client, path, given)
    assert made.status_code == 200
    assert "li-shegong" in made.text
    [link] = home.look(queries.list_about, home.grandma.resident_id)
    assert (link.limits, link.scope) == (Limits(10, 20, 40), Scope(False, True, False))
    listed = client.get("/staff/helpers").text
    assert "李社工" in listed
    assert "周桂英" in listed
    stranger = app.test_client()
    sign_in(stranger, home.do(make_login, "staff", home.street.tree["XX-01"]))
    assert "李社工" not in stranger.get("/staff/helpers").text
    assert form(stranger, f"/staff/helpers/{link.link_id}/end").status_code == 403
    assert form(client, f"/staff/helpers/{link.link_id}/end").status_code == 303
    assert "李社工" in client.get("/staff/helpers?state=ended").text
    paper = {"number": home.ming.number, "agreed_on": TODAY.isoformat(), "agreed_note": "代办夹第 4 页"}
    assert form(client, f"/staff/residents/{home.grandma.resident_id}/family", paper).status_code == 303
    assert "周明" in client.get(path).text
