"""Staff's pages of what phones kept: the scans that wait for a person's eyes, and the phones themselves."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.access.deeds import Kind
from moralbank.access.queries import actor_names
from moralbank.activities import devices, queries, reviews
from moralbank.activities.errors import ReviewTooLate, ReviewUnfit
from moralbank.activities.offline_schemas import ReviewForm
from moralbank.activities.reviews import Review
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Direction
from moralbank.branches.queries import list_branches_under
from moralbank.errors import N_, Invalid
from moralbank.residents.queries import residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, principal_or_none, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("reviews", __name__, url_prefix="/staff")

PAGE = 30
CAUSE_NAMES = {
    "unknown": N_("名册里没有这个号码"),
    "revoked": N_("这张卡已挂失"),
    "guardian": N_("未满 18 岁，还没有监护人同意"),
    "window": N_("不在扫码时间内"),
    "unlisted": N_("没有报名"),
    "full": N_("名额已满"),
    "clock": N_("手机的钟差了 5 分钟以上"),
    "chain": N_("手机记的先后对不上"),
    "device": N_("这台手机已停用"),
    "late": N_("结束已超过 72 小时"),
    "signed-off": N_("上传时这一场已签字或取消"),
    "order": N_("和别的签到先后对不上"),
    "other": N_("没有算进去，请核对"),
}

Page = str | Response | tuple[str, int]


@blueprint.app_template_global("review_cause")
def review_cause(cause: str) -> str:
    """Return why a scan waits, in the reader's language."""
    return _(CAUSE_NAMES.get(cause, cause))


def count_waiting() -> int:
    """Return how many scans wait for the one who reads."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff"):
        return 0
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, principal.paths("staff"))]
        return reviews.count_reviews(db, branch_ids)


@blueprint.get("/reviews")
@allow("staff", scope="branch")
def show_all() -> str:
    """List the scans that wait, the oldest first."""
    return _list()


@blueprint.post("/reviews/<int:scan_id>/<any(accept, dismiss):choice>")
@allow("staff", scope="branch")
def decide(scan_id: int, choice: str) -> Page:
    """Let a scan count, or leave it out, for a reason."""
    with database().reading() as db:
        found = reviews.get_review(db, scan_id)
    session_in_scope(found.session_id)
    try:
        given = read_form(ReviewForm)
        if choice == "dismiss":
            database().transact(reviews.dismiss, scan_id, given["reason"], actor=actor())
        else:
            direction = Direction(given["direction"]) if given["direction"] else None
            database().transact(
                reviews.accept, scan_id, given["reason"], actor=actor(), number=given["number"], direction=direction
            )
    except (ReviewUnfit, ReviewTooLate, Invalid) as refusal:
        return _list(scan_id, in_words(refusal) or {"reason": [problems.sentence(refusal)]}), refusal.status
    flash(_("已采用，组织者签字时还会看到。") if choice == "accept" else _("已记为不采用。"), "ok")
    return redirect(url_for("reviews.show_all"), 303)


@blueprint.get("/devices")
@allow("staff", scope="branch")
def list_phones() -> str:
    """List the phones that keep scans."""
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        branches = {branch.branch_id: branch for branch in list_branches_under(db, scope_paths())}
        found = devices.list_devices(db, list(branches), before_id=before)
        names = actor_names(db, {device.registered_by for device in found})
    more = url_for(".list_phones", before=found[-1].device_id) if len(found) == devices.LIST_MAX else None
    return render_template(
        "activities/devices.html", devices=found, branches=branches, names=names, next_url=more,
        first_url=url_for(".list_phones") if before else None,
    )  # fmt: skip


@blueprint.post("/devices/<int:device_id>/revoke")
@allow("staff", scope="branch")
def revoke_phone(device_id: int) -> Response:
    """Trust a phone no more."""
    with database().reading() as db:
        device = devices.get_device(db, device_id)
    within(device.branch_id)
    database().transact(devices.revoke, device_id, actor=actor())
    flash(_("已停用。它以后上传的签到都要人来核对。"), "ok")
    return redirect(url_for("reviews.list_phones"), 303)


def _list(wrong_id: int | None = None, errors: dict[str, list[str]] | None = None) -> str:
    after = request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        branches = {branch.branch_id: branch for branch in list_branches_under(db, scope_paths())}
        found = reviews.list_reviews(db, list(branches), after_id=after, limit=PAGE + 1)
        page: list[Review] = found[:PAGE]
        sessions = queries.sessions_by_id(db, {one.session_id for one in page})
        people = residents_by_id(db, {one.resident_id for one in page if one.resident_id is not None})
    for session_id in {one.session_id for one in page if one.resident_id is not None}:
        shown = {one.resident_id for one in page if one.session_id == session_id and one.resident_id is not None}
        branch_id = sessions[session_id].activity.branch_id
        looking.note_many(Kind.LIST, len(shown), f"session:{session_id}", branch_id=branch_id)
    return render_template(
        "activities/reviews.html", reviews=page, sessions=sessions, people=people, branches=branches,
        wrong_id=wrong_id, errors=errors, given=request.form if errors else {},
        next_url=url_for(".show_all", after=page[-1].scan_id) if len(found) > PAGE else None,
        first_url=url_for(".show_all") if after else None,
    )  # fmt: skip
