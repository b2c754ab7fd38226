"""A resident's messages at the desk, read out to somebody who has no phone. Each time is a deed with a reason."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.access.deeds import Deed, Kind, Reason, record
from moralbank.messages import queries as messages
from moralbank.messages import service
from moralbank.messages.wording import words
from moralbank.residents.queries import Resident, get_resident
from moralbank.residents.views import row_id
from moralbank.web import looking
from moralbank.web.auth import actor, allow, current, within
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("resident_messages", __name__, url_prefix="/staff/residents")

PAGE_ROWS = 30


@blueprint.get("/<int:resident_id>/messages")
@allow("staff", scope="branch")
def show_all(resident_id: int) -> str:
    """Show what a resident was told, to be read out to them; what is new stays new until they have heard it."""
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        resident = _reachable(db, resident_id)
        found = messages.list_messages(db, resident_id=resident_id, before_id=before, limit=PAGE_ROWS + 1)
    page = found[:PAGE_ROWS]
    here = url_for(".show_all", resident_id=resident_id)
    return render_template(
        "residents/messages.html",
        resident=resident,
        messages=[(message, words(message.kind, message.facts)) for message in page],
        unread=[message.message_id for message in page if message.read_at is None],
        is_own=current().resident_id == resident_id,
        next_url=f"{here}?before={page[-1].message_id}" if len(found) > PAGE_ROWS else None,
        first_url=here if before else None,
    )


@blueprint.post("/<int:resident_id>/messages/read")
@allow("staff", scope="branch")
def mark_read(resident_id: int) -> Response:
    """Note that these were read out to the resident, who sees by whom and when."""
    chosen = request.form.getlist("id", type=row_id)[:PAGE_ROWS]
    with database().reading() as db:
        resident = _reachable(db, resident_id)
    count = database().transact(_read_out, resident, chosen, actor())
    if count:
        flash(_("已记下：念给本人听了 %(n)s 条。", n=count), "ok")
    return redirect(url_for(".show_all", resident_id=resident_id), 303)


def _read_out(db: Connection, resident: Resident, message_ids: list[int], who: str) -> int:
    """Mark messages as read and write down who read them out; a second press finds none and writes nothing."""
    count = service.mark_read(db, message_ids, resident_id=resident.resident_id)
    if count:
        whose = (resident.branch_id, resident.book_id, resident.resident_id, resident.account_id)
        record(db, Deed(who, Kind.VIEW, *whose, reason=Reason.DESK, about="messages", count=count))
    return count


def _reachable(db: Connection, resident_id: int) -> Resident:
    """Return a resident of the reader's branches; why they are looked at is written down first."""
    resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident, about="messages")
    return resident
