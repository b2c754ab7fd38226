"""What goes wrong during a fault campaign, by a seeded plan: kills, freezes, restarts, falls of the whole machine."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence

import psutil

from scripts.faults_bank import RECOVERY_SECONDS, Bank
from scripts.faults_clients import Journal

#: How often each trouble comes, in parts of all.
_WEIGHTS = {
    "worker killed": 6,
    "web server killed": 1,
    "scheduler killed": 3,
    "signer killed": 2,
    "frozen": 4,
    "restarted": 1,
    "machine fell": 3,
    "database killed": 3,
}
_FREEZE_SECONDS = 1.5
_TURN_SECONDS = 0.5


class Troubles:
    """Makes trouble until the time is over, or until something is found that can't be right."""

    def __init__(self, bank: Bank, dice: random.Random, journal: Journal) -> None:
        self._bank = bank
        self._dice = dice
        self._journal = journal
        self.counts: Counter[str] = Counter()
        #: Seconds until the bank was ready again by itself, and after what.
        self.recoveries: list[tuple[float, str]] = []

    def make(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._journal.anomalies:
            time.sleep(self._dice.uniform(0.2, 1.2))
            trouble = self._dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            self._meet(trouble)
            # Sometimes the next one comes while the bank is still getting up.
            if self._dice.random() < 0.7:
                self._await_recovery(trouble)

    def calm(self) -> None:
        """Let the bank get up a last time."""
        self._await_recovery("the last trouble")

    def _meet(self, trouble: str) -> None:
        match trouble:
            case "worker killed":
                self._kill(trouble, self._bank.web_workers())
            case "web server killed":
                self._kill(trouble, self._bank.web_server())
            case "scheduler killed":
                self._kill(trouble, self._bank.scheduler())
            case "signer killed":
                self._kill(trouble, self._bank.signer())
            case "frozen":
                self._freeze([*self._bank.family()[1:], *self._bank.engine.processes()])
            case "restarted":
                self._restart()
            case "machine fell":
                self._bank.kill_all()
                self._bank.engine.fall(self._dice)
                self._bank.engine.rise()
                self._bank.start()
                self.counts[trouble] += 1
            case "database killed":
                self._kill_database(trouble)

    def _kill(self, trouble: str, candidates: Sequence[psutil.Process]) -> None:
        if candidates:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._dice.choice(candidates).kill()
                self.counts[trouble] += 1

    def _kill_database(self, trouble: str) -> None:
        """Kill one process of the database, or all of them."""
        processes = self._bank.engine.processes()
        if not processes:
            return
        if self._dice.random() < 0.5:
            self._kill(trouble, processes[1:] or processes)
        else:
            self._bank.engine.fall(self._dice)
            self.counts[trouble] += 1
            time.sleep(self._dice.uniform(0, 1))
        self._bank.engine.rise()

    def _freeze(self, candidates: Sequence[psutil.Process]) -> None:
        """Stop some process in whatever it does, for longer or shorter, and let it go on."""
        if not candidates:
            return
        chosen = self._dice.choice(candidates)
        with contextlib.suppress(psutil.NoSuchProcess):
            chosen.send_signal(signal.SIGSTOP)
            self.counts["frozen"] += 1
            time.sleep(self._dice.uniform(0.05, _FREEZE_SECONDS))
            chosen.send_signal(signal.SIGCONT)

    def _restart(self) -> None:
        if self._bank.family():
            try:
                status = self._bank.stop()
            except psutil.TimeoutExpired:
                self._journal.report("the service did not stop within 30 s")
                return
            if status != 0:
                self.counts[f"stopped with status {status}"] += 1
            self.counts["restarted"] += 1
        self._bank.start()

    def _await_recovery(self, trouble: str) -> None:
        began = time.monotonic()
        while not self._bank.wait_until_ready(seconds=_TURN_SECONDS):
            # It gives up when killed at every start; the one who looks after the machine's services starts it again.
            if self._bank.keep_running():
                self.counts["supervisor gave up"] += 1
            if time.monotonic() - began > RECOVERY_SECONDS:
                self._journal.report(f"not ready a minute after: {trouble}")
                return
        self.recoveries.append((time.monotonic() - began, trouble))
