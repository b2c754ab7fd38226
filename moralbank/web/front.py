"""A short way for the API's busiest writes: what waits together is authenticated, keyed, decided and answered as a set.

It answers only what succeeds, or succeeded before under the same key. For everything else it has written nothing and
hands the request on to the Flask view, which is the reference: both give the same octets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from moralbank.access import service
from moralbank.access.queries import Principal, asking_bearers
from moralbank.config import Config
from moralbank.db import Database, Raced
from moralbank.errors import MoralBankError
from moralbank.prepared import ask
from moralbank.web import auth, bodies, front_reads, idempotency, logs, metrics, security
from moralbank.web.api import KEY, MAX_BODY_BYTES
from moralbank.web.errors import IdempotencyKeyReused
from moralbank.web.front_reads import Look, Reading
from moralbank.web.idempotency import Answer, Key

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_NOT_KEPT = ("Cache-Control", "no-store")
_VARIES = ("Vary", "Cookie")
_First = Answer | IdempotencyKeyReused | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who may make it."""

    principal: Principal
    #: What the operation read from the body.
    item: Any
    key: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A keyed write that can be decided as a set."""

    #: As Flask spells it, for logs and figures; `path` finds it.
    rule: str
    path: re.Pattern[str]
    #: The role and the token's scope that open it.
    role: str
    scope: str
    status: HTTPStatus
    #: Return what path and body ask, or None when the reference is to judge them.
    read: Callable[[re.Match[str], Any], Any]
    #: Return the JSON of each success, and None for what the reference is to answer: nothing is written for that.
    decide: Callable[[Connection, Sequence[Call]], Sequence[bytes | None]]
    bytes_max: int = MAX_BODY_BYTES
    #: The answer has sentences; the short way knows them in the language that nobody asked for only.
    has_words: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A keyed write, as a request asks for it."""

    operation: Operation
    token: str
    key: str
    fingerprint: bytes
    item: Any
    request_id: str
    #: By time.perf_counter.
    began: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What the short way answers."""

    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes


class Front:
    """The WSGI application before Flask's.

    A server that reads many requests at once needs no thread for each of them: it asks `find` about each, gives what
    that found to `write` or `look` together with whatever else waits, and has the reference answer what got no reply.
    """

    def __init__(
        self, app: Flask, database: Database, operations: Sequence[Operation], readings: Sequence[Reading]
    ) -> None:
        self.reference: Application = app.wsgi_app
        self._database = database
        #: Tried in turn.
        self.operations = list(operations)
        self._readings = readings
        self._verb = self._answer_many
        self._logins: dict[str, int] = {}
        config: Config = app.config["MORALBANK"]
        hsts = [("Strict-Transport-Security", security.HSTS)] if config.secure else []
        self._headers = [*hsts, *security.HEADERS.items()]
        self._secret_key = config.secret_key

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = self.find(environ)
        if asked is None:
            return self.reference(environ, start_response)
        [reply] = self.write([asked]) if isinstance(asked, Write) else self.look([asked])
        if reply is None:
            return self.reference(environ, start_response)
        start_response(f"{reply.status.value} {reply.status.phrase.upper()}", reply.headers)
        return [reply.body]

    def find(self, environ: Environ) -> Write | Look | None:
        """Return what is asked where the short way knows it and it is beyond doubt; the body can be read again."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST":
            for operation in self.operations:
                if match := operation.path.fullmatch(path):
                    return _read(environ, operation, match)
        elif method == "GET":
            for reading in self._readings:
                if match := reading.path.fullmatch(path):
                    return front_reads.read(environ, reading, match)
        return None

    def write(self, writes: Sequence[Write]) -> list[Reply | None]:
        """Carry out what was asked together; return each durable reply, or None for what the reference is to answer."""
        told = _Told()
        for write, verdict in zip(writes, self._database.join_many(self._verb, writes), strict=True):
            if isinstance(verdict, BaseException):  # Nothing stands of it. The reference will meet it too, and say so.
                if not isinstance(verdict, MoralBankError):
                    logs.log.warning("short way left", route=write.operation.rule, **logs.place(verdict))
                verdict = None
            if verdict is None:
                told.replies.append(None)
                continue
            answer, login_id = verdict
            headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
            if answer.replayed:
                headers.append(("Idempotency-Replayed", "true"))
            request_id = logs.id_of(write.request_id)
            headers += [*self._headers, _NOT_KEPT, (logs.REQUEST_ID, request_id), _VARIES]
            told.note("POST", write.operation.rule, answer.status, write.began, login_id, request_id)
            told.replies.append(Reply(HTTPStatus(answer.status), headers, answer.body))
        return told.end()

    def look(self, looks: Sequence[Look]) -> list[Reply | None]:
        """Look up what was asked together; return each reply, or None for what the reference is to answer."""
        told = _Told()
        for look, found in zip(looks, front_reads.answer(self._database, self._secret_key, looks), strict=True):
            if found is None:
                told.replies.append(None)
                continue
            body, login_id = found
            request_id = logs.id_of(look.request_id)
            headers = [*front_reads.headers_of(body), *self._headers, (logs.REQUEST_ID, request_id)]
            told.note("GET", look.reading.rule, HTTPStatus.OK, look.began, login_id, request_id)
            told.replies.append(Reply(HTTPStatus.OK, headers, body))
        return told.end()

    def _answer_many(self, db: Connection, requests: Sequence[Write]) -> list[tuple[Answer, int] | None]:
        """Return each request's answer with its login, or None for those that the reference is to answer."""
        bearers, firsts = self._look_up(db, requests)
        answers: list[tuple[Answer, int] | None] = [None] * len(requests)
        fresh: dict[Operation, list[tuple[int, Key]]] = {}
        for place, (key, first) in firsts.items():
            principal = bearers.get(requests[place].token)
            if principal is None or not _may(principal, requests[place].operation):
                continue
            if first is None:
                fresh.setdefault(requests[place].operation, []).append((place, key))
            elif isinstance(first, Answer):
                answers[place] = first, key.login_id
        kept: list[tuple[Key, Answer]] = []
        for operation, wanted in fresh.items():
            calls = [Call(bearers[requests[place].token], requests[place].item, key.key) for place, key in wanted]
            for (place, key), body in zip(wanted, operation.decide(db, calls), strict=True):
                if body is not None:
                    answer = Answer(operation.status, bodies.JSON, body)
                    answers[place] = answer, key.login_id
                    kept.append((key, answer))
        if not idempotency.keep_first(db, kept):
            raise Raced
        return answers

    def _look_up(
        self, db: Connection, requests: Sequence[Write]
    ) -> tuple[dict[str, Principal], dict[int, tuple[Key, _First]]]:
        """Return who asks, by token; and by place in the set each key with its first answer, a key once.

        Whose a token is never changes, so it is remembered; whether it still opens anything is asked each time.
        """
        asking = asking_bearers(list({request.token for request in requests}))
        if any(request.token not in self._logins for request in requests):
            [known] = ask(db, asking)
            self._logins.update((token, found.principal.login_id) for token, found in known.items())
        by_name: dict[tuple[int, str], int] = {}
        for place, request in enumerate(requests):
            if request.token in self._logins:
                by_name.setdefault((self._logins[request.token], request.key), place)
        keys = [Key(*name, requests[place].fingerprint) for name, place in by_name.items()]
        known, firsts = ask(db, asking, idempotency.asking_first(keys))
        for token, found in known.items():
            if auth.is_stale(found):
                service.use_token(db, token)
        principals = {token: found.principal for token, found in known.items()}
        return principals, dict(zip(by_name.values(), zip(keys, firsts, strict=True), strict=True))


class _Told:
    """The replies to what was asked together: each is counted, and their lines are written at once."""

    def __init__(self) -> None:
        self.replies: list[Reply | None] = []
        self._lines: list[str] = []

    def note(self, method: str, rule: str, status: int, began: float, login_id: int, request_id: str) -> None:
        """Count a request that Flask never saw, and spell its line."""
        seconds = time.perf_counter() - began
        metrics.observe(method, rule, status, seconds)
        self._lines.append(logs.line(method, rule, status, seconds, login_id, None, request_id))

    def end(self) -> list[Reply | None]:
        if self._lines:
            logs.write("".join(self._lines))
        return self.replies


def _read(environ: Environ, operation: Operation, match: re.Match[str]) -> Write | None:
    """Return what is asked when it is asked in the plainest way; the body can be read again afterwards."""
    began = time.perf_counter()
    kind, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
    length = environ.get("CONTENT_LENGTH", "")
    if (
        kind.lower() != "bearer"
        or not token
        or not KEY.fullmatch(key)
        or not (length.isascii() and length.isdigit() and int(length) <= operation.bytes_max)
        or environ.get("CONTENT_TYPE") != bodies.JSON
        or environ.get("HTTP_ACCEPT") not in bodies.ACCEPTED
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
        or (operation.has_words and ("HTTP_ACCEPT_LANGUAGE" in environ or "HTTP_COOKIE" in environ))
    ):
        return None
    octets = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(octets)
    try:
        body = bodies.parse(octets)
    except MoralBankError:
        return None
    item = operation.read(match, body)
    if item is None:
        return None
    digest = idempotency.fingerprint("POST", environ["PATH_INFO"], body)
    return Write(operation, token.strip(), key, digest, item, environ.get("HTTP_X_REQUEST_ID", ""), began)


def _may(principal: Principal, operation: Operation) -> bool:
    return (
        principal.has(operation.role)
        and principal.scopes is not None
        and operation.scope in principal.scopes
        and not principal.must_change
    )
