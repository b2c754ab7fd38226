"""Pages of the audit explorer: entries, accounts, trial balance, verification, files. They write nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import marshmallow as ma
from flask import Blueprint, Response, current_app, render_template, request, stream_with_context, url_for
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.access.deeds import Kind, Reason
from moralbank.access.errors import OutOfScope
from moralbank.approvals.queries import REVERSIBLE
from moralbank.errors import Invalid
from moralbank.findings import Finding
from moralbank.ledger import GRADES, AccountKind, Entry, EntryFilter, Unit
from moralbank.redemptions.queries import sold_by_entry
from moralbank.reports import beside, evidence, exports, nightly, queries
from moralbank.reports.beside import Besides
from moralbank.reports.errors import UnknownHolder
from moralbank.reports.evidence import Asked
from moralbank.reports.queries import Holder, Reach
from moralbank.reports.schemas import (
    UNITS,
    AccountPage,
    EntryPage,
    ExportFile,
    TrialPage,
    VerifyPage,
)
from moralbank.residents.queries import residents_by_account
from moralbank.statements.issued import list_issued
from moralbank.statements.values import ACCOUNT_WORDS, KIND_WORDS, about, place
from moralbank.transparency import Log
from moralbank.transparency import queries as transparency
from moralbank.transparency.signer_errors import REFUSED
from moralbank.transparency.verify import LogReport, verify_all
from moralbank.web import looking, problems
from moralbank.web.auth import allow, current, principal_or_none, scope_paths
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.sheets import csv_response, xlsx_response

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

#: Where an entry came from, when there is a page of it: endpoint, and the name of its parameter.
_SOURCES = {
    "attendance": ("staff_activities.session", "session_id"),
    "leading": ("staff_activities.session", "session_id"),
    "resident": ("residents.show", "resident_id"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as a row of the explorer."""

    entry: Entry
    givers: list[Holder]
    takers: list[Holder]
    points: int
    minutes: int
    about: str
    place: str


@blueprint.app_template_global("account_word")
def account_word(kind: AccountKind) -> str:
    """Return what a kind of account is called in the reader's language."""
    return _(ACCOUNT_WORDS[kind])


@blueprint.app_template_global("nightly_check")
def nightly_check(book: int) -> Finding | None:
    """Return what the last nightly verification of a book found."""
    return database().look(nightly.find_check, book)


def count_broken() -> int:
    """Return how many of the books that the reader watches over were found broken; 0 for whoever watches over none."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff", "auditor"):
        return 0
    return database().look(_count_broken, principal.paths("staff", "auditor"))


def _count_broken(db: Connection, paths: list[str]) -> int:
    broken = nightly.list_broken(db)
    return sum(1 for reach in queries.list_reaches(db, paths) if reach.book.book_id in broken) if broken else 0


@blueprint.app_template_global("book_options")
def book_options(reaches: list[Reach]) -> list[tuple[str, str]]:
    """Return the books to choose from, as a select takes them."""
    return [(reach.code, f"{reach.name} {reach.code}") for reach in reaches]


@blueprint.get("")
@allow("staff", "auditor", scope="book")
def explore() -> str | tuple[str, int]:
    """Show the entries that the URL's filters let through, newest first."""
    asked, errors = read_query(EntryPage)
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.choose(reaches, asked["book"])
        rows: list[Row] = []
        sums, last = None, None
        try:
            if not errors:
                which = queries.entry_filter(db, reach, asked)
                sums = ledger.sum_entries(db, reach.book.book_id, which)
                found = ledger.list_entries(
                    db, reach.book.book_id, which, before_seq=asked["before"], limit=queries.PAGE + 1
                )
                last = found[queries.PAGE - 1].seq if len(found) > queries.PAGE else None
                known = queries.holders_of(db, reach.book.book_id, found)
                rows = [_row(entry, known) for entry in found[: queries.PAGE]]
        except UnknownHolder as refusal:
            errors = {"holder": [problems.sentence(refusal)]}
    page = render_template(
        "reports/entries.html",
        reaches=reaches,
        reach=reach,
        asked=request.args,
        errors=errors,
        rows=rows,
        sums=sums,
        kinds=[(kind, _(word)) for kind, word in KIND_WORDS.items()],
        grades=sorted(GRADES),
        filtered=_args("before", "book"),
        next_url=_again(before=last) if last else None,
        first_url=_again(before=None) if asked["before"] else None,
        csv_url=url_for(".csv_file") + _query(_args("before")),
        xlsx_url=url_for(".xlsx_file") + _query(_args("before")),
    )
    return (page, Invalid.status) if errors else page


@blueprint.get("/entries/<book>/<uuid:entry_id>")
@allow("staff", "auditor", scope="book")
def entry(book: str, entry_id: UUID) -> str:
    """Show one entry whole: its legs, what it is about, where it came from, its leaf."""
    with database().reading() as db:
        reach = queries.choose(queries.list_reaches(db, scope_paths()), book)
        found = ledger.get_entry(db, reach.book.book_id, entry_id)
        if not reach.covers(found.branch):
            raise OutOfScope()
        known = queries.holders_of(db, reach.book.book_id, [found])
        sold = sold_by_entry(db, reach.book.book_id, [found.entry_id]).get(found.entry_id)
    charge_url = url_for("refunds.show_to_staff", charge_id=sold.charge_id) if sold else None
    leaf = bytes(found.leaf_bytes)
    return render_template(
        "reports/entry.html",
        reach=reach,
        entry=found,
        holders=known,
        branch=next((branch for branch in reach.branches if branch.branch_id == found.branch), None),
        about=about(found.private),
        place=place(found.private),
        source_url=_source_url(found),
        may_ask=current().has("staff") and found.reversed_by is None and found.kind in REVERSIBLE,
        charge_url=charge_url,
        leaf=leaf.decode(),
        pretty=json.dumps(json.loads(leaf), ensure_ascii=False, indent=2),
        leaf_hash=ledger.leaf_hash(leaf),
    )


@blueprint.get("/accounts/<int:account>")
@allow("staff", "auditor", scope="book")
def account(account: int) -> str | tuple[str, int]:
    """Show an account's balance, now and at an instant of choice, and its lines."""
    asked, errors = read_query(AccountPage)
    unit, at = UNITS[asked["unit"]], _local(asked["at"])
    with database().reading() as db:
        reach, found, holder = queries.find_account(db, queries.list_reaches(db, scope_paths()), account)
        book = reach.book.book_id
        now = {one: ledger.balance(db, book, account, one) for one in Unit}
        then = None
        if at is not None and at > clock.now():
            errors = {"at": [_("这个时间还没到，请选以前的。")]}
        elif at is not None:
            then = ledger.balance(db, book, account, unit, at)
        lines = ledger.history(db, book, account, unit, before_seq=asked["before"], limit=queries.PAGE + 1)
        people = residents_by_account(db, [account])
        issued = list_issued(db, book, account)
    for person in people.values():
        looking.look_at(person, Reason.AUDIT, about=f"account:{account}")
    page = render_template(
        "reports/account.html",
        reach=reach,
        account=found,
        issued=issued,
        holder=holder,
        asked=request.args,
        errors=errors,
        unit=asked["unit"],
        now=now,
        then=then,
        Unit=Unit,
        about=about,
        lines=lines[: queries.PAGE],
        next_url=_again(before=lines[queries.PAGE - 1].seq) if len(lines) > queries.PAGE else None,
        first_url=_again(before=None) if asked["before"] else None,
    )
    return (page, Invalid.status) if errors else page


@blueprint.get("/trial-balance")
@allow("staff", "auditor", scope="book")
def trial_balance() -> str | tuple[str, int]:
    """Show what every kind of account got and gave, and that it closes."""
    asked, errors = read_query(TrialPage)
    at = _local(asked["at"])
    if at is not None and at > clock.now():
        at, errors = None, {"at": [_("这个时间还没到，请选以前的。")]}
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.whole(queries.choose(reaches, asked["book"]))
        trial = queries.trial_balance(db, reach.book.book_id, at)
    page = render_template(
        "reports/trial_balance.html",
        reaches=reaches,
        reach=reach,
        asked=request.args,
        errors=errors,
        trial=trial,
        Unit=Unit,
    )
    return (page, Invalid.status) if errors else page


@blueprint.get("/verify")
@allow("staff", "auditor", scope="book")
def verify() -> str:
    """Say what verification checks; with run=1, do it and say what came out."""
    asked, _errors = read_query(VerifyPage)
    report, seconds = None, 0.0
    logs: list[LogReport] = []
    besides: Besides | None = None
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.whole(queries.choose(reaches, asked["book"]))
        refused = transparency.list_refusals(db, reach.book.book_id, open_only=True)
        latest = transparency.latest_checkpoint(db, reach.book.book_id, Log.LEDGER)
        if asked["run"]:
            begun = clock.now()
            report = ledger.verify(db, reach.book.book_id)
            logs = verify_all(db, reach.book.book_id)
            besides = beside.verify(db, reach.book.book_id)
            seconds = (clock.now() - begun).total_seconds()
        leaves = transparency.size(db, reach.book.book_id, Log.LEDGER)
    return render_template(
        "reports/verify.html",
        reaches=reaches,
        reach=reach,
        report=report,
        logs=logs,
        log_faults=sum(len(log.faults) for log in logs) + (len(besides.faults) if besides else 0),
        besides=besides,
        refused=refused,
        why=REFUSED,
        latest=latest,
        seconds=seconds,
        Unit=Unit,
        Log=Log,
        leaves=leaves,
        megabytes=max(1, leaves * evidence.BYTES_A_LEAF // 1_000_000),
    )


@blueprint.get("/export.zip")
@allow("staff", "auditor", scope="book")
def export_file() -> Response:
    """Give the whole book as one file that is checked offline; it is written down who took it."""
    asked, errors = read_query(ExportFile)
    if errors:
        raise Invalid(errors=errors)
    wanted = Asked(asked["since"], asked["openings"])
    with database().reading() as db:
        reach = queries.whole(queries.choose(queries.list_reaches(db, scope_paths()), asked["book"]))
        evidence.check(db, reach.book, wanted)
    about = "book:openings" if wanted.with_openings else "book"
    looking.note_many(Kind.EXPORT, None, about, book_id=reach.book.book_id)
    pieces = evidence.stream_from(database(), reach.book, wanted)
    response = Response(stream_with_context(pieces), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{reach.code}-{clock.today():%Y%m%d}.zip"'
    return response


@blueprint.get("/entries.csv")
@allow("staff", "auditor", scope="book")
def csv_file() -> Response:
    """Give the entries that the URL's filters let through as a CSV file."""
    reach, which = _chosen(exports.CSV_ENTRIES_MAX)
    looking.note_many(Kind.EXPORT, None, "entries", book_id=reach.book.book_id)
    return csv_response(exports.rows(database(), reach, which), f"entries-{reach.code}.csv")


@blueprint.get("/entries.xlsx")
@allow("staff", "auditor", scope="book")
def xlsx_file() -> Response:
    """Give the entries that the URL's filters let through as a workbook."""
    reach, which = _chosen(exports.XLSX_ENTRIES_MAX)
    looking.note_many(Kind.EXPORT, None, "entries", book_id=reach.book.book_id)
    return xlsx_response(exports.rows(database(), reach, which), f"entries-{reach.code}.xlsx", _("分录"))


def _chosen(limit: int) -> tuple[Reach, EntryFilter]:
    """Return what is to be exported. Raises: Invalid, UnknownBookCode, OutOfScope, UnknownHolder, ExportTooLarge."""
    asked, errors = read_query(EntryPage)
    if errors:
        raise Invalid(errors=errors)
    with database().reading() as db:
        reach = queries.choose(queries.list_reaches(db, scope_paths()), asked["book"])
        which = queries.entry_filter(db, reach, asked)
        exports.check_size(db, reach.book.book_id, which, limit)
    return reach, which


def read_query(schema: type[ma.Schema]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return what the URL asks, with defaults for what it says wrongly, and a sentence for each such field."""
    loader = schema(unknown=ma.EXCLUDE)
    given = {name: text.strip() for name, text in request.args.items() if text.strip()}
    try:
        return loader.load(given), {}
    except ma.ValidationError as error:
        wrong: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    loaded = loader.load({name: text for name, text in given.items() if name not in wrong})
    return loaded, {name: [_(text) for text in texts] for name, texts in wrong.items()}


def _row(entry: Entry, known: dict[int, Holder]) -> Row:
    return Row(
        entry=entry,
        givers=_sides(entry, known, -1),
        takers=_sides(entry, known, 1),
        points=queries.moved(entry.legs, Unit.POINTS),
        minutes=queries.moved(entry.legs, Unit.MINUTES),
        about=about(entry.private),
        place=place(entry.private),
    )


def _sides(entry: Entry, known: dict[int, Holder], sign: int) -> list[Holder]:
    """Return who gives (−1) or takes (1), each once; of the book's own accounts the first will do."""
    accounts = dict.fromkeys(leg.account for leg in entry.legs if leg.amount * sign > 0)
    found = [known[account] for account in accounts]
    return [holder for holder in found if holder.name] or found[:1]


def _source_url(entry: Entry) -> str | None:
    """Return the page of what an entry came from, where there is one that the reader may open."""
    if entry.source is None or entry.source[0] not in _SOURCES:
        return None
    endpoint, name = _SOURCES[entry.source[0]]
    if endpoint not in current_app.view_functions or not current().has("staff"):
        return None
    values: dict[str, Any] = {name: int(entry.source[1].partition(":")[0])}
    return url_for(endpoint, **values)


def _local(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=clock.TIMEZONE)


def _args(*without: str) -> dict[str, str]:
    return {name: text for name, text in request.args.items() if name not in without and text}


def _query(args: dict[str, str]) -> str:
    return f"?{urlencode(args)}" if args else ""


def _again(**changed: object) -> str:
    """Return this page's address with other parameters; None takes one out."""
    args = _args(*changed) | {name: str(value) for name, value in changed.items() if value is not None}
    return request.path + _query(args)
