"""Long jobs, each in a process of its own beside the scheduler, so that nothing else waits for it. Knows no job.

The process has a lease of its own, so that there is one of a job wherever schedulers run, and ends with the scheduler
that started it. What it does it tells as any job does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import structlog

log = structlog.get_logger("moralbank.scheduler")

#: After one that failed the next is not started sooner.
PAUSE_SECONDS = 60.0
#: How long one that was told to end may take.
_END_SECONDS = 5.0
#: What starts the process: the job's name and the number of the process that it ends with come behind it.
COMMAND = (sys.executable, "-m", "moralbank.scheduler", "--job")
#: It lets everybody who is waited for have the processor first.
_NICENESS = 10


class Asides:
    """The processes that a scheduler has beside it: one of a job at a time."""

    def __init__(
        self, database_url: str, command: Sequence[str] = COMMAND, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._environment = os.environ | {"DATABASE_URL": database_url}
        self._command = tuple(command)
        self._pause_seconds = pause_seconds
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._not_before: dict[str, float] = {}

    def begin(self, job: str) -> None:
        """Start the job's process unless it runs, or has failed just now."""
        if self.is_running(job) or time.monotonic() < self._not_before.get(job, 0.0):
            return
        words = [*self._command, job, str(os.getpid())]
        self._running[job] = subprocess.Popen(words, env=self._environment)

    def is_running(self, job: str) -> bool:
        """Tell whether the job's process runs; one that has ended is forgotten."""
        process = self._running.get(job)
        if process is None:
            return False
        status = process.poll()
        if status is None:
            return True
        del self._running[job]
        if status:
            log.warning("long job ended", job=job, status=status)
            self._not_before[job] = time.monotonic() + self._pause_seconds
        return False

    def end(self) -> None:
        """End what runs: it goes on within its next slot."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def let_others_first() -> None:
    """Lower this process's claim on the processor."""
    os.nice(_NICENESS)
