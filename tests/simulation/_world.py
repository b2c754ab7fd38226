"""Two processes with a commit lane each, clients who never give up, and a scheduler that does its worst, by seeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import greenlet

from moralbank import lane as lanes
from moralbank import ledger
from moralbank.db import Raced
from moralbank.errors import MoralBankError
from moralbank.lane import CommitLane, Wish
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit, drafts, leaf, rows
from moralbank.ledger.looking import BOOK_SHIFT
from tests.simulation._engine import Engine, Killed, pause

BOOK = 1
ISSUER, REGISTRY, SHOP, ANNA, BEN, CARA = (BOOK << BOOK_SHIFT | number for number in range(1, 7))
KINDS = {
    ISSUER: AccountKind.ISSUER,
    REGISTRY: AccountKind.REGISTRY,
    SHOP: AccountKind.MERCHANT,
    **dict.fromkeys((ANNA, BEN, CARA), AccountKind.RESIDENT),
}
STEPS_MAX = 20_000


class Anomaly(Exception):
    """Something that must never happen, in words."""


@dataclass
class Request:
    """One client's draft, sent until it is answered."""

    draft: Draft
    is_act: bool
    answer: Posted | MoralBankError | None = None
    sent: int = 0


@dataclass
class Process:
    """A web process: what waits for its lane, and what the lane is carrying out."""

    lane: CommitLane
    waiting: list[tuple[Request, Wish]] = field(default_factory=list)
    carried: list[tuple[Request, Wish]] = field(default_factory=list)
    thread: greenlet.greenlet | None = None


class World:
    """What happens under one seed."""

    lane_class = CommitLane
    engine_class = Engine

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
        self.engine = self.engine_class(KINDS)
        self.processes = [self._start() for _ in range(2)]
        self.requests = [self._request(number) for number in range(self.random.randint(6, 14))]

    def _start(self) -> Process:
        return Process(self.lane_class(self.engine.begin, lambda fault: isinstance(fault, Raced)))

    def _request(self, number: int) -> Request:
        chance = self.random
        key = f"key-{number if chance.random() < 0.8 else chance.randrange(number + 1)}"
        resident, other = chance.sample((ANNA, BEN, CARA), 2)
        points = chance.randint(1, 9)
        kind = chance.choice(("award", "award", "redemption", "redemption", "gift"))
        source = None
        if kind == "award":
            legs = (
                Leg(ISSUER, Unit.POINTS, -points), Leg(resident, Unit.POINTS, points),
                Leg(REGISTRY, Unit.MINUTES, -60), Leg(resident, Unit.MINUTES, 60),
            )  # fmt: skip
            source = ("attendance", f"1:{chance.randrange(8)}") if chance.random() < 0.5 else None
        else:
            to = SHOP if kind == "redemption" else other
            legs = (Leg(resident, Unit.POINTS, -points), Leg(to, Unit.POINTS, points))
        draft = Draft(BOOK, kind, legs, key, "staff:1", source=source)
        return Request(draft, chance.random() < 0.3)

    def run(self) -> None:
        """Go on until everybody is answered. Raises: Anomaly."""
        with self._in_this_world():
            for _ in range(STEPS_MAX):
                if all(request.answer is not None for request in self.requests):
                    break
                self._step()
            else:
                raise Anomaly("somebody waits for ever")
            for process in self.processes:
                self._kill(process)
        self._check_books()

    @contextmanager
    def _in_this_world(self) -> Iterator[None]:
        with (
            patch("moralbank.clock.now", lambda: self.now),
            patch.object(rows, "of", lambda transaction: transaction),
            patch.object(lanes, "time", type("Time", (), {"sleep": staticmethod(lambda _seconds: pause())})),
        ):
            yield

    def _step(self) -> None:
        chance = self.random.random()
        process = self.random.choice(self.processes)
        if chance < 0.02:
            self._kill(process)
        elif chance < 0.04:
            self.now += timedelta(seconds=self.random.uniform(-3600, 3600))
        elif chance < 0.45:
            self._send(process)
        else:
            self._go_on(process)
        self.now += timedelta(milliseconds=1)

    def _send(self, process: Process) -> None:
        waiting = {id(request) for one in self.processes for request, _ in (*one.waiting, *one.carried)}
        unanswered = [r for r in self.requests if r.answer is None and id(r) not in waiting]
        if not unanswered:
            return
        request = self.random.choice(unanswered)
        request.sent += 1
        draft = request.draft
        act = (lambda db: ledger.post(db, draft)) if request.is_act else None
        process.waiting.append((request, Wish(act, None if act else ledger.post_many, draft)))

    def _go_on(self, process: Process) -> None:
        if process.thread is None:
            if not process.waiting:
                return
            size = self.random.randint(1, len(process.waiting))
            process.carried, process.waiting = process.waiting[:size], process.waiting[size:]
            wishes = [wish for _, wish in process.carried]
            process.thread = greenlet.greenlet(lambda: process.lane._carry_out(wishes))
        process.thread.switch()
        if process.thread.dead:
            for request, wish in process.carried:
                self._answer(request, wish)
            process.thread, process.carried = None, []

    def _answer(self, request: Request, wish: Wish) -> None:
        """Tell the client, and look whether what it is told is durable."""
        verdict = wish.fault or wish.value
        if not isinstance(verdict, Posted | MoralBankError):
            if isinstance(verdict, Raced):
                return  # Raced too often: an error of the service, after which the client sends again.
            raise Anomaly(f"a client was told {verdict!r}")
        request.answer = verdict
        if isinstance(verdict, Posted) and verdict.entry_id not in self.engine.state.entries:
            raise Anomaly(f"{request.draft.key} was acknowledged and is not in the book")

    def _kill(self, process: Process) -> None:
        """End the process at once; its clients never hear, and send again."""
        if process.thread is not None and not process.thread.dead:
            with suppress(Killed):
                process.thread.throw(Killed)
        self.processes[self.processes.index(process)] = self._start()

    def _check_books(self) -> None:
        self._check_lines()
        self._check_verdicts()
        self._check_answers()

    def _check_lines(self) -> None:
        state = self.engine.state
        sums: dict[tuple[int, Unit], list[Any]] = {what: [0, 0, None] for what in state.held}
        seqs = [entry.seq for writes in self.engine.log for entry in writes.entries]
        if len(set(seqs)) != len(seqs) or len(seqs) != len(state.entries):
            raise Anomaly("a number or an entry stands twice")
        for entry in (entry for writes in self.engine.log for entry in writes.entries):
            if state.entries.get(entry.entry_id) is not entry:
                raise Anomaly("an entry that was committed is gone")
            if any(sum(leg.amount for leg in entry.legs if leg.unit is unit) for unit in Unit):
                raise Anomaly("legs don't sum to zero")
            for leg in entry.legs:
                if (leg.account, leg.unit) not in sums:
                    continue
                n, balance, last_at = sums[leg.account, leg.unit]
                if (leg.n, leg.balance_after) != (n + 1, balance + leg.amount):
                    raise Anomaly(f"line {leg.n} says {leg.balance_after} after line {n} with {balance}")
                if balance + leg.amount < 0:
                    raise Anomaly("a balance went below zero")
                if last_at is not None and entry.posted_at < last_at:
                    raise Anomaly("an account's lines run backwards in time")
                sums[leg.account, leg.unit] = [n + 1, balance + leg.amount, entry.posted_at]
        for what, held in state.held.items():
            if [held.n, held.balance, held.last_at] != sums[what]:
                raise Anomaly("a balance differs from its lines")

    def _check_verdicts(self) -> None:
        """Decide everything again, one after the other in the order of the commits."""
        balances = dict.fromkeys((what for what in self.engine.state.held), 0)
        asked = {}
        for request in self.requests:
            asked[drafts.fingerprint(request.draft)] = request.draft
        sources: set[object] = set()
        for writes in self.engine.log:
            for _, _, fingerprint, entry_id, refusal in writes.keys:
                draft = asked[fingerprint]
                needs = [
                    leg
                    for leg in draft.legs
                    if (leg.account, leg.unit) in balances and balances[leg.account, leg.unit] + leg.amount < 0
                ]
                repeats = draft.source is not None and draft.source in sources
                expected = "source-posted" if repeats else "insufficient-balance" if needs else None
                if refusal != expected or (entry_id is None) != (expected is not None):
                    raise Anomaly(f"{draft.key} was decided as {refusal}, and {expected} is right")
                if expected is None:
                    sources.add(draft.source)
                    for leg in draft.legs:
                        if (leg.account, leg.unit) in balances:
                            balances[leg.account, leg.unit] += leg.amount

    def _check_answers(self) -> None:
        """Every client was told what the book says of its key, and the book holds nothing that nobody asked for."""
        asked = {(request.draft.actor, request.draft.key) for request in self.requests}
        if not self.engine.state.answered.keys() <= asked:
            raise Anomaly("something stands in the book that nobody asked for")
        for request in self.requests:
            draft, answer = request.draft, request.answer
            kept = self.engine.state.answered.get((draft.actor, draft.key))
            if request.is_act and isinstance(answer, MoralBankError):
                continue  # What an act raises undoes it with its key: the same may be tried again.
            if kept is None:
                raise Anomaly(f"{draft.key} was answered and is not kept")
            if kept.fingerprint != drafts.fingerprint(draft):
                if not isinstance(answer, ledger.KeyReused):
                    raise Anomaly(f"{draft.key} came with other content and was told {answer!r}")
            elif kept.leaf is not None:
                if not isinstance(answer, Posted) or answer.entry_id != leaf.posted_from(kept.leaf).entry_id:
                    raise Anomaly(f"{draft.key} stands in the book and was told {answer!r}")
            elif not isinstance(answer, MoralBankError) or answer.code != kept.refusal:
                raise Anomaly(f"{draft.key} was refused with {kept.refusal} and told {answer!r}")


def run(seed: int, world: type[World] = World) -> None:
    """Let one seed happen. Raises: Anomaly, with the seed that shows it again."""
    try:
        world(seed).run()
    except Anomaly as anomaly:
        raise Anomaly(f"seed {seed}: {anomaly}") from None


def run_all(seeds: int) -> None:
    """Let seeds from 0 on happen, until one shows an anomaly."""
    for seed in range(seeds):
        run(seed)
