"""What comes through granian's event loop: both ways give the same octets there too, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request
from werkzeug.test import Client

from moralbank import ids
from moralbank.db import Database
from moralbank.web import rsgi
from moralbank.web.auth import public
from moralbank.web.bodies import MAX_CONTENT_BYTES
from moralbank.web.rsgi import Entrance
from tests._people import bearer
from tests._worlds import world
from tests.redemptions.conftest import Street, balance_of, make_street, show_code

PATH = "/api/v1/redemptions"


@dataclass
class Scope:
    """A request's head, as granian hands it over."""

    method: str = "GET"
    path: str = "/"
    query_string: str = ""
    given: list[tuple[str, str]] = field(default_factory=list)
    client: str = "127.0.0.1:40000"
    server: str = "127.0.0.1:8000"
    scheme: str = "http"
    http_version: str = "1.1"

    @property
    def headers(self) -> Headers:
        return Headers(self.given)


class Headers(list[tuple[str, str]]):
    def items(self) -> Headers:
        return self

    def values(self) -> list[str]:
        return [value for _, value in self]


class Protocol:
    """A request's body in pieces, and what was answered."""

    def __init__(self, pieces: list[bytes], pause: float = 0) -> None:
        self._pieces, self._pause = pieces, pause
        self.read = 0
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(self._pause)
            self.read += len(piece)
            yield piece

    async def __call__(self) -> bytes:
        return b"".join([piece async for piece in self])

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert self.status == 0, "a request is answered once"
        self.status, self.headers, self.body = status, headers, body

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Protocol:
        self.response_bytes(status, headers, b"")
        return self

    async def send_bytes(self, piece: bytes) -> None:
        self.body += piece
        self.sent += 1


Send = Callable[[Entrance], Coroutine[Any, Any, Protocol]]


def sending(body: bytes = b"", *, pieces: list[bytes] | None = None, pause: float = 0, **how: Any) -> Send:
    """Return what sends a request; a body in one piece has its length."""
    given = [(name.lower(), value) for name, value in how.pop("headers", {}).items()]
    if body:
        given += [("content-type", "application/json"), ("content-length", str(len(body)))]
    scope = Scope(given=given, **how)

    async def send(entrance: Entrance) -> Protocol:
        protocol = Protocol(pieces if pieces is not None else [body], pause)
        await entrance.__rsgi__(scope, protocol)
        return protocol

    return send


def ask(application: Any, *sends: Send) -> list[Protocol]:
    """Send all at once through an entrance of their own."""

    async def run() -> list[Protocol]:
        entrance = Entrance(application)
        entrance.__rsgi_init__(asyncio.get_running_loop())
        try:
            return await asyncio.gather(*(send(entrance) for send in sends))
        finally:
            entrance.__rsgi_del__(asyncio.get_running_loop())

    # In a thread of its own: a browser's driver keeps a loop running in the thread of the tests.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, run()).result()


@world
def street(database: Database) -> Street:
    return database.transact(make_street)


@pytest.fixture
def headers(database: Database, street: Street) -> dict[str, str]:
    return database.transact(bearer, street.li, "charges:write", "charges:read")


def charge(database: Database, street: Street, headers: dict[str, str], key: str = "", **more: object) -> Send:
    code = database.transact(show_code, street.zhang)
    body = {"merchant_id": street.shop.merchant_id, "points": 20, "code": code, "confirmed": True, **more}
    given = {"Idempotency-Key": key or ids.token(12), "Accept": "application/json", **headers}
    return sending(json.dumps(body).encode(), method="POST", path=PATH, headers=given)


def test_a_charge_has_the_octets_that_flask_would_give_it(app, database, street, headers) -> None:
    asked = charge(database, street, headers | {"X-Request-Id": "request-under-test"}, "first-key-0001")
    [first] = ask(app, asked)
    [again] = ask(app.wsgi_app.reference, asked)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    without_mark = [(name, value) for name, value in again.headers if name != "Idempotency-Replayed"]
    assert without_mark == first.headers


def test_whatever_comes_together_gets_each_its_own_answer(app, database, street, headers) -> None:
    sends = [charge(database, street, headers, points=1 + n) for n in range(12)]
    poor = [charge(database, street, headers, points=5_000)] * 2
    odd = [sending(b"{", method="POST", path=PATH, headers=headers | {"Idempotency-Key": "odd-key-0001"})]
    pages = [sending(path="/login"), sending(path="/nowhere")]
    answers = ask(app, *sends, *poor, *odd, *pages)
    assert [answer.status for answer in answers] == [201] * 12 + [answers[12].status] * 2 + [400, 200, 404]
    assert [json.loads(answer.body)["points"] for answer in answers[:12]] == [1 + n for n in range(12)]
    assert 400 <= answers[12].status < 500
    with database.reading() as db:
        assert balance_of(db, street.zhang) == 1000 - sum(range(1, 13))


def test_a_key_twice_at_once_is_one_charge(app, database, street, headers) -> None:
    asked = charge(database, street, headers, "one-key-0001")
    answers = ask(app, *[asked] * 8)
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    with database.reading() as db:
        assert balance_of(db, street.zhang) == 980


def test_a_fault_of_the_short_way_leaves_the_answer_to_flask(app, database, street, headers, monkeypatch) -> None:
    def fails(_requests: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(app.wsgi_app, "write", fails)
    [answer] = ask(app, charge(database, street, headers))
    assert answer.status == 201


def test_a_revoked_token_opens_nothing_from_the_next_request_on(app, database, street, headers) -> None:
    asked = charge(database, street, headers)
    again = charge(database, street, headers)
    assert ask(app, asked)[0].status == 201
    database.transact(lambda db: db.exec_driver_sql("UPDATE access_tokens SET revoked_at = expires_at"))
    assert ask(app, again)[0].status == 401


@pytest.fixture
def plain() -> Flask:
    """An application that tells what it was asked."""
    app = Flask("plain")
    app.config["MAX_CONTENT_LENGTH"] = MAX_CONTENT_BYTES

    @app.route("/told/<path:rest>", methods=["GET", "POST"])
    @public
    def told(rest: str) -> dict[str, Any]:
        return {
            "rest": rest,
            "url": request.url,
            "args": request.args,
            "from": request.remote_addr,
            "cookies": request.cookies,
            "headers": dict(request.headers),
            "size": len(request.get_data()),
        }

    @app.get("/long")
    @public
    def long() -> Response:
        return Response((b"x" * 1000 for _ in range(1000)), content_type="text/plain")

    return app


def told(plain: Flask, *sends: Send) -> list[Any]:
    return [json.loads(answer.body) for answer in ask(plain, *sends)]


def test_a_request_is_spelled_as_wsgi_spells_it(plain: Flask) -> None:
    given = {"Host": "bank.example", "Cookie": "a=1", "X_Real_Ip": "6.6.6.6", "X-Two": "1"}
    send = sending(path="/told/你好 a", query_string="q=%20b&r=", headers=given, client="[::1]:4")
    [heard] = told(plain, send)
    assert heard["rest"] == "你好 a"
    assert heard["args"] == {"q": " b", "r": ""}
    assert heard["from"] == "::1"
    assert heard["cookies"] == {"a": "1"}
    assert "X-Real-Ip" not in heard["headers"]
    same = Client(plain).get("/told/你好 a?q=%20b&r=", headers={name: given[name] for name in ("Host", "X-Two")})
    assert same.json is not None
    assert heard["url"] == same.json["url"]
    assert heard["headers"] == same.json["headers"] | {"Cookie": "a=1"}


def test_headers_that_come_twice_are_put_together(plain: Flask) -> None:
    async def send(entrance: Entrance) -> Protocol:
        protocol = Protocol([])
        twice = [("cookie", "a=1"), ("cookie", "b=2"), ("x-two", "1"), ("x-two", "2")]
        await entrance.__rsgi__(Scope(path="/told/x", given=twice), protocol)
        return protocol

    [heard] = told(plain, send)
    assert heard["cookies"] == {"a": "1", "b": "2"}
    assert heard["headers"]["X-Two"] == "1,2"


@pytest.mark.parametrize(("client", "scheme"), [("127.0.0.1:4", "https"), ("10.0.0.9:4", "http")])
def test_only_a_proxy_on_this_machine_may_say_that_the_client_came_by_tls(plain, client, scheme) -> None:
    [heard] = told(plain, sending(path="/told/x", headers={"X-Forwarded-Proto": "https"}, client=client))
    assert heard["url"].startswith(f"{scheme}://")


def test_a_long_answer_is_sent_whole_and_in_pieces(plain: Flask) -> None:
    [answer] = ask(plain, sending(path="/long"))
    assert answer.status == 200
    assert answer.body == b"x" * 1_000_000
    assert answer.sent == 4


@pytest.mark.parametrize(
    ("headers", "pieces", "size"),
    [
        ({"transfer-encoding": "chunked"}, [b"abc"] * 3, 9),
        ({"transfer-encoding": "chunked"}, [b"a" * 65_536] * 10, 655_360),
        ({"content-length": "655360"}, [b"a" * 65_536] * 10, 655_360),
        ({"content-length": "0"}, [], 0),
        ({}, [], 0),
    ],
)
def test_bodies_of_every_kind_arrive_whole(plain: Flask, headers, pieces, size) -> None:
    [heard] = told(plain, sending(method="POST", path="/told/x", headers=headers, pieces=pieces))
    assert heard["size"] == size


def test_a_body_that_is_too_long_is_refused_by_the_view_and_not_read(plain: Flask) -> None:
    declared = sending(method="POST", path="/told/x", headers={"content-length": str(MAX_CONTENT_BYTES + 1)}, pieces=[])
    endless = sending(
        method="POST", path="/told/x", headers={"transfer-encoding": "chunked"}, pieces=[b"a" * 2**20] * 40
    )
    answers = ask(plain, declared, endless)
    assert [answer.status for answer in answers] == [413, 413]
    assert answers[1].read <= MAX_CONTENT_BYTES + 2 * 2**20


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"path": "/" + "a" * 9_000}, 414),
        ({"query_string": "a" * 9_000}, 414),
        ({"headers": {"X-Long": "a" * 9_000}}, 431),
    ],
)
def test_what_is_too_long_never_reaches_the_application(plain: Flask, how, status) -> None:
    [answer] = ask(plain, sending(**how))
    assert answer.status == status
    assert ("Connection", "close") in answer.headers


def test_a_body_that_never_ends_is_given_up(plain: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsgi, "BODY_SECONDS", 0.2)
    slow = sending(method="POST", path="/told/x", headers={"content-length": "100"}, pieces=[b"a"] * 100, pause=0.01)
    [answer] = ask(plain, slow)
    assert answer.status == 408


def test_slow_bodies_hold_no_thread(plain: Flask) -> None:
    with _threads(1):
        slow = [
            sending(method="POST", path="/told/x", headers={"content-length": "5"}, pieces=[b"a"] * 5, pause=0.2)
        ] * 20
        answers: list[int] = []

        async def quick(entrance: Entrance) -> Protocol:
            protocol = await sending(path="/told/x")(entrance)
            answers.append(protocol.status)
            return protocol

        async def one_slow(entrance: Entrance) -> Protocol:
            protocol = await slow[0](entrance)
            answers.append(0)
            return protocol

        ask(plain, *[one_slow] * 20, quick)
    assert answers[0] == 200


def test_the_process_says_that_it_lives_while_all_threads_wait(plain: Flask) -> None:
    goes = threading.Event()
    plain.add_url_rule("/waits", "waits", lambda: {"was": goes.wait(10)})
    plain.add_url_rule("/healthz", "lives", lambda: {"let": goes.set()})
    with _threads(1):
        answers = ask(plain, *[sending(path="/waits")] * 3, sending(path="/healthz"))
    assert [answer.status for answer in answers] == [200] * 4
    assert json.loads(answers[0].body) == {"was": True}


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before, rsgi.THREADS = rsgi.THREADS, number
    yield
    rsgi.THREADS = before
