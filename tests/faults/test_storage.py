"""Full, read-only, failing, slow and damaged storage: named answers, red readiness, recovery without hands."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests._people import PIN, form, sign_in
from tests.faults.conftest import Shop, is_outage, open_shop, restarted
from tests.faults.disk import Disk


@pytest.mark.parametrize(("disaster", "code"), [("full", "storage-full"), ("read-only", "storage-failing")])
def test_a_disk_that_takes_no_writes_is_named_and_recovers_by_itself(
    shop_on_disk: Shop, disk: Disk, disaster: str, code: str
) -> None:
    """A file system that was mounted anew for reading fails so under files that are open."""
    shop, payment_code = shop_on_disk, shop_on_disk.code()
    assert shop.failing() == []
    before = {table: shop.count(table) for table in ("ledger_entries", "redemptions_charges", "web_idempotency")}
    disk.meet(disaster)
    assert is_outage(shop.charge(payment_code, "key-during-1"), code)
    assert shop.failing() == ["writable"]
    assert shop.look("/healthz").status_code == 200
    assert {table: shop.count(table) for table in before} == before  # Reading goes on; nothing is half there.
    disk.recover()
    assert shop.failing() == []
    assert shop.charge(payment_code, "key-during-1").status_code == 201
    assert shop.charge(payment_code, "key-during-1").headers["Idempotency-Replayed"] == "true"
    assert shop.count("ledger_entries") == before["ledger_entries"] + 1


def test_a_disk_that_fills_up_in_the_midst_of_many_keeps_every_acknowledged_charge(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop = shop_on_disk
    codes = shop.codes(24)
    answers: dict[str, int] = {}

    def pay(mine: list[str]) -> None:
        for code in mine:
            answers[code] = shop.charge(code, f"key-{code}").status_code

    threads = [threading.Thread(target=pay, args=(codes[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    while len(answers) < 8:
        time.sleep(0.002)
    disk.meet("full")
    for thread in threads:
        thread.join()
    disk.recover()
    assert set(answers.values()) <= {201, 503}
    # A charge took place exactly where one was acknowledged: a failed commit leaves nothing.
    assert shop.count("redemptions_charges") == list(answers.values()).count(201)
    for code, status in answers.items():
        again = shop.charge(code, f"key-{code}")
        assert again.status_code == 201
        assert ("Idempotency-Replayed" in again.headers) == (status == 201)
    assert shop.count("redemptions_charges") == len(codes)


def test_a_page_for_people_says_what_to_do_when_the_disk_is_full(shop_on_disk: Shop, disk: Disk) -> None:
    client = shop_on_disk.app.test_client()
    sign_in(client, shop_on_disk.street.li)
    order = {"merchant": shop_on_disk.street.shop.merchant_id, "key": "key-on-paper", "points": "3"}
    disk.meet("full")
    page = form(client, "/counter/charges", order | {"code": shop_on_disk.street.zhang_card, "pin": PIN})
    assert page.status_code == 503
    assert "存储空间满了" in page.text
    assert "腾出磁盘空间" in page.text


def test_a_file_that_may_only_be_read_is_named(shop_on_disk: Shop, tmp_path: Path) -> None:
    code = shop_on_disk.code()
    shop = restarted(shop_on_disk, f"sqlite:///file:{tmp_path / 'bank.db'}?mode=ro&uri=true")
    assert is_outage(shop.charge(code, "key-read-only"), "storage-read-only")
    assert shop.failing() == ["writable"]
    assert shop.count("redemptions_charges") == 0
    shop.database.dispose()
    assert shop_on_disk.charge(code, "key-read-only").status_code == 201


def test_a_slow_disk_delays_writers_and_not_readers(shop_on_disk: Shop, disk: Disk) -> None:
    shop = shop_on_disk
    codes = shop.codes(8)
    disk.meet("slow:1.5")
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda code=code: answers.append(shop.charge(code, f"key-{code}").status_code))
        for code in codes
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert shop.look("/healthz").status_code == 200
    assert shop.count("ledger_entries") >= 1
    assert time.monotonic() - began < 1.5, "a reader waited for a writer's disk"
    for thread in threads:
        thread.join()
    assert answers == [201] * len(codes)


def test_a_damaged_page_is_named_and_turns_readiness_red_until_the_file_is_whole_again(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    path = tmp_path / "bank.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    url = f"sqlite:///{path}"
    shop = open_shop(url)
    for number in range(30):
        assert shop.charge(shop.code(), f"key-{number:08}").status_code == 201
    shop.database.dispose()
    whole = path.read_bytes()
    path.write_bytes(_damaged(path, "redemptions_charges"))
    shop.database.dispose()
    listed = shop.app.test_client().get("/api/v1/redemptions", headers=shop.headers)
    assert is_outage(listed, "database-damaged")
    assert shop.failing() == ["undamaged"]
    path.write_bytes(whole)
    mended = restarted(shop, url)
    assert mended.failing() == []
    assert mended.count("redemptions_charges") == 30
    mended.check_books()
    mended.database.dispose()


def _damaged(path: Path, table: str) -> bytes:
    """Return the file with the first page of a table overwritten, as a failing disk does."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    return bytes(content)
