"""The page behind a seal: anybody who has a slip sees whether its line is in the book that was signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, current_app, render_template, url_for
from sqlalchemy import Connection

from moralbank.branches.queries import find_hub
from moralbank.config import Config
from moralbank.errors import MoralBankError
from moralbank.ledger import Book
from moralbank.proofs import queries, wording
from moralbank.proofs.errors import UnknownProofEntry
from moralbank.proofs.values import Seal, Trust
from moralbank.transparency import proof as proofs
from moralbank.transparency.cosignature import NO_WITNESSES
from moralbank.web.auth import public
from moralbank.web.db import database

blueprint = Blueprint("proofs", __name__, url_prefix="/log")

#: A sealed line's proof never changes, but a later checkpoint may have more signatures.
_MINUTE = "public, max-age=60"


@dataclass(frozen=True, slots=True)
class _Found:
    book: Book
    seal: Seal
    trust: Trust | None
    proof: proofs.Proof | None


@blueprint.get("/<book_code>/entries/<entry>")
@public
def entry(book_code: str, entry: str) -> str:
    """Show what is proven of one entry: hashes, and who signed. Nothing of its content."""
    with database().reading() as db:
        found = _find(db, book_code, entry)
        hub = find_hub(db, found.book.book_id)
    return render_template(
        "proofs/entry.html",
        book=found.book,
        hub=hub,
        seal=found.seal,
        fails=_fails(found),
        said=_said(found),
        file=url_for(".proof_file", book_code=book_code, entry=entry),
        wording=wording,
    )


@blueprint.get("/<book_code>/entries/<entry>.tlog-proof")
@public
def proof_file(book_code: str, entry: str) -> Response:
    """Give the proof that the page shows, with the checkpoint that enough offices signed, as other programs read it."""
    with database().reading() as db:
        found = _find(db, book_code, entry)
    if found.proof is None:
        return Response(status=425, headers={"Retry-After": "60"})
    answer = Response(found.proof.encode(), mimetype="text/plain")
    answer.headers["Cache-Control"] = _MINUTE
    return answer


def _find(db: Connection, book_code: str, entry: str) -> _Found:
    book = queries.find_book(db, book_code)
    if book is None:
        raise UnknownProofEntry
    try:
        entry_id = UUID(hex=entry)
    except ValueError:
        raise UnknownProofEntry from None
    seal = queries.seal_of(db, book, entry_id, public_url())
    return _Found(book, seal, queries.trust_of(db, book.book_id), queries.proof_of(db, book.book_id, seal))


def public_url() -> str:
    """Return the address under which residents reach the service."""
    config: Config = current_app.config["MORALBANK"]
    return config.public_url


def _fails(found: _Found) -> bool:
    """Check on the service what the reader's browser checks again."""
    if found.proof is None or found.trust is None or found.seal.signed is None:
        return False
    origin = found.trust.origin_at(found.seal.signed.checkpoint.size)
    try:
        # How many offices must have signed is said by the page in words, so that a line that only the bank has signed
        # has a page too.
        proofs.verify(found.proof, found.seal.leaf_hash, origin, found.trust.keys, NO_WITNESSES)
    except MoralBankError:
        return True
    return False


def _said(found: _Found) -> str:
    """Return what the browser holds against what it downloads, as JSON."""
    if found.trust is None or found.seal.signed is None:
        return "{}"
    said = {
        "leaf": found.seal.hash_text,
        "offices": len(found.seal.signed.offices),
        **trusted(found.trust, found.seal.signed.checkpoint.size),
    }
    return json.dumps(said)


def trusted(trust: Trust, size: int) -> dict[str, object]:
    """Return whose signatures below a checkpoint of this size count, as the page's script takes it."""
    return {
        "origin": trust.origin_at(size),
        "keys": [str(key) for key in trust.keys],
        "witnesses": [str(key) for key in trust.policy.keys],
    }
