"""Tills under trial: one code at two of them at once, and an answer that is lost at each cut between till and book.

The till does what the page does: three tries with one key, then it asks what became of the key.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from flask.testing import FlaskClient

from moralbank import clock, ids, ledger, schema
from moralbank.app import create_app
from moralbank.config import Config
from moralbank.db import Database
from moralbank.redemptions import queries, service
from tests._people import form, sign_in
from tests.redemptions.conftest import Street, balance_of, by_code, give_points, make_resident, make_street, show_code
from tests.redemptions.test_races import at_once, kinds

#: Where between pressing Enter and reading the answer the line is cut.
CUTS = ("before it is sent", "before the commit", "after the commit", "on the way back", "on the way back, twice")
TRIES = 3
#: What a resident may spend in a month allows so many rounds of a point each.
ROUNDS_EACH = 250


class Lost(Exception):
    """The till got no answer."""


def two_tills(database: Database, street: Street, rounds: int) -> int:
    """Let two tills scan the same code at the same instant, again and again; return how many charges there are."""
    who = street.zhang
    for number in range(rounds):
        if number % ROUNDS_EACH == 0:
            who = database.transact(make_resident, street.tree["NS-01"], f"储户{number}")
            database.transact(give_points, who, ROUNDS_EACH)
        order = by_code(database.transact(show_code, who), points=1, again=True)
        results = at_once(
            *[
                lambda till=till, order=order: database.transact(service.charge, till, order, ids.token(8))
                for till in (street.till, street.other_till)
            ]
        )
        assert kinds(results) == ["CodeUsed", "Receipt"], results
    with database.reading() as db:
        return queries.day_totals(db, [street.shop.merchant_id], clock.today()).charges


def lost_answers(database: Database, street: Street, counter: FlaskClient) -> dict[str, float]:
    """Lose the answer at each cut; return how long the till took to know the truth, which is one charge each time."""
    took = {}
    for points, cut in enumerate(CUTS, start=1):
        with database.reading() as db:
            before = balance_of(db, street.zhang)
        given = {
            "key": ids.token(16),
            "merchant": street.shop.merchant_id,
            "points": str(points),
            "code": database.transact(show_code, street.zhang),
        }
        began = time.monotonic()
        page = _press(database, counter, given, cut)
        took[cut] = time.monotonic() - began
        assert "收到" in page, cut
        with database.reading() as db:
            assert before - balance_of(db, street.zhang) == points, cut
    return took


def _press(database: Database, counter: FlaskClient, given: dict[str, object], cut: str) -> str:
    """Do as the page does until the result is known."""
    losses = 2 if cut.endswith("twice") else 1
    for attempt in range(TRIES):
        try:
            return _send(database, counter, given, cut if attempt < losses else "")
        except Lost:
            continue
    return counter.get("/counter/outcome", query_string=given).text


def _send(database: Database, counter: FlaskClient, given: dict[str, object], cut: str) -> str:
    if cut == CUTS[0]:
        raise Lost
    if cut == CUTS[1]:
        with _no_commit(database):
            form(counter, "/counter/charges", given)
        raise Lost
    answer = form(counter, "/counter/charges", given)
    if cut == CUTS[2]:
        raise Lost
    page = counter.get(answer.location).text if answer.status_code == 303 else answer.text
    if cut:
        raise Lost
    return page


@contextmanager
def _no_commit(database: Database) -> Iterator[None]:
    """Have every commit fail, as when the worker dies in front of it."""

    def die(_connection: sa.Connection) -> None:
        raise ConnectionError("the worker is gone")

    sa.event.listen(database.engine, "commit", die)
    try:
        yield
    except ConnectionError:
        pass
    finally:
        sa.event.remove(database.engine, "commit", die)


def application(database: Database, street: Street) -> FlaskClient:
    """Return the browser of the shop's operator."""
    config = Config(
        "", "a key for the trial of the tills, long enough", "http://localhost", production=False, debug=True
    )
    counter = create_app(config, database).test_client()
    sign_in(counter, street.li)
    return counter


def _timed(act: Callable[[], object]) -> tuple[object, float]:
    began = time.monotonic()
    return act(), time.monotonic() - began


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1_000)
    options.add_argument("--url", help="of an empty database")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.url or f"sqlite:///{folder}/tills.db"
        schema.migrate(url)
        database = Database(url)
        street = database.transact(make_street)
        charges, seconds = _timed(lambda: two_tills(database, street, chosen.rounds))
        print(f"one code at two tills: {chosen.rounds:,} rounds, {charges:,} charges, {seconds:.0f} s")
        for cut, took in lost_answers(database, street, application(database, street)).items():
            print(f"  answer lost {cut}: one charge, known after {took:.2f} s")
        with database.reading() as db:
            report = ledger.verify(db, street.shop.book_id)
        print("the books close" if report.is_sound else f"the books don't close: {report.first_fault}")
        database.dispose()
    return int(charges != chosen.rounds or not report.is_sound)


if __name__ == "__main__":
    sys.exit(main())
