"""The clients of a fault campaign: each does its work under keys, tries again what it had no answer to, and keeps
its own record of what was acknowledged. The record knows nothing of the database.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.faults_people import Payer, People

TIMEOUT_SECONDS = 4.0
#: What a rule may decide against a request of ours; every other refusal is wrong, above all that a code was used.
EXPECTED_REFUSALS = frozenset(
    {"not-enough-points", "day-limit-reached", "month-limit-reached", "code-expired", "undo-too-late"}
)
ATTENDING = 3
_MINUTES = 60


@dataclass(eq=False)
class Operation:
    """One request under its key, and the first answer to it, once there was one."""

    kind: str
    token: str
    path: str
    body: dict[str, Any]
    key: str
    payer: Payer | None = None
    status: int | None = None
    content: bytes = b""
    tries: int = 0

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found


@dataclass
class Journal:
    """What the clients know: every operation, how often they had to ask, and whatever could not be right."""

    operations: list[Operation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outages: Counter[str] = field(default_factory=Counter)
    anomalies: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, operation: Operation) -> None:
        with self._lock:
            self.operations.append(operation)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def outage(self, code: str) -> None:
        with self._lock:
            self.outages[code] += 1

    def report(self, anomaly: str) -> None:
        with self._lock:
            self.anomalies.append(anomaly)

    def acknowledged(self, kind: str) -> list[Operation]:
        return [one for one in self.operations if one.kind == kind and one.is_acknowledged]


class Caller:
    """Sends operations over a connection of its own; no answer, or one that says "later", is asked for again."""

    def __init__(self, port: int, journal: Journal) -> None:
        self._port = port
        self._journal = journal
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, operation: Operation) -> bool:
        """Send it once and tell whether there is an answer now; an earlier one must come back octet for octet."""
        operation.tries += 1
        if operation.tries > 1:
            self._journal.count("retries")
        try:
            status, content, replayed = self._send(operation)
        except (OSError, http.client.HTTPException):
            self._journal.count("no answer")
            self._drop()
            return False
        if status >= 500:
            self._later(operation, status, content)
            return False
        if replayed:
            self._journal.count("replays")
        if operation.status is not None:
            if (status, content) != (operation.status, operation.content):
                self._journal.report(
                    f"another answer to the same key: {_shown(operation)}, then {status} {_text(content)}"
                )
            return True
        operation.status, operation.content = status, content
        if status >= 300 and _code(content) not in EXPECTED_REFUSALS:
            self._journal.report(f"refused for no reason: {_shown(operation)}")
        return True

    def _send(self, operation: Operation) -> tuple[int, bytes, bool]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        headers = {
            "Authorization": f"Bearer {operation.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": operation.key,
        }
        self._connection.request("POST", f"/api/v1{operation.path}", json.dumps(operation.body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.will_close:
            self._drop()
        return answer.status, content, answer.getheader("Idempotency-Replayed") == "true"

    def _later(self, operation: Operation, status: int, content: bytes) -> None:
        code = _code(content)
        self._journal.outage(code)
        if status != 503:
            self._journal.report(f"an error without a name: {status} {_text(content)} to {_shown(operation)}")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Client:
    """One thread of work. What it gives up asking for stays in the journal, to be asked again at the end."""

    def __init__(self, number: int, seed: int, port: int, people: People, journal: Journal) -> None:
        self.dice = random.Random(f"{seed}:{number}")  # noqa: S311 - a plan, no secret
        self.number = number
        self._people = people
        self._journal = journal
        self._caller = Caller(port, journal)
        self._serial = 0
        self._seed = seed
        self._mine: list[Operation] = []
        self._payers = list(people.payers[number::2])
        self.stop = threading.Event()

    def run(self, work: Callable[[Client], None]) -> None:
        while not self.stop.is_set():
            work(self)
            if self._mine and self.dice.random() < 0.15:
                self._caller.ask(self.dice.choice(self._mine))
            self.stop.wait(self.dice.uniform(0, 0.02))

    def do(self, kind: str, token: str, path: str, body: dict[str, Any], payer: Payer | None = None) -> Operation:
        """Carry an operation out; one that has no answer after some tries is left for the end."""
        self._serial += 1
        key = f"faults-{self._seed}-{self.number}-{self._serial}"
        operation = Operation(kind, token, path, body, key, payer)
        self._journal.begin(operation)
        patience = self.dice.choice((1, 3, 30))
        while not self._caller.ask(operation) and operation.tries < patience and not self.stop.is_set():
            self.stop.wait(self.dice.uniform(0.02, 0.3))
        if operation.is_acknowledged:
            self._mine.append(operation)
        return operation

    def take_payer(self) -> Payer | None:
        """Return a payer who has attended nothing yet: hours that overlap are credited once."""
        return self._payers.pop() if self._payers else None


def pay(client: Client) -> None:
    """Show a code, have it charged, and sometimes have the charge undone."""
    people = client._people
    payer, till = client.dice.choice(people.payers), client.dice.choice(people.tills)
    shown = client.do("code", payer.token, "/payment-codes", {}, payer)
    if not shown.is_acknowledged:
        return
    order = {
        "merchant_id": till.merchant_id,
        "points": client.dice.randint(1, 9),
        "code": shown.said["code"],
        "confirmed": True,
    }
    charged = client.do("charge", till.token, "/redemptions", order, payer)
    if charged.is_acknowledged and client.dice.random() < 0.25:
        client.do("undo", till.token, f"/redemptions/{charged.said['charge_id']}/undo", {}, payer)


def lead(client: Client) -> None:
    """Hold a session: enrol who is new, scan everybody, twice where the answer got lost, and sign it off."""
    people, dice = client._people, client.dice
    numbers = []
    for _ in range(ATTENDING):
        payer = client.take_payer() if dice.random() < 0.5 else None
        if payer is not None:
            numbers.append(payer.number)
            continue
        person = {"name": "新来的", "phone": f"139{dice.randrange(10**8):08}", "branch_id": people.station_id}
        enrolled = client.do("enrol", people.staff_token, "/residents", person | {"consents": ["record"]})
        if enrolled.is_acknowledged:
            numbers.append(enrolled.said["number"])
    starts_at = datetime.now(UTC) - timedelta(hours=2, microseconds=dice.randrange(10**9))
    hours = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=2)).isoformat()}
    held = client.do(
        "session",
        people.staff_token,
        f"/activities/{people.activity_id}/sessions",
        hours | {"out_after": 1440},
    )
    if not (held.is_acknowledged and numbers):
        return
    place = f"/sessions/{held.said['session_id']}"
    nonces = [f"{client.number}-{held.said['session_id']}-{number}" for number in numbers]
    scans = [
        {"nonce": nonce, "code": number, "direction": "out"} for nonce, number in zip(nonces, numbers, strict=True)
    ]
    scanned = client.do("check-in", people.staff_token, f"{place}/checkins", {"items": scans})
    if dice.random() < 0.3:  # A desk that sends its whole list again, under a new key: the nonces hold.
        scanned = client.do("check-in", people.staff_token, f"{place}/checkins", {"items": scans})
    if scanned.is_acknowledged:
        confirmed = [{"resident_number": number, "minutes": _MINUTES} for number in numbers]
        signature = {"head_count": len(confirmed), "confirmed": confirmed}
        client.do("award", people.staff_token, f"{place}/sign-off", signature)


def settle(journal: Journal, port: int, dice: random.Random, *, replays_max: int) -> None:
    """When all is calm: ask for every answer that is still missing, and for known ones once more."""
    caller = Caller(port, journal)
    for operation in [one for one in journal.operations if one.status is None]:
        journal.count("resolved at the end")
        until = time.monotonic() + 30
        while not caller.ask(operation):
            if time.monotonic() > until:
                journal.report(f"no answer when all was calm: {_shown(operation)}")
                break
            time.sleep(0.1)
    known = [one for one in journal.operations if one.status is not None]
    for operation in dice.sample(known, min(replays_max, len(known))):
        if not caller.ask(operation):
            journal.report(f"no replay when all was calm: {_shown(operation)}")


def _code(content: bytes) -> str:
    try:
        return str(json.loads(content)["code"])
    except (ValueError, KeyError, TypeError):
        return "unnamed"


def _shown(operation: Operation) -> str:
    return f"{operation.kind} {operation.path} key {operation.key}: {operation.status} {_text(operation.content)}"


def _text(content: bytes) -> str:
    return content[:300].decode(errors="replace")
