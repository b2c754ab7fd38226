"""The administrator's pages of logins: staff, operators, auditors and other administrators, never residents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.access import queries, service
from moralbank.access.errors import BadGrant, NameTaken, OutOfScope, RolesClash
from moralbank.access.queries import Login
from moralbank.access.schemas import GrantForm, NewLogin
from moralbank.access.service import GrantDraft
from moralbank.branches.queries import Branch
from moralbank.errors import N_, Conflict, Invalid, MoralBankError
from moralbank.web import problems
from moralbank.web.auth import allow, current, scope_paths
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("logins", __name__, url_prefix="/admin/logins")

ROLE_NAMES = {
    "resident": N_("储户"),
    "operator": N_("收银员"),
    "helper": N_("代办人"),
    "staff": N_("工作人员"),
    "auditor": N_("监督员"),
    "admin": N_("管理员"),
}
#: Roles that can be given here, the commonest first.
_GIVEN = ("staff", "operator", "auditor", "admin")


@dataclass(frozen=True, slots=True)
class Till:
    """A merchant whose operators get logins here."""

    merchant_id: int
    name: str
    branch_id: int


TillLister = Callable[[Connection, list[str]], list[Till]]


def use_tills(app: Flask, lister: TillLister) -> None:
    """Tell these pages how to list merchants by branch paths: they live in a package above this one."""
    app.extensions["moralbank_tills"] = lister


@blueprint.app_template_global("role_name")
def role_name(role: str) -> str:
    """Return what a role is called in the reader's language."""
    return _(ROLE_NAMES[role])


@blueprint.get("")
@allow("admin", scope="branch")
def show_all() -> str:
    """Show the logins that hold a role in the administrator's branches."""
    with database().reading() as db:
        logins = queries.list_logins(db, scope_paths())
        branches = _branches(db)
    return render_template("access/logins.html", logins=logins, branches=branches)


@blueprint.route("/new", methods=["GET", "POST"])
@allow("admin", scope="branch")
def new() -> str | tuple[str, int]:
    """Open a login; its first secret is shown once, on the answer itself."""
    if request.method == "GET":
        return _new_form(request.args.to_dict())
    try:
        given = read_form(NewLogin)
        grant = _draft(given)
        opened = database().transact(service.open_login, given["name"], given["display_name"], [grant], by=current())
    except (Invalid, NameTaken, OutOfScope, RolesClash) as refusal:
        return _new_form(request.form.to_dict(), _errors(refusal)), refusal.status
    return _shown(opened.login_id, opened.secret), 201


@blueprint.get("/<int:login_id>")
@allow("admin", scope="branch")
def show(login_id: int) -> str:
    """Show one login with its roles."""
    return _shown(login_id)


@blueprint.post("/<int:login_id>/reset")
@allow("admin", scope="branch")
def reset(login_id: int) -> str:
    """Give a login a new first secret, shown once, on the answer itself."""
    _reachable(login_id)
    secret = database().transact(service.reset_secret, login_id, by=current())
    return _shown(login_id, secret)


@blueprint.post("/<int:login_id>/suspend")
@allow("admin", scope="branch")
def suspend(login_id: int) -> Response:
    """Close a login until it is resumed."""
    _reachable(login_id)
    database().transact(service.suspend_login, login_id, by=current())
    flash(_("已停用，这个人不能再登录。"), "ok")
    return redirect(url_for("logins.show", login_id=login_id), 303)


@blueprint.post("/<int:login_id>/resume")
@allow("admin", scope="branch")
def resume(login_id: int) -> Response:
    """Open a suspended login again."""
    _reachable(login_id)
    database().transact(service.resume_login, login_id, by=current())
    flash(_("已恢复，可以登录了。"), "ok")
    return redirect(url_for("logins.show", login_id=login_id), 303)


@blueprint.post("/<int:login_id>/grants")
@allow("admin", scope="branch")
def grant(login_id: int) -> Response | tuple[str, int]:
    """Give a login one more role."""
    _reachable(login_id)
    try:
        draft = _draft(read_form(GrantForm))
        database().transact(service.grant_role, login_id, draft, by=current())
    except (Invalid, Conflict, OutOfScope) as refusal:
        return _shown(login_id, errors=_errors(refusal)), refusal.status
    flash(_("已授予%(role)s。", role=role_name(draft.role)), "ok")
    return redirect(url_for("logins.show", login_id=login_id), 303)


@blueprint.post("/<int:login_id>/grants/<int:grant_id>/revoke")
@allow("admin", scope="branch")
def revoke(login_id: int, grant_id: int) -> Response:
    """Take one role back."""
    _reachable(login_id)
    database().transact(service.revoke_role, login_id, grant_id, by=current())
    flash(_("角色已收回。"), "ok")
    return redirect(url_for("logins.show_all"), 303)


def _reachable(login_id: int) -> Login:
    """Return a named login with a role in the administrator's branches. Raises: UnknownLogin, OutOfScope."""
    with database().reading() as db:
        login = queries.get_login(db, login_id)
    own = any(grant.branch_path.startswith(path) for grant in login.grants for path in scope_paths())
    if login.name is None or not (own or current().covers(queries.EVERYWHERE, "admin")):
        raise OutOfScope()
    return login


def _draft(given: dict[str, Any]) -> GrantDraft:
    """Return the role that a form means; an operator's branch is the merchant's. Raises: BadGrant."""
    if given["role"] != "operator":
        return GrantDraft(given["role"], given["branch_id"])
    with database().reading() as db:
        tills = {till.merchant_id: till for till in _tills(db)}
    till = tills.get(given["merchant_id"])
    if till is None:
        raise BadGrant(errors={"merchant_id": [_("请选择收银员在哪个商家。")]})
    return GrantDraft("operator", till.branch_id, till.merchant_id)


def _tills(db: Connection) -> list[Till]:
    lister = cast("TillLister | None", current_app.extensions.get("moralbank_tills"))
    return lister(db, scope_paths()) if lister else []


def _branches(db: Connection) -> list[Branch]:
    return queries.branches_of(db, current(), "admin")


def _choices() -> dict[str, Any]:
    with database().reading() as db:
        return {
            "branches": _branches(db),
            "tills": _tills(db),
            "may_everywhere": current().covers(queries.EVERYWHERE, "admin"),
            "roles": _GIVEN,
        }


def _new_form(given: dict[str, str], errors: dict[str, list[str]] | None = None) -> str:
    return render_template("access/login_new.html", given=given, errors=errors, **_choices())


def _shown(login_id: int, secret: str | None = None, errors: dict[str, list[str]] | None = None) -> str:
    login = _reachable(login_id)
    return render_template(
        "access/login.html",
        login=login,
        secret=secret,
        errors=errors,
        given=request.form if errors else {},
        is_self=login_id == current().login_id,
        **_choices(),
    )


def _errors(refusal: MoralBankError) -> dict[str, list[str]]:
    """Return a refusal's sentence at the field that it is about."""
    if refusal.errors:
        return in_words(refusal)
    field = {"login-name-taken": "name", "bad-login-name": "name"}.get(refusal.code, "role")
    return {field: [problems.sentence(refusal)]}
