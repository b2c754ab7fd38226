"""Signing processes for tests that kill them: `python -m tests.transparency._signer_process`, by the environment.

It prints the number of each signer that it started, and starts the next when that one has died.
"""

from __future__ import annotations

import os
from threading import Event

from moralbank import signer
from moralbank.config import SignerConfig
from moralbank.db import Database

if __name__ == "__main__":
    config = SignerConfig.from_env()
    Database(config.database_url).dispose()
    while True:
        child = os.fork()
        if not child:
            signer.run(config, Event(), look_seconds=0.005, every_seconds=0)
        print(child, flush=True)
        os.waitpid(child, 0)
