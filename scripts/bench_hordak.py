"""A peer: transfers by django-hordak, a double-entry ledger, on the same cluster. Runs where it is installed.

Without arguments it is one process of its clients: a line of JSON with the database's URL, then one for each job.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from scripts.bench_engines import POSTGRESQL, Engines
from scripts.bench_post import ROOT, answer, tell
from scripts.bench_table import Family, Measure, Row

PROCESSES, CLIENTS, PAYERS = 2, 16, 64


def families(engines: Engines, engine: str, seconds: float) -> Iterator[Family]:
    if engine == POSTGRESQL and find_spec("hordak"):
        rows = (Row("a peer, django-hordak: transfers of 16 threads in 2 processes / R", "hordak", "R"),)
        yield Family("peers", engine, rows, partial(_open, engines, seconds))


@contextmanager
def _open(engines: Engines, seconds: float) -> Iterator[tuple[Measure, ...]]:
    url = engines.empty_database()
    words = [sys.executable, "-m", "scripts.bench_hordak"]
    processes: list[subprocess.Popen[str]] = []
    try:
        for number in range(PROCESSES):
            process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            processes.append(process)
            tell(process, {"url": url, "is_first": number == 0})
            answer(process)  # The first has made the tables when the second begins.
        yield (
            Measure(("R",), lambda: (engines.pgbench(seconds),)),
            Measure(("hordak",), lambda: (_rate(processes, seconds),)),
        )
    finally:
        for process in processes:
            assert process.stdin is not None, "it was started with a pipe"
            process.stdin.close()
            process.wait(timeout=30)


def _rate(processes: list[subprocess.Popen[str]], seconds: float) -> float:
    for process in processes:
        tell(process, {"clients": CLIENTS // len(processes), "seconds": seconds})
    done = [answer(process) for process in processes]
    return sum(transfers for transfers, _ in done) / max(took for _, took in done)


def main() -> None:
    place = json.loads(sys.stdin.readline())
    _set_up(place["url"])
    from django.core.management import call_command
    from hordak.models import Account

    if place["is_first"]:
        call_command("migrate", verbosity=0)
        for number in range(PAYERS + 1):
            Account.objects.create(name=f"account {number}", code=f"{number:04}", type="AS", currencies=["CNY"])
    accounts = list(Account.objects.order_by("code"))
    print(json.dumps([0, 0]), flush=True)
    for line in sys.stdin:
        print(json.dumps(_transfer(accounts, json.loads(line))), flush=True)


def _set_up(url: str) -> None:
    import django
    from django.conf import settings

    where = urlsplit(url)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": where.hostname,
                "PORT": where.port,
                "USER": where.username,
                "NAME": where.path[1:],
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_CURRENCY="CNY",
        CURRENCIES=["CNY"],
        HORDAK_INTERNAL_CURRENCY="CNY",
        HORDAK_CURRENCIES=["CNY"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY=os.urandom(16).hex(),
    )
    django.setup()


def _transfer(accounts: list[Any], job: dict[str, Any]) -> tuple[int, float]:
    """Let the clients transfer for a while, each in a transaction of its own, from many accounts to one."""
    from django.db import connection, transaction
    from moneyed import Money

    shop, *payers = accounts
    done: list[int] = []
    until = time.perf_counter() + job["seconds"]

    def client(number: int) -> None:
        turns = 0
        while time.perf_counter() < until:
            with transaction.atomic():
                payers[(number + turns) % len(payers)].transfer_to(shop, Money(1, "CNY"))
            turns += 1
        connection.close()
        done.append(turns)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(job["clients"])]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done), time.perf_counter() - started


if __name__ == "__main__":
    main()
