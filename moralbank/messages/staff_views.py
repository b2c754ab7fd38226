"""The staff's page of what leaves the house: what waits, what failed, and once more."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.config import MessagesConfig
from moralbank.errors import MoralBankError
from moralbank.messages import queries, service
from moralbank.messages.queries import STATES, STUCK
from moralbank.messages.values import KINDS
from moralbank.messages.wording import CHANNEL_NAMES, FAULT_NAMES, STATE_NAMES
from moralbank.web import problems
from moralbank.web.auth import allow, principal_or_none, scope_paths, within
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("deliveries", __name__, url_prefix="/staff/messages")

PAGE_ROWS = 50
#: The list's first view: what somebody should look at.
_STUCK = "stuck"


def count_stuck() -> int:
    """Return how many deliveries want somebody's hand at the reader's branches; 0 for whoever sends none."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff"):
        return 0
    return database().look(queries.count_stuck, principal.paths("staff"))


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List what leaves the house, first what got stuck."""
    state = request.args.get("state", _STUCK)
    wanted = STUCK if state == _STUCK else (state,) if state in STATES else ()
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        found = queries.list_deliveries(db, scope_paths(), states=wanted, before_id=before_id, limit=PAGE_ROWS + 1)
        counts = queries.count_deliveries(db, scope_paths())
    page = found[:PAGE_ROWS]
    config = MessagesConfig.from_env()
    return render_template(
        "messages/deliveries.html",
        deliveries=page,
        counts=counts,
        state=state,
        states=[("", _("全部")), (_STUCK, _("要看一看的")), *((name, _(STATE_NAMES[name])) for name in STATES)],
        kinds=KINDS,
        way_names=CHANNEL_NAMES,
        state_names=STATE_NAMES,
        fault_names=FAULT_NAMES,
        stuck=STUCK,
        has_ways=bool(config.smtp_host or config.gateway_url),
        next_url=url_for(".show_all", state=state, before=page[-1].delivery_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all", state=state) if before_id else None,
    )


@blueprint.post("/<int:delivery_id>/retry")
@allow("staff", scope="branch")
def retry(delivery_id: int) -> Response:
    """Send one again."""
    with database().reading() as db:
        within(queries.get_delivery(db, delivery_id).branch_id)
    try:
        database().transact(service.retry, delivery_id)
        flash(_("已放回队列，一分钟内会再发一次。"), "ok")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show_all"), 303)
