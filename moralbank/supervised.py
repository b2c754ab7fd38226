"""What a process started by the supervisor owes it: not to outlive it, or the next start would find the port taken."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: Names, for the children, the process that looks after them.
SUPERVISOR = "MORALBANK_SUPERVISOR"
_PR_SET_PDEATHSIG = 1


def end_with_supervisor() -> None:
    """Have the kernel send this process SIGTERM when its supervisor is gone, even by kill -9 (Linux only)."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):  # It ended before we asked.
        os.kill(os.getpid(), signal.SIGTERM)
