"""Sends what waits. Any number of processes may run it at any time: each delivery is one's to send."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Mapping

from moralbank import clock
from moralbank.config import MessagesConfig
from moralbank.db import Database
from moralbank.messages import delivery, service
from moralbank.messages.delivery import Directory, Dropped, Parcel
from moralbank.messages.senders import Down, Later, Letter, Rejected, Sender, Unsure, senders_of
from moralbank.messages.values import KINDS, Channel, QuietHours
from moralbank.messages.wording import words

#: A run sends no more than it can in so many seconds: other work waits for it.
RUN_SECONDS = 8.0
PURGE_PAGE = 500


def deliver(
    database: Database,
    directory: Directory,
    senders: Mapping[Channel, Sender] | None = None,
    config: MessagesConfig | None = None,
) -> int:
    """Send what is due on every way this installation has, each way beside the others; return how much was sent.

    A way whose other side is silent costs its own letters a few seconds and nobody else's anything.
    """
    config = config or MessagesConfig.from_env(os.environ)
    ways = senders_of(config) if senders is None else dict(senders)
    repeatable = [channel for channel, sender in ways.items() if sender.is_repeatable]
    # The first write, which takes the job's slot, is made before there is more than one thread.
    database.transact(delivery.settle_claims, repeatable)
    while database.transact(delivery.plan, list(ways), directory):
        pass
    runs = [_Run(database, channel, sender, directory, config) for channel, sender in ways.items()]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    for run in runs:
        if run.fault is not None:
            raise run.fault
    return sum(run.sent for run in runs)


def purge(database: Database) -> int:
    """Forget messages of more than a year ago; return how many."""
    found = 0
    while done := database.transact(service.purge, PURGE_PAGE):
        found += done
    return found


class _Run:
    """One way's part of a run, in a thread of its own."""

    def __init__(
        self, database: Database, channel: Channel, sender: Sender, directory: Directory, config: MessagesConfig
    ) -> None:
        self.sent = 0
        self.fault: BaseException | None = None
        self._database = database
        self._channel = channel
        self._sender = sender
        self._directory = directory
        self._config = config
        context = contextvars.copy_context()  # With the instant at which everything happens, where one was set.
        self._thread = threading.Thread(target=context.run, args=(self._send_all,), name=f"messages-{channel}")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _send_all(self) -> None:
        until = time.monotonic() + RUN_SECONDS
        quiet = QuietHours.parse(self._config.quiet_hours).hold(clock.now())
        try:
            while time.monotonic() < until:
                found = self._database.transact(delivery.claim, self._channel, quiet, self._directory)
                if found is None:
                    break
                if not isinstance(found, Dropped) and not self._send(found):
                    break
        except Exception as fault:  # The thread's edge: the job's caller is told.
            self.fault = fault
        finally:
            self._sender.close()

    def _send(self, parcel: Parcel) -> bool:
        """Send one and note what became of it; tell whether the next may be tried."""
        note = self._database.transact
        try:
            self._sender.send(letter_of(parcel, self._config.public_url))
        except Rejected as answer:
            note(delivery.end, parcel.delivery_id, "failed", answer.fault)
        except Later as answer:
            note(delivery.put_back, parcel.delivery_id, answer.fault)
            return not isinstance(answer, Down)
        except Unsure as answer:
            note(delivery.end, parcel.delivery_id, "unsure", answer.fault)
            return False
        else:
            note(delivery.end, parcel.delivery_id, "sent")
            self.sent += 1
        return True


def letter_of(parcel: Parcel, public_url: str) -> Letter:
    """Return a parcel in words."""
    said = words(parcel.kind, parcel.facts)
    url = public_url + KINDS[parcel.kind].path
    return Letter(
        parcel.delivery_id, parcel.channel, parcel.address, parcel.kind, said.title, said.text, parcel.facts, url
    )
