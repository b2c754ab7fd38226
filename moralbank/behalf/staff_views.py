"""Staff's pages of helpers and family: who acts for whom, appoint on paper, end."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access import queries as access
from moralbank.access import service as access_service
from moralbank.access.deeds import Kind as DeedKind
from moralbank.access.deeds import Reason
from moralbank.behalf import queries, service
from moralbank.behalf.errors import HelperWithoutLogin, UnknownLink
from moralbank.behalf.schemas import AppointForm, PaperForm
from moralbank.behalf.service import Appointed, Appointment
from moralbank.behalf.values import LONGEST, POINTS_PER_MONTH_MAX, Basis, Limits, Scope
from moralbank.branches import queries as branches
from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.residents.queries import find_by_number, get_resident
from moralbank.residents.views import actor_names, may_write, opened, reachable, row_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("helpers", __name__, url_prefix="/staff")

PAGE_ROWS = 50


@blueprint.get("/helpers")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List the helpers of the reader's branches: those who may act now, or those of before."""
    is_over = request.args.get("state") == "ended"
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        places = branches.list_branches_under(db, scope_paths())
        here = [place.branch_id for place in places]
        found = queries.list_helpers(db, here, standing=not is_over, before_id=before_id, limit=PAGE_ROWS + 1)
        page = found[:PAGE_ROWS]
        people, names = queries.people_of(db, page), queries.parties(db, page)
    looking.note_many(DeedKind.LIST, len(page), "helpers", branch_id=here[0] if here else None)
    state = "ended" if is_over else None
    return render_template(
        "behalf/helpers.html",
        links=page,
        people=people,
        names=names,
        places={place.branch_id: place for place in places},
        is_over=is_over,
        soon=clock.today() + LONGEST / 12,
        next_url=url_for(".show_all", state=state, before=page[-1].link_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all", state=state) if before_id else None,
    )


@blueprint.get("/residents/<int:resident_id>/helpers")
@allow("staff", "auditor", scope="branch")
def of_resident(resident_id: int) -> str:
    """Show who acts for a resident and for whom they act, with the forms to appoint."""
    opened(resident_id, Reason.ACT)
    return _page(resident_id)


@blueprint.post("/residents/<int:resident_id>/helpers")
@allow("staff", scope="branch")
def appoint(resident_id: int) -> Response | str | tuple[str, int]:
    """Appoint a helper; a new login's PIN is shown this once."""
    person = opened(resident_id, Reason.ACT)
    try:
        given = read_form(AppointForm)
        scope = Scope(given["may_check_in"], given["may_pay"], given["may_read"])
        limits = Limits(*(given[name] for name in Limits.__dataclass_fields__))
        wanted = Appointment(
            resident_id, given["helper"], given["display_name"], scope, limits,
            given["agreed_on"], given["agreed_note"], given["until_on"],
        )  # fmt: skip
        made = database().transact(service.appoint, wanted, by=current(), actor=actor())
    except Invalid as refusal:
        return _page(resident_id, errors=in_words(refusal) or {"helper": [problems.sentence(refusal)]}), refusal.status
    except MoralBankError as refusal:
        return _page(resident_id, errors={"helper": [problems.sentence(refusal)]}), refusal.status
    if made.secret is not None:
        return render_template("behalf/appointed.html", person=person, made=made, name=given["display_name"])
    flash(_("已登记代办人。"), "ok")
    return redirect(url_for(".of_resident", resident_id=resident_id), 303)


@blueprint.post("/residents/<int:resident_id>/family")
@allow("staff", scope="branch")
def link_family(resident_id: int) -> Response | tuple[str, int]:
    """Let somebody of the family act for a resident who agreed on paper."""
    person = opened(resident_id, Reason.ACT)
    try:
        given = read_form(PaperForm)
        _refuse_other_days(given)
        with database().reading() as db:
            holder = find_by_number(db, person.book_id, given["number"])
            login = access.find_resident_login(db, holder.resident_id) if holder else None
        if holder is None:
            raise Invalid({"number": [N_("没有这个编号的储户，请核对。")]})
        reachable(holder.resident_id)
        if login is None or login.suspended_at is not None:
            raise HelperWithoutLogin()
        database().transact(
            service.link_family, login, resident_id, Basis.PAPER,
            actor=actor(), note=given["agreed_note"], agreed_on=given["agreed_on"],
        )  # fmt: skip
    except Invalid as refusal:
        return _page(resident_id, paper_errors=in_words(refusal)), refusal.status
    except MoralBankError as refusal:
        return _page(resident_id, paper_errors={"number": [problems.sentence(refusal)]}), refusal.status
    flash(_("已登记，家人现在可以在自己的手机上代办。"), "ok")
    return redirect(url_for(".of_resident", resident_id=resident_id), 303)


@blueprint.post("/helpers/<int:link_id>/end")
@allow("staff", scope="branch")
def end(link_id: int) -> Response:
    """End what a helper or somebody of the family does for a resident, at once."""
    with database().reading() as db:
        link = queries.get_link(db, link_id)
    opened(link.resident_id, Reason.ACT)
    database().transact(service.end_link, link_id, actor=actor())
    flash(_("已结束，马上生效。"), "ok")
    return redirect(url_for(".of_resident", resident_id=link.resident_id), 303)


@blueprint.post("/helpers/<int:link_id>/pin")
@allow("staff", scope="branch")
def new_pin(link_id: int) -> str:
    """Give a helper who forgot their PIN a new one, and show it this once."""
    with database().reading() as db:
        link = queries.get_link(db, link_id)
    person = opened(link.resident_id, Reason.ACT)
    if link.actor_resident_id is not None or not link.stands:
        raise UnknownLink()
    secret = database().transact(access_service.reset_secret, link.login_id, by=current())
    with database().reading() as db:
        login = access.get_login(db, link.login_id)
    made = Appointed(link, login.name, secret)
    return render_template("behalf/appointed.html", person=person, made=made, name=login.display_name)


def _refuse_other_days(given: dict[str, Any]) -> None:
    today = clock.today()
    if not today - LONGEST <= given["agreed_on"] <= today:
        raise Invalid({"agreed_on": [N_("请填同意书上的日期，不能晚于今天。")]})


def _page(
    resident_id: int,
    *,
    errors: dict[str, list[str]] | None = None,
    paper_errors: dict[str, list[str]] | None = None,
) -> str:
    with database().reading() as db:
        person = get_resident(db, resident_id)
        about = queries.list_about(db, resident_id, standing=False)
        names = queries.parties(db, about)
        done_by = {one for link in about for one in (link.made_by, link.ended_by) if one}
        actors = actor_names(db, done_by, resident_id)
    return render_template(
        "behalf/of_resident.html",
        person=person,
        standing=[link for link in about if link.stands],
        former=[link for link in about if not link.stands],
        names=names,
        actors=actors,
        may_write=may_write(),
        most=POINTS_PER_MONTH_MAX,
        today=clock.today(),
        last=clock.today() + LONGEST,
        given=request.form if errors else {},
        paper_given=request.form if paper_errors else {},
        errors=errors,
        paper_errors=paper_errors,
    )
