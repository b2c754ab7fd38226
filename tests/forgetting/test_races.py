"""What happens at the same moment as a forgetting, and what cuts the work after it short."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.backup.people import people_keys
from moralbank.errors import MoralBankError
from moralbank.forgetting import jobs, queries, service
from moralbank.ledger import Unit
from moralbank.redemptions import codes
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from tests._people import make_login
from tests.forgetting.conftest import Bank


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts at the same moment and return what each gave or refused."""
    gate, said = Barrier(len(acts)), [None] * len(acts)

    def run(place: int) -> None:
        gate.wait()
        try:
            said[place] = acts[place]()
        except Exception as fault:  # Told to the test, which knows what it may be.
            said[place] = fault

    threads = [Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return said


@pytest.mark.parametrize("turn", range(3))
def test_a_charge_comes_before_the_forgetting_or_is_refused(bank: Bank, turn: int) -> None:
    who, book, account = bank.resident.resident_id, bank.resident.book_id, bank.resident.account_id
    operator = bank.database.transact(make_login, "operator", bank.resident.branch_id, bank.merchant_id)
    number = bank.database.transact(codes.issue_code, who).number
    request = bank.asked()
    with bank.database.reading() as db:
        before = ledger.balance(db, book, account, Unit.POINTS).balance
    till = Till(bank.merchant_id, operator.login_id, "t")
    order = Order(None, 3, Means.CODE, number)
    checker = f"staff:{bank.checker.login_id}"
    removal, receipt = at_once(
        lambda: bank.database.transact(service.forget, request.request_id, actor=checker),
        lambda: bank.database.transact(redemptions.charge, till, order, f"race-{turn}"),
    )
    assert bank.now().is_forgotten, f"whatever came first: {removal!r}"
    with bank.database.reading() as db:
        assert ledger.balance(db, book, account, Unit.POINTS).balance == 0
    paid = 0 if isinstance(receipt, MoralBankError) else 3
    assert removal.donated_points == before - paid


def test_of_two_who_agree_at_once_one_forgets(bank: Bank) -> None:
    request = bank.asked()
    acts = [
        lambda by=by: bank.database.transact(service.forget, request.request_id, actor=by)
        for by in (f"staff:{bank.checker.login_id}", "staff:8001", "staff:8002")
    ]
    said = at_once(*acts)
    assert [isinstance(one, MoralBankError) for one in said].count(False) == 1


def test_a_sweep_that_somebody_keeps_from_its_work_is_done_later(bank: Bank) -> None:
    with people_keys(bank.people, make=True):
        pass
    with bank.database.reading() as db:
        db.execute(sa.text("SELECT count(*) FROM residents_residents")).scalar()
        bank.forget()
        assert jobs.sweep(bank.database, bank.people) == 0
        with bank.database.reading() as other:
            [left] = queries.list_unswept(other)
        assert (left.swept_at, left.keys_destroyed_at is None) == (None, False)
    assert jobs.sweep(bank.database, bank.people) == 1
    assert jobs.sweep(bank.database, bank.people) == 0, "nothing is left to do"
    with bank.database.reading() as db:
        assert queries.list_unswept(db) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_transaction_of_another_database_keeps_a_sweep_waiting(bank: Bank) -> None:
    """A rewrite carries over whatever a snapshot might see, and snapshots reach back to all that runs on the server."""
    with people_keys(bank.people, make=True):
        pass
    elsewhere = sa.create_engine(sa.make_url(bank.database.url).set(database="postgres"))
    with elsewhere.connect() as other:
        other.execute(sa.text("SELECT pg_current_xact_id()"))
        bank.forget()
        jobs.sweep(bank.database, bank.people)
        with bank.database.reading() as db:
            [left] = queries.list_unswept(db)
        assert left.swept_at is None
    elsewhere.dispose()
    assert jobs.sweep(bank.database, bank.people) == 1
