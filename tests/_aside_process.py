"""One long job for tests that look at it on its way: `python -m tests._aside_process NAME PARENT`, as asides start it.

It leaves an effect, and then waits for the file that GATE names.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from moralbank import slots
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.periodic.jobs import Job
from moralbank.scheduler import run_long
from moralbank.supervised import end_with
from tests._scheduler_process import leave_an_effect

NAME = "trial.long"
COMMAND = (sys.executable, "-m", "tests._aside_process")
LEASE_SECONDS = 1.0


def work(database: Database) -> int:
    leave_an_effect(database)
    slots._NOTED_EVERY_SECONDS = 0.0
    slots.tell(database, 400, 1_000)
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.02)
    return 1_000


JOB = Job(NAME, "长", timedelta(seconds=1), work, is_long=True)

if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    sys.exit(0 if run_long(Database(database_url(os.environ)), JOB, LEASE_SECONDS) else 1)
