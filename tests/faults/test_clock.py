"""The machine's clock steps back by an hour: entries keep their order, and nobody is refused for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger, slots
from moralbank.ledger import Unit
from tests.faults.conftest import Shop, open_shop

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    with clock.at(NOON - HOUR):
        shop = open_shop(database_url)
    yield shop
    shop.check_books()
    shop.database.dispose()


def test_entries_keep_their_order_and_nobody_is_refused(shop: Shop) -> None:
    with clock.at(NOON):
        before = [shop.charge(shop.code(), f"key-before-{n}").get_json() for n in range(3)]
        held = shop.code()
    with clock.at(NOON - HOUR):
        after = [shop.charge(shop.code(), f"key-after-{n}") for n in range(3)]
        assert [answer.status_code for answer in after] == [201] * 3
        assert shop.charge(held, "key-of-a-code-from-later").status_code == 201
        undone = shop.app.test_client().post(
            f"/api/v1/redemptions/{before[-1]['charge_id']}/undo",
            json={},
            headers=shop.headers | {"Idempotency-Key": "key-undo-later"},
        )
        assert undone.status_code == 200, undone.text
        assert shop.charge(shop.code(), "key-before-0", points=4).status_code == 409  # The key is still known.
        assert shop.failing() == ["clock"]  # Said to whoever looks after the bank; it works on all the same.
    zhang = shop.street.zhang
    with shop.database.reading() as db:
        lines = ledger.history(db, zhang.book_id, zhang.account_id, Unit.POINTS, newest_first=False)
    assert [line.n for line in lines] == list(range(1, 10))
    assert [line.seq for line in lines] == sorted(line.seq for line in lines)
    # An entry is never dated before the one that it follows.
    assert [line.posted_at for line in lines] == sorted(line.posted_at for line in lines)
    assert lines[-1].balance_after == 1000 - 6 * 3


def test_the_jobs_have_somebody_to_do_them_soon_although_their_last_doer_said_until_later(shop: Shop) -> None:
    """A holder that died before the step left a lease that now ends an hour away."""
    assert slots.hold_lease(shop.database, "gone", 20) is not None
    later = slots.platform_leases.update().where(slots.platform_leases.c.name == slots.LEASE)
    shop.database.transact(_run, later.values(until_seconds=slots.platform_leases.c.until_seconds + 3600))
    taken = slots.hold_lease(shop.database, "heir", 20)
    assert taken is not None
    assert taken.holder == "heir"
    assert slots.hold_lease(shop.database, "gone", 20) is None


def _run(db: sa.Connection, statement: sa.Update) -> None:
    db.execute(statement)
