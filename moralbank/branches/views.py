"""The administrator's pages of branches."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.branches import queries, service
from moralbank.branches.errors import BranchCodeTaken
from moralbank.branches.queries import Branch
from moralbank.branches.schemas import BranchText, NewBranch
from moralbank.branches.service import BranchDraft
from moralbank.errors import N_, Invalid
from moralbank.web import looking, problems
from moralbank.web.auth import allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

blueprint = Blueprint("branches", __name__, url_prefix="/admin/branches")

KIND_NAMES = {"district": N_("区"), "street": N_("街道"), "hub": N_("中心"), "station": N_("驿站")}


@blueprint.app_template_global("branch_name")
def branch_name(branch: Branch) -> str:
    """Return a branch's name in the reader's language."""
    return branch.name_en if language() == "en" else branch.name_zh


@blueprint.app_template_global("kind_name")
def kind_name(kind: str) -> str:
    """Return what a kind of branch is called in the reader's language."""
    return _(KIND_NAMES[kind])


@blueprint.get("")
@allow("admin", scope="branch")
def show_all() -> str:
    """Show the tree of branches that the administrator looks after."""
    with database().reading() as db:
        branches = queries.list_branches_under(db, scope_paths())
    return render_template("branches/list.html", branches=branches)


@blueprint.route("/new", methods=["GET", "POST"])
@allow("admin", scope="branch")
def new() -> str | Response | tuple[str, int]:
    """Open a branch below one that the administrator looks after."""
    if request.method == "GET":
        return _form(None, request.args.to_dict())
    try:
        given = read_form(NewBranch)
        within(given["parent_id"])
        branch = database().transact(_open, BranchDraft(**given))
    except Invalid as refusal:
        return _form(None, request.form.to_dict(), in_words(refusal)), refusal.status
    except BranchCodeTaken as refusal:
        return _form(None, request.form.to_dict(), {"code": [problems.sentence(refusal)]}), refusal.status
    flash(_("已新开%(name)s。", name=branch_name(branch)), "ok")
    return redirect(url_for("branches.show_all"), 303)


@blueprint.route("/<int:branch_id>", methods=["GET", "POST"])
@allow("admin", scope="branch")
def edit(branch_id: int) -> str | Response | tuple[str, int]:
    """Change what people read about a branch."""
    within(branch_id)
    with database().reading() as db:
        branch = queries.get_branch(db, branch_id)
    if request.method == "GET":
        given = {name: getattr(branch, name) for name in ("name_zh", "name_en", "address", "opening_hours")}
        return _form(branch, given)
    try:
        branch = database().transact(_edit, branch_id, read_form(BranchText))
    except Invalid as refusal:
        return _form(branch, request.form.to_dict(), in_words(refusal)), refusal.status
    flash(_("已更新%(name)s。", name=branch_name(branch)), "ok")
    return redirect(url_for("branches.show_all"), 303)


def _open(db: Connection, draft: BranchDraft) -> Branch:
    branch = service.open_branch(db, draft)
    looking.note_setting(db, branch.branch_id, f"branch:{branch.branch_id}")
    return branch


def _edit(db: Connection, branch_id: int, given: dict[str, Any]) -> Branch:
    branch = service.edit_branch(db, branch_id, **given)
    looking.note_setting(db, branch_id, f"branch:{branch_id}")
    return branch


def _form(branch: Branch | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        parents = [p for p in queries.list_branches_under(db, scope_paths()) if p.kind != "station"]
    hub = next((parent.branch_id for parent in parents if parent.kind == "hub"), "")
    given = {"parent_id": hub, **given}
    may_top = current().covers("/", "admin")
    return render_template(
        "branches/form.html", branch=branch, given=given, errors=errors, parents=parents, may_top=may_top
    )
