"""A resident's own pages of spending: the payment code, and what can be had for points nearby."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, abort, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock, ids, ledger
from moralbank.behalf import acting
from moralbank.branches.queries import Branch, get_branch, list_branches
from moralbank.merchants.queries import StockedOffer, get_merchant, list_offers
from moralbank.proofs.queries import find_slip
from moralbank.proofs.values import Slip
from moralbank.proofs.views import public_url
from moralbank.redemptions import codes, phone_orders, queries, vouchers
from moralbank.redemptions.queries import Receipt
from moralbank.residents.queries import Resident, get_resident
from moralbank.web import pictures
from moralbank.web.auth import allow
from moralbank.web.db import database

blueprint = Blueprint("spending", __name__)

REFRESH_SECONDS = 45


@dataclass(frozen=True, slots=True)
class Choice:
    """An offer as one resident meets it: what is left of it, and how often they may still take it this month."""

    stocked: StockedOffer
    times_left: int
    points_short: int
    #: Whether it could be collected within the days that something is reserved for.
    is_reservable: bool

    @property
    def can_be_had(self) -> bool:
        """Whether some are left, for this resident too; what opens later can be had then."""
        return self.stocked.left > 0 and self.times_left > 0

    @property
    def can_be_reserved(self) -> bool:
        return self.can_be_had and not self.points_short and self.is_reservable


@dataclass(frozen=True, slots=True)
class Place:
    """A branch with what its merchants give; one's own branch comes first."""

    branch: Branch
    is_own: bool
    choices: list[Choice]


@blueprint.get("/me/code")
@allow("resident", scope="self", for_family=True)
def hidden_code() -> str:
    """Show the page of the payment code. There is no code in it until its button is pressed."""
    return render_template("redemptions/code.html", issued=None, at=_addresses())


@blueprint.post("/me/code")
@allow("resident", scope="self", for_family=True)
def show_code() -> str:
    """Issue a fresh payment code and show it once."""
    issued = database().transact(codes.issue_code, acting.person_id(), acting.link_id())
    return code_page(issued, _addresses(issued.issued_at))


def code_page(issued: codes.IssuedCode, at: Mapping[str, str], **said: object) -> str:
    """Return the page with a payment code, which is in it this once. at: where the page goes on."""
    return render_template(
        "redemptions/code.html",
        issued=issued,
        at=at,
        bars=pictures.bars_svg(issued.number),
        picture=pictures.qr_svg(issued.number),
        seconds=codes.SHOWN_SECONDS,
        refresh=REFRESH_SECONDS,
        **said,
    )


def _addresses(since: datetime | None = None) -> dict[str, str]:
    """Return where one's own page of the code goes on; since: when its code was made."""
    found = {"hidden": url_for(".hidden_code"), "show": url_for(".show_code")}
    return found | ({"paid": url_for(".paid", since=since.isoformat())} if since else {})


@blueprint.get("/me/code/paid")
@allow("resident", scope="self", for_family=True)
def paid() -> str | Response:
    """Tell the phone that its code was paid with; 204 while it was not."""
    since = moment_of(request.args.get("since", ""))
    with database().reading() as db:
        receipt = queries.find_payment(db, acting.person_id(), since - timedelta(seconds=codes.SHOWN_SECONDS))
        slip = slip_of(db, receipt)
        order = phone_orders.find_waiting(db, acting.person_id())
        merchant = get_merchant(db, order.merchant_id) if order else None
    if receipt is None or receipt.charged_at < since:
        if order is not None and acting.acting():
            return render_template("redemptions/_theirs_to_agree.html")
        if order is not None:
            return render_template("redemptions/_agree.html", order=order, merchant=merchant)
        return Response(status=204)
    return render_template("redemptions/_paid.html", receipt=receipt, slip=slip)


def slip_of(db: Connection, receipt: Receipt | None) -> Slip | None:
    if receipt is None or receipt.entry_id is None:
        return None
    account = get_resident(db, receipt.resident_id).account_id
    return find_slip(db, receipt.book_id, receipt.entry_id, account, ledger.Unit.POINTS, public_url())


@blueprint.get("/me/offers")
@allow("resident", scope="self", for_family=True)
def offers() -> str:
    """Show what the points can be changed into, at one's own station first, and never what is gone."""
    with database().reading() as db:
        resident = get_resident(db, acting.person_id())
        points = ledger.available(db, resident.book_id, [resident.account_id])[resident.account_id]
        places = _places(db, resident, points)
        reserved = [one for one in vouchers.list_vouchers(db, resident.resident_id) if one.is_waiting]
    return render_template(
        "redemptions/offers.html",
        points=points,
        places=places,
        reserved=reserved,
        has_room=len(reserved) < vouchers.AT_ONCE_MAX,
        days=vouchers.DAYS,
        key=ids.token(16),
    )


def _places(db: Connection, resident: Resident, points: int) -> list[Place]:
    taken = Counter(queries.offers_taken(db, resident.resident_id))
    month = clock.start_of(clock.today().replace(day=1))
    taken.update(
        one.offer_id
        for one in vouchers.list_vouchers(db, resident.resident_id)
        if one.state == "waiting" and one.reserved_at >= month
    )
    by_branch: dict[int, list[Choice]] = {}
    for stocked in list_offers(db, book_id=resident.book_id):
        if stocked.offer.is_active and stocked.merchant.is_active and stocked.opens_at is not None:
            offer = stocked.offer
            times_left = max(0, offer.per_resident_per_month - taken.get(offer.offer_id, 0))
            is_reservable = vouchers.last_day_of(offer) is not None
            choice = Choice(stocked, times_left, max(0, offer.points - points), is_reservable)
            by_branch.setdefault(stocked.merchant.branch_id, []).append(choice)
    own = get_branch(db, resident.branch_id)
    others = (branch for branch in list_branches(db) if branch.book_id == own.book_id and branch != own)
    return [
        Place(branch, branch == own, sorted(by_branch[branch.branch_id], key=_first_what_can_be_had))
        for branch in [own, *others]
        if branch.branch_id in by_branch
    ]


def _first_what_can_be_had(choice: Choice) -> tuple[bool, bool, bool, int]:
    is_later = not choice.stocked.is_open
    return (not choice.can_be_had, is_later, choice.points_short > 0, choice.stocked.offer.points)


def moment_of(text: str) -> datetime:
    """Return the instant that a page was given; one without a time zone, or too old to matter, is no page of ours."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        abort(404)
    if moment.tzinfo is None or clock.now() - moment > timedelta(hours=1):
        abort(404)
    return moment
