"""Who did what to a merchant and its offers, and when: kept for good, and shown to auditors too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.access import service as access
from moralbank.merchants import queries, service
from moralbank.merchants.errors import StatusNotNext
from moralbank.merchants.queries import Change
from moralbank.merchants.service import MerchantDetails, OfferDetails
from tests._people import PASSWORD, form, make_branch_tree, make_login, sign_in
from tests._worlds import world

BARBER = MerchantDetails("阿强理发", "理发", "阿强", "13900000001", "subsidised")
HAIRCUT = OfferDetails("理发一次", 50, 10, 1, 1500)


@world
def tree(database):
    return database.transact(make_branch_tree)


@pytest.fixture
def barber(database, tree):
    return database.transact(service.add_merchant, tree["NS-01"], "M001", BARBER, actor="staff:1")


def deeds_of(database, merchant):
    with database.reading() as db:
        return queries.list_deeds(db, merchant.merchant_id)


def test_every_change_says_who_when_and_from_what_to_what(database, barber) -> None:
    later = clock.now() + timedelta(hours=1)
    with clock.at(later):
        database.transact(service.move_merchant, barber.merchant_id, "visited", actor="staff:2")
        offer = database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT, actor="staff:3")
        dearer = OfferDetails("理发一次", 60, 10, 1, 1500)
        database.transact(service.edit_offer, offer.offer_id, dearer, actor="staff:4")
        database.transact(service.show_offer, offer.offer_id, active=False, actor="staff:5")
    off, dear, added, visited, begun = deeds_of(database, barber)
    assert (begun.deed, begun.done_by, begun.offer_title) == ("added", "staff:1", None)
    assert (visited.deed, visited.done_by, visited.done_at) == ("status", "staff:2", later)
    assert visited.changes == (Change("status", "applied", "visited"),)
    assert (added.deed, added.offer_title) == ("added", "理发一次")
    assert Change("points", None, 50) in added.changes
    assert (dear.done_by, dear.changes) == ("staff:4", (Change("points", 50, 60),))
    assert (off.deed, off.changes) == ("status", (Change("status", "active", "suspended"),))


def test_of_a_person_only_the_change_is_kept(database, barber) -> None:
    moved = MerchantDetails("阿强理发店", "理发", "阿珍", "13900000099", "subsidised")
    database.transact(service.edit_merchant, barber.merchant_id, moved, actor="staff:2")
    changes = deeds_of(database, barber)[0].changes
    assert changes == (
        Change("name", "阿强理发", "阿强理发店"),
        Change("contact", None, None),
        Change("phone", None, None),
    )


def test_what_changes_nothing_or_is_refused_is_no_deed(database, barber) -> None:
    database.transact(service.edit_merchant, barber.merchant_id, BARBER, actor="staff:2")
    database.transact(service.move_merchant, barber.merchant_id, "applied", actor="staff:2")
    with pytest.raises(StatusNotNext):
        database.transact(service.move_merchant, barber.merchant_id, "active", actor="staff:2")
    assert len(deeds_of(database, barber)) == 1


def test_pages_and_api_name_the_login_that_did_it(client, database, tree) -> None:
    min_ = database.transact(
        access.open_login,
        "zhoumin",
        "周敏",
        [access.GrantDraft("staff", tree["NS-01"].branch_id)],
        by=None,
        secret=PASSWORD,
        must_change=False,
    )
    sign_in(client, min_.login_id)
    given = {"branch_id": tree["NS-01"].branch_id, "code": "M001", "name": "阿强理发", "kind": "理发"}
    given |= {"contact": "阿强", "phone": "13900000001", "settlement_mode": "donated"}
    path = form(client, "/staff/merchants/new", given).location
    form(client, f"{path}/status", {"status": "visited"})
    merchant_id = int(path.rpartition("/")[2])
    offer = {"merchant_id": merchant_id, "code": "O001", "title": "理发一次", "points": "50", "monthly_quota": "10"}
    offer |= {"per_resident_per_month": "1", "settlement_yuan": "15"}
    form(client, "/staff/offers/new", offer)
    with database.reading() as db:
        [stocked] = queries.list_offers(db, merchant_id=merchant_id)
    form(client, f"/staff/offers/{stocked.offer.offer_id}", offer | {"points": "60"})
    form(client, f"/staff/offers/{stocked.offer.offer_id}/status", {"active": "0"})
    form(client, f"{path}/edit", given | {"name": "阿强理发店"})
    with database.reading() as db:
        found = queries.list_deeds(db, merchant_id)
    assert [deed.deed for deed in found] == ["edited", "status", "edited", "added", "status", "added"]
    assert {deed.done_by for deed in found} == {f"staff:{min_.login_id}"}
    auditor = client.application.test_client()
    sign_in(auditor, database.transact(make_login, "auditor", tree["NS"]))
    page = auditor.get(path).text
    for words in ("周敏", "积分 50 → 60", "状态 已上架 → 已下架", "状态 已申请 → 已走访", "名称 阿强理发 → 阿强理发店"):
        assert words in page
    assert "修改资料</a>" not in page
    assert form(auditor, f"{path}/status", {"status": "active"}).status_code == 403
    for listed in ("/staff/merchants", "/staff/offers"):
        assert auditor.get(listed).status_code == 200
    assert auditor.get(f"/staff/offers/{stocked.offer.offer_id}").status_code == 403
