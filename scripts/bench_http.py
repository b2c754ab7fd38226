"""Charges over HTTP through the whole service, beside a bare Flask route on the same server and engine."""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa

from moralbank import clock, db, ids
from moralbank.access import sessions
from moralbank.merchants import service as merchants
from moralbank.merchants.service import MerchantDetails
from moralbank.redemptions import codes
from moralbank.residents.queries import Resident
from tests._people import make_branch_tree, make_login
from tests.redemptions.conftest import give_points, make_resident

CHARGES = 400
CLIENTS = 8
SECRET = "a key for the bench that is longer than thirty-two characters"


class ChargingBench:
    """A shop, four hundred residents with a payment code each, and two servers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = db.Database(url)
        self.database.transact(self._people)
        self.database.transact(self._purses)

    def _people(self, connection: sa.Connection) -> None:
        tree = make_branch_tree(connection)
        details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
        shop = merchants.add_merchant(connection, tree["NS-01"], "M002", details, status="active")
        self.merchant_id = shop.merchant_id
        operator = make_login(connection, "operator", tree["NS-01"], shop.merchant_id)
        in_a_week = clock.today() + timedelta(days=7)
        self.token = sessions.issue_token(connection, operator.principal, "bench", ["charges:write"], in_a_week)
        self.residents: list[Resident] = [make_resident(connection, tree["NS-01"], f"张{n}") for n in range(CHARGES)]
        for resident in self.residents:
            give_points(connection, resident, 500)

    def _purses(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("RESET ROLE")
        serial = "SERIAL" if connection.dialect.name == "postgresql" else "INTEGER"
        connection.exec_driver_sql(
            f"CREATE TABLE bare_charges (charge_id {serial} PRIMARY KEY, account BIGINT NOT NULL, points BIGINT)"
        )
        connection.exec_driver_sql("CREATE TABLE bare_purses (account BIGINT PRIMARY KEY, balance BIGINT NOT NULL)")
        purses = ", ".join(f"({n}, 100000)" for n in range(CHARGES))
        connection.exec_driver_sql(f"INSERT INTO bare_purses VALUES {purses}")  # noqa: S608 - numbers of our own
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("GRANT ALL ON bare_charges, bare_purses, bare_charges_charge_id_seq TO PUBLIC")
            connection.exec_driver_sql(f"SET ROLE {db.APP_ROLE}")

    def run(self, rounds: int) -> tuple[float, float, list[float]]:
        """Return (bare route /s, charge /s, the rounds' ratios)."""
        with self._serve("bench_bare:app") as bare_port, self._serve("moralbank.wsgi:app") as port:
            rows = []
            self._bare(bare_port)
            self._charge(port)
            for _ in range(rounds):
                rows.append((self._bare(bare_port), self._charge(port)))
        bare, mine = (statistics.median(column) for column in zip(*rows, strict=True))
        return bare, mine, [ours / floor for floor, ours in rows]

    @contextmanager
    def _serve(self, application: str) -> Iterator[int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        workers = "1" if self.url.startswith("sqlite") else "2"
        env = os.environ | {
            "DATABASE_URL": self.url,
            "SECRET_KEY": SECRET,
            "PYTHONPATH": os.pathsep.join([".", "scripts"]),
        }
        words = ["--workers", workers, "--threads", "8", "--worker-class", "gthread", "--no-control-socket"]
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *words, application],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)

    def _bare(self, port: int) -> float:
        requests = [("/charge", {"account": n, "points": 1}, {}) for n in range(CHARGES)]
        return self._rate(port, requests)

    def _charge(self, port: int) -> float:
        def issue(connection: sa.Connection) -> list[str]:
            return [codes.issue_code(connection, resident.resident_id).number for resident in self.residents]

        requests = [
            (
                "/api/v1/redemptions",
                {"merchant_id": self.merchant_id, "points": 1, "code": number, "confirmed": True},
                {"Authorization": f"Bearer {self.token}", "Idempotency-Key": ids.token(12)},
            )
            for number in self.database.transact(issue)
        ]
        return self._rate(port, requests)

    def _rate(self, port: int, requests: list[tuple[str, dict, dict]]) -> float:
        left = iter(requests)
        turn = threading.Lock()
        faults: list[str] = []

        def take() -> tuple[str, dict, dict] | None:
            with turn:
                return next(left, None)

        def run() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            while (request := take()) is not None:
                path, body, headers = request
                connection.request("POST", path, json.dumps(body), headers | {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 201:
                    faults.append(f"{answer.status} {text[:300]!r}")

        seconds = _timed([threading.Thread(target=run) for _ in range(CLIENTS)])
        if faults:
            sys.exit(f"{len(faults)} of {len(requests)} requests to {requests[0][0]} failed: {faults[0]}")
        return len(requests) / seconds

    def close(self) -> None:
        self.database.dispose()


def _timed(threads: list[threading.Thread], now: Callable[[], float] = time.perf_counter) -> float:
    started = now()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return now() - started
