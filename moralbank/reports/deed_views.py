"""The auditor's page of deeds: who came in, who looked at whom and why, what was changed, approved and taken out."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from moralbank.access import deed_queries
from moralbank.access import queries as access
from moralbank.access.deed_queries import DeedLine
from moralbank.access.wording import ABOUT, DEED_KINDS, REASONS
from moralbank.errors import Invalid
from moralbank.reports import queries
from moralbank.reports.errors import UnknownHolder
from moralbank.reports.schemas import DeedPage
from moralbank.reports.views import read_query
from moralbank.residents.queries import residents_by_id
from moralbank.web import problems
from moralbank.web.auth import allow, scope_paths
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("deeds", __name__, url_prefix="/audit/deeds")


@blueprint.get("")
@allow("auditor", "admin", scope="book")
def show() -> str | tuple[str, int]:
    """Show the deeds that the URL's filters let through, newest first; names are masked."""
    asked, errors = read_query(DeedPage)
    lines: list[DeedLine] = []
    count = 0
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.choose(reaches, asked["book"])
        try:
            if not errors:
                which = queries.deed_filter(db, reach, asked)
                book = reach.book.book_id
                count = deed_queries.count_deeds(db, book, which)
                lines = deed_queries.list_deeds(db, book, which, before_id=asked["before"], limit=queries.PAGE + 1)
        except UnknownHolder as refusal:
            errors = {"holder": [problems.sentence(refusal)]}
        page = lines[: queries.PAGE]
        people = residents_by_id(db, {line.resident_id for line in page if line.resident_id is not None})
        names = access.actor_names(db, {line.actor for line in page})
    args = {name: text for name, text in request.args.to_dict().items() if text and name != "before"}
    shown = render_template(
        "reports/deeds.html",
        reaches=reaches,
        reach=reach,
        asked=request.args,
        errors=errors,
        lines=page,
        count=count,
        people=people,
        names=names,
        places={branch.branch_id: branch for branch in reach.branches},
        kinds=DEED_KINDS,
        reasons=REASONS,
        filtered={name for name in args if name != "book"},
        next_url=url_for(".show", **args, before=page[-1].deed_id) if len(lines) > queries.PAGE else None,
        first_url=url_for(".show", **args) if asked["before"] else None,
    )
    return (shown, Invalid.status) if errors else shown


@blueprint.app_template_filter("about_words")
def about_words(about: str) -> str:
    """Return what a deed is about in words: "场次 12"."""
    word, _colon, rest = about.partition(":")
    return f"{_(ABOUT[word])} {rest}".strip() if word in ABOUT else about
