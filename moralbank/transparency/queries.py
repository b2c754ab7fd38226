"""What of a log others read: sizes, places, leaves, tiles, proofs, checkpoints, keys, and how far it is behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.transparency import heads, leaves, models, tree
from moralbank.transparency.nodes import StoredNodes
from moralbank.transparency.tiles import ENTRIES, WIDTH, Tile, bundle
from moralbank.transparency.tree_errors import LeafUnknown, SizeUnknown
from moralbank.transparency.values import Checkpoint, Head, Log, LogKey, Refusal, Source

PAGE = 200

_checkpoints, _cosignatures, _keys = models.checkpoints, models.cosignatures, models.keys
_origins, _refusals, _runs = models.origins, models.refusals, models.runs


def find_head(db: Connection, book: int, log: Log) -> Head | None:
    """Return how far the log has come, or None before its first leaf."""
    return heads.find_head(db, book, log)


def size(db: Connection, book: int, log: Log) -> int:
    """Return how many leaves are in the log."""
    return heads.head_of(db, book, log).size


def leaf_index_of_entry(db: Connection, book: int, entry_id: UUID) -> int | None:
    """Return where an entry is in the ledger's log; None while it isn't sealed."""
    return leaves.index_of_entry(db, book, entry_id)


def leaf_index_of_fact(db: Connection, book: int, log: Log, fact_no: int) -> int | None:
    """Return where a fact is in its log; None while it isn't sealed."""
    return leaves.index_of_number(db, book, log, Source.FACT, fact_no)


def leaf_bytes(db: Connection, book: int, log: Log, index: int) -> bytes:
    """Return a leaf as it was stored. Raises: LeafUnknown."""
    found = leaves.list_leaves(db, book, log, index, 1) if index >= 0 else []
    if not found:
        raise LeafUnknown(index=index)
    return found[0][1]


def list_leaves(db: Connection, book: int, log: Log, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return index and bytes of the leaves from `start` on; it ends early where a stored leaf is missing."""
    return leaves.list_leaves(db, book, log, start, limit)


def read_tile(db: Connection, book: int, log: Log, tile: Tile) -> bytes:
    """Return the hashes of a tile, or the bundle of leaves for one of level ENTRIES.

    Raises: SizeUnknown when the tree has not so many there.
    """
    now = size(db, book, log)
    if not tile.is_in(now):
        raise SizeUnknown(size=now)
    if tile.level == ENTRIES:
        found = leaves.list_leaves(db, book, log, tile.index * WIDTH, tile.width)
        return bundle([leaf for _, leaf in found])
    return b"".join(StoredNodes(db, book, log, now).tile(tile.level, tile.index)[: tile.width])


def root_at(db: Connection, book: int, log: Log, at_size: int) -> bytes:
    """Return the root of the tree of the first so many leaves. Raises: SizeUnknown."""
    return tree.root_at(_nodes(db, book, log, at_size), at_size)


def inclusion_proof(db: Connection, book: int, log: Log, index: int, at_size: int) -> list[bytes]:
    """Return the hashes from leaf `index` to the root of the tree of the first `at_size` leaves.

    Raises (in the order checked): SizeUnknown, LeafUnknown when the leaf isn't among them.
    """
    return inclusion_proofs(db, book, log, [index], at_size)[0]


def inclusion_proofs(db: Connection, book: int, log: Log, indexes: Iterable[int], at_size: int) -> list[list[bytes]]:
    """Return the inclusion proofs of several leaves in one tree. Raises: as inclusion_proof."""
    nodes = _nodes(db, book, log, at_size)
    proofs = []
    for index in indexes:
        if not 0 <= index < at_size:
            raise LeafUnknown(index=index)
        proofs.append(tree.inclusion_proof(nodes, index, at_size))
    return proofs


def consistency_proof(db: Connection, book: int, log: Log, old: int, new: int) -> list[bytes]:
    """Return the hashes that show that the tree of `old` leaves begins that of `new`. Raises: SizeUnknown."""
    if not 0 <= old <= new:
        raise SizeUnknown(size=new)
    return tree.consistency_proof(_nodes(db, book, log, new), old, new)


def find_checkpoint(db: Connection, book: int, log: Log, at_size: int) -> Checkpoint | None:
    """Return the checkpoint of exactly this size, or None."""
    found = _list_checkpoints(db, book, log, _checkpoints.c.size == at_size, 1)
    return found[0] if found else None


def latest_checkpoint(db: Connection, book: int, log: Log) -> Checkpoint | None:
    """Return the largest checkpoint that was signed, or None."""
    found = _list_checkpoints(db, book, log, sa.true(), 1, is_latest_first=True)
    return found[0] if found else None


def list_checkpoints(db: Connection, book: int, log: Log, since_size: int = 0, limit: int = PAGE) -> list[Checkpoint]:
    """Return the checkpoints of more than `since_size` leaves, the smallest first."""
    return _list_checkpoints(db, book, log, _checkpoints.c.size > since_size, limit)


def find_origin(db: Connection, book: int, log: Log) -> str | None:
    """Return the name under which the log signs, or None before its first signature."""
    origins = list_origins(db, book, log)
    return origins[-1][1] if origins else None


def list_origins(db: Connection, book: int, log: Log) -> list[tuple[int, str]]:
    """Return the log's names, each with the size above which it signs so, oldest first."""
    query = (
        sa.select(_origins.c.from_size, _origins.c.origin)
        .where(_origins.c.book_id == book, _origins.c.log == int(log))
        .order_by(_origins.c.from_size)
    )
    return [(from_size, origin) for from_size, origin in db.execute(query)]


def verifier_keys(db: Connection, book: int, log: Log) -> list[LogKey]:
    """Return the log's own keys and when each signs, the oldest first."""
    query = sa.select(_keys).where(_keys.c.book_id == book, _keys.c.log == int(log)).order_by(_keys.c.valid_from)
    return [LogKey(row.verifier_key, row.valid_from, row.valid_until) for row in db.execute(query)]


def list_refusals(db: Connection, book: int | None = None, *, open_only: bool = False) -> list[Refusal]:
    """Return the trees that the signer would not sign, latest first."""
    query = sa.select(_refusals).order_by(_refusals.c.refusal_id.desc()).limit(PAGE)
    if book is not None:
        query = query.where(_refusals.c.book_id == book)
    if open_only:
        query = query.where(_refusals.c.resolved_at.is_(None))
    return [
        Refusal(
            refusal_id=row.refusal_id,
            token=row.token,
            book=row.book_id,
            log=Log(row.log),
            what=row.what,
            signed_size=row.signed_size,
            found_size=row.found_size,
            refused_at=row.refused_at,
            resolved_at=row.resolved_at,
            resolved_by=row.resolved_by,
            reason=row.reason,
        )
        for row in db.execute(query)
    ]


def list_sealed_at(db: Connection, book: int, log: Log, start: int) -> list[tuple[int, datetime]]:
    """Return when the leaves from `start` on were sealed: the first leaf behind a run, and the run's instant."""
    query = (
        sa.select(_runs.c.first_index + _runs.c.length, _runs.c.integrated_at)
        .where(_runs.c.book_id == book, _runs.c.log == int(log), _runs.c.first_index + _runs.c.length > start)
        .order_by(_runs.c.first_index)
    )
    return [(end, at) for end, at in db.execute(query)]


@dataclass(frozen=True, slots=True)
class Lag:
    """What of a log waits: for its place in the tree, and for a checkpoint; and for how many seconds by now."""

    book: str
    log: Log
    waiting: int
    waiting_seconds: float
    unsigned: int
    unsigned_seconds: float


def list_lags(db: Connection, now: datetime, since: datetime) -> list[Lag]:
    """Return how far every log is behind.

    since: when the one who asks began to watch; nothing waits for longer than that, since nobody could work while
        the bank was shut.
    """
    known = {(head.book, head.log): head for head in heads.list_heads(db)}
    lags = []
    for book in ledger.list_books(db):
        for log in Log:
            head = known.get((book.book_id, log)) or heads.head_of(db, book.book_id, log)
            waiting, since_when = _waiting(db, head)
            unsigned, unsigned_since = _unsigned(db, head)
            began = max(filter(None, (since, since_when, head.integrated_at)))
            lags.append(
                Lag(
                    book=book.code,
                    log=log,
                    waiting=waiting,
                    waiting_seconds=max((now - began).total_seconds(), 0.0) if waiting else 0.0,
                    unsigned=unsigned,
                    unsigned_seconds=max((now - max(since, unsigned_since)).total_seconds(), 0.0)
                    if unsigned_since
                    else 0.0,
                )
            )
    return lags


def _waiting(db: Connection, head: Head) -> tuple[int, datetime | None]:
    facts = models.facts
    query = sa.select(sa.func.count(), sa.func.min(facts.c.made_at)).where(
        facts.c.book_id == head.book, facts.c.log == int(head.log), facts.c.no > head.last_fact
    )
    count, first_at = db.execute(query).one()
    behind = ledger.behind(db, head.book, head.last_seq) if head.log is Log.LEDGER else None
    if behind is None:
        return count, first_at
    return count + behind.entries, min(filter(None, (first_at, behind.first_posted_at)))


def _unsigned(db: Connection, head: Head) -> tuple[int, datetime | None]:
    last = sa.select(sa.func.max(_checkpoints.c.size)).where(
        _checkpoints.c.book_id == head.book, _checkpoints.c.log == int(head.log)
    )
    signed = int(db.execute(last).scalar() or 0)
    if signed >= head.size:
        return 0, None
    first = sa.select(_runs.c.integrated_at).where(
        _runs.c.book_id == head.book,
        _runs.c.log == int(head.log),
        _runs.c.first_index + _runs.c.length > signed,
    )
    return head.size - signed, db.execute(first.order_by(_runs.c.first_index).limit(1)).scalar()


def _nodes(db: Connection, book: int, log: Log, at_size: int) -> StoredNodes:
    now = size(db, book, log)
    if not 0 <= at_size <= now:
        raise SizeUnknown(size=now)
    return StoredNodes(db, book, log, now)


def _list_checkpoints(
    db: Connection,
    book: int,
    log: Log,
    which: sa.ColumnElement[bool],
    limit: int,
    *,
    is_latest_first: bool = False,
) -> list[Checkpoint]:
    by_size = _checkpoints.c.size.desc() if is_latest_first else _checkpoints.c.size
    query = (
        sa.select(_checkpoints)
        .where(_checkpoints.c.book_id == book, _checkpoints.c.log == int(log), which)
        .order_by(by_size)
        .limit(limit)
    )
    rows = db.execute(query).all()
    lines = _lines(db, book, log, [row.size for row in rows])
    return [
        Checkpoint(
            book=book,
            log=log,
            size=row.size,
            root=bytes(row.root),
            note=bytes(row.note) + "".join(lines.get(row.size, ())).encode(),
            signed_at=row.signed_at,
        )
        for row in rows
    ]


def _lines(db: Connection, book: int, log: Log, sizes: Sequence[int]) -> dict[int, list[str]]:
    """Return the witnesses' lines below each of the checkpoints, in the order in which they came."""
    query = (
        sa.select(_cosignatures.c.size, _cosignatures.c.line)
        .where(_cosignatures.c.book_id == book, _cosignatures.c.log == int(log), _cosignatures.c.size.in_(sizes))
        .order_by(_cosignatures.c.added_at, _cosignatures.c.line)
    )
    found: dict[int, list[str]] = {}
    for at_size, line in db.execute(query):
        found.setdefault(at_size, []).append(line if line.endswith("\n") else f"{line}\n")
    return found
