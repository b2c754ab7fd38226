"""Walks every route as everybody, with things of one's own, of a sibling station and of strangers.

A new route must say who may use it, and a new kind of parameter must get its things in _world.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.access import queries, service
from moralbank.access.cli import access
from moralbank.db import Database
from moralbank.schema import MIGRATIONS
from moralbank.web.auth import Allowed, authorisation_table, declared
from tests._people import MadeLogin, sign_in
from tests.access._world import ROLES, STRANGER, Place, make_world

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
#: What a page must be asked with.
QUERIES = {
    path: {"since": clock.now().isoformat()} for path in ("/me/code/paid", "/helping/<int:helping_id>/code/paid")
}
#: What a page must be asked with of the place's own things.
OF_THE_PLACE = {"/staff/approvals/adjustment": ("resident_id",), "/staff/approvals/reversal": ("book", "entry_id")}
#: What nobody's link asks.
NONSENSE = dict.fromkeys(
    "q search branch branch_id status page since until before after cursor at on month kind rule actor grade".split(),
    "%_999999999999999999999",
)
#: Sums of a whole book, for those who look after its hub, and the rules, for the one who looks after the whole bank.
ASKED_FROM = {
    "/audit/trial-balance": "hub",
    "/audit/verify": "hub",
    "/audit/export.zip": "hub",
    "/rules/<rule_code>": "bank",
    "/log/<book>/tile/entries/<path:place>": "hub",
    "/log/<book>/access/tile/entries/<path:place>": "hub",
    "/log/<book>/witnesses": "hub",
    "/log/<book>/witnesses/<int:witness_id>/retire": "hub",
    "/log/<book>/policy": "hub",
}
#: What a resident may look at in every shop of the book.
OPEN_IN_THE_BOOK = {"/api/v1/merchants/<int:merchant_id>", "/api/v1/offers/<int:offer_id>"}
#: Activities are public, so anybody may put themselves on the list of any.
FOR_ANYBODY = {
    "/activities/sessions/<int:session_id>/sign-up",
    "/activities/sessions/<int:session_id>/cancel-sign-up",
    "/activities/sessions/<int:session_id>/team-sign-up",
    # A code on a shop's wall is for whoever stands before it.
    "/p/<pay_token>",
}
#: Parameters that name nothing of a place.
FREE: dict[str, Any] = {
    "code": "en",
    "rule_code": "V01",
    "photo_key": "nothing",
    "token": "nothing",
    "deed": "publish",
    "choice": "accept",
    "decision": "confirm",
    "month": f"{clock.today():%Y-%m}",
    "day": f"{clock.today()}",
    "book_code": "NS-00",
    "entry": "0" * 32,
    "place": "000.p/1",
    "size": 1,
    "old": 0,
    "new": 1,
    "no": 1,
    "witness_id": 1,
    "form": "csv",
    "unit": "points",
    "n": 1,
}
#: Only who made a request may take it back, whatever others' roles are.
BY_ITS_MAKER = {
    "/staff/approvals/<int:request_id>/withdraw",
    "/api/v1/approvals/<int:request_id>/withdraw",
    "/staff/late-entries/<int:late_id>/withdraw",
    "/api/v1/late-entries/<int:late_id>/withdraw",
}
#: Routes whose session is a signed-in browser, not the sitting of an activity.
OWN_SESSIONS = "/sessions/"


@dataclass(frozen=True)
class Step:
    """One request of the walk."""

    rule: Rule
    method: str
    allowed: Allowed
    role: str
    place: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule} as {self.role} with things of {self.place}"

    @property
    def is_api(self) -> bool:
        return self.rule.rule.startswith("/api/")

    @property
    def is_public(self) -> bool:
        return not self.allowed.roles

    @property
    def may(self) -> bool:
        """Whether the table opens the route to the role."""
        held = {"admin": {"admin", "staff"}}.get(self.role, {self.role})
        if self.method in UNSAFE and self.allowed.scope != "self" and not self.allowed.only_looks:
            held = held - {"auditor"}
        return self.is_public or bool(held & set(self.allowed.roles))


class Walker:
    """Takes steps and remembers what was wrong with them."""

    def __init__(self, app: Flask, database: Database, world: dict[str, Place]) -> None:
        self.app = app
        self.database = database
        self.world = world
        self.wrong: list[str] = []
        self.taken = 0
        self.document = app.test_client().get("/api/v1/openapi.json").get_json()
        self.clients: dict[tuple[str, str], FlaskClient] = {}
        self.tokens = {role: self._token(world["home"].walkers[role]) for role in ROLES}

    def steps(self) -> Iterator[Step]:
        for rule in self.app.url_map.iter_rules():
            if rule.endpoint.rpartition(".")[2] == "static":
                continue
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                allowed = declared(self.app, rule.endpoint, method)
                assert allowed is not None, f"{method} {rule.rule} says nobody may use it"
                for role in ("anonymous", *ROLES):
                    step = Step(rule, method, allowed, role, "home")
                    yield step
                    if step.may and not step.is_public and set(rule.arguments) - set(FREE):
                        yield Step(rule, method, allowed, role, "sibling")
                        yield Step(rule, method, allowed, role, "stranger")

    def take(self, step: Step) -> None:
        unknown = step.rule.arguments - set(self._values(step))
        if unknown:
            self.wrong.append(f"{step.rule.rule} names {unknown}, of which _world.py makes none")
            return
        answer = self.ask(step)
        self.taken += 1
        for wrong in self._judge(step, answer):
            self.wrong.append(f"{step}: {answer.status_code} {answer.headers.get('Location', '')} {wrong}")

    def _judge(self, step: Step, answer: TestResponse) -> Iterator[str]:
        status = answer.status_code
        if status >= 500:
            yield "failed"
        elif step.is_public:
            return
        elif step.role == "anonymous":
            sent_away = status == 401 if step.is_api else (status == 303 and answer.location.startswith("/login"))
            if not sent_away:
                yield "a stranger was not sent to the login"
        elif not step.may:
            if status != 403:
                yield "a role that may not was not refused"
        elif step.place == "home":
            if status in (401, 403) and step.rule.rule not in BY_ITS_MAKER:
                yield "a role that may was refused"
            if step.method == "GET" and status == 404:
                yield "its own thing was not found"
        elif step.rule.rule in FOR_ANYBODY or (step.place == "sibling" and self._is_open_in_the_book(step)):
            return
        elif status not in (403, 404):
            yield "the thing of others was not refused"
        if not step.is_public and status == 200 and STRANGER.encode() in answer.get_data():
            yield "strangers' names are shown"

    def ask(self, step: Step, query: dict[str, str] | None = None) -> TestResponse:
        place = ASKED_FROM.get(step.rule.rule, "home")
        client = self._client(step.role, place)
        if step.method in UNSAFE and step.allowed.scope in ("self", "public"):
            del self.clients[step.role, place]  # It may sign out by what it does.
        headers = {"Idempotency-Key": f"walk-{self.taken:08}"} if step.method in UNSAFE else {}
        if step.is_api and step.role in ROLES:
            headers["Authorization"] = f"Bearer {self.tokens[step.role]}"
        body = self._body(step) if step.is_api and step.method in UNSAFE else {}
        names = OF_THE_PLACE.get(step.rule.rule, ())
        query = query or {name: str(self._values(step)[name]) for name in names} or QUERIES.get(step.rule.rule)
        return client.open(
            self._path(step), method=step.method, headers=headers, query_string=query, buffered=True, **body
        )

    def _is_open_in_the_book(self, step: Step) -> bool:
        if step.rule.rule.startswith("/log/"):  # A log is one of the whole book, whichever station names it.
            return True
        return step.role == "resident" and step.method == "GET" and step.rule.rule in OPEN_IN_THE_BOOK

    def _client(self, role: str, place: str) -> FlaskClient:
        if (role, place) not in self.clients:
            client = self.clients[role, place] = self.app.test_client()
            if role in ROLES:
                sign_in(client, self.world[place].walkers[role])
        return self.clients[role, place]

    def _body(self, step: Step) -> dict[str, Any]:
        """Return a body that the document calls valid, so that the refusal is not of the body."""
        path = re.sub(r"<(?:[^:<>]*:)?(\w+)>", r"{\1}", step.rule.rule)
        content = self.document["paths"][path][step.method.lower()].get("requestBody", {}).get("content", {})
        if not content:
            return {}
        media, described = next(iter(content.items()))
        if media != "application/json":
            return {"data": "姓名,手机号\n", "content_type": media}
        return {"json": _example(self.document, described["schema"], self.world[step.place].values)}

    def _values(self, step: Step) -> dict[str, object]:
        place = self.world[step.place]
        values = FREE | place.values
        if step.rule.rule.startswith(OWN_SESSIONS):
            values["session_id"] = self._session(place, step.role)
        if step.rule.rule.startswith("/staff/forgetting/"):
            values["request_id"] = values["forgetting_id"]
        if step.role == "resident":
            values["helping_id"] = values["resident_helping_id"]
        if step.rule.rule.startswith("/tokens/"):
            values["token_id"] = self._token_id(place, step.role)
        return values

    def _path(self, step: Step) -> str:
        values = self._values(step)
        with self.app.test_request_context():
            built = step.rule.build({name: values[name] for name in step.rule.arguments})
        assert built is not None
        return built[1]

    def _session(self, place: Place, role: str) -> int:
        """Return a session of the walker's own, or of the same role elsewhere."""
        login_id = place.walkers[role if role in ROLES else "staff"].login_id
        self.database.transact(service.open_session, login_id, address="walk", device="walk")
        with self.database.reading() as db:
            return max(session.session_id for session in queries.list_sessions(db, login_id))

    def _token_id(self, place: Place, role: str) -> int:
        login = place.walkers[role if role in ROLES else "staff"]
        self._token(login)
        with self.database.reading() as db:
            return queries.list_tokens(db, login.login_id)[0].token_id

    def _token(self, login: MadeLogin) -> str:
        scopes = queries.scopes_of(login.principal)
        until = clock.today() + timedelta(days=1)
        return self.database.transact(service.issue_token, login.principal, "walk", scopes, until)


def _example(document: dict[str, Any], schema: dict[str, Any], values: dict[str, Any], name: str = "") -> Any:
    """Return the smallest value that a JSON schema of the document allows; ids are the place's own."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if name in values:
        return values[name]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = schema.get("properties", {})
        return {key: _example(document, fields[key], values, key) for key in schema.get("required", [])}
    if kind == "array":
        return [_example(document, schema["items"], values)] * max(1, schema.get("minItems", 1))
    if kind == "string" and "pattern" in schema:
        return "10000000"  # Eight digits are a number of a resident, a phone and a key alike.
    if kind == "string":
        formats = {"date": f"{clock.today()}", "date-time": clock.now().isoformat()}
        return formats.get(schema.get("format", ""), "甲" * max(2, schema.get("minLength", 2)))
    return {"integer": max(1, schema.get("minimum", 1)), "boolean": True}[kind]


@pytest.fixture
def app(app: Flask) -> Flask:
    # The walk tries who may, not forms: what a form without its token gets is tried in test_auth.py.
    app.config["WTF_CSRF_ENABLED"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.testing = False
    return app


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    undeclared = [(path, method) for path, method, roles, *_ in authorisation_table(app) if roles == "UNDECLARED"]
    assert undeclared == []


def test_the_document_says_what_the_routes_say() -> None:
    said = (MIGRATIONS.parent / "docs" / "AUTHORISATION.md").read_text("utf-8")
    assert CliRunner().invoke(access, ["table"]).output == said, "moralbank access table > docs/AUTHORISATION.md"


@pytest.mark.long
def test_every_route_for_everybody_at_home_and_elsewhere(app: Flask, database: Database) -> None:
    walker = Walker(app, database, database.transact(make_world))
    for step in walker.steps():
        # Whom the gate turns away is the same on both engines.
        if database.is_sqlite or step.may:
            walker.take(step)
    assert walker.wrong == [], "\n".join(walker.wrong)
    assert walker.taken > 300


# PostgreSQL is the one that minds what a query holds.
@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nothing_in_a_query_makes_a_page_fail(app: Flask, database: Database) -> None:
    walker = Walker(app, database, database.transact(make_world))
    failed = []
    for step in walker.steps():
        if step.method == "GET" and step.may and step.place == "home" and not step.is_api:
            status = walker.ask(step, NONSENSE).status_code
            if status >= 500:
                failed.append(f"{step}: {status}")
    assert failed == []
