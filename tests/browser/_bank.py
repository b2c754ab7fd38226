"""A bank that answers on a port of its own, whose clock only the tests move."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from werkzeug.serving import WSGIRequestHandler, make_server

from moralbank import clock, ledger
from moralbank.access import service as access
from moralbank.app import create_app
from moralbank.config import Config
from moralbank.db import Database
from tests.browser._town import MORNING, Town

A_LOOK = timedelta(milliseconds=10)


class _Quiet(WSGIRequestHandler):
    """One connection for many requests, as a real server keeps it, and no lines about them."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_args: object) -> None:
        pass


class Bank:
    """The application behind a threaded server on a loopback port. `set_clock` moves its clock.

    Each look at the clock is a hundredth of a second after the one before, however long the machine takes between
    two: a code that lives for a minute is not gone because a browser took two to show it.
    """

    def __init__(self, database_url: str, town: Town) -> None:
        self.town = town
        self.database = Database(database_url)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.app: Flask = create_app(
            Config(
                database_url=database_url,
                secret_key="a key of the browser tests, longer than 32 characters",
                public_url=self.url,
                production=False,
                debug=False,
            ),
            self.database,
        )
        self.set_clock("9:00")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def set_clock(self, text: str, days: int = 0) -> None:
        """Let it be this time of the Saturday."""
        hours, minutes = (int(part) for part in text.split(":"))
        self._stands = MORNING.replace(hour=hours, minute=minutes) + timedelta(days=days)
        self._looks = count()

    def now(self) -> datetime:
        return self._stands + next(self._looks) * A_LOOK

    def cookie_of(self, who: str) -> dict[str, Any]:
        """Return the cookie of a browser in which somebody has signed in."""
        with clock.at(self.now()):
            login_id = self.town.logins[who].login_id
            token = self.database.transact(access.open_session, login_id, address="127.0.0.1", device="测试用的浏览器")
        signer = SecureCookieSessionInterface().get_signing_serializer(self.app)
        assert signer is not None
        value = signer.dumps({"_user_id": token, "_fresh": True, "_permanent": True})
        return {"name": "moralbank", "value": value, "url": self.url, "httpOnly": True, "sameSite": "Lax"}

    def do(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Let somebody do something elsewhere, at the bank's time."""
        with clock.at(self.now()):
            return self.database.transact(act, *args, **kwargs)

    def points(self, who: str) -> int:
        person = self.town.people[who]
        with self.database.reading() as db:
            return ledger.balance(db, person.book_id, person.account_id, ledger.Unit.POINTS).balance

    def close(self) -> None:
        """Stop, and see that the books still close."""
        self._server.shutdown()
        self._server.server_close()
        with self.database.reading() as db:
            for book in ledger.list_books(db):
                report = ledger.verify(db, book.book_id)
                assert report.is_sound, report.first_fault
        self.database.dispose()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with clock.at(self.now()):
            return list(self.app.wsgi_app(environ, start_response))
