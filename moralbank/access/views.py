"""One's own pages: where one is signed in, one's secret, one's API tokens."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access import queries, service
from moralbank.access.errors import BadExpiry, BadTokenScopes, Locked, WrongSecret
from moralbank.access.queries import ROLES
from moralbank.access.schemas import ChangeSecret, NewToken
from moralbank.access.wording import SCOPE_NAMES, device_words
from moralbank.errors import Invalid
from moralbank.web import auth, problems
from moralbank.web.auth import allow, current
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("access", __name__)

DEFAULT_TOKEN_DAYS = 90


@blueprint.app_template_global("device_name")
def device_name(device: str) -> str:
    """Return what a person would call a browser and its machine, "微信 · 安卓"."""
    return " · ".join(_(word) for word in device_words(device))


@blueprint.app_template_global("scope_name")
def scope_name(scope: str) -> str:
    """Return what a token with this scope may do."""
    return _(SCOPE_NAMES.get(scope, scope))


@blueprint.get("/sessions")
@allow(*ROLES, scope="self")
def sessions() -> str:
    """Show where one is signed in."""
    with database().reading() as db:
        found = queries.list_sessions(db, current().login_id)
    return render_template("access/sessions.html", sessions=found, layout=_layout())


@blueprint.get("/sessions/here")
@allow(*ROLES, scope="self")
def stay() -> tuple[str, int]:
    """Answer a till or a desk that lies open between two people: asking is enough to be seen (web.auth)."""
    return "", 204


@blueprint.post("/sessions/<int:session_id>/revoke")
@allow(*ROLES, scope="self")
def revoke_session(session_id: int) -> Response:
    """End one of one's own sessions."""
    database().transact(service.revoke_session, current().login_id, session_id)
    if session_id == current().session_id:
        auth.sign_out()
        return redirect("/", 303)
    flash(_("那次登录已经退出。"), "ok")
    return redirect(url_for("access.sessions"), 303)


@blueprint.post("/sessions/revoke-others")
@allow(*ROLES, scope="self")
def revoke_other_sessions() -> Response:
    """End all of one's sessions but this one."""
    ended = database().transact(service.revoke_other_sessions, current().login_id, current().session_id)
    flash(_("已退出其他 %(n)s 处登录。", n=ended), "ok")
    return redirect(url_for("access.sessions"), 303)


@blueprint.route("/secret", methods=["GET", "POST"])
@allow(*ROLES, scope="self", before_change=True)
def change_secret() -> str | Response | tuple[str, int]:
    """Change one's own PIN or password; every other place is signed out."""
    if request.method == "GET":
        return _secret_form(None)
    login_id = current().login_id
    try:
        given = read_form(ChangeSecret)
        auth.prove(f"login {login_id}", [login_id], given["current"])
        database().transact(service.change_secret, login_id, given["secret"])
    except (WrongSecret, Locked) as refusal:
        wrong = _("现在的密码不对。") if isinstance(refusal, WrongSecret) else problems.sentence(refusal)
        return _secret_form({"current": [wrong]}), 422
    except Invalid as refusal:
        return _secret_form(in_words(refusal)), refusal.status
    auth.sign_in(login_id)
    flash(_("密码已经改好，其他地方的登录都已退出。"), "ok")
    return redirect("/", 303)


@blueprint.route("/tokens", methods=["GET", "POST"])
@allow(*ROLES, scope="self")
def tokens() -> str | tuple[str, int]:
    """Show one's API tokens, and issue one: it is shown once, on the answer itself."""
    if request.method == "GET":
        return _tokens_page()
    try:
        given = read_form(NewToken)
        token = database().transact(service.issue_token, current(), given["name"], given["scopes"], given["expires_on"])
    except Invalid as refusal:
        return _tokens_page(errors=_token_errors(refusal)), refusal.status
    return _tokens_page(issued=token), 201


@blueprint.post("/tokens/<int:token_id>/revoke")
@allow(*ROLES, scope="self")
def revoke_token(token_id: int) -> Response:
    """Stop one of one's own API tokens."""
    database().transact(service.revoke_token, current().login_id, token_id)
    flash(_("令牌已停用。"), "ok")
    return redirect(url_for("access.tokens"), 303)


def _layout() -> str:
    """Return the frame that the visitor's own pages have."""
    return "resident" if current().resident_id is not None else "staff"


def _secret_form(errors: dict[str, list[str]] | None) -> str:
    with database().reading() as db:
        login = queries.get_login(db, current().login_id)
    return render_template("access/secret.html", login=login, errors=errors)


def _token_errors(refusal: Invalid) -> dict[str, list[str]]:
    field = {BadTokenScopes: "scopes", BadExpiry: "expires_on"}.get(type(refusal))
    return {field: [problems.sentence(refusal)]} if field else in_words(refusal)


def _tokens_page(*, errors: dict[str, list[str]] | None = None, issued: str | None = None) -> str:
    principal = current()
    with database().reading() as db:
        found = queries.list_tokens(db, principal.login_id)
    return render_template(
        "access/tokens.html",
        tokens=found,
        scopes=queries.scopes_of(principal),
        chosen=request.form.getlist("scopes"),
        given={} if issued else request.form,
        default_expiry=clock.today() + timedelta(days=DEFAULT_TOKEN_DAYS),
        errors=errors,
        issued=issued,
        layout=_layout(),
    )
