"""Takes each new checkpoint to the witnesses that can be asked, and brings their cosignatures home.

Everything sent was committed before; nothing is held while somebody is waited for. A witness that doesn't answer is
asked again later and later, and keeps neither the others nor the scheduler waiting.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from urllib.parse import urlsplit

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import Database, insert_for
from moralbank.errors import MoralBankError
from moralbank.logbook import service
from moralbank.logbook.models import rounds
from moralbank.logbook.queries import LOCAL, Witness, list_rounds, list_witnesses, log_keys, request_from
from moralbank.transparency import Checkpoint, Log, checkpoint, cosignature, note
from moralbank.transparency import queries as logs
from moralbank.transparency.errors import BadNote, WrongSignature
from moralbank.transparency.handing import Handover, followed, list_handovers
from moralbank.transparency.note import Note, Signature, VerifierKey
from moralbank.transparency.witness_files import Witness as LocalWitness
from moralbank.transparency.witness_server import ADD, SIZE_TYPE, answer
from moralbank.transparency.witnessing import Request

#: How long one witness is waited for, and all of them together: the scheduler has other work.
PATIENCE_SECONDS = 4.0
ALL_SECONDS = 8.0
#: The first pause after a failure; each further one doubles it.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
_ANSWER_BYTES = 16_384
_DOUBLINGS_MAX = 10


class Outcome(StrEnum):
    """What asking a witness came to."""

    SIGNED = "signed"
    #: Not reached, or an answer that is none.
    AWAY = "away"
    #: It doesn't know the log, or not under this key.
    STRANGER = "stranger"
    #: It signed a larger tree than the bank has: the book was set back, or somebody signs in its name.
    AHEAD = "ahead"
    #: It signed another tree of this size, or one that this doesn't continue.
    FORKED = "forked"
    #: It answered with something that isn't its signature on this checkpoint.
    UNFIT = "unfit"


#: Somebody must look into these at once.
ALARMING = frozenset({Outcome.AHEAD, Outcome.FORKED})


@dataclass(frozen=True, slots=True)
class Errand:
    """One witness to be asked about one log's latest checkpoint."""

    witness: Witness
    log: Log
    #: The log's own.
    keys: tuple[VerifierKey, ...]
    size: int
    note: Note
    request: Request
    failures: int
    handovers: tuple[Handover, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What an errand brought: a verified cosignature, or the size that the witness wants to go on from."""

    errand: Errand
    outcome: Outcome
    line: Signature | None = None
    stated_size: int | None = None


#: Sends a request's bytes and returns status, content type and body. Raises OSError or HTTPException when it can't.
Post = Callable[[bytes], tuple[int, str, bytes]]


def ask_witnesses(database: Database, var: Path) -> int:
    """Ask every witness that has not signed its logs' latest checkpoints and may be asked now; return who signed.

    var: where the demonstration's own witnesses live.
    """
    with database.reading() as db:
        errands = list_errands(db, clock.now())
    found: list[Found] = []
    retries: list[Errand] = []
    for each in run(errands, var):
        # A witness that had signed another size than was known named it; it is asked once more, from there.
        with database.reading() as db:
            retry = _from_size(db, each)
        if retry is None:
            found.append(each)
        else:
            retries.append(retry)
    found += run(retries, var)
    for each in found:
        database.transact(keep, each)
    return sum(each.outcome is Outcome.SIGNED for each in found)


def list_errands(db: Connection, now: datetime) -> list[Errand]:
    """Return whom to ask about what."""
    errands = []
    for book in ledger.list_books(db):
        asked = [witness for witness in list_witnesses(db, book.book_id) if witness.url]
        if not asked:
            continue
        known = list_rounds(db, [witness.witness_id for witness in asked])
        for log in Log:
            latest = logs.latest_checkpoint(db, book.book_id, log)
            if latest is None:
                continue
            _, signed = checkpoint.read(latest.note)
            for witness in asked:
                last = known.get((witness.witness_id, log))
                if any(line.is_by(witness.key) for line in signed.signatures) or (last and last.next_at > now):
                    continue
                old = last.known_size if last and last.known_size <= latest.size else 0
                errands.append(make_errand(db, witness, log, old, latest, last.failures if last else 0))
    return errands


def run(errands: Sequence[Errand], var: Path) -> list[Found]:
    """Carry errands out side by side; who hasn't come back when the time is up was not reached."""
    results: SimpleQueue[Found] = SimpleQueue()
    for errand in errands:
        # Threads that end by themselves and that nobody waits for: a witness that never answers must stop nothing.
        threading.Thread(target=lambda each: results.put(ask(each, var)), args=(errand,), daemon=True).start()
    deadline = monotonic() + ALL_SECONDS
    found: list[Found] = []
    while len(found) < len(errands):
        try:
            found.append(results.get(timeout=max(deadline - monotonic(), 0.001)))
        except Empty:
            break
    back = {(each.errand.witness.witness_id, each.errand.log) for each in found}
    missing = [errand for errand in errands if (errand.witness.witness_id, errand.log) not in back]
    return found + [Found(errand, Outcome.AWAY) for errand in missing]


def ask(errand: Errand, var: Path) -> Found:
    """Ask one witness and say what its answer is worth."""
    try:
        status, kind, body = _door(errand, var)(errand.request.encode())
    except (OSError, http.client.HTTPException, ValueError, MoralBankError):
        # MoralBankError: a witness of the demonstration that can't be opened.
        return Found(errand, Outcome.AWAY)
    if status == 409 and kind == SIZE_TYPE:
        return _moved(errand, body)
    if status in (409, 422):
        return Found(errand, Outcome.FORKED)
    if status in (403, 404):
        return Found(errand, Outcome.STRANGER)
    if status != 200:
        return Found(errand, Outcome.AWAY)
    line = _own_line(errand, body)
    return Found(errand, Outcome.UNFIT) if line is None else Found(errand, Outcome.SIGNED, line)


def keep(db: Connection, found: Found) -> None:
    """Write down what asking came to, the cosignature with it."""
    errand, now = found.errand, clock.now()
    is_signed = found.outcome is Outcome.SIGNED
    if found.line is not None:
        service.keep_answer(db, errand.witness, errand.log, errand.size, found.line)
    failures = 0 if is_signed else errand.failures + 1
    pause = timedelta() if is_signed else min(FIRST_PAUSE * 2 ** min(failures - 1, _DOUBLINGS_MAX), LONGEST_PAUSE)
    row = {
        "known_size": errand.size if is_signed else errand.request.old_size,
        "outcome": str(found.outcome),
        "failures": failures,
        "asked_at": now,
        "next_at": now + pause,
    }
    if found.line is not None:
        row["signed_at"] = datetime.fromtimestamp(cosignature.stated_time(found.line), UTC)
    own = {"witness_id": errand.witness.witness_id, "log": int(errand.log)}
    insert = insert_for(db, rounds).values(own | row)
    db.execute(insert.on_conflict_do_update(index_elements=["witness_id", "log"], set_=row))


def post_to(url: str) -> Post:
    """Return the door of a witness that answers over HTTP. It follows no redirection and asks no proxy."""

    def post(body: bytes) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", parts.path.rstrip("/") + ADD, body, {"Content-Type": "text/plain"})
            got = connection.getresponse()
            return got.status, got.headers.get("Content-Type", ""), got.read(_ANSWER_BYTES)
        finally:
            connection.close()

    return post


def local_place(var: Path, url: str) -> Path:
    """Return the directory of one of the demonstration's witnesses."""
    return var / "witnesses" / url.removeprefix(LOCAL)


def make_errand(db: Connection, witness: Witness, log: Log, old: int, latest: Checkpoint, failures: int = 0) -> Errand:
    """Return the errand that takes this checkpoint to a witness that signed size `old` last."""
    _, signed = checkpoint.read(latest.note)
    keys = log_keys(db, witness.book, log)
    handovers = tuple(list_handovers(db, witness.book, log)) if witness.is_local else ()
    return Errand(witness, log, keys, latest.size, signed, request_from(db, latest, old), failures, handovers)


def _door(errand: Errand, var: Path) -> Post:
    url = errand.witness.url or ""
    if not url.startswith(LOCAL):
        return post_to(url)
    local = LocalWitness(local_place(var, url))
    for key in errand.keys:
        # Who keeps a witness checks a log's key first; the demonstration's take the first that they meet.
        if key.name not in local.logs():
            local.trust(key)
        # Who keeps one is told of a new key and trusts it also; the demonstration's follow what the old key signed.
        trusted = local.logs()[key.name].keys
        for new in followed(trusted, errand.handovers):
            if new not in trusted:
                local.trust(new, also=True)
    return lambda body: answer(local, body)


def _moved(errand: Errand, body: bytes) -> Found:
    try:
        size = checkpoint.decimal(body.decode("ascii").removesuffix("\n"))
    except UnicodeDecodeError:
        size = None
    if size is None or size == errand.request.old_size:
        return Found(errand, Outcome.UNFIT)
    return Found(errand, Outcome.AHEAD if size > errand.size else Outcome.UNFIT, stated_size=size)


def _from_size(db: Connection, found: Found) -> Errand | None:
    """Return the errand anew from the size that the witness named, or None when there is no such size here."""
    errand = found.errand
    latest = logs.find_checkpoint(db, errand.witness.book, errand.log, errand.size)
    if latest is None or found.stated_size is None or found.outcome is Outcome.AHEAD:
        return None
    return make_errand(db, errand.witness, errand.log, found.stated_size, latest, errand.failures)


def _own_line(errand: Errand, body: bytes) -> Signature | None:
    """Return the witness's cosignature on this checkpoint out of its answer, or None."""
    try:
        lines = note.parse_signatures(body.decode())
        found = cosignature.verify(Note(errand.note.text, lines), [errand.witness.key])
    except (UnicodeDecodeError, BadNote, WrongSignature):
        return None
    return found[0].signature if found else None
