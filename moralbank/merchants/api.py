"""API operations of merchants and offers."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate
from sqlalchemy import Connection

from moralbank.branches.errors import UnknownBranch
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.errors import N_, Invalid
from moralbank.merchants import queries, service
from moralbank.merchants.errors import MerchantCodeTaken, OfferCodeTaken, StatusNotNext, UnknownMerchant, UnknownOffer
from moralbank.merchants.queries import Merchant, StockedOffer
from moralbank.merchants.schemas import (
    MerchantMove,
    MerchantOut,
    MerchantText,
    NewMerchant,
    NewOffer,
    OfferOut,
    OfferText,
)
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.residents.queries import get_resident
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("merchants", __name__, description="Partner merchants and what they give for points.")

_READERS = ("resident", "operator", "staff", "auditor")


class MerchantQuery(ma.Schema):
    """Which merchants to list."""

    status = fields.String(load_default=None, validate=validate.OneOf(queries.STATUSES))
    q = fields.String(load_default="", validate=validate.Length(max=100), metadata={"description": "Part of a name."})


class OfferQuery(ma.Schema):
    """Which offers to list."""

    merchant_id = fields.Integer(load_default=None, validate=validate.Range(1, 2**53 - 1))
    only_open = fields.Boolean(load_default=False, metadata={"description": "Only what can be had now."})


@blueprint.reads("/merchants", MerchantOut, query=MerchantQuery, paged=True)
@allow(*_READERS, scope="branch", token="merchants:read")
def list_merchants(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the merchants that the token reaches, by id; a resident's reaches all of the bank."""
    found = queries.list_merchants(
        db,
        branch_ids=_visible(db),
        status=query["status"],
        q=query["q"],
        after_id=page.after or 0,
        limit=page.limit + 1,
    )
    return page.of(found, key=lambda merchant: merchant.merchant_id)


@blueprint.reads("/merchants/<int:merchant_id>", MerchantOut)
@allow(*_READERS, scope="branch", token="merchants:read")
def get_merchant(db: Connection, merchant_id: int) -> Merchant:
    """Show one merchant."""
    merchant = queries.get_merchant(db, merchant_id)
    if merchant.branch_id not in _visible(db):
        raise UnknownMerchant
    return merchant


@blueprint.writes("/merchants", MerchantOut, body=NewMerchant, refusals=[UnknownBranch, MerchantCodeTaken])
@allow("staff", scope="branch", token="merchants:write")
def add_merchant(db: Connection, *, body: dict[str, Any], key: str) -> Merchant:
    """Take in a merchant that applies."""
    within(body["branch_id"])
    branch = get_branch(db, body.pop("branch_id"))
    if branch.book_id is None:
        raise Invalid(errors={"branch_id": [N_("请选一个驿站或中心，这里还没有账。")]})
    return service.add_merchant(db, branch, body.pop("code"), MerchantDetails(**body), actor=actor())


@blueprint.writes("/merchants/<int:merchant_id>", MerchantOut, method="PUT", status=200, body=MerchantText)
@allow("staff", scope="branch", token="merchants:write")
def edit_merchant(db: Connection, merchant_id: int, *, body: dict[str, Any], key: str) -> Merchant:
    """Write down new particulars of a merchant."""
    within(queries.get_merchant(db, merchant_id).branch_id)
    return service.edit_merchant(db, merchant_id, MerchantDetails(**body), actor=actor())


@blueprint.writes(
    "/merchants/<int:merchant_id>/status",
    MerchantOut,
    method="PUT",
    status=200,
    body=MerchantMove,
    refusals=[StatusNotNext],
)
@allow("staff", scope="branch", token="merchants:write")
def move_merchant(db: Connection, merchant_id: int, *, body: dict[str, Any], key: str) -> Merchant:
    """Move a merchant to its next status."""
    within(queries.get_merchant(db, merchant_id).branch_id)
    return service.move_merchant(db, merchant_id, body["status"], actor=actor())


@blueprint.reads("/offers", OfferOut, query=OfferQuery, paged=True)
@allow(*_READERS, scope="branch", token="merchants:read")
def list_offers(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List offers with what is left this month, by id."""
    found = queries.list_offers(
        db,
        merchant_id=query["merchant_id"],
        branch_ids=_visible(db),
        only_open=query["only_open"],
        after_id=page.after or 0,
        limit=page.limit + 1,
    )
    return page.of(found, key=lambda stocked: stocked.offer.offer_id)


@blueprint.reads("/offers/<int:offer_id>", OfferOut)
@allow(*_READERS, scope="branch", token="merchants:read")
def get_offer(db: Connection, offer_id: int) -> StockedOffer:
    """Show one offer with what is left this month."""
    stocked = queries.get_stocked_offer(db, offer_id)
    if stocked.merchant.branch_id not in _visible(db):
        raise UnknownOffer
    return stocked


@blueprint.writes("/offers", OfferOut, body=NewOffer, refusals=[UnknownMerchant, OfferCodeTaken])
@allow("staff", scope="branch", token="merchants:write")
def add_offer(db: Connection, *, body: dict[str, Any], key: str) -> StockedOffer:
    """Add an offer to a merchant."""
    merchant = queries.get_merchant(db, body.pop("merchant_id"))
    within(merchant.branch_id)
    offer = service.add_offer(db, merchant.merchant_id, body.pop("code"), OfferDetails(**body), actor=actor())
    return queries.get_stocked_offer(db, offer.offer_id)


@blueprint.writes("/offers/<int:offer_id>", OfferOut, method="PUT", status=200, body=OfferText)
@allow("staff", scope="branch", token="merchants:write")
def edit_offer(db: Connection, offer_id: int, *, body: dict[str, Any], key: str) -> StockedOffer:
    """Write down new particulars of an offer."""
    within(queries.get_stocked_offer(db, offer_id).merchant.branch_id)
    service.edit_offer(db, offer_id, OfferDetails(**body), actor=actor())
    return queries.get_stocked_offer(db, offer_id)


def _visible(db: Connection) -> list[int]:
    """Return the branches whose merchants the token reaches: a resident may spend anywhere in the bank's book."""
    reached = list_branches_under(db, scope_paths())
    resident_id = current().resident_id
    if resident_id is not None:
        book_id = get_resident(db, resident_id).book_id
        reached += [branch for branch in list_branches_under(db, ["/"]) if branch.book_id == book_id]
    return sorted({branch.branch_id for branch in reached})
