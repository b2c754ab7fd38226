"""One process of clients that post: started by bench_post, told by a line of JSON what to do, answers with a line.

{"what": "award", "clients": [0, 1], "of": 16, "seconds": 1.5}  →  [acts done, seconds]
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from moralbank import db, ledger
from moralbank.ledger import Draft, Leg, Posted, Unit
from scripts.bench_bare_loop import BareLoop
from scripts.bench_floor import Plain

BATCH = 100


class Poster:
    """Clients of one book. Each has its own residents, in turn, so that they meet at merchants only."""

    def __init__(self, place: dict[str, Any]) -> None:
        self._book, self._issuer = place["book"], place["issuer"]
        self._residents, self._merchants = place["residents"], place["merchants"]
        self._database = db.Database(place["url"])
        self._plain = Plain(place["url"])
        self._bare = BareLoop(self._plain, self._book, self._issuer)
        #: Apart from every other process's keys and numbers.
        self._serials = count(os.getpid() << 32)

    def run(self, job: dict[str, Any]) -> tuple[int, float]:
        """Let the clients act for the seconds given; return how many entries were posted, and in what time."""
        act: Callable[[list[int], int], int] = getattr(self, f"_{job['what']}")
        done: list[int] = []
        faults: list[BaseException] = []
        until = time.perf_counter() + job["seconds"]

        def client(number: int) -> None:
            mine, acts, posted = self._residents[number :: job["of"]], 0, 0
            try:
                while time.perf_counter() < until:
                    posted += act(mine, acts)
                    acts += 1
            except BaseException as fault:
                faults.append(fault)
            done.append(posted)

        threads = [threading.Thread(target=client, args=(number,)) for number in job["clients"]]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        return sum(done), time.perf_counter() - started

    def _bare_award(self, residents: list[int], turn: int) -> int:
        self._bare.award(residents[turn % len(residents)], next(self._serials))
        return 1

    def _award(self, residents: list[int], turn: int) -> int:
        legs = (Leg(self._issuer, Unit.POINTS, -1), Leg(residents[turn % len(residents)], Unit.POINTS, 1))
        self._database.join(ledger.post_many, Draft(self._book, "award", legs, self._key(), "staff:1"))
        return 1

    def _spread(self, residents: list[int], turn: int) -> int:
        merchant = self._merchants[turn % len(self._merchants)]
        self._database.join(ledger.post_many, self._redemption(residents[turn % len(residents)], merchant))
        return 1

    def _one_merchant(self, residents: list[int], turn: int) -> int:
        self._database.join(ledger.post_many, self._redemption(residents[turn % len(residents)], self._merchants[0]))
        return 1

    def _many(self, residents: list[int], turn: int) -> int:
        first = turn * BATCH
        payers = [residents[(first + place) % len(residents)] for place in range(BATCH)]
        drafts = [self._redemption(payer, self._merchants[0]) for payer in payers]
        verdicts = self._database.transact(ledger.post_many, drafts)
        refused = [verdict for verdict in verdicts if not isinstance(verdict, Posted)]
        if refused:
            raise refused[0]
        return BATCH

    def _redemption(self, resident: int, merchant: int) -> Draft:
        legs = (Leg(resident, Unit.POINTS, -1), Leg(merchant, Unit.POINTS, 1))
        return Draft(self._book, "redemption", legs, self._key(), "operator:1")

    def _key(self) -> str:
        return f"bench:{next(self._serials)}"

    def close(self) -> None:
        self._plain.close()
        self._database.dispose()


def main() -> None:
    poster = Poster(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(poster.run(json.loads(line))), flush=True)
    poster.close()


if __name__ == "__main__":
    main()
