"""Integrating workers for tests that kill them: `python -m tests.transparency._integrator_process URL`.

It prints the number of each worker that it started, and starts the next when that one has died.
"""

from __future__ import annotations

import os
import sys
import time

from moralbank.db import Database
from moralbank.transparency.jobs import Integrator


def work(url: str) -> None:
    worker = Integrator(Database(url, is_eager=True), f"trial:{os.getpid()}", lease_seconds=0.2)
    while os.getppid() != 1:
        worker.cycle()
        time.sleep(0.005)


if __name__ == "__main__":
    # The driver is loaded here once, and not by each worker in its short life.
    Database(sys.argv[1]).dispose()
    while True:
        child = os.fork()
        if not child:
            work(sys.argv[1])
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
