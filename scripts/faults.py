"""A fault campaign: the real service under clients with keys, killed, frozen, felled and started again at random.

At the end nothing that was acknowledged may be lost, doubled or half, nothing refused may have happened, and the
books close. Exits with 1 and names what it found when something is not so. The seed repeats the plan, not the timing.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

from scripts.faults_bank import Bank, open_engine
from scripts.faults_books import audit
from scripts.faults_clients import Client, Journal, lead, pay, settle
from scripts.faults_people import gather
from scripts.faults_troubles import Troubles

MINUTES = 2.0
CLIENTS = 8
LEADERS = 2
REPLAYS_MAX = 2_000
SHOWN_MAX = 30


@dataclass(frozen=True)
class Outcome:
    """A campaign's figures."""

    engine: str
    seed: int
    seconds: float
    journal: Journal
    troubles: Counter[str]
    anomalies: list[str]
    #: The longest time in which the bank got up by itself, and after what.
    longest_recovery: tuple[float, str]

    @property
    def row(self) -> list[str]:
        operations = self.journal.operations
        acknowledged = sum(one.is_acknowledged for one in operations)
        kills = sum(times for name, times in self.troubles.items() if name.endswith("killed"))
        counts = self.journal.counts
        figures = [
            len(operations), acknowledged, len(operations) - acknowledged, kills, self.troubles["frozen"],
            self.troubles["machine fell"], self.troubles["restarted"], counts["retries"], counts["replays"],
            sum(self.journal.outages.values()), len(self.anomalies),
        ]  # fmt: skip
        return [self.engine, f"{self.seconds / 60:.1f}", *(f"{figure:,}" for figure in figures)]


HEADS = (
    "engine", "minutes", "operations", "acknowledged", "refused", "kills", "stops", "falls", "restarts", "retries",
    "replays", "named 503", "anomalies",
)  # fmt: skip


def campaign(engine_name: str, seed: int, seconds: float) -> Outcome:
    """Run one engine's campaign."""
    with open_engine(engine_name) as engine:
        people = gather(engine.url, payers=20 + int(seconds / 3))
        bank, journal, dice = Bank(engine), Journal(), random.Random(f"{seed}:{engine_name}")  # noqa: S311 - a plan, no secret
        try:
            bank.start()
            if not bank.wait_until_ready():
                raise SystemExit(f"The bank did not open: {bank.log.read_text(errors='replace')[-2000:]}")
            troubles = Troubles(bank, dice, journal)
            clients = [Client(number, seed, bank.port, people, journal) for number in range(CLIENTS)]
            works = [lead] * LEADERS + [pay] * (CLIENTS - LEADERS)
            threads = [
                threading.Thread(target=client.run, args=(work,)) for client, work in zip(clients, works, strict=True)
            ]
            began = time.monotonic()
            for thread in threads:
                thread.start()
            troubles.make(seconds)
            for client in clients:
                client.stop.set()
            for thread in threads:
                thread.join()
            troubles.calm()
            lasted = time.monotonic() - began
            settle(journal, bank.port, dice, replays_max=REPLAYS_MAX)
            bank.stop()
            found = [*journal.anomalies, *audit(engine.plain_url, people, journal)]
            return Outcome(engine.name, seed, lasted, journal, troubles.counts, found, max(troubles.recoveries))
        finally:
            bank.close()


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    options.add_argument("--minutes", type=float, default=MINUTES, help="for each engine (default: %(default)s)")
    options.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the plan (default: a new one)")
    options.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    chosen = options.parse_args()
    engines = ["sqlite", "postgresql"] if chosen.engine == "both" else [chosen.engine]
    print(f"seed {chosen.seed}", flush=True)
    outcomes = []
    for name in engines:
        outcome = campaign(name, chosen.seed, chosen.minutes * 60)
        outcomes.append(outcome)
        seconds, trouble = outcome.longest_recovery
        kinds = Counter(one.kind for one in outcome.journal.operations if one.is_acknowledged)
        print(
            f"{outcome.engine}: acknowledged: {_listed(kinds)}; troubles: {_listed(outcome.troubles)}; "
            f"clients were told: {_listed(outcome.journal.outages)}; "
            f"the longest recovery took {seconds:.1f} s ({trouble})",
            flush=True,
        )
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for outcome in outcomes:
        print(f"| {' | '.join(outcome.row)} |")
    found = [f"{outcome.engine}: {anomaly}" for outcome in outcomes for anomaly in outcome.anomalies]
    for anomaly in found[:SHOWN_MAX]:
        print(anomaly, file=sys.stderr)
    if len(found) > SHOWN_MAX:
        print(f"… and {len(found) - SHOWN_MAX} more", file=sys.stderr)
    sys.exit(1 if found else 0)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{times} {name}" for name, times in counts.most_common()) or "nothing"


if __name__ == "__main__":
    main()
