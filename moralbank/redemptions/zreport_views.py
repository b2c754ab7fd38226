"""A shop's Z-reports: closing the day at the till, and what stands in each, for the shop and for its station."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for

from moralbank import clock
from moralbank.merchants.queries import Merchant, get_merchant
from moralbank.redemptions import zreports
from moralbank.redemptions.zreports import ZReport
from moralbank.web.auth import actor, allow, current, within, within_merchant
from moralbank.web.db import database
from moralbank.web.paging import row_id

blueprint = Blueprint("zreports", __name__)

PAGE = 50


@blueprint.get("/counter/zreports")
@allow("operator", scope="merchant")
def show_all() -> str:
    """List a shop's closed days, and offer to close this one."""
    return _list(_own(), is_till=True)


@blueprint.post("/counter/zreports")
@allow("operator", scope="merchant")
def close_day() -> Response:
    """Close the day; pressed again it leads to the same report."""
    merchant = _own()
    closed = database().transact(zreports.close_day, merchant.merchant_id, actor=actor())
    return redirect(url_for(".show", zreport_id=closed.zreport_id), 303)  # type: ignore[return-value]


@blueprint.get("/counter/zreports/<int:zreport_id>")
@allow("operator", scope="merchant")
def show(zreport_id: int) -> str:
    """Show one closed day, made to be printed."""
    return _page(_of_shop(zreport_id), is_till=True)


@blueprint.get("/counter/zreports/<int:zreport_id>.json")
@allow("operator", scope="merchant")
def document(zreport_id: int) -> Response:
    """Give the document whose octets were hashed."""
    return _file(_of_shop(zreport_id))


@blueprint.get("/staff/merchants/<int:merchant_id>/zreports")
@allow("staff", "auditor", scope="branch")
def show_all_to_staff(merchant_id: int) -> str:
    """List the closed days of a shop of one's branches."""
    with database().reading() as db:
        merchant = get_merchant(db, merchant_id)
    within(merchant.branch_id)
    return _list(merchant, is_till=False)


@blueprint.get("/staff/zreports/<int:zreport_id>")
@allow("staff", "auditor", scope="branch")
def show_to_staff(zreport_id: int) -> str:
    """Show one closed day of a shop of one's branches."""
    return _page(_of_branch(zreport_id), is_till=False)


@blueprint.get("/staff/zreports/<int:zreport_id>.json")
@allow("staff", "auditor", scope="branch")
def document_to_staff(zreport_id: int) -> Response:
    """Give the document whose octets were hashed."""
    return _file(_of_branch(zreport_id))


def _list(merchant: Merchant, *, is_till: bool) -> str:
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        found = zreports.list_zreports(db, merchant.merchant_id, before_number=before, limit=PAGE + 1)
    is_closed = before is None and bool(found) and found[0].day_on >= clock.today()
    return render_template(
        "redemptions/zreports.html",
        merchant=merchant,
        zreports=found[:PAGE],
        following=found[PAGE - 1].number if len(found) > PAGE else None,
        is_till=is_till,
        is_closed=is_closed,
        today=clock.today(),
    )


def _page(found: ZReport, *, is_till: bool) -> str:
    return render_template("redemptions/zreport.html", zreport=found, told=found.told, is_till=is_till)


def _file(found: ZReport) -> Response:
    name = f"Z{found.merchant_id}-{found.number:04d}.json"
    return Response(
        found.document,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _own() -> Merchant:
    """Return the operator's merchant: the one asked for, or the only or first one. Raises: OutOfScope."""
    merchant_id = request.values.get("merchant", type=row_id) or current().merchant_ids()[0]
    within_merchant(merchant_id)
    with database().reading() as db:
        return get_merchant(db, merchant_id)


def _of_shop(zreport_id: int) -> ZReport:
    """Return a report of a shop at whose till the reader works. Raises: UnknownZReport, OutOfScope."""
    with database().reading() as db:
        found = zreports.get_zreport(db, zreport_id)
    within_merchant(found.merchant_id)
    return found


def _of_branch(zreport_id: int) -> ZReport:
    """Return a report of a shop of the reader's branches. Raises: UnknownZReport, OutOfScope."""
    with database().reading() as db:
        found = zreports.get_zreport(db, zreport_id)
        branch_id = get_merchant(db, found.merchant_id).branch_id
    within(branch_id)
    return found
