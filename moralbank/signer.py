"""The process that signs the books' checkpoints: `python -m moralbank.signer`. It serves nobody and listens nowhere.

It goes on through whatever keeps it from signing, and says it in its log, since a bank without new checkpoints can
still serve; readiness and the audit page show it.
"""

from __future__ import annotations

import signal
from threading import Event

import structlog

from moralbank.config import SignerConfig
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.supervised import end_with_supervisor
from moralbank.transparency.signer import EVERY_SECONDS, LOOK_SECONDS, Signer
from moralbank.transparency.signer_memory import Place
from moralbank.transparency.signing_keys import KeyFile
from moralbank.web import logs

log = structlog.get_logger("moralbank.signer")

#: After something failed.
_PAUSE_SECONDS = 5.0


def run(
    config: SignerConfig, stopping: Event, look_seconds: float = LOOK_SECONDS, every_seconds: float = EVERY_SECONDS
) -> None:
    """Sign what may be signed until `stopping` is set."""
    database = Database(config.database_url, is_eager=True)
    place = Place(config.memory)
    signer = Signer(database, KeyFile(config.key), place, config.host, every_seconds)
    held = None
    said = ""
    while not stopping.is_set():
        pause = look_seconds
        try:
            held = held or place.hold()
            for refused in signer.cycle():
                log.error("tree not signed", log=refused)
            said = ""
        except MoralBankError as refusal:
            pause = _PAUSE_SECONDS
            if str(refusal) != said:
                said = str(refusal)
                log.error("can't sign", reason=refusal.code, place=str(refusal.fields.get("place", "")))
        except Exception as fault:
            # The outermost edge: a database that is away comes back.
            pause = _PAUSE_SECONDS
            log.error("signing failed", **logs.place(fault))
        stopping.wait(pause)
    if held is not None:
        held.close()
    database.dispose()


def main() -> None:
    """Sign the books of the database that DATABASE_URL names until SIGTERM or SIGINT."""
    end_with_supervisor()
    config = SignerConfig.from_env()
    logs.configure()
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    run(config, stopping)


if __name__ == "__main__":
    main()
