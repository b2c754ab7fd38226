"""Gives a server's processes the disk of a trial: Python reads this first when its folder is on PYTHONPATH."""

import os

if "MORALBANK_TRIAL_DISK" in os.environ:
    from pathlib import Path

    from tests.faults.disk import Disk

    name, _, folder = os.environ["MORALBANK_TRIAL_DISK"].partition(":")
    Disk(Path(folder), name)
