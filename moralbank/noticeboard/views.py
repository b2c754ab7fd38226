"""What hangs on the wall: the days of each book, the sheet of a day, and the page on which anybody checks it."""

from __future__ import annotations

from datetime import date
from typing import Any

import segno
from flask import Blueprint, current_app, render_template, request, url_for
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import service as access
from moralbank.branches.queries import find_hub
from moralbank.config import Config
from moralbank.errors import Invalid, MoralBankError
from moralbank.ledger import Book, list_books
from moralbank.noticeboard import checking, queries, sheets
from moralbank.noticeboard.errors import NoSheet, UnknownBoard
from moralbank.noticeboard.schemas import CheckForm
from moralbank.proofs.queries import find_book
from moralbank.transparency import board
from moralbank.web import problems
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form

blueprint = Blueprint("noticeboard", __name__, url_prefix="/board")


@blueprint.get("")
@public
def books() -> str:
    """List the books and the last sheet of each."""
    with database().reading() as db:
        found = [(book, find_hub(db, book.book_id), queries.latest_day(db, book.book_id)) for book in list_books(db)]
    return render_template("noticeboard/books.html", books=found)


@blueprint.get("/<code>")
@public
def days(code: str) -> str:
    """List the days of a book, latest first."""
    before = _day_or_none(request.args.get("before", ""))
    with database().reading() as db:
        book = _book(db, code)
        found = queries.list_days(db, book.book_id, before)
        hub = find_hub(db, book.book_id)
    older = url_for(".days", code=code, before=found[-1].day) if len(found) == queries.PAGE else None
    newest = url_for(".days", code=code) if before else None
    return render_template("noticeboard/days.html", book=book, hub=hub, days=found, older=older, newest=newest)


@blueprint.get("/<code>/<day>")
@public
def sheet(code: str, day: str) -> str:
    """Show the sheet of a day, made to be printed and hung up."""
    on = _day_or_none(day)
    with database().reading() as db:
        book = _book(db, code)
        if on is None:
            raise NoSheet(day=day)
        found = sheets.get_sheet(db, book, on)
        hub = find_hub(db, book.book_id)
    root = found.signed.checkpoint.root
    return render_template(
        "noticeboard/sheet.html",
        sheet=found,
        hub=hub,
        characters=board.groups(board.spell(root)),
        hex_groups=board.groups(root.hex()),
        picture=_picture(root),
        signed_at=f"{clock.local(found.signed.checkpoint.signed_at):%Y-%m-%d %H:%M}",
        check_url=_public_url() + url_for(".check"),
    )


@blueprint.get("/check")
@public
def check() -> str:
    """Show the form into which the characters are typed."""
    return _page(request.args)


@blueprint.post("/check")
@public
def checked() -> str | tuple[str, int]:
    """Say in one sentence whether what was typed is in the book."""
    try:
        form = read_form(CheckForm)
    except Invalid as refusal:
        return _page(request.form, errors=in_words(refusal)), refusal.status
    try:
        database().transact(access.count_request, "board", request.remote_addr or "unknown")
        with database().reading() as db:
            book = _book(db, form["book"])
            answer = checking.check(db, book, form.get("size") or form["day"], form["typed"])
    except MoralBankError as refusal:
        return _page(request.form, refusal=problems.sentence(refusal)), refusal.status
    return _page(request.form, answer=answer, book=book)


def _page(given: Any, **said: Any) -> str:
    with database().reading() as db:
        known = [(book, find_hub(db, book.book_id)) for book in list_books(db)]
    errors = said.pop("errors", None)
    return render_template("noticeboard/check.html", given=given, books=known, errors=errors, said=said)


def _book(db: Connection, code: str) -> Book:
    book = find_book(db, code)
    if book is None:
        raise UnknownBoard(book=code)
    return book


def _day_or_none(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _picture(root: bytes) -> str:
    """Return the root as a QR code that bears a quarter of damage: paper on a wall suffers."""
    code = segno.make(root.hex().upper(), mode="alphanumeric", error="q", boost_error=False)
    svg: str = code.svg_inline(border=4, omitsize=True)
    return svg


def _public_url() -> str:
    config: Config = current_app.config["MORALBANK"]
    return config.public_url
