"""A PostgreSQL that stops, falls over, fills up or takes no writes: named answers, and all goes on when it is back."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from moralbank.scheduler import Scheduler
from tests import _postgres
from tests.faults.conftest import Shop, is_outage


def alter(cluster: _postgres.Cluster, shop: Shop, *statements: str) -> None:
    """Run statements as the owner of everything, who may also write where the server says that nobody may."""
    name = shop.database.engine.url.database
    with psycopg.connect(cluster.url(str(name)).replace("+psycopg", ""), autocommit=True) as db:
        db.execute("SET default_transaction_read_only = off")
        for statement in statements:
            db.execute(statement)


def test_a_server_that_is_gone_for_a_while_is_named_and_met_again_without_hands(
    cluster: _postgres.Cluster, shop_on_server: Shop
) -> None:
    shop = shop_on_server
    code, later = shop.codes(2)
    first = shop.charge(code, "key-before-1")
    cluster.halt()
    for _ in range(3):
        assert is_outage(shop.charge(later, "key-during-1"), "database-away")
        assert is_outage(shop.charge(code, "key-before-1"), "database-away")
    assert shop.failing() == ["database"]
    assert "startup" not in shop.look("/readyz").text
    assert shop.look("/healthz").status_code == 200
    page = shop.look("/activities")
    assert page.status_code in (303, 503)  # Who isn't signed in is sent to the door, which asks no database.
    cluster.resume()
    assert shop.failing() == []
    again = shop.charge(code, "key-before-1")
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    done = shop.charge(later, "key-during-1")
    assert done.status_code == 201
    assert "Idempotency-Replayed" not in done.headers


def test_a_server_that_falls_over_in_the_midst_of_many_charges_doubles_and_loses_none(
    cluster: _postgres.Cluster, shop_on_server: Shop
) -> None:
    shop = shop_on_server
    codes = shop.codes(40)
    answers: dict[str, bytes] = {}
    others: set[tuple[int, str]] = set()
    done = threading.Event()

    def pay(mine: list[str]) -> None:
        for code in mine:
            while (answer := shop.charge(code, f"key-{code}")).status_code != 201 and not done.is_set():
                others.add((answer.status_code, answer.get_json()["code"]))
                time.sleep(0.05)
            answers[code] = answer.data

    threads = [threading.Thread(target=pay, args=(codes[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for quota in (8, 20):
        while len(answers) < quota:
            time.sleep(0.005)
        cluster.kill()
        cluster.resume()
    until = time.monotonic() + 60
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    done.set()
    assert others <= {(503, "database-away")}
    assert len(answers) == len(codes)
    assert shop.count("redemptions_charges") == len(codes)
    for code, first in answers.items():
        assert shop.charge(code, f"key-{code}").data == first


def test_a_server_that_takes_no_writes_is_named(cluster: _postgres.Cluster, shop_on_server: Shop) -> None:
    shop, code = shop_on_server, shop_on_server.code()
    alter(cluster, shop, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        _eventually(lambda: shop.failing() != [])
        # A connection that stands says so itself; a new one isn't made to a server that takes no writes.
        answer = shop.charge(code, "key-read-only")
        assert is_outage(answer, answer.get_json()["code"])
        assert answer.get_json()["code"] in ("storage-read-only", "database-away")
    finally:
        alter(cluster, shop, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    _eventually(lambda: shop.failing() == [])
    assert shop.charge(code, "key-read-only").status_code == 201


@pytest.mark.parametrize(
    ("sqlstate", "name"), [("53100", "storage-full"), ("58030", "storage-failing"), ("XX001", "database-damaged")]
)
def test_what_the_server_says_of_its_disk_is_passed_on(
    cluster: _postgres.Cluster, shop_on_server: Shop, sqlstate: str, name: str
) -> None:
    """A real server raises the code from a trigger, for its disk is not ours to fill."""
    shop, code = shop_on_server, shop_on_server.code()
    alter(
        cluster,
        shop,
        "CREATE FUNCTION trial() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$",
        "CREATE TRIGGER trial BEFORE INSERT ON ledger_entries FOR EACH ROW EXECUTE FUNCTION trial()",
    )
    assert is_outage(shop.charge(code, "key-of-the-day"), name)
    assert shop.count("redemptions_charges") == 0
    assert shop.failing() == (["undamaged"] if name == "database-damaged" else [])
    alter(cluster, shop, "DROP TRIGGER trial ON ledger_entries")
    assert shop.charge(code, "key-of-the-day").status_code == 201


def _eventually(happened) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_scheduler_that_is_stopped_while_the_server_is_gone_ends_quietly(
    cluster: _postgres.Cluster, shop_on_server: Shop
) -> None:
    scheduler = Scheduler(shop_on_server.database, [], lease_seconds=20)
    assert scheduler._hold() is not None
    cluster.halt()
    scheduler.release()
    cluster.resume()
    heir = Scheduler(shop_on_server.database, [], lease_seconds=20)
    assert heir._hold() is None, "the lease that could not be let go runs out by itself"
