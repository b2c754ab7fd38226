"""Pages of objections: from a line of one's own, from a notice by anybody, and the staff's answers."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access import service as access
from moralbank.access.queries import names_of
from moralbank.branches.queries import get_branch
from moralbank.disclosure.errors import UnknownNotice
from moralbank.disclosure.queries import get_notice, get_public
from moralbank.disclosure.schemas import AnswerIn, ObjectionIn, StrangerIn
from moralbank.errors import MoralBankError
from moralbank.ledger import Line, Unit, UnknownEntry
from moralbank.objections import queries, service
from moralbank.objections.errors import ObjectionAnswered
from moralbank.objections.queries import STATES, Objection
from moralbank.objections.service import Doubt
from moralbank.residents.queries import Resident, get_resident, residents_by_id
from moralbank.web import problems
from moralbank.web.auth import actor, allow, current, principal_or_none, public, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("objections", __name__)

PAGE_ROWS = 40
Answer = str | Response | tuple[str, int]


def count_open() -> int:
    """Return how many objections wait for an answer at the reader's branches; 0 for whoever answers none."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff"):
        return 0
    return database().look(queries.count_open, principal.paths("staff"))


@blueprint.get("/me/objections")
@allow("resident", scope="self")
def mine() -> str:
    """Show a resident what they objected to, and what they were answered."""
    with database().reading() as db:
        found = queries.list_of_resident(db, _me(db).resident_id)
    return render_template("disclosure/my_objections.html", objections=found)


@blueprint.post("/me/objections/<int:objection_id>/withdraw")
@allow("resident", scope="self")
def withdraw(objection_id: int) -> Response:
    """Take one's own objection back."""
    with database().reading() as db:
        resident_id = _me(db).resident_id
    try:
        database().transact(service.withdraw, objection_id, resident_id)
        flash(_("异议已经撤回。"), "ok")
    except ObjectionAnswered as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".mine"), 303)


@blueprint.route("/me/passbook/<any(points, minutes):unit>/<int:n>/objection", methods=["GET", "POST"])
@allow("resident", scope="self")
def about_line(unit: str, n: int) -> Answer:
    """Say that a line of one's own is wrong."""
    with database().reading() as db:
        resident = _me(db)
        line = _line(db, resident, unit, n)
        known = queries.find_open(db, resident.resident_id, "line", _about(resident, line))
    errors: dict[str, list[str]] = {}
    status = 200
    if request.method == "POST":
        try:
            words = read_form(ObjectionIn)["words"]
            doubt = Doubt(
                resident.book_id, line.branch or resident.branch_id, "line", _about(resident, line), words, line.actor
            )
            made = database().transact(_object, resident, doubt)
        except MoralBankError as refusal:
            errors = in_words(refusal) if refusal.errors else {"words": [problems.sentence(refusal)]}
            status = refusal.status
        else:
            flash(_("已交给驿站，%(day)s以前答复您。", day=made.answer_by.isoformat()), "ok")
            return redirect(url_for(".mine"), 303)
    page = render_template(
        "disclosure/about_line.html", line=line, unit=unit, known=known, errors=errors, given=request.form
    )
    return page, status


def _object(db: Connection, resident: Resident, doubt: Doubt) -> Objection:
    service.refuse_repeated(db, resident.resident_id, doubt)
    return service.object_to(db, resident.resident_id, doubt)


def _line(db: Connection, resident: Resident, unit: str, n: int) -> Line:
    in_unit = Unit.POINTS if unit == "points" else Unit.MINUTES
    found = ledger.history(db, resident.book_id, resident.account_id, in_unit, before_n=n + 1, limit=1)
    if not found or found[0].n != n:
        raise UnknownEntry()
    return found[0]


def _about(resident: Resident, line: Line) -> str:
    return f"{resident.book_id}:{resident.account_id}:{int(line.unit)}:{line.n}"


@blueprint.route("/notices/<int:notice_id>/objection", methods=["GET", "POST"])
@public
def about_notice(notice_id: int) -> Answer:
    """Say that something in a notice is wrong: a resident who is signed in, or anybody with a name and a contact."""
    principal = principal_or_none()
    resident_id = principal.resident_id if principal else None
    with database().reading() as db:
        notice = get_public(db, notice_id)
        branch = get_branch(db, notice.branch_id)
    errors: dict[str, list[str]] = {}
    status = 200
    if request.method == "POST":
        try:
            given = read_form(StrangerIn if resident_id is None else ObjectionIn)
            doubt = Doubt(notice.book_id, notice.branch_id, "notice", str(notice_id), given["words"])
            if resident_id is None:
                database().transact(access.count_request, "objection", request.remote_addr or "unknown")
                made = database().transact(service.object_as_stranger, doubt, given["from_name"], given["contact"])
            else:
                with database().reading() as db:
                    resident = get_resident(db, resident_id)
                made = database().transact(_object, resident, doubt)
        except MoralBankError as refusal:
            errors = in_words(refusal) if refusal.errors else {"words": [problems.sentence(refusal)]}
            status = refusal.status
        else:
            flash(
                _("已交给驿站，编号 %(n)s，%(day)s以前答复您。", n=made.objection_id, day=made.answer_by.isoformat()),
                "ok",
            )
            return redirect(url_for("notices.show", notice_id=notice_id), 303)
    page = render_template(
        "disclosure/about_notice.html",
        notice=notice,
        branch=branch,
        is_known=resident_id is not None,
        errors=errors,
        given=request.form,
    )
    return page, status


@blueprint.get("/staff/objections")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List what waits for an answer, and what was answered."""
    state = request.args.get("state", "open")
    before_id = request.args.get("before", type=row_id)
    wanted = state if state in STATES else None
    with database().reading() as db:
        found = queries.list_objections(db, scope_paths(), state=wanted, before_id=before_id, limit=PAGE_ROWS + 1)
        names = names_of(db, {one.assigned_login_id for one in found if one.assigned_login_id})
    page = found[:PAGE_ROWS]
    return render_template(
        "disclosure/objections.html",
        objections=page,
        names=names,
        state=state,
        states=STATES,
        next_url=url_for(".show_all", state=state, before=page[-1].objection_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all", state=state) if before_id else None,
    )


@blueprint.get("/staff/objections/<int:objection_id>")
@allow("staff", "auditor", scope="branch")
def show(objection_id: int) -> str:
    """Show one, with what it is about."""
    return _page(objection_id)


def _page(objection_id: int, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        found = _reachable(db, objection_id)
        resident = residents_by_id(db, [found.resident_id]).get(found.resident_id) if found.resident_id else None
        line, book = None, None
        if found.about_kind == "line":
            book_id, account, unit, n = (int(part) for part in found.about.split(":"))
            lines = ledger.history(db, book_id, account, Unit(unit), before_n=n + 1, limit=1)
            line = lines[0] if lines else None
            book = next((one.code for one in ledger.list_books(db) if one.book_id == book_id), None)
        notice = _notice(db, found)
        names = names_of(db, [found.assigned_login_id] if found.assigned_login_id else [])
    return render_template(
        "disclosure/objection.html",
        objection=found,
        resident=resident,
        line=line,
        book=book,
        notice=notice,
        names=names,
        me=current().login_id,
        errors=errors,
        given=request.form,
    )


def _notice(db: Connection, found: Objection) -> object:
    if found.about_kind != "notice":
        return None
    try:
        return get_notice(db, int(found.about))
    except UnknownNotice:
        return None


@blueprint.post("/staff/objections/<int:objection_id>/assign")
@allow("staff", scope="branch")
def assign(objection_id: int) -> Response:
    """Take one to answer it oneself."""
    with database().reading() as db:
        _reachable(db, objection_id)
    try:
        database().transact(service.assign, objection_id, current().login_id)
        flash(_("由您来答复。"), "ok")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show", objection_id=objection_id), 303)


@blueprint.post("/staff/objections/<int:objection_id>/answer")
@allow("staff", scope="branch")
def answer(objection_id: int) -> Answer:
    """Answer one."""
    with database().reading() as db:
        _reachable(db, objection_id)
    try:
        given = read_form(AnswerIn)
        is_right = given["outcome"] == "upheld"
        database().transact(service.answer, objection_id, is_right=is_right, words=given["words"], actor=actor())
    except MoralBankError as refusal:
        errors = in_words(refusal) if refusal.errors else {"words": [problems.sentence(refusal)]}
        return _page(objection_id, errors), refusal.status
    flash(_("已答复。"), "ok")
    return redirect(url_for(".show", objection_id=objection_id), 303)


def _reachable(db: Connection, objection_id: int) -> Objection:
    found = queries.get_objection(db, objection_id)
    within(found.branch_id)
    return found


def _me(db: Connection) -> Resident:
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return get_resident(db, resident_id)
