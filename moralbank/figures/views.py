"""The public pages of figures, and the same as files. Nothing is computed here: months are read as they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, make_response, render_template
from sqlalchemy import Connection

from moralbank.branches.queries import Branch, find_branch, list_branches
from moralbank.figures import queries
from moralbank.figures.charts import bars
from moralbank.figures.errors import NoFigures
from moralbank.figures.values import BY_NAME, CHARTED, FIGURES, GRADES, MonthFigures
from moralbank.web import filters
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.sheets import Cell, csv_response

blueprint = Blueprint("figures", __name__, url_prefix="/figures")

#: A month changes nothing any more, so whoever stands between may keep an answer for a while.
KEPT_SECONDS = 300


@blueprint.get("")
@public
def show_all() -> str:
    """Show every branch's latest month."""
    with database().reading() as db:
        latest = {one.branch_id: one for one in queries.list_latest(db)}
        places = [branch for branch in list_branches(db) if branch.branch_id in latest]
    return render_template("figures/list.html", places=places, latest=latest)


@blueprint.get("/dictionary")
@public
def dictionary() -> str:
    """Say what each figure is, for whoever uses the files."""
    return render_template("figures/dictionary.html", figures=FIGURES)


@blueprint.get("/dictionary.csv")
@public
def dictionary_csv() -> Response:
    """Give the data dictionary as a file."""
    rows: list[Sequence[Cell]] = [("column", "label", "meaning", "unit")]
    rows += [("branch", _("网点"), _("网点的编号，见 branch_name"), ""), ("branch_name", _("网点名称"), "", "")]
    rows += [("month", _("月份"), _("年-月"), "")]
    rows += [(one.name, _(one.label), _(one.meaning), _(one.unit)) for one in FIGURES]
    rows += [("computed_at", _("计算时间"), "", ""), ("checkpoints", _("检查点"), _("账簿:大小:树根"), "")]
    return csv_response(rows, "dictionary.csv")


@blueprint.get("/all.csv")
@public
def all_csv() -> Response:
    """Give every month of every branch as one file."""
    with database().reading() as db:
        names = {branch.branch_id: branch for branch in list_branches(db)}
        found = queries.list_all(db)
    return csv_response(_rows(found, names), "figures.csv")


@blueprint.get("/<code>")
@public
def show(code: str) -> str:
    """Show a branch month by month."""
    with database().reading() as db:
        branch, found = _branch(db, code)
        above = [one for one in list_branches(db) if branch.path.startswith(one.path) and one != branch]
        below = [one for one in list_branches(db, branch.branch_id) if one.parent_id == branch.branch_id]
    oldest_first = found[::-1]
    return render_template(
        "figures/show.html",
        branch=branch,
        above=above,
        below=below,
        months=found,
        figures=FIGURES,
        grades=[BY_NAME[name] for name in GRADES],
        charts=[(BY_NAME[name], _chart(name, oldest_first)) for name in CHARTED],
    )


@blueprint.get("/<code>.json")
@public
def data(code: str) -> Response:
    """Give a branch's months as JSON."""
    with database().reading() as db:
        branch, _found = _branch(db, code)
        found = queries.list_months(db, branch.branch_id, limit=None)
    said = {
        "branch": {"code": branch.code, "name_zh": branch.name_zh, "name_en": branch.name_en, "kind": branch.kind},
        "months": [
            {
                "month": f"{one.month_on:%Y-%m}",
                "figures": dict(one.told),
                "computed_at": one.computed_at.isoformat(),
                "checkpoints": [{"book": at.book, "size": at.size, "root": at.root} for at in one.checkpoints],
            }
            for one in found
        ],
    }
    answer = make_response(json.dumps(said, ensure_ascii=False))
    answer.mimetype = "application/json"
    return answer


@blueprint.get("/<code>.csv")
@public
def csv(code: str) -> Response:
    """Give a branch's months as a file."""
    with database().reading() as db:
        branch, _found = _branch(db, code)
        found = queries.list_months(db, branch.branch_id, limit=None)
    return csv_response(_rows(found[::-1], {branch.branch_id: branch}), f"figures-{branch.code}.csv")


def _rows(found: Sequence[MonthFigures], names: dict[int, Branch]) -> Iterator[Sequence[Cell]]:
    yield ("branch", "branch_name", "month", *(one.name for one in FIGURES), "computed_at", "checkpoints")
    for one in found:
        branch = names[one.branch_id]
        at = " ".join(f"{point.book}:{point.size}:{point.root}" for point in one.checkpoints)
        told = [one.told.get(figure.name) for figure in FIGURES]
        yield (branch.code, branch.name_zh, f"{one.month_on:%Y-%m}", *told, one.computed_at, at)


def _branch(db: Connection, code: str) -> tuple[Branch, list[MonthFigures]]:
    branch = find_branch(db, code)
    found = queries.list_months(db, branch.branch_id) if branch is not None else []
    if branch is None or not found:
        raise NoFigures()
    return branch, found


def _chart(name: str, found: Sequence[MonthFigures]) -> Any:
    values = [one.told.get(name) for one in found]
    labels = [f"{one.month_on:%y-%m}" for one in found]
    last = next((value for value in reversed(values) if value is not None), None)
    title = _(BY_NAME[name].label)
    said = _("%(n)s 个月，最近 %(last)s", n=len(found), last="–" if last is None else filters.figure(last))
    return bars(labels, values, title, said)


@blueprint.after_request
def let_it_be_kept(response: Response) -> Response:
    """Months stand as they are; what is between may keep files for a while, pages differ by language and login."""
    if response.status_code == 200 and response.mimetype in ("application/json", "text/csv"):
        response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    return response
