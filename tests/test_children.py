"""The supervisor's children as the processes they are: a fork hears signals, and who keeps failing waits longer."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial

import pytest

from moralbank import children
from moralbank.children import Child, Fork, program

_PATIENCE_SECONDS = 60


def test_a_fork_is_stopped_by_a_signal_that_its_parent_only_takes_note_of() -> None:
    kept = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    try:
        fork = Fork(partial(time.sleep, _PATIENCE_SECONDS))
        assert fork.poll() is None
        assert os.getpgid(fork.pid) == fork.pid
        fork.terminate()
        assert fork.wait(_PATIENCE_SECONDS) == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, kept)


def test_a_fork_ends_with_the_status_of_its_function() -> None:
    assert Fork(lambda: None).wait(_PATIENCE_SECONDS) == 0
    assert Fork(partial(sys.exit, 3)).wait(_PATIENCE_SECONDS) == 3


class Clerk:
    """A child that fails at once, whenever its clock is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(children.time, "monotonic", lambda: self.now)
        self.starts: list[float] = []
        self.child = Child("clerk", self._start, quick_seconds=3)
        self.child.keep_running()

    def _start(self) -> children.Running:
        self.starts.append(self.now)
        return program("-c", "raise SystemExit(3)")()

    def die(self, lived: float = 0) -> float:
        """Die after so many seconds; return how long it was until the next was started."""
        assert self.child._process is not None
        self.child._process.wait(_PATIENCE_SECONDS)
        self.now += lived
        died_at, before = self.now, len(self.starts)
        self.child.keep_running()
        while len(self.starts) == before:
            self.now += 0.125
            self.child.keep_running()
        return self.now - died_at


def test_a_child_that_had_lived_is_there_again_at_once_and_one_that_keeps_failing_waits_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clerk = Clerk(monkeypatch)
    assert clerk.die(lived=4) == 0, "it had lived for longer than three seconds"
    assert [clerk.die() for _ in range(8)] == [0, 0.5, 1, 2, 4, 8, 8, 8]
    assert capfd.readouterr().out.count("The clerk ended unexpectedly (status 3)") == 9
    clerk.child.wait(0)


def test_only_a_child_that_never_did_anything_but_fail_is_one_that_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = Clerk(monkeypatch)
    for _ in range(children.QUICK_DEATHS_MAX):
        assert not clerk.child.cannot_run
        clerk.die()
    assert clerk.child.cannot_run
    clerk.child.wait(0)

    ended = Clerk(monkeypatch)
    ended.die(lived=4)
    for _ in range(3 * children.QUICK_DEATHS_MAX):
        ended.die()
    assert not ended.child.cannot_run, "it has served: what ends it may pass"
    ended.child.wait(0)
