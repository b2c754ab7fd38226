"""Pages on which a roster is taken in: upload, preview, confirm, result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from moralbank.access.deeds import Kind
from moralbank.branches import queries as branches
from moralbank.branches.queries import Branch
from moralbank.errors import N_, Invalid, fill
from moralbank.residents import import_queries, importing, jobs
from moralbank.residents import queries as residents
from moralbank.residents.import_queries import Import, State, Tally, Verdict
from moralbank.residents.roster_refused import write_refused
from moralbank.residents.roster_verdicts import Reason
from moralbank.residents.views import actor_names, row_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, within
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("roster", __name__, url_prefix="/staff/roster")

PAGE_ROWS = 50
VERDICTS = {
    Verdict.TAKE: N_("新登记"),
    Verdict.HERE: N_("已在册"),
    Verdict.REFUSE: N_("退回"),
    Verdict.SKIP: N_("跳过"),
}
STATES = {
    State.READING: N_("没有读完"),
    State.PREVIEW: N_("等待确认"),
    State.RUNNING: N_("正在导入"),
    State.STOPPED: N_("已停下"),
    State.DONE: N_("已完成"),
}
_MIME = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@blueprint.app_template_global("reason_text")
def reason_text(reason: Reason) -> str:
    """Return in the reader's language why a row is not taken."""
    return fill(_(reason.template), {"column": reason.column, "first_row": reason.first_row})


@blueprint.route("", methods=["GET", "POST"])
@allow("staff", scope="branch")
def show_all() -> str | Response | tuple[str, int]:
    """Take a roster's file, and list the rosters that came before."""
    if request.method == "GET":
        return _start_page()
    uploaded = request.files.get("file")
    branch_id = request.form.get("branch_id", type=row_id)
    try:
        if branch_id is None:
            raise Invalid(errors={"branch_id": [N_("请选择驿站。")]})
        within(branch_id)
        if uploaded is None or not uploaded.filename:
            raise Invalid(errors={"file": [N_("请选择名单文件。")]})
        with database().reading() as db:
            branch = branches.get_branch(db, branch_id)
        stream = uploaded.stream
        import_id = jobs.read_roster(database(), branch, stream, uploaded.filename, actor=actor())
    except Invalid as refusal:
        errors = {name: [_(text) for text in texts] for name, texts in refusal.errors.items()}
        return _start_page(errors or {"file": [problems.sentence(refusal)]}), refusal.status
    return redirect(url_for(".show", import_id=import_id), 303)


@blueprint.get("/<int:import_id>")
@allow("staff", scope="branch")
def show(import_id: int) -> str:
    """Show the preview of a roster, how far it has come, or what became of it."""
    roster = _reachable(import_id)
    chosen = request.args.get("verdict", "")
    verdict = Verdict(chosen) if chosen in set(Verdict) else None
    after_row = request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        tallies = import_queries.tally(db, import_id)
        minors = import_queries.count_awaiting_guardian(db, import_id)
        found = import_queries.list_rows(db, import_id, verdict=verdict, after_row=after_row, limit=PAGE_ROWS + 1)
    looking.note_many(Kind.LIST, len(found[:PAGE_ROWS]), f"roster:{import_id}", branch_id=roster.branch_id)
    with database().reading() as db:
        branch = branches.get_branch(db, roster.branch_id)
        actors = actor_names(db, {roster.uploaded_by, roster.confirmed_by or roster.uploaded_by})
        rows, more = found[:PAGE_ROWS], len(found) > PAGE_ROWS
        people = residents.residents_by_id(db, [row.resident_id for row in rows if row.resident_id])
    return render_template(
        "residents/import.html",
        roster=roster,
        branch=branch,
        actors=actors,
        counts=_counts(tallies),
        minors=minors,
        points=sum(line.opening_points for line in tallies if line.verdict is Verdict.TAKE),
        why=[line for line in tallies if line.verdict in (Verdict.REFUSE, Verdict.SKIP)],
        rows=rows,
        people=people,
        chosen=chosen,
        after_row=after_row,
        next_url=url_for(".show", import_id=import_id, verdict=chosen or None, after=rows[-1].sheet_row)
        if more
        else None,
        verdicts=VERDICTS,
        states=STATES,
        stopped_why=_stopped_why(roster),
    )


@blueprint.post("/<int:import_id>/confirm")
@allow("staff", scope="branch")
def confirm(import_id: int) -> Response:
    """Let the previewed rows become residents; the work goes on beside the request."""
    _reachable(import_id)
    database().transact(importing.confirm_import, import_id, actor=actor())
    jobs.start_import(database(), import_id)
    return redirect(url_for(".show", import_id=import_id), 303)


@blueprint.post("/<int:import_id>/continue")
@allow("staff", scope="branch")
def resume(import_id: int) -> Response:
    """Let a stopped import go on where it stopped."""
    _reachable(import_id)
    database().transact(importing.resume_import, import_id)
    jobs.start_import(database(), import_id)
    return redirect(url_for(".show", import_id=import_id), 303)


@blueprint.post("/<int:import_id>/drop")
@allow("staff", scope="branch")
def drop(import_id: int) -> Response:
    """Give a preview up: its rows are forgotten."""
    _reachable(import_id)
    database().transact(importing.drop_import, import_id)
    flash(_("已放弃，名单没有导入。"))
    return redirect(url_for(".show_all"), 303)


@blueprint.get("/<int:import_id>/refused")
@allow("staff", scope="branch")
def refused(import_id: int) -> Response:
    """Give back the refused rows as a file, with what to mend beside each."""
    roster = _reachable(import_id)
    with database().reading() as db:
        found = import_queries.iter_refused(db, import_id)
        stream = write_refused(found, roster.file_format, tuple(roster.header))
    name = f"{roster.file_name.rpartition('.')[0] or roster.file_name}-{_('退回')}.{roster.file_format}"
    return send_file(stream, _MIME[roster.file_format], as_attachment=True, download_name=name)


def _start_page(errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        reached = branches.list_branches_under(db, current().paths("staff"))
        rosters = import_queries.list_imports(db, [place.branch_id for place in reached])
    places: list[Branch] = [place for place in reached if place.book_id is not None]
    return render_template(
        "residents/roster.html",
        places=places,
        names={place.branch_id: place for place in reached},
        rosters=rosters,
        states=STATES,
        errors=errors,
        chosen=request.form.get("branch_id") or (places[0].branch_id if places else ""),
    )


def _reachable(import_id: int) -> Import:
    with database().reading() as db:
        roster = import_queries.get_import(db, import_id)
    within(roster.branch_id)
    return roster


def _counts(tallies: list[Tally]) -> dict[str, int]:
    counts: dict[str, Any] = dict.fromkeys(Verdict, 0)
    for line in tallies:
        counts[line.verdict] += line.rows
    return counts


def _stopped_why(roster: Import) -> str:
    """Return in words which refusal of the books stopped an import; its code stands for the people who mend it."""
    if roster.state is not State.STOPPED:
        return ""
    return _("账本没有收下这一批（%(code)s），前面的已经登记好。处理后可以从停下的地方继续。", code=roster.stopped_by)
