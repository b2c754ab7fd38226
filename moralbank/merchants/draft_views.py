"""Offers between a shop and its station: the shop writes and submits, the station looks and decides; and the photos."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.access.queries import actor_names
from moralbank.approvals.service import Hand, hand_of
from moralbank.errors import Invalid, MoralBankError
from moralbank.merchants import drafts, photos, queries, service
from moralbank.merchants.drafts import Draft
from moralbank.merchants.errors import BadPhoto
from moralbank.merchants.queries import Merchant
from moralbank.merchants.schemas import OfferForm, ReturnForm, schedule_fields
from moralbank.merchants.service import OfferDetails
from moralbank.merchants.views import typed_offer, typed_yuan
from moralbank.web import problems
from moralbank.web.auth import actor, allow, current, public, scope_paths, within, within_merchant
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("drafts", __name__)

PAGE = 50
#: A photo's address names these very octets; once it is deleted, no browser shows it for longer than this.
_PHOTO_SECONDS = 24 * 3600

Answer = str | Response | tuple[str, int]


@blueprint.get("/counter/offers")
@allow("operator", scope="merchant")
def show_all() -> str:
    """List what a shop gives, as residents see it, and what it would like to change."""
    merchant = _own_shop()
    with database().reading() as db:
        offers = queries.list_offers(db, merchant_id=merchant.merchant_id)
        found = drafts.list_open(db, merchant.merchant_id)
    changing = {draft.offer_id: draft for draft in found if draft.offer_id is not None}
    new = [draft for draft in found if draft.offer_id is None]
    return render_template("merchants/own_offers.html", merchant=merchant, offers=offers, changing=changing, new=new)


@blueprint.route("/counter/offers/new", methods=["GET", "POST"])
@allow("operator", scope="merchant")
def write_new() -> Answer:
    """Write down an offer that the shop would like to give."""
    merchant = _own_shop()
    if request.method == "GET":
        return _form(merchant, None, {"per_resident_per_month": 2, "settlement_yuan": "0"})
    try:
        details, photo = OfferDetails(**read_form(OfferForm)), _photo()
        made = database().transact(drafts.write_new, _hand("operator"), merchant.merchant_id, details, photo)
        return _saved(made)
    except MoralBankError as refusal:
        return _form(merchant, None, typed_offer(), _errors(refusal)), refusal.status


@blueprint.post("/counter/offers/<int:offer_id>/change")
@allow("operator", scope="merchant")
def change(offer_id: int) -> Response:
    """Begin to change an offer, or go on with the change that is open."""
    with database().reading() as db:
        within_merchant(queries.get_offer(db, offer_id).merchant_id)
    draft = database().transact(drafts.change_offer, _hand("operator"), offer_id)
    return redirect(url_for(".show", draft_id=draft.draft_id), 303)


@blueprint.route("/counter/drafts/<int:draft_id>", methods=["GET", "POST"])
@allow("operator", scope="merchant")
def show(draft_id: int) -> Answer:
    """Show a draft with what became of it, and write on at it."""
    draft, merchant = _of_shop(draft_id)
    if request.method == "GET":
        return _form(merchant, draft, _given(draft))
    try:
        details, photo = OfferDetails(**read_form(OfferForm)), _photo()
        without = request.form.get("without_photo") == "1"
        rewritten = database().transact(
            drafts.rewrite, _hand("operator"), draft_id, details, photo=photo, without_photo=without
        )
        return _saved(rewritten)
    except MoralBankError as refusal:
        return _form(merchant, draft, typed_offer(), _errors(refusal)), refusal.status


@blueprint.post("/counter/drafts/<int:draft_id>/take-back")
@allow("operator", scope="merchant")
def take_back(draft_id: int) -> Response:
    """Write on at what waits for the station."""
    _of_shop(draft_id)
    database().transact(drafts.take_back, draft_id)
    return redirect(url_for(".show", draft_id=draft_id), 303)


@blueprint.post("/counter/drafts/<int:draft_id>/discard")
@allow("operator", scope="merchant")
def discard(draft_id: int) -> Response:
    """Give a draft up."""
    _draft, merchant = _of_shop(draft_id)
    database().transact(drafts.discard, draft_id)
    flash(_("草稿已删除，居民看到的没有变。"), "ok")
    return redirect(url_for(".show_all", merchant=merchant.merchant_id), 303)


@blueprint.get("/staff/drafts")
@allow("staff", "auditor", scope="branch")
def show_waiting() -> str:
    """List the drafts that wait for the reader's stations."""
    after = request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        found = drafts.list_waiting(db, scope_paths(), after_id=after, limit=PAGE + 1)
        shops = queries.list_merchants_by_id(db, {draft.merchant_id for draft in found})
    following = url_for(".show_waiting", after=found[PAGE - 1].draft_id) if len(found) > PAGE else None
    return render_template("merchants/drafts.html", drafts=found[:PAGE], shops=shops, next_url=following)


@blueprint.get("/staff/drafts/<int:draft_id>")
@allow("staff", "auditor", scope="branch")
def show_to_staff(draft_id: int) -> str:
    """Show a draft beside what residents see now."""
    return _staff_page(_of_branch(draft_id))


@blueprint.post("/staff/drafts/<int:draft_id>/approve")
@allow("staff", scope="branch")
def approve(draft_id: int) -> Answer:
    """Have residents see what the draft says."""
    draft = _of_branch(draft_id)
    try:
        database().transact(drafts.approve, _hand("staff"), draft_id)
    except MoralBankError as refusal:
        return _staff_page(_of_branch(draft_id), problems.sentence(refusal)), refusal.status
    flash(_("“%(title)s”已通过，居民现在能看到。", title=draft.title), "ok")
    return redirect(url_for(".show_waiting"), 303)


@blueprint.post("/staff/drafts/<int:draft_id>/return")
@allow("staff", scope="branch")
def send_back(draft_id: int) -> Answer:
    """Return a draft with what is to be mended."""
    draft = _of_branch(draft_id)
    try:
        database().transact(drafts.send_back, _hand("staff"), draft_id, read_form(ReturnForm)["reason"])
    except MoralBankError as refusal:
        words = in_words(refusal) if isinstance(refusal, Invalid) else {}
        return _staff_page(_of_branch(draft_id), "" if words else problems.sentence(refusal), words), refusal.status
    flash(_("“%(title)s”已退回，商家能看到原因。", title=draft.title), "ok")
    return redirect(url_for(".show_waiting"), 303)


@blueprint.post("/staff/offers/<int:offer_id>/photo")
@allow("staff", scope="branch")
def change_photo(offer_id: int) -> Response:
    """Show another photo with an offer, or none."""
    with database().reading() as db:
        stocked = queries.get_stocked_offer(db, offer_id)
    within(stocked.merchant.branch_id)
    photo = None if request.form.get("without_photo") == "1" else _photo()
    if photo is None and request.form.get("without_photo") != "1":
        raise BadPhoto()
    database().transact(service.change_photo, offer_id, photo, actor=actor())
    flash(_("照片已换好。") if photo is not None else _("照片已删除。"), "ok")
    return redirect(url_for("merchants.edit_offer", offer_id=offer_id), 303)


@blueprint.get("/photos/<photo_key>")
@public
def photo(photo_key: str) -> Response:
    """Give a photo to whoever was shown its address."""
    with database().reading() as db:
        found = photos.get_photo(db, photo_key)
    return Response(
        found.octets, content_type="image/jpeg", headers={"Cache-Control": f"private, max-age={_PHOTO_SECONDS}"}
    )


def count_waiting() -> int:
    """Return how many drafts wait for the reader's stations."""
    return database().look(drafts.count_waiting, current().paths("staff"))


def _saved(draft: Draft) -> Response:
    """Submit what was saved where that was wished, and lead to where it stands."""
    if request.form.get("then") != "submit":
        flash(_("已存为草稿，还没有提交给驿站。"), "ok")
        return redirect(url_for(".show", draft_id=draft.draft_id), 303)
    try:
        database().transact(drafts.submit, _hand("operator"), draft.draft_id)
        flash(_("已提交驿站审核。通过以前，居民看到的不变。"), "ok")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show", draft_id=draft.draft_id), 303)


def _photo() -> bytes | None:
    """Return the photo that was sent, made small; None when none was chosen. Raises: BadPhoto."""
    sent = request.files.get("photo")
    if sent is None or not sent.filename:
        return None
    return photos.shrink(sent.stream.read(photos.MAX_BYTES + 1))


def _errors(refusal: MoralBankError) -> dict[str, list[str]]:
    field = "photo" if isinstance(refusal, BadPhoto) else "title"
    return in_words(refusal) or {field: [problems.sentence(refusal)]}


def _given(draft: Draft) -> dict[str, Any]:
    told = {name: getattr(draft, name) for name in OfferDetails.__dataclass_fields__ if name != "schedule"}
    return told | {"settlement_yuan": typed_yuan(draft.settlement_fen)} | schedule_fields(draft.schedule)


def _form(
    merchant: Merchant, draft: Draft | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None
) -> str:
    return render_template(
        "merchants/draft.html",
        merchant=merchant,
        draft=draft,
        given=given,
        errors=errors,
        megabytes=photos.MAX_BYTES // 2**20,
    )


def _staff_page(draft: Draft, refusal: str = "", errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        merchant = queries.get_merchant(db, draft.merchant_id)
        offer = queries.get_offer(db, draft.offer_id) if draft.offer_id is not None and draft.is_open else None
        authors = actor_names(db, {draft.made_by} | ({draft.decided_by} if draft.decided_by else set()))
    return render_template(
        "merchants/draft_check.html",
        draft=draft,
        merchant=merchant,
        offer=offer,
        changes=drafts.changes(draft, offer),
        authors=authors,
        refusal=refusal,
        errors=errors,
        may_write=current().has("staff"),
    )


def _hand(role: str) -> Hand:
    return hand_of(current(), role)


def _own_shop() -> Merchant:
    """Return the operator's merchant: the one asked for, or the only or first one. Raises: OutOfScope."""
    merchant_id = request.values.get("merchant", type=row_id) or current().merchant_ids()[0]
    within_merchant(merchant_id)
    with database().reading() as db:
        return queries.get_merchant(db, merchant_id)


def _of_shop(draft_id: int) -> tuple[Draft, Merchant]:
    """Return a draft of a shop at whose till the reader works. Raises: UnknownDraft, OutOfScope."""
    with database().reading() as db:
        draft = drafts.get_draft(db, draft_id)
        merchant = queries.get_merchant(db, draft.merchant_id)
    within_merchant(draft.merchant_id)
    return draft, merchant


def _of_branch(draft_id: int) -> Draft:
    """Return a draft of a shop of the reader's branches. Raises: UnknownDraft, OutOfScope."""
    with database().reading() as db:
        draft = drafts.get_draft(db, draft_id)
        branch_id = queries.get_merchant(db, draft.merchant_id).branch_id
    within(branch_id)
    return draft
