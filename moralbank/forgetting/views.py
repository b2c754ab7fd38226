"""Staff's pages of forgetting: one enters a request, another sees what would go and decides."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access import queries as access
from moralbank.activities import forgetting as activities
from moralbank.branches import queries as branches
from moralbank.errors import Invalid, MoralBankError
from moralbank.forgetting import queries, service, wording
from moralbank.forgetting.queries import Request
from moralbank.forgetting.schemas import RequestIn
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import Removal
from moralbank.ledger import Unit
from moralbank.residents.queries import Resident, get_resident, list_household, residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("forgetting", __name__, url_prefix="/staff")

PAGE_ROWS = 50


@blueprint.route("/residents/<int:resident_id>/forget", methods=["GET", "POST"])
@allow("staff", scope="branch")
def ask(resident_id: int) -> str | Response | tuple[str, int]:
    """Enter a request to forget a resident, as they or their next of kin signed it."""
    with database().reading() as db:
        resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident)
    if request.method == "GET":
        return _form(resident)
    try:
        given = read_form(RequestIn)
        given.pop("signed")
        made = database().transact(service.ask, resident_id, Asked(**given), actor=actor())
    except Invalid as refusal:
        found = in_words(refusal)
        return _form(resident, found, "" if found else problems.sentence(refusal)), refusal.status
    except MoralBankError as refusal:
        return _form(resident, refused=problems.sentence(refusal)), refusal.status
    flash(_("申请已登记，请另一位工作人员在 72 小时内审批。"), "ok")
    return redirect(url_for(".show", request_id=made.request_id), 303)


@blueprint.get("/forgetting")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List the requests about residents of the reader's branches, newest first."""
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        reached = branches.list_branches_under(db, scope_paths())
        visible = {branch.branch_id for branch in reached}
        books = {branch.book_id for branch in reached if branch.book_id is not None}
        found = queries.list_requests(db, books, before_id=before_id, limit=PAGE_ROWS + 1)
        people = residents_by_id(db, {one.resident_id for one in found})
    page = found[:PAGE_ROWS]
    return render_template(
        "forgetting/list.html",
        requests=[one for one in page if people[one.resident_id].branch_id in visible],
        people=people,
        wording=wording,
        next_url=url_for(".show_all", before=page[-1].request_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all") if before_id else None,
    )


@blueprint.get("/forgetting/<int:request_id>")
@allow("staff", "auditor", scope="branch")
def show(request_id: int) -> str:
    """Show a request, and to whoever may decide it what would be taken away."""
    found, resident = _reachable(request_id)
    removal, refused = None, ""
    if found.is_open and current().has("staff"):
        try:
            removal = database().transact(service.preview, request_id, actor=f"staff:{current().login_id}")
        except MoralBankError as refusal:
            refused = problems.sentence(refusal)
    return _page(found, resident, removal, refused)


@blueprint.post("/forgetting/<int:request_id>/agree")
@allow("staff", scope="branch")
def agree(request_id: int) -> Response:
    """Agree to a request: the person is forgotten now and for good."""
    _reachable(request_id)
    return _decided(request_id, service.forget, _("已遗忘。账目留在原来的账户号下，资料已经删除。"))


@blueprint.post("/forgetting/<int:request_id>/refuse")
@allow("staff", scope="branch")
def refuse(request_id: int) -> Response:
    """Turn a request down."""
    _reachable(request_id)
    return _decided(request_id, service.refuse, _("申请没有批准，资料都在。"))


def _decided(request_id: int, verb: object, said: str) -> Response:
    try:
        database().transact(verb, request_id, actor=actor())  # type: ignore[arg-type]
        flash(said, "ok")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "bad")
    return redirect(url_for(".show", request_id=request_id), 303)


def _reachable(request_id: int) -> tuple[Request, Resident]:
    """Return a request about a resident within reach. Raises: UnknownForgetting, OutOfScope."""
    with database().reading() as db:
        found = queries.get_request(db, request_id)
        resident = get_resident(db, found.resident_id)
    within(resident.branch_id)
    return found, resident


def _form(resident: Resident, errors: dict[str, list[str]] | None = None, refused: str = "") -> str:
    with database().reading() as db:
        points = ledger.balance(db, resident.book_id, resident.account_id, Unit.POINTS).balance
        unfinished = activities.unfinished(db, resident.resident_id)
        waiting = queries.find_open(db, resident.resident_id)
        others = []
        if resident.household_id is not None:
            visible = [branch.branch_id for branch in branches.list_branches_under(db, scope_paths())]
            others = list_household(db, resident.household_id, visible)
    wards = [one for one in others if one.guardian_name == resident.name]
    return render_template(
        "forgetting/ask.html",
        resident=resident,
        points=points,
        unfinished=unfinished,
        waiting=waiting if waiting is not None and waiting.is_open else None,
        wards=wards,
        wording=wording,
        errors=errors,
        refused=refused,
        given=request.form,
    )


def _page(found: Request, resident: Resident, removal: Removal | None, refused: str) -> str:
    actors = {found.maker, *filter(None, [found.checker])}
    with database().reading() as db:
        names = access.actor_names(db, actors)
    return render_template(
        "forgetting/request.html",
        found=found,
        resident=resident,
        removal=removal.counted() if removal else {},
        may_decide=removal is not None,
        refused=refused,
        names=names,
        wording=wording,
    )
