"""Who asks, and whether they may: every view says so itself, and a view that says nothing is closed.

The only module of the web that knows a package (access), and the only one that touches Flask-Login.

    @allow("staff", scope="branch")                       a page for staff (and administrators) of some branch
    @allow("staff", scope="branch", token="awards:write") an API operation: bearer tokens with that scope only
    @allow("resident", scope="self", for_family=True)     oneself, or whom one acts for on this phone
    @public                                               anybody

`current()` is the Principal; `within(branch_id)` refuses branches that none of the view's roles covers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

import flask_login
from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access import queries, service
from moralbank.access.errors import (
    OnlyAtTheTable,
    OnlyOneself,
    OutOfScope,
    SecretMustChange,
    TokenScopeMissing,
    WrongSecret,
)
from moralbank.access.queries import ROLES, Known, Principal
from moralbank.branches.queries import get_branch
from moralbank.config import Config
from moralbank.errors import Forbidden, Unauthenticated
from moralbank.web.db import database

F = TypeVar("F", bound=Callable[..., object])

SCOPES = ("self", "branch", "merchant", "book")
#: A session is marked as seen no more often than this, so that reading pages doesn't write each time.
SEEN_EVERY = timedelta(minutes=5)
COOKIE_DAYS = 90
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MARK = "moralbank_allowed"
_ACTS_BY = "acts_by"
_HANDS = "auth_hands"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may use a view, and what of the bank they reach through it."""

    #: Empty means anybody, signed in or not.
    roles: tuple[str, ...]
    scope: str
    #: The API token scope it needs; None for pages, which take sessions only.
    token: str | None = None
    #: Open to one who must change their secret first.
    before_change: bool = False
    #: Changes nothing of the bank by any method: it only says why somebody looks, so auditors may too.
    only_looks: bool = False
    #: Of one's own pages: open too while one acts for a member of the family; the view asks behalf.acting whose it is.
    for_family: bool = False
    #: A till's page that the hands of a fair's day need too; what isn't marked so is closed to them.
    for_hands: bool = False


PUBLIC = Allowed((), "public")


def allow(
    *roles: str,
    scope: str = "branch",
    token: str | None = None,
    before_change: bool = False,
    only_looks: bool = False,
    for_family: bool = False,
    for_hands: bool = False,
) -> Callable[[F], F]:
    """Open a view (or one method of a MethodView) to these roles; an administrator counts as staff."""
    if not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"allow() needs roles out of {ROLES}, not {roles}")
    if scope not in SCOPES or (token is not None and token not in queries.SCOPES):
        raise ValueError(f"unknown scope {scope!r} or token scope {token!r}")
    return _marker(Allowed(roles, scope, token, before_change, only_looks, for_family, for_hands))


def public(view: F) -> F:
    """Open a view to anybody."""
    return _marker(PUBLIC)(view)


def _marker(allowed: Allowed) -> Callable[[F], F]:
    def mark(view: F) -> F:
        setattr(view, _MARK, allowed)
        return view

    return mark


def declared(app: Flask, endpoint: str, method: str) -> Allowed | None:
    """Return what the view of an endpoint says about a method, or None when it says nothing."""
    view: object = app.view_functions.get(endpoint)
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return getattr(view, _MARK, None)
    handler = getattr(view_class, "get" if method == "HEAD" else method.lower(), None)
    return getattr(handler, _MARK, None) or getattr(view_class, _MARK, None)


def current() -> Principal:
    """Return who asks. Raises: Unauthenticated."""
    principal = principal_or_none()
    if principal is None:
        raise Unauthenticated()
    return principal


def principal_or_none() -> Principal | None:
    """Return who asks, or None: by session on pages, by bearer token under /api/, never crosswise."""
    if "principal" not in g:
        g.principal = None  # So that the page that tells of a failed look doesn't look again.
        g.principal = _bearer() if _is_api() else _signed_in()
    principal: Principal | None = g.principal
    return principal


def acting_roles() -> tuple[str, ...]:
    """Return the roles by which the view is open to the one who asks; an auditor's never opens a change."""
    allowed: Allowed = g.allowed
    changes = request.method in _UNSAFE and allowed.scope != "self" and not allowed.only_looks
    return tuple(role for role in allowed.roles if current().has(role) and not (changes and role == "auditor"))


def actor() -> str:
    """Return how the ledger cites the one who asks, in the first of the view's roles that they hold."""
    return current().actor(acting_roles()[0])


def within(branch_id: int | None) -> None:
    """Refuse a branch (None: the whole bank) that none of the view's roles covers.

    Raises (in the order checked): UnknownBranch, OutOfScope.
    """
    paths: dict[int | None, str] = g.setdefault("branch_paths", {None: queries.EVERYWHERE})
    if branch_id is not None and branch_id not in paths:
        with database().reading() as db:
            paths[branch_id] = get_branch(db, branch_id).path
    if not current().covers(paths[branch_id], *acting_roles()):
        raise OutOfScope()


def within_merchant(merchant_id: int) -> None:
    """Refuse a merchant at whose till the one who asks doesn't work. Raises: OutOfScope."""
    if merchant_id not in current().merchant_ids():
        raise OutOfScope()


def scope_paths() -> list[str]:
    """Return the paths of the branches that the view's roles reach, for prefix filters in queries."""
    return current().paths(*acting_roles())


def acting_link() -> int | None:
    """Return by which link this browser's session acts for somebody of the family now; None: for oneself.

    Whether the link still stands is for behalf to say, each time.
    """
    return None if _is_api() else session.get(_ACTS_BY)


def act_by(link_id: int | None) -> None:
    """Let this browser's session act by a link from now on, or for oneself again."""
    if link_id is None:
        session.pop(_ACTS_BY, None)
    else:
        session[_ACTS_BY] = link_id


def prove(identifier: str, candidates: list[int], secret: str) -> list[int]:
    """Return which of the candidates' secrets this is, counting the try before looking, so no race gains one.

    `identifier` is what was typed to name them: five wrong tries lock it, whoever it belongs to, if anybody.
    Raises (in the order checked): Locked, WrongSecret.
    """
    address = request.remote_addr or "unknown"
    database().transact(service.begin_try, identifier, address)
    with database().reading() as db:
        hashes = queries.list_secrets(db, candidates)
    matching = service.matching(hashes, secret)
    if not matching:
        raise WrongSecret()
    database().transact(service.end_try, identifier, address)
    return matching


def sign_in(login_id: int) -> None:
    """Begin a new session for the login in this browser; whatever session it had ends."""
    sign_out()
    device = request.headers.get("User-Agent", "")
    address = request.remote_addr or "unknown"
    token = database().transact(service.open_session, login_id, address=address, device=device)
    session.permanent = True
    flask_login.login_user(_Visitor(token))
    g.pop("principal", None)


def sign_out() -> None:
    """End this browser's session, on the server too."""
    token = session.get("_user_id")
    if token:
        database().transact(service.close_session, token)
    flask_login.logout_user()
    session.clear()
    g.pop("principal", None)


class _Sessions(SecureCookieSessionInterface):
    """Renews no cookie with an answer that caches between here and the reader may keep and give to others."""

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return super().should_set_cookie(app, session) and not g.get("is_for_everybody", False)


class _Visitor(flask_login.UserMixin):
    """What Flask-Login keeps: the session's unguessable id, not the login's."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_id(self) -> str:
        return self.token


def _signed_in() -> Principal | None:
    token = session.get("_user_id")
    if not token:
        return None
    found = database().look(queries.find_signed_in, token)
    if found is None:
        return None
    if is_stale(found):
        database().transact(service.see_session, token)
    return found.principal


def _bearer() -> Principal | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    found = database().look(queries.find_bearer, token.strip())
    if found is None:
        return None
    if is_stale(found):
        database().transact(service.use_token, token.strip())
    return found.principal


def is_stale(known: Known) -> bool:
    """Tell whether it is time to write down that somebody was seen."""
    return known.seen_at is None or clock.now() - known.seen_at > SEEN_EVERY


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _gate() -> Response | None:
    """Let a request through to a view only when the view says that the one who asks may."""
    endpoint = request.endpoint
    if endpoint is None or endpoint.rpartition(".")[2] == "static":
        return None
    if request.method == "OPTIONS":  # Flask answers it with the list of methods and runs no view.
        return None
    allowed = declared(current_app, endpoint, request.method)
    if allowed is None:
        current_app.logger.error("view %s says nobody may use it by %s: refused", endpoint, request.method)
        raise Forbidden()
    g.allowed = allowed
    if allowed is PUBLIC:
        return None
    principal = principal_or_none()
    if principal is None:
        return _to_login()
    if principal.must_change and not allowed.before_change:
        return _to_change()
    if not acting_roles():
        raise Forbidden()
    if allowed.scope == "self" and not allowed.for_family and acting_link() is not None:
        raise OnlyOneself()
    if principal.is_hand:
        _check_hand(allowed, principal)
    if principal.scopes is not None and allowed.token not in principal.scopes:
        raise TokenScopeMissing(scope=allowed.token or "")
    return None


def _check_hand(allowed: Allowed, principal: Principal) -> None:
    """Let a hand of a fair's day to the table's till while the table is open, and to what is about their own login.

    Raises: OnlyAtTheTable, and what the fair's check raises.
    """
    if allowed.scope == "self":
        return
    if not allowed.for_hands:
        raise OnlyAtTheTable()
    current_app.extensions[_HANDS](principal)


def check_hands(app: Flask, check: Callable[[Principal], None]) -> None:
    """Ask `check` whether a hand's table is open now; fairs lie above, so the application tells."""
    app.extensions[_HANDS] = check


def _is_navigation() -> bool:
    """Tell whether the answer will be shown as a page, not taken by a script."""
    return not _is_api() and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _to_login() -> Response:
    if not _is_navigation():
        raise Unauthenticated()
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect("/login" if target == "/" else f"/login?next={quote(target, safe='/')}", 303)


def _to_change() -> Response:
    if not _is_navigation():
        raise SecretMustChange()
    return redirect(url_for("access.change_secret"), 303)


def authorisation_table(app: Flask) -> list[tuple[str, str, str, str, str]]:
    """Return (path, methods, roles, scope, token scope) of every route, as in docs/AUTHORISATION.md."""
    rows: list[tuple[str, str, str, str, str]] = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if rule.endpoint.rpartition(".")[2] == "static":
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            allowed = declared(app, rule.endpoint, method)
            if allowed is None:
                rows.append((rule.rule, method, "UNDECLARED", "", ""))
            else:
                roles = ", ".join(allowed.roles) or "anybody"
                roles += ", hand" if allowed.for_hands else ""
                rows.append((rule.rule, method, roles, allowed.scope, allowed.token or ""))
    return rows


def init_app(app: Flask) -> None:
    """Close every view that doesn't say who may use it, and give templates `principal`."""
    config: Config = app.config["MORALBANK"]
    app.config.update(
        SESSION_COOKIE_NAME="__Host-moralbank" if config.secure else "moralbank",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure,
        PERMANENT_SESSION_LIFETIME=timedelta(days=COOKIE_DAYS),
    )
    app.session_interface = _Sessions()
    manager = flask_login.LoginManager(app)
    manager.session_protection = None  # Sessions live in the database and can be revoked there.
    manager.user_loader(_Visitor)
    app.before_request(_gate)
    app.context_processor(lambda: {"principal": principal_or_none()})
