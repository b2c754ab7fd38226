"""Reads of a book's logs as the world sees them, and of who witnesses them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.ledger import Book
from moralbank.logbook.errors import (
    LargerThanLog,
    NeverSigned,
    NotSealedYet,
    NotSignedYet,
    SizesReversed,
    UnknownLogBook,
    UnknownLogEntry,
    UnknownTile,
    UnknownWitness,
)
from moralbank.logbook.models import policies, rounds, witnesses
from moralbank.transparency import Checkpoint, Log, LogKey, checkpoint, cosignature, facts, note
from moralbank.transparency import queries as logs
from moralbank.transparency.cosignature import Cosigned, Policy
from moralbank.transparency.cosigning import list_cosigned_sizes
from moralbank.transparency.errors import PolicyUnmet
from moralbank.transparency.proof import Proof
from moralbank.transparency.tiles import ENTRIES, Tile, parse_path
from moralbank.transparency.witnessing import Request

LOCAL = "local:"
#: An entry is sealed within ten seconds while the signer runs.
SEALED_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Witness:
    """An office or a committee that signs a book's checkpoints. url None: by file only."""

    witness_id: int
    book: int
    name: str
    title: str
    verifier_key: str
    url: str | None
    added_at: datetime
    added_by: str
    retired_at: datetime | None

    @property
    def key(self) -> note.VerifierKey:
        return note.parse_verifier_key(self.verifier_key)

    @property
    def is_local(self) -> bool:
        """Whether it runs on the bank's own machine, as in the demonstration: then it proves nothing to a stranger."""
        return self.url is not None and self.url.startswith(LOCAL)


@dataclass(frozen=True, slots=True)
class Round:
    """How asking a witness about a log went last."""

    known_size: int
    signed_at: datetime | None
    outcome: str
    failures: int
    asked_at: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A checkpoint, who cosigned it, and whether that is enough."""

    checkpoint: Checkpoint
    origin: str
    cosigned: tuple[Cosigned, ...]
    policy: Policy

    @property
    def is_enough(self) -> bool:
        return len(self.cosigned) >= self.policy.needed

    def cosigned_by(self, name: str) -> Cosigned | None:
        """Return the cosignature of the witness of this name, or None."""
        return next((each for each in self.cosigned if each.key.name == name), None)


_WITNESS = [
    witnesses.c.witness_id,
    witnesses.c.book_id.label("book"),
    *(witnesses.c[name] for name in ("name", "title", "verifier_key", "url", "added_at", "added_by", "retired_at")),
]


def get_book(db: Connection, code: str) -> Book:
    """Return the book of this code. Raises: UnknownLogBook."""
    for book in ledger.list_books(db):
        if book.code == code:
            return book
    raise UnknownLogBook(book=code)


def list_witnesses(db: Connection, book: int, *, retired: bool = False) -> list[Witness]:
    """Return the witnesses of a book that are in office, or those that no longer are, in the order of their coming."""
    condition = witnesses.c.retired_at.is_not(None) if retired else witnesses.c.retired_at.is_(None)
    query = sa.select(*_WITNESS).where(witnesses.c.book_id == book, condition).order_by(witnesses.c.witness_id)
    return [Witness(**row._mapping) for row in db.execute(query)]


def get_witness(db: Connection, book: int, witness_id: int) -> Witness:
    """Return a witness of the book that is in office. Raises: UnknownWitness."""
    for witness in list_witnesses(db, book):
        if witness.witness_id == witness_id:
            return witness
    raise UnknownWitness()


def find_witness(db: Connection, book: int, name: str) -> Witness | None:
    """Return the witness in office whose key has this name, or None."""
    return next((witness for witness in list_witnesses(db, book) if witness.name == name), None)


def policy_of(db: Connection, book: int) -> Policy:
    """Return how many of which witnesses must have signed a checkpoint of the book; none before somebody said so."""
    query = sa.select(policies.c.needed).where(policies.c.book_id == book).order_by(policies.c.policy_id.desc())
    needed = db.execute(query.limit(1)).scalar() or 0
    return cosignature.make_policy(needed, [witness.key for witness in list_witnesses(db, book)])


def list_rounds(db: Connection, witness_ids: Iterable[int]) -> dict[tuple[int, Log], Round]:
    """Return how asking these witnesses went last, by witness and log."""
    query = sa.select(rounds).where(rounds.c.witness_id.in_(list(witness_ids)))
    return {
        (row.witness_id, Log(row.log)): Round(
            row.known_size, row.signed_at, row.outcome, row.failures, row.asked_at, row.next_at
        )
        for row in db.execute(query)
    }


def find_standing(db: Connection, book: int, log: Log) -> Standing | None:
    """Return the latest checkpoint of the log with its cosignatures, or None before the first."""
    latest = logs.latest_checkpoint(db, book, log)
    return None if latest is None else standing_of(db, latest)


def get_standing(db: Connection, book: int, log: Log) -> Standing:
    """Return the latest checkpoint of the log. Raises: NotSignedYet."""
    found = find_standing(db, book, log)
    if found is None:
        raise NotSignedYet(seconds=SEALED_SECONDS)
    return found


def standing_of(db: Connection, found: Checkpoint) -> Standing:
    """Return a checkpoint with the cosignatures on it."""
    body, signed = checkpoint.read(found.note)
    policy = policy_of(db, found.book)
    return Standing(found, body.origin, cosignature.verify(signed, policy.keys), policy)


def best_checkpoint(db: Connection, book: int, log: Log, least: int) -> Checkpoint | None:
    """Return the checkpoint to prove with: the largest of at least so many leaves that the policy is content with.

    Where there is none yet, the largest at all; None when none has so many leaves.
    """
    policy = policy_of(db, book)
    names = [key.name for key in policy.keys]
    sizes = list_cosigned_sizes(db, book, log, names, least, policy.needed) if policy.needed else []
    for size in sizes:
        found = logs.find_checkpoint(db, book, log, size)
        if found is not None and _meets(found, policy):
            return found
    latest = logs.latest_checkpoint(db, book, log)
    return latest if latest is not None and latest.size >= least else None


def prove_entry(db: Connection, book: int, entry_id: UUID) -> Proof:
    """Return the proof that an entry is in the ledger's log.

    Raises (in the order checked): UnknownLogEntry, NotSealedYet.
    """
    index = logs.leaf_index_of_entry(db, book, entry_id)
    if index is None and ledger.find_entry(db, book, entry_id) is None:
        raise UnknownLogEntry()
    return prove_leaf(db, book, Log.LEDGER, index)


def prove_fact(db: Connection, book: int, log: Log, no: int) -> Proof:
    """Return the proof that a fact is in its log. Raises (in the order checked): UnknownLogEntry, NotSealedYet."""
    index = logs.leaf_index_of_fact(db, book, log, no)
    if index is None and not 0 < no <= facts.find_last(db, book, log):
        raise UnknownLogEntry()
    return prove_leaf(db, book, log, index)


def prove_leaf(db: Connection, book: int, log: Log, index: int | None) -> Proof:
    """Return the proof of the leaf at this place. Raises: NotSealedYet, also for None."""
    found = None if index is None else best_checkpoint(db, book, log, index + 1)
    if found is None or index is None:
        raise NotSealedYet(seconds=SEALED_SECONDS)
    path = logs.inclusion_proof(db, book, log, index, found.size)
    return Proof(index, tuple(path), found.note)


def consistency(db: Connection, book: int, log: Log, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `old` leaves is a beginning of that of `new`.

    Raises (in the order checked): NotSignedYet, SizesReversed, LargerThanLog.
    """
    signed = get_standing(db, book, log).checkpoint.size
    if old > new:
        raise SizesReversed(old=old, new=new)
    if new > signed:
        raise LargerThanLog(size=signed, asked=new)
    return logs.consistency_proof(db, book, log, old, new)


def get_checkpoint(db: Connection, book: int, log: Log, size: int) -> Checkpoint:
    """Return the checkpoint of exactly this size.

    Raises (in the order checked): NotSignedYet, LargerThanLog, NeverSigned.
    """
    signed = get_standing(db, book, log).checkpoint.size
    if size > signed:
        raise LargerThanLog(size=signed, asked=size)
    found = logs.find_checkpoint(db, book, log, size)
    if found is None:
        raise NeverSigned(size=size)
    return found


def witness_request(db: Connection, book: int, log: Log, since: int) -> Request:
    """Return the latest checkpoint as a witness is asked to sign it that signed size `since` last.

    Raises (in the order checked): NotSignedYet, LargerThanLog.
    """
    latest = get_standing(db, book, log).checkpoint
    if since > latest.size:
        raise LargerThanLog(size=latest.size, asked=since)
    return request_from(db, latest, since)


def request_from(db: Connection, latest: Checkpoint, since: int) -> Request:
    """Return the request that takes a checkpoint to a witness that signed size `since` of its log last."""
    _, signed = checkpoint.read(latest.note)
    own = log_keys(db, latest.book, latest.log)
    path = logs.consistency_proof(db, latest.book, latest.log, since, latest.size)
    # Only the log's own lines go out: another witness's word is nothing to this one.
    lines = tuple(line for line in signed.signatures if any(line.is_by(key) for key in own))
    return Request(since, tuple(path), note.Note(signed.text, lines).encode())


def signed_last(db: Connection, witness: Witness, log: Log) -> int:
    """Return the size of the largest checkpoint of a log that the bank has this witness's signature on, 0 for none."""
    sizes = list_cosigned_sizes(db, witness.book, log, [witness.name], 0, 1, limit=1)
    return sizes[0] if sizes else 0


def log_keys(db: Connection, book: int, log: Log) -> tuple[note.VerifierKey, ...]:
    """Return the log's own keys, past and present, the oldest first."""
    return tuple(note.parse_verifier_key(key.text) for key in list_keys(db, book, log))


def read_tile(db: Connection, book: int, log: Log, path: str) -> bytes:
    """Return a tile of hashes of the signed tree by its address below the log. Raises: UnknownTile."""
    tile = parse_path(path)
    if tile is None or tile.level == ENTRIES:
        raise UnknownTile(path=path)
    return _read_tile(db, book, log, tile)


def read_bundle(db: Connection, book: int, log: Log, path: str) -> bytes:
    """Return a bundle of leaves of the signed tree, for those who may read all of the book. Raises: UnknownTile."""
    tile = parse_path(path)
    if tile is None or tile.level != ENTRIES:
        raise UnknownTile(path=path)
    return _read_tile(db, book, log, tile)


def list_keys(db: Connection, book: int, log: Log) -> list[LogKey]:
    """Return the log's own keys, the oldest first."""
    return logs.verifier_keys(db, book, log)


def policy_text(db: Connection, book: int, log: Log) -> str:
    """Return the log's keys that sign now, and how many of which witnesses must, as a tlog-policy file."""
    now, origin = clock.now(), logs.find_origin(db, book, log)
    in_force = [key.text for key in list_keys(db, book, log) if key.valid_until is None or key.valid_until > now]
    own = [key for key in map(note.parse_verifier_key, in_force) if key.name == origin]
    return cosignature.policy_file(own, policy_of(db, book))


def _read_tile(db: Connection, book: int, log: Log, tile: Tile) -> bytes:
    latest = logs.latest_checkpoint(db, book, log)
    # Nothing is shown that no checkpoint answers for.
    if latest is None or not tile.is_in(latest.size):
        raise UnknownTile(path=tile.path)
    return logs.read_tile(db, book, log, tile)


def _meets(found: Checkpoint, policy: Policy) -> bool:
    _, signed = checkpoint.read(found.note)
    try:
        cosignature.require(signed, policy)
    except PolicyUnmet:
        return False
    return True
