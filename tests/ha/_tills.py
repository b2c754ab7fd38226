"""Tills that charge over HTTP while machines die: every write has a key, and is repeated until it is answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.access import service as access
from moralbank.db import Database
from moralbank.merchants import service as merchants
from moralbank.merchants.service import MerchantDetails
from moralbank.redemptions.queries import Receipt, list_receipts_after
from moralbank.residents import service as residents
from moralbank.residents.queries import Resident
from moralbank.residents.service import Person
from tests._people import make_branch_tree, make_login

#: More than the server has threads, so that threads which hang would be missed.
TILLS = 20
RESIDENTS_PER_TILL = 4
#: Between two writes, so that the machine, which others may need too, has time for the nodes.
PAUSE_SECONDS = 0.1
OPENING_POINTS = 100_000
#: After this a till asks again, as a phone would; the write may have happened or not.
PATIENCE_SECONDS = 8
#: Longer than any outage here: a till that has no answer by then has found a fault.
GIVE_UP_SECONDS = 90
#: Every so many charges one is undone.
UNDONE = 4


@dataclass(frozen=True, slots=True)
class Shop:
    """The street of the trial: a shop's token, and residents with theirs."""

    merchant_id: int
    token: str
    residents: tuple[Resident, ...]
    resident_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A write that was answered once, and what must be said whenever it is repeated."""

    path: str
    token: str
    key: str
    body: str
    status: int
    content: bytes
    at_seconds: float
    tries: int


def open_shop(db: Connection) -> Shop:
    tree = make_branch_tree(db)
    details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
    shop = merchants.add_merchant(db, tree["NS-01"], "M002", details, status="active")
    operator = make_login(db, "operator", tree["NS-01"], shop.merchant_id)
    until = clock.today() + timedelta(days=7)
    token = access.issue_token(db, operator.principal, "till", ["charges:write"], until)
    savers, tokens = [], []
    for number in range(TILLS * RESIDENTS_PER_TILL):
        person = Person(f"张{number}", tree["NS-01"].branch_id, "13800000001", None)
        resident = residents.enrol(db, person, actor="staff:1")
        opening = ledger.internal_account(db, resident.book_id, ledger.AccountKind.OPENING)
        legs = (
            ledger.Leg(opening, ledger.Unit.POINTS, -OPENING_POINTS),
            ledger.Leg(resident.account_id, ledger.Unit.POINTS, OPENING_POINTS),
        )
        draft = ledger.Draft(resident.book_id, "opening", legs, f"opening:{number}", "system", grade="D")
        ledger.post(db, draft)
        login = make_login(db, "resident", tree["NS-01"], resident_id=resident.resident_id)
        savers.append(resident)
        tokens.append(access.issue_token(db, login.principal, "phone", ["codes:write"], until))
    return Shop(shop.merchant_id, token, tuple(savers), tuple(tokens))


class Till(threading.Thread):
    """One client: issues a resident's code, charges it, now and then undoes the charge, and goes on."""

    def __init__(self, port: int, shop: Shop, place: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[Acknowledged] = []
        self.fault: Exception | None = None
        self._port = port
        self._shop = shop
        self._phones = shop.resident_tokens[place::TILLS]
        self._stopping = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        try:
            for number, phone in enumerate(self._round(), 1):
                code = json.loads(self._write("/api/v1/payment-codes", phone, {}).content)["code"]
                order = {"merchant_id": self._shop.merchant_id, "points": 1, "code": code, "confirmed": True}
                charge = self._write("/api/v1/redemptions", self._shop.token, order)
                if charge.status == 201 and number % UNDONE == 0:
                    path = f"/api/v1/redemptions/{json.loads(charge.content)['charge_id']}/undo"
                    self._write(path, self._shop.token, {})
        except Exception as fault:
            self.fault = fault

    def stop(self) -> None:
        """Finish what has begun, and begin nothing else."""
        self._stopping.set()

    def count_since(self, moment: float) -> int:
        """Count the writes acknowledged after the moment of the monotonic clock."""
        return sum(known.at_seconds > moment for known in list(self.acknowledged))

    def wrong_replays(self) -> list[str]:
        """Repeat every acknowledged write and return those whose second answer is not the first."""
        wrong = []
        for known in self.acknowledged:
            answer = self._send(known.path, known.token, known.key, known.body)
            if answer != (known.status, known.content, True):
                wrong.append(f"{known.path} {known.key}: {known.status} {known.content!r}, then {answer}")
        self.hang_up()
        return wrong

    def _round(self) -> Iterator[str]:
        while not self._stopping.is_set():
            for phone in self._phones:
                if self._stopping.is_set():
                    return
                yield phone

    def _write(self, path: str, token: str, body: object) -> Acknowledged:
        key, text = ids.token(16), json.dumps(body)
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        tries = 0
        while time.monotonic() < give_up_at:
            tries += 1
            try:
                status, content, _ = self._send(path, token, key, text)
            except (OSError, http.client.HTTPException):
                self.hang_up()
                time.sleep(0.1)
                continue
            if status >= 500:  # The outcome is unknown; the same key will tell.
                time.sleep(0.1)
                continue
            known = Acknowledged(path, token, key, text, status, content, time.monotonic(), tries)
            self.acknowledged.append(known)
            time.sleep(PAUSE_SECONDS)
            return known
        raise AssertionError(f"{path} had no answer in {GIVE_UP_SECONDS} s and {tries} tries")

    def _send(self, path: str, token: str, key: str, text: str) -> tuple[int, bytes, bool]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json"}
        self._connection.request("POST", path, text, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Idempotency-Replayed") == "true"

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Load:
    """All tills together: `with Load(port, shop) as load:` charges until the block ends, each write answered."""

    def __init__(self, port: int, shop: Shop) -> None:
        self.shop = shop
        self.tills = [Till(port, shop, place) for place in range(TILLS)]

    def __enter__(self) -> Load:
        for till in self.tills:
            till.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        for till in self.tills:
            till.stop()
        for till in self.tills:
            till.join()
            till.hang_up()

    @property
    def acknowledged(self) -> list[Acknowledged]:
        return [known for till in self.tills for known in list(till.acknowledged)]

    def outage(self) -> float:
        """Return the longest time in which no write was acknowledged, in seconds."""
        moments = sorted(known.at_seconds for known in self.acknowledged)
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)

    def wrong_replays(self) -> list[str]:
        """Repeat every acknowledged write and return those whose second answer is not the first."""
        with ThreadPoolExecutor(4) as threads:
            return [wrong for found in threads.map(Till.wrong_replays, self.tills) for wrong in found]

    def count_since(self, moment: float) -> int:
        return sum(till.count_since(moment) for till in self.tills)


def made_charges(db: Connection, shop: Shop) -> list[Receipt]:
    """List every charge that the bank has at the shop."""
    found: list[Receipt] = []
    while page := list_receipts_after(db, [shop.merchant_id], found[-1].charge_id if found else 0, 500):
        found += page
    return found


def points_missing(db: Connection, shop: Shop, charges: Sequence[Receipt]) -> dict[str, tuple[int, int]]:
    """Return, by resident, the balance and what it should be, wherever the two differ."""
    wrong = {}
    for resident in shop.residents:
        spent = sum(
            charge.points
            for charge in charges
            if charge.resident_id == resident.resident_id and charge.undone_at is None
        )
        balance = ledger.balance(db, resident.book_id, resident.account_id, ledger.Unit.POINTS).balance
        if balance != OPENING_POINTS - spent:
            wrong[resident.name] = (balance, OPENING_POINTS - spent)
    return wrong


def unsound_books(database: Database) -> list[str]:
    with database.reading() as db:
        reports = [ledger.verify(db, book.book_id) for book in ledger.list_books(db)]
    return [str(report.first_fault) for report in reports if not report.is_sound]
