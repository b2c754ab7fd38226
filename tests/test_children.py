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


def test_a_child_that_had_lived_is_there_again_at_once_and_one_that_keeps_failing_waits_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = 1_000.0
    monkeypatch.setattr(children.time, "monotonic", lambda: now)
    starts: list[float] = []

    def start() -> children.Running:
        starts.append(now)
        return program("-c", "raise SystemExit(3)")()

    child = Child("clerk", start, quick_seconds=3)
    child.keep_running()

    def die() -> None:
        assert child._process is not None
        child._process.wait(_PATIENCE_SECONDS)
        child.keep_running()

    now += 4
    die()
    assert starts == [1_000.0, 1_004.0], "it had lived for longer than three seconds"
    for pause in (0, 0.5, 1, 2):
        die()
        if pause:
            assert starts[-1] == now, "not yet"
            before = len(starts)
            now += pause - 0.1
            child.keep_running()
            assert len(starts) == before
            now += 0.1
            child.keep_running()
            assert len(starts) == before + 1
    die()
    assert child.quick_deaths == children.QUICK_DEATHS_MAX
    assert capfd.readouterr().out.count("The clerk ended unexpectedly (status 3)") == 6
    child.wait(0)
