"""A short way for the API's busiest reads: who asks and what they ask for is asked of the database all at once.

It answers only what is asked in the plainest way by somebody who may. Everything else goes on to the Flask view, which
is the reference: both give the same octets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from sqlalchemy import Connection
from werkzeug.http import http_date

from moralbank.access.queries import Known, Principal, asking_bearers
from moralbank.db import Database
from moralbank.prepared import Question, ask
from moralbank.web import auth, bodies, logs


@dataclass(frozen=True, slots=True)
class Reading:
    """A read whose questions don't wait for each other's answers."""

    #: As Flask spells it, for logs and figures; `path` finds it.
    rule: str
    path: re.Pattern[str]
    #: The roles and the token's scope that open it.
    roles: tuple[str, ...]
    scope: str
    #: Return what path and query string ask, or None when the reference is to judge them.
    read: Callable[[re.Match[str], str], Any]
    #: Return what the database is to be asked for that.
    asking: Callable[[Any], Sequence[Question[Any]]]
    #: Return the JSON of what was found, or None for what the reference is to answer.
    show: Callable[[Found], bytes | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a read found for somebody who may read at these paths of branches."""

    item: Any
    answers: Sequence[Any]
    paths: Sequence[str]
    #: The path that was asked for, and what links to its next page are signed with.
    url_path: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Look:
    """A read, as a request asks for it."""

    reading: Reading
    token: str
    item: Any
    url_path: str
    request_id: str
    #: By time.perf_counter.
    began: float


def read(environ: dict[str, Any], reading: Reading, match: re.Match[str]) -> Look | None:
    """Return what is asked when it is asked in the plainest way."""
    began = time.perf_counter()
    kind, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if (
        kind.lower() != "bearer"
        or not token
        or environ.get("HTTP_ACCEPT") not in bodies.ACCEPTED
        or environ.get("SCRIPT_NAME")
        or "HTTP_IF_NONE_MATCH" in environ
        or environ.get("CONTENT_LENGTH")
    ):
        return None
    item = reading.read(match, environ.get("QUERY_STRING", ""))
    if item is None:
        return None
    return Look(reading, token.strip(), item, environ["PATH_INFO"], environ.get("HTTP_X_REQUEST_ID", ""), began)


def answer(database: Database, secret_key: str, looks: Sequence[Look]) -> list[tuple[bytes, int] | None]:
    """Return for each look the JSON with the login that asked, or None for what the reference is to answer.

    Who asks is asked for with what they ask for, so a revoked token opens nothing from the next look on.
    """
    tokens = list({look.token for look in looks})
    asking = [look.reading.asking(look.item) for look in looks]

    def ask_all(db: Connection) -> list[Any]:
        return ask(db, asking_bearers(tokens), *(question for questions in asking for question in questions))

    try:
        bearers, *found = database.look(ask_all)
    except Exception as fault:  # The reference will meet the fault too, and say so.
        logs.log.warning("short way left", route=looks[0].reading.rule, **logs.place(fault))
        return [None] * len(looks)
    answers: list[tuple[bytes, int] | None] = []
    place = 0
    for look, questions in zip(looks, asking, strict=True):
        its = found[place : place + len(questions)]
        place += len(questions)
        try:
            answers.append(_answer(look, bearers.get(look.token), its, secret_key))
        except Exception as fault:
            logs.log.warning("short way left", route=look.reading.rule, **logs.place(fault))
            answers.append(None)
    return answers


def _answer(look: Look, known: Known | None, found: Sequence[Any], secret_key: str) -> tuple[bytes, int] | None:
    if known is None or auth.is_stale(known) or not _may(known.principal, look.reading):
        return None
    paths = known.principal.paths(*look.reading.roles)
    body = look.reading.show(Found(look.item, found, paths, look.url_path, secret_key))
    return None if body is None else (body, known.principal.login_id)


def headers_of(body: bytes) -> list[tuple[str, str]]:
    """Return the headers of a read's answer, but for those that every answer has."""
    return [
        ("Content-Type", bodies.JSON),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Authorization, Accept-Language, Cookie"),
        ("ETag", f'"{sha1(body).hexdigest()}"'),  # noqa: S324 - names the content, guards nothing
        ("Date", http_date()),
    ]


def _may(principal: Principal, reading: Reading) -> bool:
    return (
        principal.has(*reading.roles)
        and principal.scopes is not None
        and reading.scope in principal.scopes
        and not principal.must_change
    )
