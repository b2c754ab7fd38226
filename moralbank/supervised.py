"""What a process started by the supervisor owes it: not to outlive it, or the next start would find the port taken."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: Names, for the children, the process that looks after them.
SUPERVISOR = "MORALBANK_SUPERVISOR"
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def end_with_supervisor() -> None:
    """End with the process that scripts/serve is, where that started us."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor is not None:
        end_with(int(supervisor))


def end_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent is gone, even by kill -9 (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It ended before we asked.
        os.kill(os.getpid(), signal.SIGTERM)


def be_called(name: str) -> None:
    """Have the system's lists of processes show a fork under a name of its own, of at most 15 letters (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
