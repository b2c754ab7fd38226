"""The slips that a signed session leaves: one for each who was credited, printed and handed out."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from moralbank.access.deeds import Kind
from moralbank.activities import queries
from moralbank.activities.staff_views import session_in_scope
from moralbank.branches.queries import get_branch
from moralbank.ledger import Unit
from moralbank.proofs.queries import find_slip
from moralbank.proofs.views import public_url
from moralbank.residents.queries import residents_by_id
from moralbank.web import looking, pictures
from moralbank.web.auth import allow
from moralbank.web.db import database
from moralbank.web.paging import row_id

blueprint = Blueprint("award_slips", __name__)

#: Slips on a page: each is a proof and a picture of its own.
PAGE = 100


@blueprint.get("/staff/sessions/<int:session_id>/slips")
@allow("staff", scope="branch")
def slips(session_id: int) -> str:
    """Show a slip for every award of a session, made to be printed 80 mm wide; a crowd's on several pages."""
    session = session_in_scope(session_id)
    # What a signed session brought stays as it is, so a page is always the same.
    page = max(1, request.args.get("page", 1, type=row_id))
    with database().reading() as db:
        all_awards = [award for award in queries.list_awards(db, session_id) if award.entry_id]
        awards = all_awards[(page - 1) * PAGE : page * PAGE]
        people = residents_by_id(db, {award.resident_id for award in awards})
        branch = get_branch(db, session.activity.branch_id)
        made = []
        for award in awards:
            person = people.get(award.resident_id)
            if person is None or award.entry_id is None:
                continue
            slip = find_slip(db, person.book_id, award.entry_id, person.account_id, Unit.POINTS, public_url())
            if slip is not None:
                made.append((award, person, slip, pictures.link_svg(slip.seal.url)))
    if made:
        about = f"session:{session_id}:slips"
        looking.note_many(Kind.LIST, len(made), about, branch_id=session.activity.branch_id)
    has_more = len(all_awards) > page * PAGE
    return render_template(
        "activities/slips.html", session=session, branch=branch, slips=made,
        next_url=url_for(".slips", session_id=session_id, page=page + 1) if has_more else None,
        previous_url=url_for(".slips", session_id=session_id, page=page - 1) if page > 1 else None,
    )  # fmt: skip
