"""One process that seals and signs: started by bench_seal, told by lines of JSON, answers each with a line.

{"on": true} → seals and signs from now on; {"on": false} → pauses, the cycle in hand finished.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from moralbank.db import Database
from moralbank.transparency.jobs import PAUSE_SECONDS, Integrator
from moralbank.transparency.signer import LOOK_SECONDS, Signer
from moralbank.transparency.signer_memory import Place
from moralbank.transparency.signing_keys import KeyFile


class Sealer:
    """The scheduler's thread and the signer's loop, in one process that can pause."""

    def __init__(self, url: str, home: Path) -> None:
        self._integrator = Integrator(Database(url, is_eager=True), "bench", lease_seconds=60)
        keys, place = KeyFile(home / "signing.key"), Place(home / "signer")
        self._signer = Signer(Database(url, is_eager=True), keys, place, "bench")
        self._is_on = threading.Event()
        for act, pause in ((self._integrator.cycle, PAUSE_SECONDS), (self._signer.cycle, LOOK_SECONDS)):
            threading.Thread(target=self._loop, args=(act, pause), daemon=True).start()

    def _loop(self, act: Callable[[], object], pause: float) -> None:
        while True:
            self._is_on.wait()
            act()
            time.sleep(pause)

    def tell(self, job: dict[str, bool]) -> None:
        if job["on"]:
            self._is_on.set()
        else:
            self._is_on.clear()
            time.sleep(2 * LOOK_SECONDS)


def main() -> None:
    place = json.loads(sys.stdin.readline())
    sealer = Sealer(place["url"], Path(place["home"]))
    for line in sys.stdin:
        sealer.tell(json.loads(line))
        print("{}", flush=True)


if __name__ == "__main__":
    main()
