"""What an operator decides about the log: its keys change hands, and a tree that was not signed is dealt with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.transparency import facts, handing, models, note, queries
from moralbank.transparency.note import VerifierKey
from moralbank.transparency.signer import BOTH_SIGN
from moralbank.transparency.signer_errors import RotationRunning, SigningKeyLost, SigningKeyThere, UnknownRefusal
from moralbank.transparency.signer_memory import Place, Verdict
from moralbank.transparency.signing_keys import FileKey, KeyFile, NamedKey
from moralbank.transparency.values import Log, Refusal

_keys = models.keys


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A log's new key. until: for how long the old one signs beside it; None when the old one was lost."""

    origin: str
    key: VerifierKey
    until: datetime | None


def rotate_key(database: Database, keys: KeyFile) -> list[HandedOver]:
    """Give every log a new key, announced by a leaf that the old key signs; both sign for thirty days.

    Running it again finishes what was cut short.
    Raises: KeyFileOpen, BadSigningKey, SigningKeyLost, RotationRunning.
    """
    now = clock.now()
    signing = keys.signing(now)
    if not signing:
        raise SigningKeyLost(place=keys.path)
    if len(signing) > 1:
        with database.reading() as db:
            is_announced = all(_is_known(db, *log, signing[-1]) for log in _named_logs(db))
        if is_announced:
            raise RotationRunning(until=ledger.instant(signing[0].until or now))
    else:
        keys.add(now, now + BOTH_SIGN)
        signing = keys.signing(now)
    return database.transact(_announce, signing[-2], signing[-1])


def replace_lost_key(database: Database, keys: KeyFile) -> list[HandedOver]:
    """Give every log a new key when the old one is gone: announced by a leaf that nobody but the new key signs.

    Raises: SigningKeyThere while a key of the file is known to a log, KeyFileOpen, BadSigningKey.
    """
    signing = keys.signing(clock.now())
    with database.reading() as db:
        if any(_is_known(db, *log, key) for log in _named_logs(db) for key in signing):
            raise SigningKeyThere(place=keys.path)
    if not signing:
        keys.make_first()
        signing = keys.signing(clock.now())
    return database.transact(_announce, None, signing[-1])


def resolve_refusal(db: Connection, place: Place, number: int, verdict: Verdict) -> Refusal:
    """Decide about a tree that was not signed; the signer takes it over at its next look.

    A log that was found altered by the integrating worker has no signer to tell: it is noted here.
    Raises: UnknownRefusal.
    """
    found = next((one for one in queries.list_refusals(db, open_only=True) if one.refusal_id == number), None)
    if found is None:
        raise UnknownRefusal(number=number)
    if found.what == "broken":
        resolved = {"resolved_at": clock.now(), "resolved_by": verdict.by, "reason": verdict.reason}
        db.execute(sa.update(models.refusals).where(models.refusals.c.refusal_id == number).values(resolved))
    else:
        place.decide(found.token, verdict)
    return found


def _announce(db: Connection, old: FileKey | None, new: FileKey) -> list[HandedOver]:
    handed = []
    for book, log, origin in _named_logs(db):
        if _is_known(db, book, log, origin, new):
            continue
        key = NamedKey(origin, new).key
        fields = {"origin": origin, "new": str(key)}
        until = None
        if old is not None and old.until is not None:
            until, named = old.until, NamedKey(origin, old)
            text = handing.statement(origin, str(key), ledger.instant(until))
            line = note.sign(text, [named]).signatures[0]
            fields |= {"old": str(named.key), "until": ledger.instant(until), "sig": str(line)}
        facts.append_fact(db, book, log, handing.KIND, fields)
        running = (_keys.c.book_id == book, _keys.c.log == int(log), _keys.c.valid_until.is_(None))
        db.execute(sa.update(_keys).where(*running).values(valid_until=until or clock.now()))
        row = {"book_id": book, "log": int(log), "verifier_key": str(key), "valid_from": clock.now()}
        db.execute(_keys.insert(), [row | {"valid_until": None}])
        handed.append(HandedOver(origin, key, until))
    return handed


def _named_logs(db: Connection) -> list[tuple[int, Log, str]]:
    """Return the logs that were ever signed, with their present names."""
    found = []
    for book in ledger.list_books(db):
        for log in Log:
            origin = queries.find_origin(db, book.book_id, log)
            if origin is not None:
                found.append((book.book_id, log, origin))
    return found


def _is_known(db: Connection, book: int, log: Log, origin: str, key: FileKey) -> bool:
    return str(NamedKey(origin, key).key) in {one.text for one in queries.verifier_keys(db, book, log)}
