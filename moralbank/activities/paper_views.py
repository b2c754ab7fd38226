"""The printed roster: the sheet itself, typing in what was ticked, and a second person's comparison."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.deeds import Kind
from moralbank.access.queries import actor_names
from moralbank.activities import papers, queries
from moralbank.activities.errors import BadPaper, PaperDecided, PaperOwn
from moralbank.activities.papers import Line, Paper
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Session
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.residents.queries import find_by_numbers, residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow
from moralbank.web.db import database
from moralbank.web.forms import in_words
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("papers", __name__, url_prefix="/staff")

#: Rows for people who came without having signed up.
BLANK_ROWS = 12

Answer = str | Response | tuple[str, int]


@blueprint.get("/sessions/<int:session_id>/paper")
@allow("staff", scope="branch")
def sheet(session_id: int) -> str:
    """Show the roster as it is printed, with boxes to tick."""
    return render_template("activities/paper.html", **_shown(session_in_scope(session_id)))


@blueprint.route("/sessions/<int:session_id>/paper/entry", methods=["GET", "POST"])
@allow("staff", scope="branch")
def entry(session_id: int) -> Answer:
    """Type in what was ticked on the paper."""
    session = session_in_scope(session_id)
    if request.method == "GET":
        return _entry_page(session)
    try:
        with database().reading() as db:
            lines = _lines(db, session)
        paper = database().transact(papers.enter, session_id, lines, actor=actor())
    except BadPaper as refusal:
        return _entry_page(session, in_words(refusal)), refusal.status
    flash(_("已录入，请另一位工作人员拿着纸来核对。"), "ok")
    return redirect(url_for("papers.show", paper_id=paper.paper_id), 303)


@blueprint.get("/papers/<int:paper_id>")
@allow("staff", scope="branch")
def show(paper_id: int) -> str:
    """Show what was typed in, to be compared with the paper."""
    return _page(_paper_in_scope(paper_id))


@blueprint.post("/papers/<int:paper_id>/<any(confirm, refuse):decision>")
@allow("staff", scope="branch")
def decide(paper_id: int, decision: str) -> Answer:
    """Count what the paper says, or leave it out."""
    paper = _paper_in_scope(paper_id)
    try:
        if decision == "refuse":
            database().transact(papers.refuse, paper_id, actor=actor())
            flash(_("已退回，没有登记。"), "ok")
        else:
            missed = database().transact(papers.confirm, paper_id, actor=actor())
            flash(_("已登记，组织者签字时确认。"), "ok")
            if missed:
                flash(_("有 %(n)s 人和已有的签到对不上，请在签到台处理。", n=len(missed)), "warn")
    except (PaperOwn, PaperDecided) as refusal:
        return _page(_paper_in_scope(paper_id), problems.sentence(refusal)), refusal.status
    return redirect(url_for("papers.show", paper_id=paper.paper_id), 303)


def _paper_in_scope(paper_id: int) -> Paper:
    with database().reading() as db:
        paper = papers.get_paper(db, paper_id)
    session_in_scope(paper.session_id)
    return paper


def _shown(session: Session) -> dict[str, Any]:
    """Return the session with who signed up, by name, and write down that they were shown."""
    with database().reading() as db:
        branch = get_branch(db, session.activity.branch_id)
        going = [signup for signup in queries.list_signups(db, session.session_id) if signup.state == "going"]
        people = residents_by_id(db, [signup.resident_id for signup in going])
        typed = papers.list_papers(db, session.session_id)
    if people:
        looking.note_many(Kind.LIST, len(people), f"session:{session.session_id}", branch_id=branch.branch_id)
    rows = [people[signup.resident_id] for signup in going]
    return {"session": session, "branch": branch, "rows": rows, "blank_rows": BLANK_ROWS, "papers": typed}


def _entry_page(session: Session, errors: dict[str, list[str]] | None = None) -> str:
    return render_template(
        "activities/paper_entry.html", **_shown(session), errors=errors, given=request.form if errors else {}
    )


def _page(paper: Paper, refusal: str = "") -> str:
    session = session_in_scope(paper.session_id)
    with database().reading() as db:
        lines = papers.list_lines(db, paper.paper_id)
        people = residents_by_id(db, [line.resident_id for line in lines])
        names = actor_names(db, {who for who in (paper.entered_by, paper.decided_by) if who})
    if people:
        branch_id = session.activity.branch_id
        looking.note_many(Kind.LIST, len(people), f"session:{session.session_id}", branch_id=branch_id)
    return render_template(
        "activities/paper_show.html", paper=paper, session=session, lines=lines, people=people, names=names,
        refusal=refusal, is_own=paper.entered_by == actor(),
    )  # fmt: skip


def _lines(db: Connection, session: Session) -> list[Line]:
    """Return what the form ticks: those who signed up, and numbers written below them.

    Raises: BadPaper.
    """
    book_id = get_branch(db, session.activity.branch_id).book_id
    signed_up = [signup.resident_id for signup in queries.list_signups(db, session.session_id)]
    wanted = [(who, str(who)) for who in signed_up if f"came_{who}" in request.form]
    fields = [f"new{place}" for place in range(1, BLANK_ROWS + 1)]
    numbers = {name: number for name in fields if (number := request.form.get(f"number_{name}", "").strip())}
    found = find_by_numbers(db, book_id, list(numbers.values())) if book_id is not None else []
    unknown = [number for number, person in zip(numbers.values(), found, strict=True) if not person]
    if unknown:
        raise BadPaper({"lines": [N_("有居民号不在本中心的名册里，请核对。")], "numbers": unknown})
    wanted += [(person.resident_id, name) for name, person in zip(numbers, found, strict=True) if person]
    return [
        Line(
            who,
            _time(session, f"came_at_{name}") or session.starts_at,
            (_time(session, f"left_at_{name}") or session.ends_at) if f"left_{name}" in request.form else None,
        )
        for who, name in wanted
    ]


def _time(session: Session, field: str) -> datetime | None:
    text = request.form.get(field, "").strip()
    if not text:
        return None
    try:
        given = time.fromisoformat(text)
    except ValueError:
        raise BadPaper({"lines": [N_("时间请写成 14:30 的样子。")]}) from None
    return datetime.combine(clock.local(session.starts_at).date(), given.replace(tzinfo=None), clock.TIMEZONE)
