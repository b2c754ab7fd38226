"""Verbs on merchants and offers. An offer is taken by a guarded UPDATE, so no month gives too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.deeds import Deed, Kind, record
from moralbank.branches.queries import Branch, find_branch
from moralbank.db import insert_for
from moralbank.merchants.errors import (
    BadMerchantFile,
    MerchantCodeTaken,
    OfferCodeTaken,
    StatusNotNext,
)
from moralbank.merchants.models import deeds, merchants, offer_months, offers
from moralbank.merchants.photos import drop_unshown, keep
from moralbank.merchants.queries import (
    SETTLEMENT_MODES,
    STATUSES,
    Merchant,
    Offer,
    find_merchant_by_code,
    find_offer_by_code,
    get_merchant,
    get_offer,
    month_of,
)
from moralbank.merchants.schedules import ALWAYS, Schedule
from moralbank.prepared import Insert, Prepared, Question, all_rows

SYSTEM = "system"
#: Of a person, or a picture: a deed says that they changed, not what they were.
_UNTOLD = ("contact", "phone", "photo_key")
#: What a merchant may become next: apply, visit, agreement, then on and off; one who left applies anew.
NEXT = {
    "applied": ("visited", "left"),
    "visited": ("active", "left"),
    "active": ("suspended", "left"),
    "suspended": ("active", "left"),
    "left": ("applied",),
}


@dataclass(frozen=True, slots=True)
class MerchantDetails:
    """What staff write down about a merchant."""

    name: str
    kind: str
    contact: str
    phone: str
    settlement_mode: str


@dataclass(frozen=True, slots=True)
class OfferDetails:
    """What staff write down about an offer."""

    title: str
    points: int
    monthly_quota: int
    per_resident_per_month: int
    settlement_fen: int
    #: None: as it stands, and always for a new one.
    schedule: Schedule | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """What of it stands in which column."""
        said = asdict(self)
        said.pop("schedule")
        return said | (asdict(self.schedule) if self.schedule is not None else {})


def add_merchant(
    db: Connection,
    branch: Branch,
    code: str,
    details: MerchantDetails,
    *,
    status: str = "applied",
    actor: str = SYSTEM,
) -> Merchant:
    """Take a merchant in at a branch that has a book, with an account of its own in it.

    Raises (in the order checked): MerchantCodeTaken.
    """
    assert branch.book_id is not None, "the caller offers only branches that keep a book"
    if find_merchant_by_code(db, branch.book_id, code):
        raise MerchantCodeTaken(merchant=code)
    [account_id] = ledger.open_accounts(db, branch.book_id, [ledger.AccountKind.MERCHANT])
    row = insert_for(db, merchants).values(
        book_id=branch.book_id,
        account_id=account_id,
        branch_id=branch.branch_id,
        code=code,
        status=status,
        joined_at=clock.now(),
        **asdict(details),
    )
    added = row.on_conflict_do_nothing(index_elements=["book_id", "code"]).returning(merchants.c.merchant_id)
    merchant_id = db.execute(added).scalar_one_or_none()
    if merchant_id is None:  # Somebody else took the code between our look and our insert.
        raise MerchantCodeTaken(merchant=code)
    note(db, merchant_id, None, "added", {}, {"status": status}, actor)
    return get_merchant(db, merchant_id)


def edit_merchant(db: Connection, merchant_id: int, details: MerchantDetails, *, actor: str = SYSTEM) -> Merchant:
    """Write down new details of a merchant. Raises: UnknownMerchant."""
    before = lock_merchant(db, merchant_id)
    db.execute(merchants.update().where(merchants.c.merchant_id == merchant_id).values(**asdict(details)))
    note(db, merchant_id, None, "edited", asdict(before), asdict(details), actor)
    return get_merchant(db, merchant_id)


def move_merchant(db: Connection, merchant_id: int, status: str, *, actor: str = SYSTEM) -> Merchant:
    """Move a merchant to its next status. Raises (in the order checked): UnknownMerchant, StatusNotNext."""
    merchant = lock_merchant(db, merchant_id)
    if merchant.status == status:
        return merchant
    if status not in NEXT[merchant.status]:
        raise StatusNotNext
    db.execute(merchants.update().where(merchants.c.merchant_id == merchant_id).values(status=status))
    note(db, merchant_id, None, "status", asdict(merchant), {"status": status}, actor)
    return get_merchant(db, merchant_id)


def add_offer(db: Connection, merchant_id: int, code: str, details: OfferDetails, *, actor: str = SYSTEM) -> Offer:
    """Add an offer to a merchant. Raises (in the order checked): UnknownMerchant, OfferCodeTaken."""
    get_merchant(db, merchant_id)
    row = insert_for(db, offers).values(merchant_id=merchant_id, code=code, status="active", **details.columns)
    added = row.on_conflict_do_nothing(index_elements=["merchant_id", "code"]).returning(offers.c.offer_id)
    offer_id = db.execute(added).scalar_one_or_none()
    if offer_id is None:
        raise OfferCodeTaken(offer=code)
    told = details if details.schedule != ALWAYS else replace(details, schedule=None)
    note(db, merchant_id, offer_id, "added", {}, told.columns, actor)
    return get_offer(db, offer_id)


def edit_offer(db: Connection, offer_id: int, details: OfferDetails, *, actor: str = SYSTEM) -> Offer:
    """Write down new details of an offer; past charges keep their points. Raises: UnknownOffer."""
    before = _locked_offer(db, offer_id)
    db.execute(offers.update().where(offers.c.offer_id == offer_id).values(**details.columns))
    note(db, before.merchant_id, offer_id, "edited", asdict(before), details.columns, actor)
    return get_offer(db, offer_id)


def place_photo(db: Connection, offer_id: int, photo_key: str | None, *, actor: str = SYSTEM) -> Offer:
    """Show a kept photo with an offer, or none; the one before is deleted. Raises: UnknownOffer."""
    before = _locked_offer(db, offer_id)
    db.execute(offers.update().where(offers.c.offer_id == offer_id).values(photo_key=photo_key))
    note(db, before.merchant_id, offer_id, "edited", asdict(before), {"photo_key": photo_key}, actor)
    if photo_key != before.photo_key:
        drop_unshown(db, before.photo_key)
    return get_offer(db, offer_id)


def change_photo(db: Connection, offer_id: int, photo: bytes | None, *, actor: str = SYSTEM) -> Offer:
    """Show another photo with an offer, as `photos.shrink` made it, or none. Raises: UnknownOffer."""
    offer = _locked_offer(db, offer_id)
    key = keep(db, offer.merchant_id, photo, actor) if photo is not None else None
    return place_photo(db, offer_id, key, actor=actor)


def show_offer(db: Connection, offer_id: int, *, active: bool, actor: str = SYSTEM) -> Offer:
    """Put an offer on the list, or take it off with its photo. Raises: UnknownOffer."""
    before = _locked_offer(db, offer_id)
    status = "active" if active else "suspended"
    db.execute(offers.update().where(offers.c.offer_id == offer_id).values(status=status))
    note(db, before.merchant_id, offer_id, "status", asdict(before), {"status": status}, actor)
    return get_offer(db, offer_id) if active else place_photo(db, offer_id, None, actor=actor)


def lock_merchant(db: Connection, merchant_id: int) -> Merchant:
    """Return a merchant as it stands until this act ends. Raises: UnknownMerchant."""
    mine = merchants.c.merchant_id == merchant_id
    db.execute(sa.select(merchants.c.merchant_id).where(mine).with_for_update())
    return get_merchant(db, merchant_id)


def _locked_offer(db: Connection, offer_id: int) -> Offer:
    """Return an offer as it stands until this act ends. Raises: UnknownOffer."""
    db.execute(sa.select(offers.c.offer_id).where(offers.c.offer_id == offer_id).with_for_update())
    return get_offer(db, offer_id)


def note(
    db: Connection,
    merchant_id: int,
    offer_id: int | None,
    deed: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    actor: str,
) -> None:
    """Remember who set which details; what leaves everything as it was is no deed."""
    changes = [
        [name, None, None] if name in _UNTOLD else [name, _plain(before.get(name)), _plain(value)]
        for name, value in after.items()
        if value != before.get(name)
    ]
    if changes:
        row = {"merchant_id": merchant_id, "offer_id": offer_id, "deed": deed, "changes": changes}
        db.execute(deeds.insert().values(row | {"done_at": clock.now(), "done_by": actor}))
        merchant = get_merchant(db, merchant_id)
        about = f"merchant:{merchant_id}" if offer_id is None else f"offer:{offer_id}"
        record(db, Deed(actor, Kind.SETTING, merchant.branch_id, merchant.book_id, about=about))


def _plain(value: object) -> object:
    """Return a detail as JSON holds it."""
    return value.isoformat() if isinstance(value, date) else value


def _taking(insert: Insert) -> sa.Insert:
    adding = insert(offer_months).values({column.name: sa.bindparam(column.name) for column in offer_months.c})
    used = offer_months.c.used + adding.excluded.used
    # By its name, or the row of this very statement would be looked up as one more table.
    quota = sa.select(offers.c.monthly_quota).where(offers.c.offer_id == sa.literal_column("excluded.offer_id"))
    taken: sa.Insert = adding.on_conflict_do_update(
        index_elements=["offer_id", "month_on"],
        set_={"used": used},
        where=used <= quota.scalar_subquery(),
    ).returning(offer_months.c.offer_id)
    return taken


_TAKE_OFFER = Prepared(_taking)


def take_offers(db: Connection, wanted: Sequence[Offer], day: date) -> list[bool]:
    """Use up one of each in the day's month, and tell for each whether there still was one; the first get the last.

    wanted: in one order everywhere, so that two sets wait for each other and never in a ring.
    """
    month = month_of(day)
    left = Counter(offer.offer_id for offer in wanted)
    offers = {offer.offer_id: offer for offer in wanted}

    def take(numbers: dict[int, int]) -> dict[int, int]:
        given = [{"offer_id": which, "month_on": month, "used": number} for which, number in numbers.items()]
        return {which: numbers[which] for (which,) in _TAKE_OFFER.insert_all(db, given)}

    # All of an offer at once, as long as there are enough; what has become scarce, one by one.
    taken = Counter(take({which: n if n <= offers[which].monthly_quota else 1 for which, n in left.items()}))
    scarce = {which for which, number in left.items() if taken[which] < number}
    while scarce:
        more = take(dict.fromkeys(sorted(scarce), 1))
        taken.update(more)
        scarce = {which for which in more if taken[which] < left[which]}
    verdicts = []
    for offer in wanted:
        verdicts.append(taken[offer.offer_id] > 0)
        taken[offer.offer_id] -= 1
    return verdicts


def taking(wanted: Sequence[Offer], day: date) -> Question[bool]:
    """Use up one of each at once, and tell whether there still were enough; if not, the caller must undo it all.

    For who has looked at the stock before: then it happens only when somebody else was faster.
    """
    numbers = Counter(offer.offer_id for offer in wanted)
    month = month_of(day)
    # In one order everywhere, so that two sets wait for each other and never in a ring.
    given = [{"offer_id": which, "month_on": month, "used": numbers[which]} for which in sorted(numbers)]
    return Question(_TAKE_OFFER, given, lambda found: len(all_rows(found)) == len(given))


def give_back_offer(db: Connection, offer_id: int, day: date) -> None:
    """Give one back to the month it was taken from."""
    one = (offer_months.c.offer_id == offer_id) & (offer_months.c.month_on == month_of(day))
    db.execute(offer_months.update().where(one).values(used=offer_months.c.used - 1))


#: What the files of communities call a status that is named otherwise here.
_FILE_STATUSES = {"pending": "applied"}
_FEN = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a pair of files came to; what was there already was left as it stands."""

    merchants: int
    offers: int
    present: int


def load_files(
    db: Connection, merchant_rows: Iterable[Mapping[str, str]], offer_rows: Iterable[Mapping[str, str]]
) -> Loaded:
    """Take in the rows of merchants.csv and offers.csv; the same files again change nothing.

    Raises: BadMerchantFile, naming file, line and field; then nothing was taken in.
    """
    known: dict[str, Merchant] = {}
    new_merchants = new_offers = present = 0
    for line, row in enumerate(merchant_rows, start=2):
        merchant, is_new = _load_merchant(db, line, row)
        known[row["code"]] = merchant
        new_merchants, present = new_merchants + is_new, present + (not is_new)
    for line, row in enumerate(offer_rows, start=2):
        if row["merchant"] not in known:
            raise BadMerchantFile(file="offers.csv", line=line, field="merchant")
        details = _offer_details(line, row)
        if find_offer_by_code(db, known[row["merchant"]].merchant_id, row["code"]):
            present += 1
        else:
            add_offer(db, known[row["merchant"]].merchant_id, row["code"], details)
            new_offers += 1
    return Loaded(new_merchants, new_offers, present)


def _load_merchant(db: Connection, line: int, row: Mapping[str, str]) -> tuple[Merchant, bool]:
    branch = find_branch(db, row["branch"])
    if branch is None or branch.book_id is None:
        raise BadMerchantFile(file="merchants.csv", line=line, field="branch")
    status = _FILE_STATUSES.get(row["status"], row["status"])
    if status not in STATUSES:
        raise BadMerchantFile(file="merchants.csv", line=line, field="status")
    if row["settlement_mode"] not in SETTLEMENT_MODES:
        raise BadMerchantFile(file="merchants.csv", line=line, field="settlement_mode")
    if found := find_merchant_by_code(db, branch.book_id, row["code"]):
        return found, False
    details = MerchantDetails(row["name"], row["kind"], row["contact"], row["phone"], row["settlement_mode"])
    return add_merchant(db, branch, row["code"], details, status=status), True


def _offer_details(line: int, row: Mapping[str, str]) -> OfferDetails:
    counts: dict[str, int] = {}
    for name, least in (("points", 0), ("monthly_quota", 1), ("per_resident_per_month", 1)):
        if not row[name].isdecimal() or int(row[name]) < least:
            raise BadMerchantFile(file="offers.csv", line=line, field=name)
        counts[name] = int(row[name])
    yuan, _, rest = row["settlement_yuan"].partition(".")
    if not (yuan.isdecimal() and (not rest or (rest.isdecimal() and len(rest) <= 2))):
        raise BadMerchantFile(file="offers.csv", line=line, field="settlement_yuan")
    fen = int(yuan) * _FEN + int(rest.ljust(2, "0") or 0)
    return OfferDetails(title=row["title"], settlement_fen=fen, **counts)
