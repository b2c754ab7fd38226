"""The primary dies, freezes or is handed over under load: what was acknowledged stays, once, and the bank goes on."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import psycopg
import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.db import Database
from tests.ha import _tills
from tests.ha._cluster import Node
from tests.ha._tills import Load
from tests.ha.conftest import Bank

pytestmark = [pytest.mark.ha, pytest.mark.timeout(600)]

#: How long the tills work before the blow.
BEFORE_SECONDS = 4
#: Less than a till's patience. What a cancelled commit wrote can be seen by others, so a till that asked again would be
#: told that it is done: docs/OPERATIONS.md says not to cancel.
ALONE_SECONDS = 5
#: How many writes of every till show that it goes on.
WRITES_AFTER = 3


def go_on(bank: Bank, load: Load) -> float:
    """Let the tills work on until every one has been served again, and return how long that took."""
    began = time.monotonic()
    return bank.cluster.wait(lambda: all(till.count_since(began) >= WRITES_AFTER for till in load.tills))


def tell(name: str, load: Load, **figures: float) -> None:
    """Print what the operator would have seen."""
    known = load.acknowledged
    statuses = dict(sorted(Counter(write.status for write in known).items()))
    repeated = sum(write.tries > 1 for write in known)
    shown = " ".join(f"{figure}={value:.1f}s" for figure, value in figures.items())
    print(f"\nha {name}: outage={load.outage():.1f}s {shown} writes={len(known)} repeated={repeated} {statuses}")


def assert_nothing_lost_and_nothing_doubled(bank: Bank, load: Load) -> None:
    assert [str(till.fault) for till in load.tills if till.fault] == []
    database = Database(bank.url)
    with database.reading() as db:
        made = _tills.made_charges(db, bank.shop)
        assert _tills.points_missing(db, bank.shop, made) == {}
    told = [json.loads(write.content)["charge_id"] for write in load.acknowledged if is_charge(write)]
    assert len(told) == len(set(told)), "two keys had the same charge"
    bank.charged.update(told)
    bank.undone.update(json.loads(write.content)["charge_id"] for write in load.acknowledged if is_undo(write))
    # Neither lost nor doubled nor half done: what the bank has is what the tills were told, no more and no less.
    assert {charge.charge_id for charge in made} == bank.charged
    assert {charge.charge_id for charge in made if charge.undone_at} == bank.undone
    assert load.wrong_replays() == []
    assert _tills.unsound_books(database) == []
    database.dispose()


def is_charge(write: _tills.Acknowledged) -> bool:
    return write.path == "/api/v1/redemptions" and write.status == 201


def is_undo(write: _tills.Acknowledged) -> bool:
    return write.path.endswith("/undo") and write.status == 200


def test_a_planned_switchover_loses_nothing(bank: Bank) -> None:
    with bank.load() as load:
        time.sleep(BEFORE_SECONDS)
        former = bank.cluster.leader()
        bank.cluster.switchover()
        served = go_on(bank, load)
    whole = bank.cluster.wait_until_whole()
    assert bank.cluster.leader() is not former
    tell("switchover", load, served=served, whole=whole)
    assert_nothing_lost_and_nothing_doubled(bank, load)


def test_a_crashed_primary_is_replaced_and_nothing_acknowledged_is_lost(bank: Bank) -> None:
    with bank.load() as load:
        time.sleep(BEFORE_SECONDS)
        former = bank.cluster.leader()
        former.kill_postgres()
        promoted = bank.cluster.wait_for_new_leader(former)
        served = go_on(bank, load)
    whole = bank.cluster.wait_until_whole()
    tell("crash", load, promoted=promoted, served=served, whole=whole)
    assert_nothing_lost_and_nothing_doubled(bank, load)


def test_a_lost_node_is_replaced_and_comes_back_as_a_standby(bank: Bank) -> None:
    with bank.load() as load:
        time.sleep(BEFORE_SECONDS)
        former = bank.cluster.leader()
        former.kill()
        promoted = bank.cluster.wait_for_new_leader(former)
        served = go_on(bank, load)
        former.start()
        go_on(bank, load)
    whole = bank.cluster.wait_until_whole()
    assert bank.cluster.leader() is not former
    tell("node loss", load, promoted=promoted, served=served, whole=whole)
    assert_nothing_lost_and_nothing_doubled(bank, load)


class LateWrite(threading.Thread):
    """Somebody who still reaches a primary that was replaced, and writes there."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.was_acknowledged = False
        self.refusal: psycopg.Error | None = None
        self._node = node

    def run(self) -> None:
        try:
            with self._node.connect() as db:
                db.execute("INSERT INTO late_writes VALUES (1)")
            self.was_acknowledged = True
        except psycopg.Error as refusal:
            self.refusal = refusal


def believes_to_lead(node: Node) -> bool:
    with node.connect() as db:
        return db.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)


def test_a_frozen_primary_is_replaced_and_acknowledges_nothing_when_it_wakes(bank: Bank) -> None:
    with bank.cluster.leader().connect() as db:
        db.execute("CREATE TABLE late_writes (n int)")
    with bank.load() as load:
        time.sleep(BEFORE_SECONDS)
        former = bank.cluster.leader()
        former.freeze()
        promoted = bank.cluster.wait_for_new_leader(former)
        served = go_on(bank, load)
        former.thaw_postgres()
        assert believes_to_lead(former)
        late = LateWrite(former)
        late.start()
        late.join(timeout=5)
        assert late.is_alive(), "it waits for a standby that follows another primary now"
        former.thaw()
        late.join(timeout=60)
        go_on(bank, load)
    assert not late.was_acknowledged
    assert late.refusal is not None
    whole = bank.cluster.wait_until_whole()
    assert bank.cluster.leader() is not former
    for node in bank.cluster.nodes:
        with node.connect() as db:
            assert db.execute("SELECT count(*) FROM late_writes").fetchone() == (0,)
    tell("freeze", load, promoted=promoted, served=served, whole=whole)
    assert_nothing_lost_and_nothing_doubled(bank, load)


def cancel_waiting_commits(node: Node) -> int:
    """Cancel, as an administrator may, every commit that waits for its standby; return how many there were."""
    with node.connect() as db:
        query = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_without_a_second_copy_nothing_is_acknowledged_though_somebody_cancels_the_waiting(bank: Bank) -> None:
    leader = bank.cluster.leader()
    standbys = [node for node in bank.cluster.nodes if node is not leader]
    with bank.load() as load:
        time.sleep(BEFORE_SECONDS)
        for standby in standbys:
            standby.freeze_postgres()
        time.sleep(1)  # What was acknowledged before is told by now.
        alone_at, cancelled = time.monotonic(), 0
        while time.monotonic() < alone_at + ALONE_SECONDS:
            cancelled += cancel_waiting_commits(leader)
            time.sleep(0.5)
        acknowledged = load.count_since(alone_at)
        for standby in standbys:
            standby.thaw_postgres()
        go_on(bank, load)
    assert cancelled > 0
    assert acknowledged == 0
    bank.cluster.wait_until_whole()
    assert bank.cluster.leader() is leader
    tell("no standby", load, alone=ALONE_SECONDS)
    assert_nothing_lost_and_nothing_doubled(bank, load)


def test_nothing_is_asked_of_a_standby(bank: Bank) -> None:
    leader = bank.cluster.leader()
    for node in bank.cluster.nodes:
        if node is leader:
            continue
        standby = Database(node.url("bank"))
        with pytest.raises(sa.exc.OperationalError, match="read-only"), standby.reading():
            pass
        for use in (standby.transact, standby.look):
            with pytest.raises(sa.exc.OperationalError, match="read-only"):
                use(ledger.list_books)
        standby.dispose()
