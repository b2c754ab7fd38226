"""What anybody sees of public notices while they are up: a page, a sheet, a big screen, a text, and the data."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from sqlalchemy import Connection

from moralbank.branches.queries import Branch, find_branch, get_branch, list_branches
from moralbank.branches.views import branch_name
from moralbank.disclosure import queries, wording
from moralbank.disclosure.errors import UnknownNotice
from moralbank.disclosure.queries import Notice
from moralbank.disclosure.values import Kind, Row
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("notices", __name__, url_prefix="/notices")

#: Rows on one page of the big screen, to be read from a few metres, and for how long it stands.
SCREEN_ROWS = 8
SCREEN_SECONDS = 15
SIZES = ("a4", "a3")


@blueprint.app_template_global("notice_word")
def notice_word(what: str, value: Any) -> str:
    """Return what something of a notice is called in the reader's language."""
    if what == "band":
        return wording.band_word(value)
    if what == "period":
        return wording.period_word(value)
    names: dict[Any, str] = {
        "kind": wording.KINDS,
        "state": wording.STATES,
        "objection": wording.OBJECTION_STATES,
        "about": wording.ABOUT,
    }[what]  # type: ignore[assignment]
    return _(names[value])


@blueprint.after_request
def keep_from_search_engines(response: Response) -> Response:
    """A notice is for the neighbours and for its days; nobody else is to keep it."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("")
@public
def show_all() -> str:
    """List what is up, by branch."""
    with database().reading() as db:
        found = queries.list_public(db)
        places = {branch.branch_id: branch for branch in list_branches(db)}
    return render_template("disclosure/public_list.html", notices=found, places=places)


@blueprint.get("/<int:notice_id>")
@public
def show(notice_id: int) -> str:
    """Show a notice."""
    return render_template("disclosure/notice.html", **_shown(notice_id))


@blueprint.get("/<int:notice_id>/sheet")
@public
def sheet(notice_id: int) -> str:
    """Show a notice as a sheet for the wall, with the day on which it is to be taken down."""
    size = request.args.get("size", "a4")
    return render_template("disclosure/sheet.html", size=size if size in SIZES else "a4", **_shown(notice_id))


@blueprint.get("/<int:notice_id>.txt")
@public
def text(notice_id: int) -> Response:
    """Give a notice as a text to be read out."""
    shown = _shown(notice_id)
    said = wording.read_out(shown["notice"], shown["rows"], branch_name(shown["branch"]))
    answer = make_response(said)
    answer.mimetype = "text/plain"
    return answer


@blueprint.get("/<int:notice_id>.json")
@public
def data(notice_id: int) -> Response:
    """Give a notice as it is stored: content, its SHA-256, and the rows whose hashes it holds.

    Shape: {content, hash, rows: [{number, shown, salt}]}; SHA-256 of a row's salt and shown is content.named[number-1].
    """
    shown = _shown(notice_id)
    notice: Notice = shown["notice"]
    rows = [{"number": row.number, "shown": row.shown, "salt": row.salt.hex()} for row in shown["rows"]]
    said = {"content": notice.content, "hash": notice.content_hash.hex(), "rows": rows}
    answer = make_response(json.dumps(said, ensure_ascii=False))
    answer.mimetype = "application/json"
    return answer


@blueprint.get("/screen/<branch_code>")
@public
def screen(branch_code: str) -> Response:
    """Show what is up at a branch on a big screen that turns its pages by itself."""
    with database().reading() as db:
        branch = find_branch(db, branch_code)
        if branch is None:
            raise UnknownNotice()
        pages = [page for notice in queries.list_public(db, [branch.branch_id]) for page in _pages(db, notice)]
    number = request.args.get("page", "1")
    at = (int(number) - 1) % len(pages) if pages and number.isdecimal() and len(number) < 6 else 0
    following = url_for(".screen", branch_code=branch_code, page=(at + 1) % len(pages) + 1 if pages else 1)
    page = render_template(
        "disclosure/screen.html",
        branch=branch,
        page=pages[at] if pages else None,
        number=at + 1,
        count=len(pages),
    )
    answer = make_response(page)
    # The browser turns the page by itself, with scripts and without.
    answer.headers["Refresh"] = f"{SCREEN_SECONDS if pages else 60}; url={following}"
    return answer


def _pages(db: Connection, notice: Notice) -> list[dict[str, Any]]:
    """Return the screen's pages of a notice."""
    rows = queries.list_shown(db, notice.notice_id)
    if notice.told.get("is_small"):
        return [{"notice": notice, "told": notice.told, "part": "small", "rows": []}]
    if notice.kind is Kind.LIST:
        found = [
            {"notice": notice, "told": notice.told, "part": "named", "rows": rows[start : start + SCREEN_ROWS]}
            for start in range(0, len(rows), SCREEN_ROWS)
        ]
        return found or [{"notice": notice, "told": notice.told, "part": "named", "rows": []}]
    told = notice.told["activities"]
    pages: list[dict[str, Any]] = [{"notice": notice, "told": notice.told, "part": "figures", "rows": []}]
    return pages + [
        {"notice": notice, "told": notice.told, "part": "activities", "rows": told[start : start + SCREEN_ROWS]}
        for start in range(0, len(told), SCREEN_ROWS)
    ]


def _shown(notice_id: int) -> dict[str, Any]:
    with database().reading() as db:
        notice = queries.get_public(db, notice_id)
        rows: list[Row] = queries.list_shown(db, notice_id)
        branch: Branch = get_branch(db, notice.branch_id)
    return {"notice": notice, "told": notice.told, "rows": rows, "branch": branch}
