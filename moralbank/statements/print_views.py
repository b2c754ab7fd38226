"""Pages of print runs: a station's statements of a period, as sheets by building or as a file for each resident."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as Redirect

from moralbank import papers
from moralbank.access.deeds import Kind
from moralbank.branches.queries import get_branch, list_branches, list_branches_under
from moralbank.config import var_directory
from moralbank.errors import N_, Invalid
from moralbank.merchants.queries import list_merchants
from moralbank.residents.queries import count_to_print
from moralbank.statements import prints, service
from moralbank.statements.errors import NotIssued, PeriodMalformed
from moralbank.statements.periods import read_period
from moralbank.statements.prints import FORMS, Print
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id
from moralbank.web.pdf import PDF

blueprint = Blueprint("prints", __name__)

#: More shops than these are counted as so many; the run makes them all.
SHOPS_MAX = 500

FORM_NAMES = {"run": N_("按楼栋排好的打印件"), "files": N_("每人一个文件"), "shops": N_("商家，每家一个文件")}
STATE_NAMES = {
    "waiting": N_("正在做"),
    "stopped": N_("停下了，会自己接着做"),
    "done": N_("做好了"),
    "dropped": N_("已清理"),
}
FAULT_NAMES = {
    "disk-full": N_("磁盘满了。腾出地方以后自己接着做，做好的不会重做。"),
    "disk-error": N_("写不进磁盘。请管理员看一下；好了以后自己接着做。"),
    "issued-differs": N_("账簿和出单时不一致，先不打印。请通知监督单位核验账簿。"),
    "paper-unavailable": N_("跑定时作业的机器没有装 PDF 组件。请管理员装上，然后自己接着做。"),
}
_NAMES = {"form": FORM_NAMES, "state": STATE_NAMES, "fault": FAULT_NAMES}

Answer = str | Redirect | tuple[str, int]


@blueprint.app_template_global("print_word")
def print_word(kind: str, value: str) -> str:
    """Return what a form, a state or a fault of a run is called in the reader's language."""
    return _(_NAMES[kind].get(value, value))


@blueprint.get("/staff/prints")
@allow("staff", scope="branch")
def show_all() -> str:
    """List the print runs of the reader's branches, and let them ask for one."""
    return _page({})


@blueprint.post("/staff/prints")
@allow("staff", scope="branch")
def ask() -> Answer:
    """Ask for a run of a station and a period."""
    given = request.form.to_dict()
    try:
        made = _ask(given)
    except (Invalid, NotIssued) as refusal:
        return _page(given, in_words(refusal) or {"period": [problems.sentence(refusal)]}), refusal.status
    flash(_("已排上队，一分钟内开始。可以离开这一页。"), "ok")
    return redirect(url_for(".show_all", _anchor=f"print-{made.print_id}"), 303)


@blueprint.get("/staff/prints/<int:print_id>/whole.zip")
@allow("staff", scope="branch")
def whole(print_id: int) -> Response:
    """Give the whole run."""
    one = _reachable(print_id)
    path = prints.ready_file(var_directory(), one)
    _note(one)
    return send_file(path, "application/zip", as_attachment=True, download_name=f"statements-{one.period_name}.zip")


@blueprint.get("/staff/prints/<int:print_id>/<int:n>.pdf")
@allow("staff", scope="branch")
def part(print_id: int, n: int) -> Response:
    """Give one file of a run of sheets, for a printer that takes fifty at a time."""
    one = _reachable(print_id)
    path = prints.ready_file(var_directory(), one, n)
    _note(one)
    return send_file(path, PDF, download_name=f"statements-{one.period_name}-{n:04}.pdf")


def _ask(given: dict[str, str]) -> Print:
    errors: dict[str, list[str]] = {}
    branch_id = request.form.get("branch_id", type=row_id)
    if branch_id is None:
        errors["branch_id"] = [N_("请选择驿站。")]
    if given.get("form") not in FORMS:
        errors["form"] = [N_("请选择打印件或文件。")]
    try:
        period = read_period(given.get("period", ""))
    except PeriodMalformed as refusal:
        raise Invalid(errors=errors | {"period": [refusal.sentence]}) from None
    if errors or branch_id is None:
        raise Invalid(errors=errors)
    within(branch_id)
    if not papers.is_available():
        raise Invalid(errors={"form": [papers.PaperUnavailable.sentence]})
    phoneless = given.get("phoneless") == "1"
    with database().reading() as db:
        branch = get_branch(db, branch_id)
        if branch.book_id is None:
            raise Invalid(errors={"branch_id": [N_("请选择驿站。")]})
        if not any(run.period == period and run.is_ended for run in service.list_runs(db, branch.book_id, limit=1000)):
            raise NotIssued(period=period.name)
        branch_ids = [below.branch_id for below in list_branches(db, branch_id)]
        if given["form"] == "shops":
            total, phoneless = len(list_merchants(db, branch_ids=branch_ids, limit=SHOPS_MAX)), False
        else:
            total = count_to_print(db, branch_ids, phoneless=phoneless)
    return database().transact(
        prints.ask, branch_id, branch.book_id, period, given["form"], phoneless, total, actor=actor()
    )


def _page(given: dict[str, str], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branches = [branch for branch in list_branches_under(db, scope_paths()) if branch.book_id is not None]
        found = prints.list_prints(db, [branch.branch_id for branch in branches])
        books = {branch.book_id for branch in branches if branch.book_id is not None}
        issued = {run.period for book in books for run in service.list_runs(db, book) if run.is_ended}
    return render_template(
        "statements/prints.html",
        prints=found,
        branches={branch.branch_id: branch for branch in branches},
        periods=sorted(issued, key=lambda period: (period.following, period.first), reverse=True),
        given=given,
        errors=errors,
        forms=FORMS,
        kept_days=prints.KEPT.days,
        is_making=any(one.is_open for one in found),
    )


def _reachable(print_id: int) -> Print:
    with database().reading() as db:
        one = prints.get_print(db, print_id)
    within(one.branch_id)
    return one


def _note(one: Print) -> None:
    looking.note_many(Kind.EXPORT, one.done, f"statement:{one.period_name}", branch_id=one.branch_id)
