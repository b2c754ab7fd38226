"""Offers as a shop wants them: written as drafts, shown to residents once the station has approved them.

What stands in the list stays as it was approved until then. Nobody approves what they wrote themselves.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.approvals.service import Hand, is_one_person
from moralbank.branches.queries import lies_below
from moralbank.merchants import photos
from moralbank.merchants.errors import (
    DraftDecided,
    DraftEmpty,
    DraftNotSubmitted,
    DraftOwn,
    DraftsFull,
    DraftSubmitted,
    UnknownDraft,
)
from moralbank.merchants.models import drafts, merchants, offers
from moralbank.merchants.queries import LIST_MAX, Merchant, Offer, get_merchant, get_offer
from moralbank.merchants.schedules import ALWAYS, Schedule
from moralbank.merchants.service import OfferDetails, add_offer, edit_offer, lock_merchant, place_photo
from moralbank.messages import service as messages
from moralbank.messages.values import Note

#: How many a shop has at once that nobody has decided.
OPEN_MAX = 20
#: Of a shop, for its people: still to be decided. "discarded" is the shop's own end of one.
OPEN = ("draft", "submitted", "returned")
_CODE = re.compile(r"O(\d{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Draft:
    """An offer as a shop wants it; offer_id is None where it is a new one."""

    draft_id: int
    merchant_id: int
    offer_id: int | None
    title: str
    points: int
    monthly_quota: int
    per_resident_per_month: int
    settlement_fen: int
    from_on: date | None
    until_on: date | None
    weekdays: int
    opens_minutes: int
    closes_minutes: int
    photo_key: str | None
    state: str
    #: Why the station returned it.
    reason: str | None
    #: Who wrote it last, and who submitted it.
    made_by: str
    made_login_id: int
    submit_login_id: int | None
    changed_at: datetime
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.from_on, self.until_on, self.weekdays, self.opens_minutes, self.closes_minutes)

    @property
    def details(self) -> OfferDetails:
        return OfferDetails(
            self.title,
            self.points,
            self.monthly_quota,
            self.per_resident_per_month,
            self.settlement_fen,
            self.schedule,
        )


_DRAFT = sa.select(*(drafts.c[name] for name in Draft.__slots__))


def write_new(db: Connection, hand: Hand, merchant_id: int, details: OfferDetails, photo: bytes | None) -> Draft:
    """Write down an offer that a shop would like to give. photo: as `photos.shrink` made it.

    Raises (in the order checked): UnknownMerchant, DraftsFull.
    """
    lock_merchant(db, merchant_id)
    kept = photos.keep(db, merchant_id, photo, hand.actor) if photo is not None else None
    return _insert(db, hand, merchant_id, None, replace(details, schedule=details.schedule or ALWAYS), kept)


def change_offer(db: Connection, hand: Hand, offer_id: int) -> Draft:
    """Begin to change an offer, from how it stands; while a change is open, that one goes on.

    Raises (in the order checked): UnknownOffer, DraftsFull.
    """
    offer = get_offer(db, offer_id)
    lock_merchant(db, offer.merchant_id)
    row = db.execute(_DRAFT.where(drafts.c.offer_id == offer_id, drafts.c.state.in_(OPEN))).first()
    return Draft(*row) if row else _insert(db, hand, offer.merchant_id, offer_id, details_of(offer), offer.photo_key)


def _insert(
    db: Connection, hand: Hand, merchant_id: int, offer_id: int | None, details: OfferDetails, photo: str | None
) -> Draft:
    mine = (drafts.c.merchant_id == merchant_id) & drafts.c.state.in_(OPEN)
    if db.execute(sa.select(sa.func.count()).where(mine)).scalar_one() >= OPEN_MAX:
        raise DraftsFull(most=OPEN_MAX)
    row = details.columns | {
        "merchant_id": merchant_id,
        "offer_id": offer_id,
        "photo_key": photo,
        "state": "draft",
        "made_by": hand.actor,
        "made_login_id": hand.login_id,
        "changed_at": clock.now(),
    }
    return get_draft(db, db.execute(drafts.insert().values(row).returning(drafts.c.draft_id)).scalar_one())


def details_of(offer: Offer) -> OfferDetails:
    """Return what an offer says of itself."""
    told = {name: getattr(offer, name) for name in OfferDetails.__dataclass_fields__}
    return OfferDetails(**told)


def rewrite(
    db: Connection,
    hand: Hand,
    draft_id: int,
    details: OfferDetails,
    *,
    photo: bytes | None = None,
    without_photo: bool = False,
) -> Draft:
    """Write a draft anew. photo: replaces the one there is; None leaves it.

    Raises (in the order checked): UnknownDraft, DraftSubmitted, DraftDecided.
    """
    before = _locked(db, draft_id)
    _refuse_fixed(before)
    kept = None if without_photo else before.photo_key
    if photo is not None:
        kept = photos.keep(db, before.merchant_id, photo, hand.actor)
    said = replace(details, schedule=details.schedule or before.schedule).columns
    _set(db, draft_id, **said, photo_key=kept, made_by=hand.actor, made_login_id=hand.login_id, changed_at=clock.now())
    if kept != before.photo_key:
        photos.drop_unshown(db, before.photo_key)
    return get_draft(db, draft_id)


def submit(db: Connection, hand: Hand, draft_id: int) -> Draft:
    """Have the station look at a draft; a second time changes nothing.

    Raises (in the order checked): UnknownDraft, DraftDecided, DraftEmpty where it changes nothing.
    """
    draft = _locked(db, draft_id)
    if draft.state == "submitted":
        return draft
    _refuse_fixed(draft)
    if draft.offer_id is not None:
        offer = get_offer(db, draft.offer_id)
        if (details_of(offer), offer.photo_key) == (draft.details, draft.photo_key):
            raise DraftEmpty()
    _set(db, draft_id, state="submitted", submit_login_id=hand.login_id, submitted_at=clock.now(), reason=None)
    return get_draft(db, draft_id)


def take_back(db: Connection, draft_id: int) -> Draft:
    """Write on at what waits for the station; a second time changes nothing. Raises: UnknownDraft, DraftDecided."""
    draft = _locked(db, draft_id)
    if not draft.is_open:
        raise DraftDecided()
    if draft.state == "submitted":
        _set(db, draft_id, state="draft", submit_login_id=None, submitted_at=None)
    return get_draft(db, draft_id)


def discard(db: Connection, draft_id: int) -> Draft:
    """Give a draft up, with its photo; a second time changes nothing. Raises: UnknownDraft, DraftDecided."""
    draft = _locked(db, draft_id)
    if draft.state == "approved":
        raise DraftDecided()
    if draft.is_open:
        _set(db, draft_id, state="discarded", photo_key=None)
        photos.drop_unshown(db, draft.photo_key)
    return get_draft(db, draft_id)


def approve(db: Connection, hand: Hand, draft_id: int) -> Draft:
    """Have residents see what the draft says. By the same hand again: the same answer.

    Raises (in the order checked): UnknownDraft, DraftDecided, DraftNotSubmitted, DraftOwn, OfferCodeTaken.
    """
    draft = _locked(db, draft_id)
    if draft.state == "approved" and draft.decided_by == hand.actor:
        return draft
    merchant = _check(db, hand, draft)
    if draft.offer_id is None:
        offer_id = add_offer(db, draft.merchant_id, _free_code(db, draft), draft.details, actor=hand.actor).offer_id
    else:
        offer_id = edit_offer(db, draft.offer_id, draft.details, actor=hand.actor).offer_id
    _set(db, draft_id, state="approved", offer_id=offer_id, decided_by=hand.actor, decided_at=clock.now())
    place_photo(db, offer_id, draft.photo_key, actor=hand.actor)
    # From now on the offer is what shows the photo.
    _set(db, draft_id, photo_key=None)
    _tell(db, "offer_approved", merchant, draft)
    return get_draft(db, draft_id)


def send_back(db: Connection, hand: Hand, draft_id: int, reason: str) -> Draft:
    """Return a draft to its shop, and say what to mend.

    Raises (in the order checked): UnknownDraft, DraftDecided, DraftNotSubmitted, DraftOwn.
    """
    draft = _locked(db, draft_id)
    merchant = _check(db, hand, draft)
    _set(db, draft_id, state="returned", reason=reason, decided_by=hand.actor, decided_at=clock.now())
    _tell(db, "offer_returned", merchant, draft)
    return get_draft(db, draft_id)


def _check(db: Connection, hand: Hand, draft: Draft) -> Merchant:
    if not draft.is_open:
        raise DraftDecided()
    if draft.state != "submitted":
        raise DraftNotSubmitted()
    authors = {draft.made_login_id, draft.submit_login_id or draft.made_login_id}
    if any(is_one_person(db, hand, login_id) for login_id in authors):
        raise DraftOwn()
    return get_merchant(db, draft.merchant_id)


def _tell(db: Connection, kind: str, merchant: Merchant, draft: Draft) -> None:
    """Tell those at the merchant's till."""
    event = f"draft:{draft.draft_id}:{clock.now().isoformat()}"
    note = Note(kind, event, merchant.branch_id, merchant_id=merchant.merchant_id, facts={"offer": draft.title})
    messages.tell(db, [note])


def _free_code(db: Connection, draft: Draft) -> str:
    """Return the code after the highest of the shop's; the shop is locked, so nobody else takes it."""
    lock_merchant(db, draft.merchant_id)
    codes = db.execute(sa.select(offers.c.code).where(offers.c.merchant_id == draft.merchant_id)).scalars()
    numbers = [int(found[1]) for code in codes if (found := _CODE.fullmatch(code))]
    return f"O{max(numbers, default=0) + 1:03d}"


def _refuse_fixed(draft: Draft) -> None:
    if draft.state == "submitted":
        raise DraftSubmitted()
    if not draft.is_open:
        raise DraftDecided()


def _set(db: Connection, draft_id: int, **values: Any) -> None:
    db.execute(drafts.update().where(drafts.c.draft_id == draft_id).values(values))


def _locked(db: Connection, draft_id: int) -> Draft:
    db.execute(sa.select(drafts.c.draft_id).where(drafts.c.draft_id == draft_id).with_for_update())
    return get_draft(db, draft_id)


def get_draft(db: Connection, draft_id: int) -> Draft:
    """Return a draft. Raises: UnknownDraft."""
    row = db.execute(_DRAFT.where(drafts.c.draft_id == draft_id)).first()
    if row is None:
        raise UnknownDraft()
    return Draft(*row)


def list_open(db: Connection, merchant_id: int) -> list[Draft]:
    """List what a shop has that is not decided, the latest first."""
    mine = (drafts.c.merchant_id == merchant_id) & drafts.c.state.in_(OPEN)
    return [Draft(*row) for row in db.execute(_DRAFT.where(mine).order_by(drafts.c.draft_id.desc()).limit(OPEN_MAX))]


def list_waiting(db: Connection, paths: list[str], *, after_id: int = 0, limit: int = 50) -> list[Draft]:
    """List what waits for the stations below these paths, the longest waiting first by number."""
    query = _DRAFT.join(merchants, merchants.c.merchant_id == drafts.c.merchant_id)
    query = query.where(drafts.c.state == "submitted", _below(paths), drafts.c.draft_id > after_id)
    rows = db.execute(query.order_by(drafts.c.draft_id).limit(min(limit, LIST_MAX)))
    return [Draft(*row) for row in rows]


def count_waiting(db: Connection, paths: list[str]) -> int:
    """Return how many drafts wait for the stations below these paths."""
    joined = drafts.join(merchants, merchants.c.merchant_id == drafts.c.merchant_id)
    query = sa.select(sa.func.count()).select_from(joined).where(drafts.c.state == "submitted", _below(paths))
    return int(db.execute(query).scalar_one())


def _below(paths: list[str]) -> sa.ColumnElement[bool]:
    return lies_below(merchants.c.branch_id, paths)


def changes(draft: Draft, offer: Offer | None) -> list[tuple[str, object, object]]:
    """Return each detail with how it stands and how it would be; a new offer has nothing before."""
    wanted = asdict(draft.details) | {"schedule": draft.schedule}
    before = asdict(details_of(offer)) | {"schedule": offer.schedule} if offer else {}
    return [(name, before.get(name), value) for name, value in wanted.items()]
