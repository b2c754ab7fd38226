"""The page behind a seal: whoever has a slip, or was looked at, sees whether it is in the log that was signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, current_app, render_template, url_for
from sqlalchemy import Connection

from moralbank.branches.queries import Branch, find_hub
from moralbank.config import Config
from moralbank.errors import MoralBankError
from moralbank.ledger import Book
from moralbank.proofs import queries, wording
from moralbank.proofs.errors import UnknownProofDeed, UnknownProofEntry
from moralbank.proofs.values import Seal, Trust
from moralbank.transparency import Log
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
    return _page(wording.OF_ENTRY, found, hub, url_for(".proof_file", book_code=book_code, entry=entry))


@blueprint.get("/<book_code>/entries/<entry>.tlog-proof")
@public
def proof_file(book_code: str, entry: str) -> Response:
    """Give the proof that the page shows, with the checkpoint that enough offices signed, as other programs read it."""
    with database().reading() as db:
        found = _find(db, book_code, entry)
    return _file(found)


@blueprint.get("/<book_code>/access/deeds/<int:no>")
@public
def deed(book_code: str, no: int) -> str:
    """Show what is proven of one deed: hashes, and who signed. Nothing of who did it, to whom or why."""
    with database().reading() as db:
        found = _find_deed(db, book_code, no)
        hub = find_hub(db, found.book.book_id)
    return _page(wording.OF_DEED, found, hub, url_for(".deed_file", book_code=book_code, no=no))


@blueprint.get("/<book_code>/access/deeds/<int:no>.tlog-proof")
@public
def deed_file(book_code: str, no: int) -> Response:
    """Give the proof that the deed's page shows, as other programs read it."""
    with database().reading() as db:
        found = _find_deed(db, book_code, no)
    return _file(found)


def _page(words: dict[str, str], found: _Found, hub: Branch | None, file: str) -> str:
    return render_template(
        "proofs/entry.html",
        words=words,
        book=found.book,
        hub=hub,
        seal=found.seal,
        fails=_fails(found),
        said=_said(found),
        file=file,
        wording=wording,
    )


def _file(found: _Found) -> Response:
    if found.proof is None:
        return Response(status=425, headers={"Retry-After": "60"})
    answer = Response(found.proof.encode(), mimetype="text/plain")
    answer.headers["Cache-Control"] = _MINUTE
    return answer


def _find_deed(db: Connection, book_code: str, no: int) -> _Found:
    book = queries.find_book(db, book_code)
    if book is None:
        raise UnknownProofDeed
    seal, log = queries.seal_of_deed(db, book, no, public_url()), Log.ACCESS
    trust = queries.trust_of(db, book.book_id, log)
    return _Found(book, seal, trust, queries.proof_of(db, book.book_id, seal, log))


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
