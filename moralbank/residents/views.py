"""Staff's pages of residents: find, enrol, correct. What an auditor sees here they can't change."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock, ledger
from moralbank.access import queries as access
from moralbank.access.deeds import CHOSEN, NOTE_MAX, Kind, Reason, chosen_reason
from moralbank.access.errors import ReasonMissing, ReasonUnfit
from moralbank.access.wording import REASONS
from moralbank.branches import queries as branches
from moralbank.branches.queries import Branch
from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.residents import queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import AlreadyEnrolled
from moralbank.residents.queries import Resident
from moralbank.residents.schemas import (
    ConsentIn,
    HouseholdIn,
    NewResidentIn,
    ResidentIn,
    StatusIn,
)
from moralbank.residents.values import AWAITING, Consent, Status, list_about, mask, mask_phone
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.bodies import LARGEST_WHOLE
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.preferences import own_path

blueprint = Blueprint("residents", __name__, url_prefix="/staff/residents")
blueprint.add_app_template_filter(mask, "mask")
blueprint.add_app_template_filter(mask_phone, "mask_phone")

PAGE_ROWS = 50
SEXES = {"female": N_("女"), "male": N_("男")}
STATUSES = {Status.ACTIVE: N_("正常"), Status.SUSPENDED: N_("暂停"), Status.LEFT: N_("已退出")}
CONSENTS = {
    Consent.RECORD: (N_("服务记录"), N_("把我的志愿服务记入档案，我随时可以查询和更正。")),
    Consent.NOTICE: (N_("公示"), N_("公示积分时可以写我打了星号的姓名；不同意的只计入总数。")),
    Consent.PHOTO: (N_("照片"), N_("活动照片里可以有我。")),
    Consent.HONOUR: (N_("荣誉"), N_("评上荣誉时可以公布我的姓名和事迹。")),
}
DEEDS = {
    "enrolled": N_("登记"),
    "corrected": N_("更正资料"),
    "household": N_("更改户号"),
    "card-issued": N_("发卡"),
    "card-revoked": N_("挂失"),
    "pin-set": N_("设置密码"),
    "family-made": N_("家人可以代办"),
    "family-ended": N_("家人不再代办"),
    "helper-made": N_("登记代办人"),
    "helper-ended": N_("结束代办"),
    Status.ACTIVE: N_("恢复"),
    Status.SUSPENDED: N_("暂停"),
    Status.LEFT: N_("退出"),
}
DETAILS = {
    "name": N_("姓名"),
    "phone": N_("手机号"),
    "branch_id": N_("所属驿站"),
    "household_code": N_("户号"),
    "born_on": N_("出生日期"),
    "sex": N_("性别"),
    "grid": N_("网格"),
    "building": N_("楼栋"),
    "party_member": N_("党员"),
    "joined_on": N_("登记日期"),
    "guardian_name": N_("监护人姓名"),
    "guardian_relation": N_("与本人的关系"),
}
#: Corrected in the form; the household has a form of its own.
_EDITABLE = tuple(name for name in DETAILS if name != "household_code")


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List and search the residents of the reader's branches, newest first."""
    search = request.args.get("q", "").strip()[:50]
    status = request.args.get("status", "")
    branch_id = request.args.get("branch", type=row_id)
    filters: dict[str, Any] = {
        "search": search,
        "status": Status(status) if status in set(Status) else None,
        "awaits_guardian": status == AWAITING,
    }
    with database().reading() as db:
        places = branches.list_branches_under(db, scope_paths())
        if branch_id is None:
            wanted = [place.branch_id for place in places]
        else:
            within(branch_id)
            wanted = [place.branch_id for place in branches.list_branches(db, branch_id)]
        before_id = request.args.get("before", type=row_id)
        found = queries.list_residents(db, wanted, **filters, before_id=before_id, limit=PAGE_ROWS + 1)
        count = queries.count_residents(db, wanted, **filters)
    page, more = found[:PAGE_ROWS], len(found) > PAGE_ROWS
    looking.note_many(Kind.LIST, len(page), list_about(search, status), branch_id=branch_id or _whole(places))
    arguments: dict[str, Any] = {"q": search or None, "status": status or None, "branch": branch_id}
    return render_template(
        "residents/list.html",
        residents=page,
        count=count,
        places={place.branch_id: place for place in places},
        with_book=[place for place in places if place.book_id is not None],
        chosen={"q": search, "status": status, "branch": branch_id or ""},
        statuses=STATUSES,
        filters={**STATUSES, AWAITING: N_("待监护人同意")},
        is_first=before_id is None,
        next_url=url_for(".show_all", before=page[-1].resident_id, **arguments) if more else None,
        first_url=url_for(".show_all", **arguments),
        may_write=may_write(),
    )


@blueprint.route("/new", methods=["GET", "POST"])
@allow("staff", scope="branch")
def new() -> str | Response | tuple[str, int]:
    """Enrol somebody."""
    if request.method == "GET":
        return _form(None, {"branch_id": request.args.get("branch", "")})
    try:
        given = read_form(NewResidentIn)
        within(given["branch_id"])
        consents = [Consent(kind) for kind in given.pop("consents")]
        resident = database().transact(service.enrol, Person(**given), consents, actor=actor())
    except (Invalid, AlreadyEnrolled) as refusal:
        return _refused(None, refusal)
    looking.look_at(resident, Reason.ACT)
    flash(_("%(name)s已登记，编号 %(number)s。可以打印居民卡了。", name=resident.name, number=resident.number))
    return _to(resident.resident_id)


@blueprint.get("/<int:resident_id>")
@allow("staff", "auditor", scope="branch")
def show(resident_id: int) -> str:
    """Show one resident with cards, consents, household, account and what was done."""
    resident = reachable(resident_id)
    if resident.is_forgotten:
        return render_template("residents/forgotten.html", resident=resident)
    looking.look_at(resident)
    with database().reading() as db:
        visible = [place.branch_id for place in branches.list_branches_under(db, scope_paths())]
        household = queries.list_household(db, resident.household_id, visible) if resident.household_id else []
        deeds = queries.list_deeds(db, resident_id)
        account = (db, resident.book_id, resident.account_id)
        return render_template(
            "residents/resident.html",
            resident=resident,
            branch=branches.get_branch(db, resident.branch_id),
            card=queries.find_card(db, resident_id),
            cards=queries.list_cards(db, resident_id),
            standing=standing_consents(db, resident_id),
            household=[member for member in household if member.resident_id != resident_id],
            login=access.find_resident_login(db, resident_id),
            points=ledger.available(db, resident.book_id, [resident.account_id])[resident.account_id],
            minutes=ledger.balance(*account, ledger.Unit.MINUTES),
            deeds=deeds,
            actors=actor_names(db, {deed.done_by for deed in deeds}, resident_id),
            next_statuses=service.NEXT[resident.status],
            statuses=STATUSES,
            sexes=SEXES,
            consents=CONSENTS,
            deed_names=DEEDS,
            details=DETAILS,
            may_write=may_write(),
        )


@blueprint.route("/<int:resident_id>/reason", methods=["GET", "POST"])
@allow("staff", "auditor", scope="branch", only_looks=True)
def reason(resident_id: int) -> str | Response | tuple[str, int]:
    """Ask why somebody opens a person's data, once, and write it down before they see it."""
    resident = reachable(resident_id)
    if request.method == "GET":
        return _reason_page(resident, own_path(request.args.get("next")))
    next_path = own_path(request.form.get("next"))
    note = request.form.get("note", "").strip()[:NOTE_MAX]
    try:
        chosen = chosen_reason(request.form.get("reason", ""), note)
    except ReasonUnfit as refusal:
        return _reason_page(resident, next_path, problems.sentence(refusal)), refusal.status
    looking.note_view(resident, chosen, note=note if chosen is Reason.OTHER else "")
    if request.form.get("sitting") and chosen is not Reason.OTHER:
        looking.keep_for_sitting(chosen)
    return redirect(next_path, 303)


@blueprint.app_errorhandler(ReasonMissing)
def _ask_reason(refusal: ReasonMissing) -> Response:
    """Lead to the page that asks for the reason, and back to what was wanted."""
    if problems.is_api() or "looked_at" not in g:
        return problems.answer(refusal)
    wanted = request.full_path.rstrip("?")
    return redirect(url_for("residents.reason", resident_id=g.looked_at, next=wanted), 303)


@blueprint.route("/<int:resident_id>/edit", methods=["GET", "POST"])
@allow("staff", scope="branch")
def edit(resident_id: int) -> str | Response | tuple[str, int]:
    """Correct what is written down about a resident."""
    resident = opened(resident_id, None if request.method == "GET" else Reason.CORRECT)
    if request.method == "GET":
        return _form(resident, {name: getattr(resident, name) for name in _EDITABLE})
    try:
        given = read_form(ResidentIn)
        within(given["branch_id"])
        database().transact(service.correct, resident_id, Person(**given), actor=actor())
    except (Invalid, AlreadyEnrolled) as refusal:
        return _refused(resident, refusal)
    flash(_("资料已更正。"))
    return _to(resident_id)


@blueprint.post("/<int:resident_id>/status")
@allow("staff", scope="branch")
def set_status(resident_id: int) -> Response:
    """Suspend a resident, let them go on, or let them leave."""
    opened(resident_id, Reason.ACT)

    def act() -> str:
        given = read_form(StatusIn)
        args = (resident_id, Status(given["status"]), given["reason"])
        resident = database().transact(service.set_status, *args, actor=actor())
        return _("现在的状态：%(status)s。", status=_(STATUSES[resident.status]))

    return _done(act, resident_id)


@blueprint.post("/<int:resident_id>/household")
@allow("staff", scope="branch")
def join_household(resident_id: int) -> Response:
    """Put a resident into a household, or take them out."""
    opened(resident_id, Reason.ACT)

    def act() -> str:
        code = read_form(HouseholdIn)["household_code"]
        database().transact(service.join_household, resident_id, code, actor=actor())
        return _("已归入户号 %(code)s。", code=code) if code else _("已不属于任何一户。")

    return _done(act, resident_id)


@blueprint.post("/<int:resident_id>/consents")
@allow("staff", scope="branch")
def set_consent(resident_id: int) -> Response:
    """Write down what a resident said at the desk: agreed, or no longer."""
    opened(resident_id, Reason.ACT)

    def act() -> str:
        given = read_form(ConsentIn)
        kind = Consent(given["kind"])
        verb = service.give_consent if given["given"] else service.withdraw_consent
        database().transact(verb, resident_id, kind, actor=actor())
        name = _(CONSENTS[kind][0])
        return _("已记下同意：%(what)s。", what=name) if given["given"] else _("已撤回：%(what)s。", what=name)

    return _done(act, resident_id)


def reachable(resident_id: int) -> Resident:
    """Return a resident of the reader's branches. Raises: UnknownResident, OutOfScope."""
    with database().reading() as db:
        resident = queries.get_resident(db, resident_id)
    within(resident.branch_id)
    return resident


def opened(resident_id: int, implied: Reason | None = None) -> Resident:
    """Return a resident of the reader's branches whose data they see for a reason that is written down.

    Raises: UnknownResident, OutOfScope, ReasonMissing.
    """
    resident = reachable(resident_id)
    looking.look_at(resident, implied)
    return resident


def row_id(text: str) -> int:
    """Return the id that a page's address or form names. Raises: ValueError when no row can have it."""
    found = int(text)
    if not 0 <= found <= LARGEST_WHOLE:
        raise ValueError(text)
    return found


def may_write() -> bool:
    """Tell whether the reader is staff somewhere; each act is checked again for its own branch."""
    return current().has("staff")


def standing_consents(db: Connection, resident_id: int) -> dict[Consent, queries.ConsentLine]:
    """Return what a resident agrees to at present."""
    lines = queries.list_consents(db, resident_id)
    return {line.kind: line for line in lines if line.withdrawn_at is None}


def actor_names(db: Connection, actors: set[str], about: int | None = None) -> dict[str, str]:
    """Return who stands behind "staff:12", by name; what was done by the resident whom it is about says so.

    about: that resident; None: every resident's acts are their own.
    """
    behind = access.residents_behind(db, actors)
    people = queries.residents_by_id(db, set(behind.values()) - {about}) if about else {}
    own = {text: _("本人") for text in actors if text.startswith("resident:")}
    others = {text: people[who].masked_name for text, who in behind.items() if who in people}
    return access.actor_names(db, actors) | own | others


def _whole(places: list[Branch]) -> int | None:
    """Return the branch under which all of the reader's lie."""
    return places[0].branch_id if places else None


def _reason_page(resident: Resident, next_path: str, refused: str = "") -> str:
    return render_template(
        "residents/reason.html",
        resident=resident,
        reasons=[(reason, REASONS[reason]) for reason in CHOSEN if reason is not Reason.OTHER],
        next_path=next_path,
        refused=refused,
        given=request.form,
    )


def _form(
    resident: Resident | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None, refused: str = ""
) -> str:
    with database().reading() as db:
        reached = branches.list_branches_under(db, current().paths("staff"))
    places: list[Branch] = [
        place
        for place in reached
        if place.book_id is not None and (resident is None or place.book_id == resident.book_id)
    ]
    return render_template(
        "residents/form.html",
        resident=resident,
        given=given,
        errors=errors,
        refused=refused,
        places=places,
        labels=DETAILS,
        consents=CONSENTS,
        agreed=request.form.getlist("consents"),
        today=clock.today(),
    )


def _refused(resident: Resident | None, refusal: MoralBankError) -> tuple[str, int]:
    """Show the form again as it was typed, with what to mend."""
    refused = "" if refusal.errors else problems.sentence(refusal)
    return _form(resident, request.form.to_dict(), in_words(refusal), refused), refusal.status


def _done(act: Any, resident_id: int) -> Response:
    """Do one small act of the detail page and say there what came of it."""
    try:
        flash(act(), "ok")
    except Invalid as refusal:
        flash(" ".join(text for texts in in_words(refusal).values() for text in texts), "bad")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "bad")
    return _to(resident_id)


def _to(resident_id: int) -> Response:
    return redirect(url_for("residents.show", resident_id=resident_id), 303)
