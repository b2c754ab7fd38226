"""The staff's pages of what waits for a second person."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access.queries import actor_names
from moralbank.approvals import queries, service
from moralbank.approvals.queries import STATES, Request
from moralbank.approvals.schemas import AdjustmentIn, ReasonIn, ReversalIn
from moralbank.approvals.service import ADJUSTMENT_POINTS_MAX, Hand, hand_of
from moralbank.branches.queries import get_branch
from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.residents.queries import get_resident, residents_by_id
from moralbank.web import problems
from moralbank.web.auth import acting_roles, allow, current, principal_or_none, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("approvals", __name__, url_prefix="/staff/approvals")

PAGE_ROWS = 50
STATE_NAMES = {
    "waiting": N_("待复核"),
    "approved": N_("已同意"),
    "refused": N_("已退回"),
    "withdrawn": N_("已撤回"),
    "lapsed": N_("已过期"),
}
KIND_NAMES = {"reversal": N_("冲正"), "adjustment": N_("补记积分"), "refund": N_("退分"), "late-entry": N_("补录")}
#: What is said when somebody approved one.
_DONE = {
    "reversal": N_("已冲正，两行都留在居民的存折上。"),
    "adjustment": N_("已补记，居民的存折上能看到。"),
    "refund": N_("已退分，居民的存折上马上能看到。"),
    "late-entry": N_("已同意补录。公示 3 个工作日没有异议，就自动入账。"),
}
_NAMES = {"state": STATE_NAMES, "kind": KIND_NAMES}

Answer = str | Response | tuple[str, int]


@blueprint.app_template_global("approval_word")
def approval_word(kind: str, value: str) -> str:
    """Return what a state or a kind of request is called in the reader's language."""
    return _(_NAMES[kind][value])


def count_waiting() -> int:
    """Return how many requests wait for the one who reads; 0 for whoever checks none."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff"):
        return 0
    return database().look(queries.count_waiting, principal.paths("staff"), principal.login_id)


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List what waits, and what was decided."""
    state = request.args.get("state", "waiting")
    state = state if state in (*STATES, "") else "waiting"
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        found = queries.list_requests(db, scope_paths(), state=state or None, before_id=before, limit=PAGE_ROWS + 1)
        page = found[:PAGE_ROWS]
        residents = residents_by_id(db, {one.resident_id for one in page})
        actors = actor_names(db, {actor for one in page for actor in (one.maker, one.checker) if actor})
    more = url_for(".show_all", state=state, before=page[-1].request_id) if len(found) > PAGE_ROWS else None
    return render_template(
        "approvals/list.html", requests=page, residents=residents, actors=actors, state=state, states=STATES,
        next_url=more, first_url=url_for(".show_all", state=state) if before else None, me=current().login_id,
    )  # fmt: skip


@blueprint.get("/<int:request_id>")
@allow("staff", "auditor", scope="branch")
def show(request_id: int) -> str:
    """Show one request with everything that is needed to decide it."""
    return _page(request_id)


@blueprint.post("/<int:request_id>/approve")
@allow("staff", scope="branch")
def approve(request_id: int) -> Answer:
    """Check somebody else's request and do what it asks."""
    _reachable(request_id)
    try:
        done = database().transact(service.approve, _hand(), request_id)
    except MoralBankError as refusal:
        return _refused(request_id, refusal)
    flash(_(_DONE[done.kind]), "ok")
    return _to(request_id)


@blueprint.post("/<int:request_id>/refuse")
@allow("staff", scope="branch")
def refuse(request_id: int) -> Answer:
    """Say no to somebody else's request, and why."""
    _reachable(request_id)
    try:
        database().transact(service.refuse, _hand(), request_id, read_form(ReasonIn)["reason"])
    except MoralBankError as refusal:
        return _refused(request_id, refusal)
    flash(_("已退回，提申请的人能看到原因。"), "ok")
    return _to(request_id)


@blueprint.post("/<int:request_id>/withdraw")
@allow("staff", scope="branch")
def withdraw(request_id: int) -> Answer:
    """Take one's own request back."""
    _reachable(request_id)
    try:
        database().transact(service.withdraw, _hand(), request_id)
    except MoralBankError as refusal:
        return _refused(request_id, refusal)
    flash(_("已撤回，什么都没有改。"), "ok")
    return _to(request_id)


@blueprint.route("/reversal", methods=["GET", "POST"])
@allow("staff", scope="branch")
def ask_reversal() -> Answer:
    """Ask that an award be taken back."""
    given = (request.form if request.method == "POST" else request.args).to_dict()
    code, entry_id = given.get("book", ""), _uuid(given.get("entry_id", ""))
    with database().reading() as db:
        book = next((book.book_id for book in ledger.list_books(db) if book.code == code), 0)
        resident = service.askable(db, book, entry_id)
        within(resident.branch_id)
        entry = ledger.get_entry(db, book, entry_id)
        standing = queries.find_by_entry(db, book, entry_id)
    if standing is not None and standing.is_waiting:
        return _to(standing.request_id)
    errors: dict[str, list[str]] = {}
    status = 200
    if request.method == "POST":
        try:
            reason = read_form(ReversalIn)["reason"]
            made = database().transact(service.ask_reversal, _hand(), book, entry_id, reason)
        except MoralBankError as refusal:
            errors, status = _errors(refusal), refusal.status
        else:
            return _asked(made)
    page = render_template(
        "approvals/ask_reversal.html", entry=entry, book=code, resident=resident, given=given, errors=errors
    )
    return (page, status) if errors else page


@blueprint.route("/adjustment", methods=["GET", "POST"])
@allow("staff", scope="branch")
def ask_adjustment() -> Answer:
    """Ask that points be given by hand."""
    given = (request.form if request.method == "POST" else request.args).to_dict()
    with database().reading() as db:
        resident = get_resident(db, _number(given.get("resident_id", "")))
    within(resident.branch_id)
    errors: dict[str, list[str]] = {}
    status = 200
    if request.method == "POST":
        try:
            asked = read_form(AdjustmentIn)
            made = database().transact(
                service.ask_adjustment, _hand(), resident.resident_id, asked["points"], asked["reason"]
            )
        except MoralBankError as refusal:
            errors, status = _errors(refusal), refusal.status
        else:
            return _asked(made)
    page = render_template(
        "approvals/ask_adjustment.html", resident=resident, given=given, errors=errors, most=ADJUSTMENT_POINTS_MAX
    )
    return (page, status) if errors else page


def _asked(made: Request) -> Response:
    flash(_("申请已提交，72 小时内由另一位工作人员复核后才记账。"), "ok")
    return _to(made.request_id)


def _page(request_id: int, errors: dict[str, list[str]] | None = None) -> str:
    asked = _reachable(request_id)
    with database().reading() as db:
        resident = get_resident(db, asked.resident_id)
        entry = ledger.get_entry(db, asked.book_id, asked.entry_id) if asked.entry_id else None
        actors = actor_names(db, {actor for actor in (asked.maker, asked.checker) if actor})
        book = next(book.code for book in ledger.list_books(db) if book.book_id == asked.book_id)
        effect = queries.effect_of(db, asked) if asked.is_waiting else None
        offset = queries.find_offset(db, request_id)
        branch = get_branch(db, asked.branch_id)
        points = _points(db, asked)
        facts = service.facts_of(db, asked)
    is_mine = asked.maker_login_id == current().login_id
    return render_template(
        "approvals/show.html", asked=asked, resident=resident, entry=entry, actors=actors, book=book, effect=effect,
        offset=offset, branch=branch, points=points, errors=errors or {}, is_mine=is_mine,
        may_decide=current().has("staff") and not is_mine, facts=facts,
    )  # fmt: skip


def _points(db: Connection, asked: Request) -> int:
    """Return how many points were really taken or given."""
    if asked.posted_entry_id is None:
        return 0
    entry = ledger.get_entry(db, asked.book_id, asked.posted_entry_id)
    return sum(leg.amount for leg in entry.legs if leg.n is not None and leg.unit is ledger.Unit.POINTS)


def _refused(request_id: int, refusal: MoralBankError) -> tuple[str, int]:
    """Show the request again as it stands now, and why nothing was done."""
    return _page(request_id, _errors(refusal)), refusal.status


def _errors(refusal: MoralBankError) -> dict[str, list[str]]:
    if isinstance(refusal, Invalid) and refusal.errors:
        return in_words(refusal)
    return {"request": [problems.sentence(refusal)]}


def _reachable(request_id: int) -> Request:
    with database().reading() as db:
        found = queries.get_request(db, request_id)
    within(found.branch_id)
    return found


def _hand() -> Hand:
    return hand_of(current(), acting_roles()[0])


def _to(request_id: int) -> Response:
    return redirect(url_for(".show", request_id=request_id), 303)


def _uuid(text: str) -> UUID:
    """Return an entry's id. Raises: UnknownEntry."""
    try:
        return UUID(text)
    except ValueError:
        raise ledger.UnknownEntry() from None


def _number(text: str) -> int:
    """Return a row's number, 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0
