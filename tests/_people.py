"""A small district and whoever is needed in it, made through the packages' own verbs.

    tree = make_branch_tree(db)              # in database.transact(make_branch_tree)
    login = make_login(db, "staff", tree["NS-01"])
    sign_in(client, login)

Luonan (DZ) > Nanshan (NS) > the hub NS-00 > its stations NS-01 and NS-02, which share the hub's book; and a hub of
strangers, XX-00, with a book of its own and the station XX-01.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.access import queries as access
from moralbank.access import service
from moralbank.access.queries import Principal
from moralbank.access.service import GrantDraft
from moralbank.branches.queries import Branch
from moralbank.branches.service import BranchDraft, open_branch

PASSWORD = "correct horse staple"
PIN = "258369"
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')

_TREE = (
    ("DZ", "洛南区", "Luonan District", "district", None),
    ("NS", "南山街道", "Nanshan Street", "street", "DZ"),
    ("NS-00", "道德银行中心空间", "Moral Bank Hub", "hub", "NS"),
    ("NS-01", "南山驿站", "Nanshan Station", "station", "NS-00"),
    ("NS-02", "育苗驿站", "Yumiao Station", "station", "NS-00"),
    ("XX-00", "外区中心空间", "Foreign Hub", "hub", None),
    ("XX-01", "外区驿站", "Foreign Station", "station", "XX-00"),
)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class MadeLogin:
    """A login of the tests, with what its owner would know."""

    login_id: int
    name: str | None
    secret: str
    principal: Principal


def make_branch_tree(db: Connection) -> dict[str, Branch]:
    """Open the district and the strangers' hub, and return the branches by code."""
    made: dict[str, Branch] = {}
    for code, name_zh, name_en, kind, parent in _TREE:
        parent_id = made[parent].branch_id if parent else None
        address = f"{name_zh}1号" if kind in ("hub", "station") else ""
        made[code] = open_branch(db, BranchDraft(code, name_zh, name_en, kind, parent_id, address))
    return made


def make_login(
    db: Connection,
    role: str,
    branch: Branch | int | None,
    merchant_id: int | None = None,
    resident_id: int | None = None,
    *,
    name: str | None = None,
) -> MadeLogin:
    """Open a login with one role at a branch (None: the whole bank), whose secret needs no changing."""
    branch_id = branch.branch_id if isinstance(branch, Branch) else branch
    secret = PIN if role in ("operator", "resident", "helper") else PASSWORD
    if role == "resident":
        if resident_id is None or branch_id is None:
            raise AssertionError("a resident's login is somebody's, somewhere")
        opened = service.open_resident_login(db, resident_id, branch_id, by=None, secret=secret, must_change=False)
    else:
        name = name or f"{role}-{next(_numbers)}"
        grants = [GrantDraft(role, branch_id, merchant_id)]
        opened = service.open_login(db, name, name, grants, by=None, secret=secret, must_change=False)
    return MadeLogin(opened.login_id, name, secret, access.get_principal(db, opened.login_id))


def sign_in(client: FlaskClient, login: MadeLogin | int) -> None:
    """Sign a client in without the login page: a session of the database and the cookie that names it."""
    login_id = login.login_id if isinstance(login, MadeLogin) else login
    database = client.application.extensions["moralbank_database"]
    token = database.transact(service.open_session, login_id, address="127.0.0.1", device="tests")
    with client.session_transaction() as cookie:
        cookie.clear()
        cookie["_user_id"] = token
        cookie["_fresh"] = True


def bearer(db: Connection, login: MadeLogin, *scopes: str) -> dict[str, str]:
    """Issue the login an API token with the scopes and return the header that carries it."""
    until = clock.today() + timedelta(days=30)
    token = service.issue_token(db, login.principal, "tests", scopes, until)
    return {"Authorization": f"Bearer {token}"}


def form(client: FlaskClient, path: str, fields: Mapping[str, object] | None = None) -> TestResponse:
    """Send a form as a browser would, with the token that any page of the session carries."""
    page = client.get("/secret" if "_user_id" in _cookie(client) else "/login").text
    token = _CSRF.search(page)
    if token is None:
        raise AssertionError("no page with a form was shown")
    given = {name: value for name, value in (fields or {}).items() if value is not None}
    return client.post(path, data={"csrf_token": token[1], **given})


def _cookie(client: FlaskClient) -> dict[str, object]:
    with client.session_transaction() as cookie:
        return dict(cookie)


def give_reason(client: FlaskClient, resident_id: int, reason: str = "desk") -> None:
    """Choose a reason for looking at a person, as their page asks for it; it holds for a quarter of an hour."""
    answer = form(client, f"/staff/residents/{resident_id}/reason", {"reason": reason, "next": "/staff/residents"})
    if answer.status_code != 303:
        raise AssertionError(f"the reason was not taken: {answer.status_code}")
