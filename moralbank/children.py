"""The processes that the supervisor keeps running: programs of their own, and forks of what it has loaded itself.

Knows nothing of what they do.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from signal import Signals
from typing import Protocol

#: A child that ends sooner after its start, again and again, is given longer and longer pauses.
QUICK_SECONDS = 10
#: After so many one that never lived longer can't run at all.
QUICK_DEATHS_MAX = 5
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.5, 8.0
#: What the supervisor is told by; a fork of it must hear them as any program does.
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})


class Running(Protocol):
    """A process that was started, as subprocess.Popen shows it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Return how it ended, or None while it lives; a signal's number is negative."""

    def terminate(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended. Raises: subprocess.TimeoutExpired."""


def program(*words: str) -> Callable[[], Running]:
    """Return what starts `python …` as a process with an image of its own."""
    # A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which then stops us in order.
    return lambda: subprocess.Popen([sys.executable, *words], process_group=0)


class Fork:
    """A process that runs a function in a copy of this one, which has loaded already what the function needs.

    This process must have no second thread and no open connection when it forks.
    """

    def __init__(self, run: Callable[[], object], *, own_group: bool = True) -> None:
        """own_group: whether Ctrl-C at the terminal passes it by."""
        with _held() as mask:
            fork = multiprocessing.get_context("fork")
            self._process = fork.Process(target=_start_afresh, args=(run, mask, own_group))
            self._process.start()
        assert self._process.pid is not None, "it was started"
        self.pid: int = self._process.pid
        if own_group:
            # It says so itself too: whoever comes first, it is so when we need it.
            with contextlib.suppress(OSError):
                os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        ended = self._process.exitcode
        if ended is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return ended


@contextlib.contextmanager
def _held() -> Iterator[set[int | Signals]]:
    """Keep our signals waiting, so that none reaches a fork while it still has our handlers."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start_afresh(run: Callable[[], object], mask: set[int | Signals], own_group: bool) -> None:
    """Hear signals as a new program does, and run."""
    if own_group:
        os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    run()


class Child:
    """One process that should always run, and how often it has lately failed to."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Running],
        *,
        after_seconds: float = 0,
        quick_seconds: float = QUICK_SECONDS,
    ) -> None:
        self.name = name
        self._quick_seconds = quick_seconds
        self._start = start
        self._process: Running | None = None
        self._started_at = 0.0
        self._next_start_at = time.monotonic() + after_seconds
        self._quick_deaths = 0
        self._has_lived = False

    @property
    def cannot_run(self) -> bool:
        """Tell whether it never does more than fail. One that did is ended by something outside, which may pass."""
        return self._quick_deaths >= QUICK_DEATHS_MAX and not self._has_lived

    def keep_running(self) -> None:
        """Start the child if it isn't running and its turn has come; the first pause is none."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._bury(self._process, status)
        if time.monotonic() >= self._next_start_at:
            self._started_at = time.monotonic()
            self._process = self._start()

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the child's end; after `seconds`, end it and all it started."""
        if self._process is None:
            return
        try:
            self._process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            print(f"The {self.name} did not stop in time and was ended.", flush=True)
        _end_group(self._process)

    def _bury(self, process: Running, status: int) -> None:
        lived = time.monotonic() - self._started_at
        _end_group(process)
        self._process = None
        is_quick = lived < self._quick_seconds
        self._has_lived = self._has_lived or not is_quick
        self._quick_deaths = self._quick_deaths + 1 if is_quick else 0
        pause = _PAUSE_SECONDS * 2 ** (self._quick_deaths - 2) if self._quick_deaths > 1 else 0
        self._next_start_at = time.monotonic() + min(pause, _PAUSE_SECONDS_MAX)
        print(f"The {self.name} ended unexpectedly (status {status}) after {lived:.0f} s.", flush=True)


def _end_group(process: Running) -> None:
    """End what is left of a child's process group: workers whose master is gone would go on serving."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    process.wait()
