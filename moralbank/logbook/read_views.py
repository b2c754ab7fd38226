"""What programs read of a book's logs: checkpoints, tiles, proofs, keys. Public save for the leaves themselves.

Source: C2SP tlog-tiles for the addresses below a log's own, /log/<book> and /log/<book>/access.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec
from uuid import UUID

from flask import Blueprint, Response, g, jsonify, make_response, request
from sqlalchemy.engine import Connection
from werkzeug.wrappers import Response as WsgiResponse

from moralbank.branches.queries import find_hub
from moralbank.errors import MoralBankError
from moralbank.ledger import Book
from moralbank.logbook import queries
from moralbank.transparency import Log, note
from moralbank.web import problems
from moralbank.web.auth import allow, public, within
from moralbank.web.db import database

blueprint = Blueprint("log", __name__, url_prefix="/log/<book>")

P = ParamSpec("P")
TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
#: A checkpoint is replaced every few seconds; what lies below one never is.
FRESH = "public, max-age=2"
FOR_GOOD = "public, max-age=31536000, immutable"
#: A later checkpoint has the same proof in other words, with more cosignatures.
A_WHILE = "public, max-age=10"
_LOGS = ((Log.LEDGER, ""), (Log.ACCESS, "/access"))
#: Who may read leaves: they name accounts.
READERS = ("staff", "auditor")

Read = Callable[[Connection, Book, Log], WsgiResponse]


def _both(rule: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Serve a view below both logs of a book: it is told which by `log`."""

    def bound(view: Callable[..., Any], log: Log) -> Callable[..., Any]:
        @wraps(view)
        def told(**given: Any) -> Any:
            return view(log=log, **given)

        return told

    def route(view: Callable[..., Any]) -> Callable[..., Any]:
        for log, prefix in _LOGS:
            endpoint = view.__name__ if log is Log.LEDGER else f"access_{view.__name__}"
            blueprint.add_url_rule(f"{prefix}{rule}", endpoint, bound(view, log), methods=["GET"])
        return view

    return route


def _open(view: Callable[P, Response]) -> Callable[P, Response]:
    """Answer so that pages and tools of others may read it, and only what changed is sent again."""

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
        response = view(*args, **kwargs)
        response.add_etag()
        response.make_conditional(request)
        return response

    return answer


@_both("/checkpoint")
@public
@_open
def checkpoint(book: str, log: Log) -> Response:
    """Show the latest checkpoint with all cosignatures on it."""
    with database().reading() as db:
        found = queries.get_standing(db, queries.get_book(db, book).book_id, log)
    return _text(found.checkpoint.note, FRESH)


@_both("/checkpoint/<int:size>")
@public
@_open
def checkpoint_of(book: str, log: Log, size: int) -> Response:
    """Show an earlier checkpoint, with the cosignatures that it has by now."""
    with database().reading() as db:
        found = queries.get_checkpoint(db, queries.get_book(db, book).book_id, log, size)
    return _text(found.note, A_WHILE)


@_both("/tile/<path:place>")
@public
@_open
def tile(book: str, log: Log, place: str) -> Response:
    """Show a tile of hashes."""
    with database().reading() as db:
        content = queries.read_tile(db, queries.get_book(db, book).book_id, log, f"tile/{place}")
    return _octets(content, FOR_GOOD)


@_both("/tile/entries/<path:place>")
@allow(*READERS, scope="book")
@_open
def bundle(book: str, log: Log, place: str) -> Response:
    """Show a bundle of leaves as they were stored, to those who may read every line of the book."""
    with database().reading() as db:
        hub = find_hub(db, queries.get_book(db, book).book_id)
    within(hub.branch_id if hub else None)
    with database().reading() as db:
        content = queries.read_bundle(db, queries.get_book(db, book).book_id, log, f"tile/entries/{place}")
    return _octets(content, "private, max-age=3600")


@blueprint.get("/entries/<uuid:entry_id>/proof")
@public
@_open
def entry_proof(book: str, entry_id: UUID) -> Response:
    """Prove that an entry is in the book: its number is all that is needed, and nothing of it is shown."""
    with database().reading() as db:
        found = queries.prove_entry(db, queries.get_book(db, book).book_id, entry_id)
    return _proof(found.encode(), f"{entry_id}.tlog-proof")


@_both("/facts/<int:no>/proof")
@public
@_open
def fact_proof(book: str, log: Log, no: int) -> Response:
    """Prove that a fact (a day's seal, a deed) of this number is in its log."""
    with database().reading() as db:
        found = queries.prove_fact(db, queries.get_book(db, book).book_id, log, no)
    return _proof(found.encode(), f"fact-{no}.tlog-proof")


@_both("/consistency/<int:old>/<int:new>")
@public
@_open
def consistency(book: str, log: Log, old: int, new: int) -> Response:
    """Prove that the log of one size is a beginning of the log of another: one hash a line, or JSON if asked for."""
    with database().reading() as db:
        path = queries.consistency(db, queries.get_book(db, book).book_id, log, old, new)
    hashes = [note.encode64(step) for step in path]
    if request.accept_mimetypes.best_match(["text/plain", "application/json"]) == "application/json":
        response = jsonify(old=old, new=new, hashes=hashes)
    else:
        response = _text("".join(f"{each}\n" for each in hashes).encode(), FOR_GOOD)
    response.vary.add("Accept")
    response.headers["Cache-Control"] = FOR_GOOD
    return response


@_both("/keys")
@public
@_open
def keys(book: str, log: Log) -> Response:
    """List the log's own verifier keys, one a line, each with the time for which it signs."""
    with database().reading() as db:
        found = queries.list_keys(db, queries.get_book(db, book).book_id, log)
    lines = []
    for key in found:
        until = f"{key.valid_until:%Y-%m-%dT%H:%M:%SZ}" if key.valid_until else "-"
        lines.append(f"{key.text} {key.valid_from:%Y-%m-%dT%H:%M:%SZ} {until}\n")
    return _text("".join(lines).encode(), A_WHILE)


@_both("/policy")
@public
@_open
def policy(book: str, log: Log) -> Response:
    """Show whose signatures a checkpoint must have, as a tlog-policy file."""
    with database().reading() as db:
        text = queries.policy_text(db, queries.get_book(db, book).book_id, log)
    return _text(text.encode(), A_WHILE)


@blueprint.errorhandler(MoralBankError)
def refuse(error: MoralBankError) -> Response:
    """Say a refusal as its reader takes it: a page to a browser, problem details if asked for, else a line of text."""
    kinds = ["text/plain", "text/html", "application/problem+json", "application/json"]
    kind = request.accept_mimetypes.best_match(kinds, "text/plain")
    if kind == "text/html":
        return problems.answer(error)
    if kind == "text/plain":
        response = make_response(f"{error.code}: {problems.sentence(error)}\n", error.status)
        response.content_type = TEXT
    else:
        response = jsonify(problems.problem(error))
        response.status_code, response.content_type = error.status, "application/problem+json"
    problems.say_when(error, response)
    response.vary.update(("Accept", "Accept-Language", "Cookie"))
    return response


@blueprint.after_request
def _let_others_read(response: Response) -> Response:
    """Let pages of other origins read what is public; what is not has "private" or a sign-in before it."""
    g.is_for_everybody = bool(response.cache_control.public)
    if not response.cache_control.private:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "ETag, Retry-After"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _octets(content: bytes, caching: str) -> Response:
    response = make_response(content)
    response.content_type = OCTETS
    response.headers["Cache-Control"] = caching
    return response


def _text(content: bytes, caching: str) -> Response:
    response = make_response(content)
    response.content_type = TEXT
    response.headers["Cache-Control"] = caching
    return response


def _proof(content: bytes, name: str) -> Response:
    response = _text(content, A_WHILE)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
