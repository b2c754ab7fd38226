"""Puts the service together: the only file that knows every package."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from flask import Flask
from sqlalchemy import Connection
from werkzeug.routing import IntegerConverter, Rule

from moralbank import startup
from moralbank.access import admin_views
from moralbank.activities import review_views, staff_views
from moralbank.activities.front import CHECK_IN
from moralbank.approvals.views import count_waiting
from moralbank.branches.queries import list_branches_under
from moralbank.config import Config
from moralbank.db import Database
from moralbank.disclosure.objection_views import count_open
from moralbank.disclosure.staff_views import count_drafts
from moralbank.fairs.stall_views import check_table
from moralbank.merchants import draft_views
from moralbank.merchants.queries import all_merchants
from moralbank.messages import login_views
from moralbank.messages.staff_views import count_stuck
from moralbank.messages.views import count_unread
from moralbank.periodic.views import count_bad
from moralbank.redemptions.front import CHARGE
from moralbank.reports.front import BALANCE, LINES
from moralbank.reports.views import count_broken
from moralbank.web import (
    assets,
    auth,
    bodies,
    filters,
    i18n,
    logs,
    metrics,
    navigation,
    pdf,
    preferences,
    problems,
    security,
)
from moralbank.web import db as web_db
from moralbank.web.front import Front

#: Modules with a `blueprint`, each a room of pages.
PAGES = (
    "moralbank.web.preferences",
    "moralbank.web.health",
    "moralbank.access.views",
    "moralbank.access.admin_views",
    "moralbank.branches.views",
    "moralbank.messages.views",
    "moralbank.messages.staff_views",
    "moralbank.messages.login_views",
    "moralbank.logbook.read_views",
    "moralbank.logbook.views",
    "moralbank.proofs.views",
    "moralbank.noticeboard.views",
    "moralbank.residents.login_views",
    "moralbank.residents.views",
    "moralbank.residents.card_views",
    "moralbank.residents.message_views",
    "moralbank.residents.roster_views",
    "moralbank.residents.profile_views",
    "moralbank.behalf.views",
    "moralbank.behalf.staff_views",
    "moralbank.statements.team_views",
    "moralbank.teams.views",
    "moralbank.approvals.views",
    "moralbank.earning.views",
    "moralbank.activities.views",
    "moralbank.activities.staff_views",
    "moralbank.activities.slip_views",
    "moralbank.activities.late_views",
    "moralbank.activities.desk_views",
    "moralbank.activities.camera_views",
    "moralbank.activities.offline_views",
    "moralbank.activities.review_views",
    "moralbank.activities.paper_views",
    "moralbank.activities.scan_views",
    "moralbank.activities.spot_views",
    "moralbank.activities.helped_views",
    "moralbank.activities.newcomer_views",
    "moralbank.activities.calendar_views",
    "moralbank.merchants.views",
    "moralbank.merchants.draft_views",
    "moralbank.redemptions.views",
    "moralbank.redemptions.refund_views",
    "moralbank.redemptions.zreport_views",
    "moralbank.redemptions.voucher_views",
    "moralbank.redemptions.phone_views",
    "moralbank.redemptions.resident_views",
    "moralbank.redemptions.helping_views",
    "moralbank.fairs.views",
    "moralbank.fairs.stall_views",
    "moralbank.settlements.views",
    "moralbank.settlements.till_views",
    "moralbank.settlements.budget_views",
    "moralbank.certificates.views",
    "moralbank.certificates.own_views",
    "moralbank.certificates.public_views",
    "moralbank.figures.views",
    "moralbank.disclosure.public_views",
    "moralbank.disclosure.staff_views",
    "moralbank.disclosure.objection_views",
    "moralbank.forgetting.views",
    "moralbank.forgetting.own_views",
    "moralbank.statements.views",
    "moralbank.statements.paper_views",
    "moralbank.statements.check_views",
    "moralbank.statements.booklet_views",
    "moralbank.statements.print_views",
    "moralbank.statements.proof_views",
    "moralbank.statements.home_views",
    "moralbank.statements.helping_views",
    "moralbank.reports.views",
    "moralbank.reports.statement_views",
    "moralbank.periodic.views",
    "moralbank.reports.deed_views",
    "moralbank.reports.oddity_views",
    "moralbank.reports.grade_views",
)

#: Modules with a `blueprint` of API operations under /api/v1.
OPERATIONS = (
    "moralbank.branches.api",
    "moralbank.messages.api",
    "moralbank.earning.api",
    "moralbank.residents.api",
    "moralbank.approvals.api",
    "moralbank.activities.api",
    "moralbank.activities.late_api",
    "moralbank.activities.spot_api",
    "moralbank.merchants.api",
    "moralbank.redemptions.api",
    "moralbank.redemptions.voucher_api",
    "moralbank.redemptions.phone_api",
    "moralbank.disclosure.api",
    "moralbank.statements.api",
    "moralbank.reports.api",
)

#: Writes and reads of the API that need not wait for Flask.
SHORT_WAYS = (CHARGE, CHECK_IN)
SHORT_READS = (BALANCE, LINES)


def create_app(config: Config, database: Database | None = None, *, is_looked_at: bool = False) -> Flask:
    """Return the WSGI application; in production it refuses to start on a database that could lose or alter lines.

    is_looked_at: somebody else sees to that, and no connection is opened before the first request.
    """
    app = Flask("moralbank")
    app.config.update(
        SECRET_KEY=config.secret_key,
        MAX_CONTENT_LENGTH=bodies.MAX_CONTENT_BYTES,
        DEBUG=config.debug,
        MORALBANK=config,
    )
    app.url_rule_class = _Rule
    app.url_map.strict_slashes = False
    app.url_map.converters["int"] = _RowId
    database = database or Database(config.database_url)
    web_db.init_app(app, database)
    for module in (i18n, filters, pdf, assets, problems, logs, metrics, security, auth, navigation, preferences):
        module.init_app(app)
    for name in PAGES:
        app.register_blueprint(import_module(name).blueprint)
    _register_operations(app)
    app.wsgi_app = Front(app, database, SHORT_WAYS, SHORT_READS)  # type: ignore[method-assign]
    admin_views.use_tills(app, _tills)
    auth.check_hands(app, check_table)
    navigation.count_at(app, "/staff/approvals", count_waiting)
    navigation.count_at(app, "/staff/activities", staff_views.count_held)
    navigation.count_at(app, "/staff/reviews", review_views.count_waiting)
    navigation.count_at(app, "/staff/offers", draft_views.count_waiting)
    navigation.count_at(app, "/staff/messages", count_stuck)
    navigation.count_at(app, "/staff/notices", count_drafts)
    navigation.count_at(app, "/staff/objections", count_open)
    navigation.count_at(app, "/me/messages", count_unread)
    navigation.count_at(app, "/staff/inbox", login_views.count_unread)
    navigation.count_at(app, "/audit", count_broken)
    navigation.count_at(app, "/admin/jobs", count_bad)
    if config.production and not is_looked_at:
        startup.refuse_unsafe(database)
    return app


def _tills(db: Connection, paths: list[str]) -> list[admin_views.Till]:
    """List the merchants of these branches for the administrator who lets their operators in."""
    branch_ids = [branch.branch_id for branch in list_branches_under(db, paths)]
    found = all_merchants(db, branch_ids)
    return [admin_views.Till(merchant.merchant_id, merchant.name, merchant.branch_id) for merchant in found]


def _register_operations(app: Flask) -> None:
    from moralbank.web import api

    rest = api.init_app(app)
    for name in OPERATIONS:
        rest.register_blueprint(import_module(name).blueprint)


class _Rule(Rule):
    """A route whose address is spelled by code that is compiled when it is first asked for, and not for every start."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: _Rule, /, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(super(_Rule, rule)._compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build


class _RowId(IntegerConverter):
    """A row's number in a path: one longer than any row's has no page, and never reaches the database."""

    regex = r"\d{1,15}"
