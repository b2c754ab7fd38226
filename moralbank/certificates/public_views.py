"""The public check of a certificate: match or no match, the masked name, and what became of it. Nothing else.

The codes of other papers come to the same address; whose affair such a paper is takes it on.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from flask import Blueprint, Response, make_response, render_template, request

from moralbank import clock
from moralbank.certificates import queries, values
from moralbank.certificates.queries import Certificate
from moralbank.certificates.tokens import Token
from moralbank.residents.values import mask
from moralbank.web.auth import public
from moralbank.web.db import database

blueprint = Blueprint("certificate_check", __name__)

#: What answers to a code, by the type of its paper.
Checker = Callable[[Token], Response]
_CHECKERS: dict[int, Checker] = {}


def take_on(of_type: int, checker: Checker) -> None:
    """Have the codes of a type of paper checked by the package whose affair they are."""
    _CHECKERS[of_type] = checker


@blueprint.get("/v")
@public
def check_code() -> Response:
    """Let anybody type the short code that is printed beside the QR code."""
    typed = request.args.get("code", "")
    if not typed.strip():
        return _answer(None, typed, asked=False)
    with database().reading() as db:
        found = queries.find_by_short_code(db, values.read_short_code(typed))
    return _answer(found, typed)


@blueprint.get("/v/<token>")
@public
def check_token(token: str) -> Response:
    """Say whether the code is of a paper of this bank, and what became of it."""
    with database().reading() as db:
        opened = queries.open_token(db, token)
        found = queries.find_by_token(db, token)
    checker = _CHECKERS.get(opened.type) if opened else None
    return checker(opened) if opened and checker else _answer(found, "")


@blueprint.get("/v/keys")
@public
def keys() -> Response:
    """Give the public keys, for whoever checks without the bank: number, key, and from when to when it signed."""
    with database().reading() as db:
        found = queries.list_keys(db)
    lines = [
        f"{key.kid} {base64.b64encode(key.public).decode()} {clock.local(key.created_at):%Y-%m-%d} "
        + (f"{clock.local(key.retired_at):%Y-%m-%d}" if key.retired_at else "-")
        for key in found
    ]
    answer = Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _answer(found: Certificate | None, typed: str, *, asked: bool = True) -> Response:
    said = found.said if found and found.content else None
    page = render_template(
        "certificates/check.html",
        found=found,
        said=said,
        masked=mask(said["name"]) if said else "",
        typed=typed,
        asked=asked,
    )
    return unlisted(make_response(page, 404 if asked and found is None else 200))


def unlisted(answer: Response) -> Response:
    """Return an answer that stays between the bank and who asked: what is checked is no search engine's business."""
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Cache-Control"] = "no-store"
    return answer
