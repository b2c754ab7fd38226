"""Pages about a book's logs: in plain words for anybody, and the register of witnesses for administrators."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access.queries import actor_names
from moralbank.branches.queries import Branch, find_hub, list_branches
from moralbank.errors import N_, Conflict, Invalid
from moralbank.ledger import Book
from moralbank.logbook import queries, service
from moralbank.logbook.asking import ALARMING, Outcome
from moralbank.logbook.errors import WitnessKnown
from moralbank.logbook.queries import Round, Standing, Witness
from moralbank.logbook.schemas import PolicyForm, WitnessForm
from moralbank.transparency import Log, LogKey
from moralbank.web import problems
from moralbank.web.auth import actor, allow, principal_or_none, public, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("logbook", __name__, url_prefix="/log")

LOG_NAMES = {Log.LEDGER: N_("记账日志"), Log.ACCESS: N_("经办日志")}
OUTCOMES = {
    Outcome.SIGNED: N_("已签"),
    Outcome.AWAY: N_("没有应答，稍后再问"),
    Outcome.STRANGER: N_("还没登记这个日志的公钥"),
    Outcome.AHEAD: N_("签过更大的日志：账可能被倒回，马上追查"),
    Outcome.FORKED: N_("签过另一个日志：有两本账，马上追查"),
    Outcome.UNFIT: N_("答复里没有它的有效签名"),
}

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """One log as the page shows it."""

    log: Log
    name: str
    prefix: str
    standing: Standing | None
    keys: tuple[LogKey, ...]


@blueprint.get("")
@public
def show_books() -> str:
    """List the books, each with its logs."""
    with database().reading() as db:
        books = ledger.list_books(db)
        hubs = {branch.book_id: branch for branch in list_branches(db) if branch.kind == "hub"}
    return render_template("logbook/books.html", books=books, hubs=hubs)


@blueprint.get("/<book>")
@public
def show(book: str) -> str:
    """Say in plain words what the logs are, who signed them last, and how to check them."""
    with database().reading() as db:
        found = queries.get_book(db, book)
        hub = find_hub(db, found.book_id)
        shown = [
            Shown(
                log,
                _(LOG_NAMES[log]),
                f"/log/{found.code}" + ("/access" if log is Log.ACCESS else ""),
                queries.find_standing(db, found.book_id, log),
                tuple(queries.list_keys(db, found.book_id, log)),
            )
            for log in Log
        ]
        witnesses = queries.list_witnesses(db, found.book_id)
        retired = queries.list_witnesses(db, found.book_id, retired=True)
        policy = queries.policy_of(db, found.book_id)
    return render_template(
        "logbook/show.html",
        book=found,
        hub=hub,
        logs=shown,
        ledger_log=shown[0],
        witnesses=witnesses,
        retired=retired,
        policy=policy,
        all_local=bool(witnesses) and all(witness.is_local for witness in witnesses),
        may_manage=_may_manage(hub),
    )


@blueprint.get("/<book>/witnesses")
@allow("admin", scope="book")
def witnesses(book: str) -> Answer:
    """Show the register of witnesses, how asking them goes, and the policy."""
    return _register(*_managed(book))


@blueprint.post("/<book>/witnesses")
@allow("admin", scope="book")
def add_witness(book: str) -> Answer:
    """Register a witness."""
    found, hub = _managed(book)
    try:
        given = read_form(WitnessForm)
        added = database().transact(
            service.add_witness, found.book_id, given["verifier_key"], given["title"], given["url"], actor=actor()
        )
    except (Invalid, WitnessKnown) as refusal:
        errors = in_words(refusal) or {"verifier_key": [problems.sentence(refusal)]}
        return _register(found, hub, request.form.to_dict(), errors), refusal.status
    flash(_("已登记见证人%(title)s。", title=added.title), "ok")
    return redirect(url_for("logbook.witnesses", book=found.code), 303)


@blueprint.post("/<book>/witnesses/<int:witness_id>/retire")
@allow("admin", scope="book")
def retire_witness(book: str, witness_id: int) -> Answer:
    """Let a witness go; what it signed stays."""
    found, _hub = _managed(book)
    gone = database().transact(service.retire_witness, found.book_id, witness_id, actor=actor())
    flash(_("已停用见证人%(title)s，它签过的都保留。", title=gone.title), "ok")
    return redirect(url_for("logbook.witnesses", book=found.code), 303)


@blueprint.post("/<book>/policy")
@allow("admin", scope="book")
def set_policy(book: str) -> Answer:
    """Say how many witnesses must have signed."""
    found, hub = _managed(book)
    try:
        policy = database().transact(service.set_policy, found.book_id, read_form(PolicyForm)["needed"], actor=actor())
    except (Invalid, Conflict) as refusal:
        errors = in_words(refusal) or {"needed": [problems.sentence(refusal)]}
        return _register(found, hub, {}, errors), refusal.status
    flash(_("见证规则：%(n)s 家里要有 %(k)s 家签名。", n=len(policy.keys), k=policy.needed), "ok")
    return redirect(url_for("logbook.witnesses", book=found.code), 303)


@blueprint.app_template_global("outcome_word")
def outcome_word(outcome: str) -> str:
    """Return what asking a witness came to, in the reader's language."""
    return _(OUTCOMES[Outcome(outcome)])


def _register(
    book: Book, hub: Branch | None, given: dict[str, str] | None = None, errors: dict[str, list[str]] | None = None
) -> str:
    with database().reading() as db:
        in_office = queries.list_witnesses(db, book.book_id)
        retired = queries.list_witnesses(db, book.book_id, retired=True)
        rounds = queries.list_rounds(db, [witness.witness_id for witness in in_office])
        policy = queries.policy_of(db, book.book_id)
        keys = {_(LOG_NAMES[log]): queries.list_keys(db, book.book_id, log) for log in Log}
        names = actor_names(db, {witness.added_by for witness in [*in_office, *retired]})
    return render_template(
        "logbook/witnesses.html",
        book=book,
        hub=hub,
        witnesses=in_office,
        retired=retired,
        rounds=_by_witness(in_office, rounds),
        alarming=[
            witness
            for witness in in_office
            for log in Log
            if (last := rounds.get((witness.witness_id, log))) and last.outcome in ALARMING
        ],
        policy=policy,
        keys=keys,
        names=names,
        given=given or {},
        errors=errors or {},
    )


def _by_witness(
    witnesses: list[Witness], rounds: dict[tuple[int, Log], Round]
) -> dict[int, list[tuple[str, Round | None]]]:
    return {
        witness.witness_id: [(_(LOG_NAMES[log]), rounds.get((witness.witness_id, log))) for log in Log]
        for witness in witnesses
    }


def _managed(code: str) -> tuple[Book, Branch | None]:
    """Return a book whose hub the administrator looks after.

    Raises (in the order checked): UnknownLogBook, OutOfScope.
    """
    with database().reading() as db:
        book = queries.get_book(db, code)
        hub = find_hub(db, book.book_id)
    within(hub.branch_id if hub else None)
    return book, hub


def _may_manage(hub: Branch | None) -> bool:
    principal = principal_or_none()
    return principal is not None and principal.covers(hub.path if hub else "/", "admin")
