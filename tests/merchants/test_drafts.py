"""Offers between a shop and its station, and their photos: residents see what was approved, and nothing else."""

from __future__ import annotations

import os
from io import BytesIO

import pytest
import sqlalchemy as sa
from PIL import Image
from werkzeug.datastructures import FileStorage

from moralbank.access.service import GrantDraft, open_login
from moralbank.approvals.service import Hand
from moralbank.merchants import drafts, photos, queries, service
from moralbank.merchants.errors import (
    BadPhoto,
    DraftDecided,
    DraftEmpty,
    DraftNotSubmitted,
    DraftOwn,
    DraftsFull,
    DraftSubmitted,
    UnknownPhoto,
)
from moralbank.merchants.models import photos as photo_table
from moralbank.merchants.schedules import Schedule
from moralbank.merchants.service import OfferDetails
from moralbank.messages.models import messages
from tests._people import form, make_login, sign_in
from tests.redemptions.conftest import make_street
from tests.redemptions.test_races import at_once, kinds

RICE = OfferDetails("大米一袋", 60, 10, 1, 3000, Schedule(weekdays=0b010_0000))
#: Li Yulan keeps the shop; Zhou Min looks after it at the station.
LI, MIN = Hand("operator:901", 901, "李玉兰"), Hand("staff:902", 902, "周敏")


@pytest.fixture
def street(database):
    return database.transact(make_street)


@pytest.fixture
def act(database):
    """act(verb, …) does one verb of drafts."""
    return lambda verb, *given, **named: database.transact(verb, *given, **named)


def picture(kind="JPEG", size=(1200, 900), colour=(200, 30, 30), exif=None) -> bytes:
    made = BytesIO()
    image = Image.new("RGB", size, colour)
    image.paste((30, 30, 200), (0, 0, size[0] // 2, size[1]))
    image.save(made, kind, **({"exif": exif} if exif else {}))
    return made.getvalue()


def seen(database, street) -> dict[str, int]:
    """Return what residents could take of the shop, with its points."""
    with database.reading() as db:
        found = queries.list_offers(db, merchant_id=street.shop.merchant_id, only_standing=True)
    return {one.offer.title: one.offer.points for one in found}


def kept(database) -> int:
    with database.reading() as db:
        return db.execute(sa.select(sa.func.count()).select_from(photo_table)).scalar_one()


def test_a_new_offer_is_seen_once_the_station_approved_it(database, street, act) -> None:
    draft = act(drafts.write_new, LI, street.shop.merchant_id, RICE, photos.shrink(picture()))
    with pytest.raises(DraftNotSubmitted):
        act(drafts.approve, MIN, draft.draft_id)
    for _ in range(2):
        assert act(drafts.submit, LI, draft.draft_id).state == "submitted"
    assert "大米一袋" not in seen(database, street)
    with database.reading() as db:
        assert [one.draft_id for one in drafts.list_waiting(db, [street.tree["NS-00"].path])] == [draft.draft_id]
        assert drafts.count_waiting(db, [street.tree["NS-02"].path]) == 0
    for _ in range(2):
        done = act(drafts.approve, MIN, draft.draft_id)
    assert seen(database, street)["大米一袋"] == 60
    with database.reading() as db:
        offer = queries.get_offer(db, done.offer_id)
        [deed] = [one for one in queries.list_deeds(db, street.shop.merchant_id) if one.deed == "added"][:1]
    assert (offer.code, offer.schedule, offer.photo_key) == ("O015", RICE.schedule, draft.photo_key)
    assert (deed.done_by, deed.offer_title) == ("staff:902", "大米一袋")
    with pytest.raises(DraftDecided):
        act(drafts.rewrite, LI, draft.draft_id, RICE)


def test_what_was_approved_stays_until_the_change_is(database, street, act) -> None:
    draft = act(drafts.change_offer, LI, street.soap.offer_id)
    assert act(drafts.change_offer, LI, street.soap.offer_id) == draft
    with pytest.raises(DraftEmpty):
        act(drafts.submit, LI, draft.draft_id)
    dearer = OfferDetails("香皂两块", 50, 3, 2, 300)
    act(drafts.rewrite, LI, draft.draft_id, dearer)
    act(drafts.submit, LI, draft.draft_id)
    with pytest.raises(DraftSubmitted):
        act(drafts.rewrite, LI, draft.draft_id, dearer)
    assert seen(database, street)["香皂一块"] == 30
    returned = act(drafts.send_back, MIN, draft.draft_id, "太贵了")
    assert (returned.state, returned.reason) == ("returned", "太贵了")
    act(drafts.rewrite, LI, draft.draft_id, OfferDetails("香皂两块", 45, 3, 2, 300))
    act(drafts.submit, LI, draft.draft_id)
    assert seen(database, street)["香皂一块"] == 30
    act(drafts.approve, MIN, draft.draft_id)
    assert seen(database, street) == {"香皂两块": 45, "毛巾一条": 40, "雨伞借用一次": 0}


def test_what_is_taken_back_or_given_up_never_shows(database, street, act) -> None:
    draft = act(drafts.write_new, LI, street.shop.merchant_id, RICE, None)
    act(drafts.submit, LI, draft.draft_id)
    assert act(drafts.take_back, draft.draft_id).state == "draft"
    with pytest.raises(DraftNotSubmitted):
        act(drafts.approve, MIN, draft.draft_id)
    for _ in range(2):
        act(drafts.discard, draft.draft_id)
    with pytest.raises(DraftDecided):
        act(drafts.submit, LI, draft.draft_id)
    assert "大米一袋" not in seen(database, street)


def test_nobody_approves_what_they_or_their_namesake_wrote(database, street, act) -> None:
    writer = database.transact(
        open_login, "both", "李 玉兰", [GrantDraft("staff", street.tree["NS-01"].branch_id)], by=None
    )
    own = Hand(f"operator:{writer.login_id}", writer.login_id, "李 玉兰")
    draft = act(drafts.write_new, own, street.shop.merchant_id, RICE, None)
    act(drafts.submit, own, draft.draft_id)
    for hand in (Hand(f"staff:{writer.login_id}", writer.login_id, "别名"), Hand("staff:7", 7, "李玉兰")):
        for verb in (drafts.approve, lambda db, hand, draft_id: drafts.send_back(db, hand, draft_id, "不")):
            with pytest.raises(DraftOwn):
                act(verb, hand, draft.draft_id)
    # Nor who only submitted what a colleague wrote.
    act(drafts.take_back, draft.draft_id)
    act(drafts.submit, Hand("operator:903", 903, "王芳"), draft.draft_id)
    with pytest.raises(DraftOwn):
        act(drafts.approve, Hand("staff:903", 903, "王芳"), draft.draft_id)
    assert act(drafts.approve, MIN, draft.draft_id).state == "approved"


def test_of_two_who_decide_at_once_one_does(database, street, act) -> None:
    draft = act(drafts.write_new, LI, street.shop.merchant_id, RICE, None)
    act(drafts.submit, LI, draft.draft_id)
    other = Hand("staff:904", 904, "何监督")
    results = at_once(*[lambda hand=hand: act(drafts.approve, hand, draft.draft_id) for hand in (MIN, other)])
    assert kinds(results) == ["Draft", "DraftDecided"]
    assert len(seen(database, street)) == 4


def test_a_shop_has_so_many_open_drafts_at_most(database, street, act) -> None:
    for _ in range(drafts.OPEN_MAX):
        act(drafts.write_new, LI, street.shop.merchant_id, RICE, None)
    with pytest.raises(DraftsFull):
        act(drafts.write_new, LI, street.shop.merchant_id, RICE, None)
    with pytest.raises(DraftsFull):
        act(drafts.change_offer, LI, street.soap.offer_id)


def test_a_photo_is_kept_small_upright_and_without_what_a_phone_wrote_into_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a phone"
    exif[0x8825] = {1: "N", 2: (25.0, 1.0, 2.0)}
    made = photos.shrink(picture(size=(1200, 900), exif=exif.tobytes()))
    with Image.open(BytesIO(made)) as shown:
        assert (shown.format, shown.size, dict(shown.getexif())) == ("JPEG", (640, 480), {})
        assert "exif" not in shown.info
        upper, lower, side = (shown.getpixel(at) for at in ((320, 60), (320, 420), (5, 240)))
    assert b"a phone" not in made
    # Turned by a quarter, what was left is above; it is whole, on white.
    assert (upper[2] > 150, lower[0] > 150, min(side) > 240) == (True, True, True)
    noise = Image.frombytes("RGB", (900, 700), os.urandom(900 * 700 * 3))
    loud = BytesIO()
    noise.save(loud, "PNG")
    assert len(photos.shrink(loud.getvalue())) <= photos.KEPT_BYTES
    assert len(photos.shrink(picture("PNG"))) < 10_000
    assert photos.shrink(picture("WEBP"))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<script>",
        b"GIF89a" + bytes(200),
        picture()[:400],
        picture("PNG", (63, 500)),
        picture("PNG", (5000, 4000)),
    ],
    ids=["nothing", "text", "another format", "half of one", "a thread", "too many pixels"],
)
def test_what_is_no_photo_is_refused(octets) -> None:
    with pytest.raises(BadPhoto):
        photos.shrink(octets)


def test_a_file_above_the_bound_is_refused_unread() -> None:
    with pytest.raises(BadPhoto):
        photos.shrink(picture() + bytes(photos.MAX_BYTES))


def test_a_photo_goes_with_what_shows_it(database, street, act) -> None:
    one, other = photos.shrink(picture()), photos.shrink(picture(colour=(0, 90, 0)))
    draft = act(drafts.write_new, LI, street.shop.merchant_id, RICE, one)
    act(drafts.rewrite, LI, draft.draft_id, RICE, photo=other)
    assert kept(database) == 1
    act(drafts.submit, LI, draft.draft_id)
    offer_id = act(drafts.approve, MIN, draft.draft_id).offer_id
    change = act(drafts.change_offer, LI, offer_id)
    act(drafts.rewrite, LI, change.draft_id, RICE, without_photo=True)
    assert kept(database) == 1, "residents still see it"
    act(drafts.rewrite, LI, change.draft_id, RICE, photo=one)
    act(drafts.discard, change.draft_id)
    with database.reading() as db:
        key = queries.get_offer(db, offer_id).photo_key
        assert photos.get_photo(db, key).octets == other
    act(service.show_offer, offer_id, active=False)
    with database.reading() as db, pytest.raises(UnknownPhoto):
        photos.get_photo(db, key)
    assert kept(database) == 0


def upload(octets: bytes, name: str = "rice.jpg") -> FileStorage:
    return FileStorage(BytesIO(octets), name)


TYPED = {
    "title": "大米一袋", "points": "60", "monthly_quota": "10", "per_resident_per_month": "1", "settlement_yuan": "30",
}  # fmt: skip


def test_the_shop_submits_staff_returns_and_approves_and_the_resident_sees_it(app, database, street) -> None:
    shop, staff, resident = (app.test_client() for _ in range(3))
    sign_in(shop, street.li)
    sign_in(staff, database.transact(make_login, "staff", street.tree["NS-01"]))
    sign_in(resident, street.zhang_login)
    assert "还没有通过" not in shop.get("/counter/offers").text
    made = form(shop, "/counter/offers/new", {**TYPED, "then": "submit", "photo": upload(picture(), "notes.txt")})
    page = shop.get(made.location).text
    assert "等驿站审核" in page
    [number] = [int(made.location.rsplit("/", 1)[1])]
    assert "大米一袋" in staff.get("/staff/drafts").text
    assert "待审核的项目" in staff.get("/staff/offers").text
    assert form(staff, f"/staff/drafts/{number}/return", {"reason": ""}).status_code == 422
    form(staff, f"/staff/drafts/{number}/return", {"reason": "请写明几公斤"})
    assert "请写明几公斤" in shop.get("/counter/offers").text
    assert "大米" not in resident.get("/me/offers").text
    form(shop, f"/counter/drafts/{number}", {**TYPED, "title": "大米 5 公斤", "then": "submit"})
    assert form(staff, f"/staff/drafts/{number}/approve", {}).status_code == 303
    assert "已通过" in shop.get(f"/counter/drafts/{number}").text
    with database.reading() as db:
        told = db.execute(sa.select(messages.c.kind).order_by(messages.c.message_id)).scalars().all()
        assert told == ["offer_returned", "offer_approved"]
        [offer] = [one.offer for one in queries.list_offers(db) if one.offer.title == "大米 5 公斤"]
    page = resident.get("/me/offers").text
    assert f'src="/photos/{offer.photo_key}" width="640" height="480" loading="lazy"' in page
    shown = resident.get(f"/photos/{offer.photo_key}")
    assert (shown.mimetype, shown.headers["Cache-Control"]) == ("image/jpeg", "private, max-age=86400")
    again = form(staff, f"/staff/drafts/{number}/return", {"reason": "晚了"})
    assert (again.status_code, "已经审核过" in again.text) == (409, True)


def test_a_file_that_is_no_photo_is_told_beside_its_field_with_what_was_typed(app, street) -> None:
    shop = app.test_client()
    sign_in(shop, street.li)
    page = form(shop, "/counter/offers/new", {**TYPED, "photo": upload(b"not a photo", "rice.jpg")})
    assert page.status_code == 422
    assert "请选一张 JPEG" in page.text
    assert 'value="大米一袋"' in page.text


def test_staff_change_and_delete_an_offers_photo(app, database, street) -> None:
    staff = app.test_client()
    sign_in(staff, database.transact(make_login, "staff", street.tree["NS-01"]))
    path = f"/staff/offers/{street.soap.offer_id}"
    assert form(staff, f"{path}/photo", {}).status_code == 422
    assert form(staff, f"{path}/photo", {"photo": upload(picture())}).status_code == 303
    assert 'alt="“香皂一块”的照片"' in staff.get(path).text
    form(staff, f"{path}/photo", {"without_photo": "1"})
    assert kept(database) == 0
    assert "照片" in staff.get(f"/staff/merchants/{street.shop.merchant_id}").text
