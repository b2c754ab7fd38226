"""Integration: entries and facts that were committed become leaves, in batches, behind the posters' backs.

A batch is planned on one snapshot and written in one short transaction that goes through only when nobody has moved
the log since. Nothing here takes a lock that a poster takes. docs/decisions/0009-sealing.md says why it is so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import insert_for
from moralbank.transparency import facts, heads, leaves, models, tree
from moralbank.transparency.tiles import HEIGHT, WIDTH
from moralbank.transparency.tree_errors import LogMoved, TreeBroken
from moralbank.transparency.values import Head, Log, Run, Source

#: Leaves of one batch.
BATCH = 4_096

_logs = models.logs


@dataclass(frozen=True, slots=True)
class FullTile:
    """A tile that a batch has filled."""

    level: int
    index: int
    root: bytes
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What one batch adds to a log, and the head it leads to."""

    before: Head
    size: int
    root: bytes
    frontier: bytes
    last_seq: int
    settled_seq: int
    last_fact: int
    runs: tuple[Run, ...]
    tiles: tuple[FullTile, ...]

    @property
    def leaves(self) -> int:
        """How many leaves it adds."""
        return self.size - self.before.size

    @property
    def is_empty(self) -> bool:
        return not self.leaves and self.settled_seq == self.before.settled_seq


@dataclass(slots=True)
class _Batch:
    """The leaves of a batch in their order, as runs."""

    first_index: int
    hashes: list[bytes] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def add(self, source: Source, numbered: Sequence[tuple[int, bytes]]) -> None:
        first = self.first_index + len(self.hashes)
        self.hashes += [tree.leaf_hash(leaf) for _, leaf in numbered]
        starts = [at for at in range(len(numbered)) if not at or numbered[at][0] != numbered[at - 1][0] + 1]
        for start, end in pairwise([*starts, len(numbered)]):
            self.runs.append(Run(first + start, source, numbered[start][0], end - start))


def integrate(db: Connection, book: int, log: Log, limit: int = BATCH) -> int:
    """Seal one batch of what is committed and not yet in the log; return how many leaves it added.

    On PostgreSQL the transaction's level must be READ COMMITTED, or REPEATABLE READ and fresh.
    Writes: runs, full tiles and the log's head.
    Raises: LogMoved when another integrates the log at this moment.
    """
    head = heads.head_of(db, book, log)
    made = plan(db, head, limit=limit)
    if not made.is_empty:
        apply(db, made, head.epoch)
    return made.leaves


def plan(db: Connection, head: Head, settled_through: int = 0, limit: int = BATCH) -> Plan:
    """Return the next batch of a log as this snapshot has it. Writes nothing.

    settled_through: a number up to which, since before this snapshot began, nobody can bring a missing one any more.
    Raises: TreeBroken when stored leaves don't lead to the head any more.
    """
    # Facts are read first: whatever was committed before a fact is then seen, and stands before it in the log.
    waiting = facts.list_leaves(db, head.book, head.log, head.last_fact + 1, limit)
    batch = _Batch(head.size)
    last_seq, settled, is_whole = head.last_seq, head.settled_seq, True
    if head.log is Log.LEDGER:
        missing = heads.list_missing(db, head)
        spans = [*missing, (head.last_seq + 1, ledger.ENDLESS)]
        entries = ledger.list_leaves(db, head.book, spans, limit)
        is_whole = len(entries) < limit
        batch.add(Source.ENTRY, entries)
        last_seq = max(last_seq, entries[-1][0]) if entries else last_seq
        settled = _settled(db, head, missing, entries, last_seq, settled_through if is_whole else 0)
    last_fact = head.last_fact
    if is_whole:
        waiting = waiting[: limit - len(batch.hashes)]
        batch.add(Source.FACT, waiting)
        last_fact = waiting[-1][0] if waiting else last_fact
    frontier = tree.Frontier.decode(head.size, head.frontier)
    filled = fill(db, head, frontier.extend(batch.hashes))
    return Plan(
        before=head,
        size=frontier.size,
        root=frontier.root(),
        frontier=frontier.encode(),
        last_seq=last_seq,
        settled_seq=settled,
        last_fact=last_fact,
        runs=tuple(batch.runs),
        tiles=tuple(filled),
    )


def apply(db: Connection, made: Plan, epoch: int) -> None:
    """Write a batch, unless the log has moved since it was planned or a later holder of the lease has moved it.

    Raises: LogMoved.
    """
    head, now = made.before, clock.now()
    own = {"book_id": head.book, "log": int(head.log)}
    if head.integrated_at is None:
        first = own | {"size": 0, "root": head.root, "frontier": b"", "last_seq": 0, "settled_seq": 0, "last_fact": 0}
        first |= {"epoch": 0, "integrated_at": now}
        db.execute(insert_for(db, _logs).values(first).on_conflict_do_nothing())
    moved = (
        sa.update(_logs)
        .where(
            _logs.c.book_id == head.book,
            _logs.c.log == int(head.log),
            _logs.c.size == head.size,
            _logs.c.settled_seq == head.settled_seq,
            _logs.c.epoch <= epoch,
        )
        .values(
            size=made.size,
            root=made.root,
            frontier=made.frontier,
            last_seq=made.last_seq,
            settled_seq=made.settled_seq,
            last_fact=made.last_fact,
            epoch=epoch,
            integrated_at=now if made.leaves else _logs.c.integrated_at,
        )
    )
    if db.execute(moved).rowcount != 1:
        raise LogMoved()
    if made.runs:
        db.execute(models.runs.insert(), [own | _run_row(run) | {"integrated_at": now} for run in made.runs])
    if made.tiles:
        db.execute(
            models.tiles.insert(),
            [
                own | {"level": tile.level, "tile_index": tile.index, "root": tile.root, "hashes": tile.hashes}
                for tile in made.tiles
            ],
        )


def _run_row(run: Run) -> dict[str, int]:
    return {
        "first_index": run.first_index,
        "source": int(run.source),
        "first_number": run.first_number,
        "length": run.length,
    }


def _settled(
    db: Connection,
    head: Head,
    missing: Sequence[tuple[int, int]],
    entries: Sequence[tuple[int, bytes]],
    last_seq: int,
    through: int,
) -> int:
    """Return the number up to which nothing can come any more."""
    if db.dialect.name == "sqlite":
        return last_seq  # One writer: numbers come in the order of their commits.
    settled = max(head.settled_seq, min(through, head.last_seq))
    came = {seq for seq, _ in entries}
    # A gap that was filled, or behind which nothing is missing, holds nothing up.
    for low, high in missing:
        if high > settled and not all(number in came for number in range(max(low, settled + 1), high + 1)):
            return max(settled, low - 1) if low > settled else settled
    expected = head.last_seq + 1
    for seq in sorted(number for number in came if number > head.last_seq):
        if seq != expected:
            return expected - 1
        expected += 1
    return last_seq


def fill(db: Connection, head: Head, complete: list[list[bytes]]) -> list[FullTile]:
    """Return the tiles that new leaves fill, from the leaves up.

    complete: by level the roots of the subtrees that they complete, as `Frontier.extend` returns them.
    """
    filled: list[FullTile] = []
    for level, roots in enumerate(complete[HEIGHT::HEIGHT]):
        first = head.size >> HEIGHT * level
        start = first - first % WIDTH
        hashes = _begun(db, head, level, start, first) + complete[HEIGHT * level]
        for at, root in enumerate(roots):
            tile = hashes[at * WIDTH : (at + 1) * WIDTH]
            filled.append(FullTile(level, start // WIDTH + at, root, b"".join(tile)))
    return filled


def _begun(db: Connection, head: Head, level: int, start: int, end: int) -> list[bytes]:
    """Return what a level's last tile holds by now, from start to end.

    Leaves are read anew; that they lead to the head shows that nobody has altered them since.
    """
    if start == end:
        return []
    if level:
        return _roots(db, head, level - 1, start, end)
    rows = leaves.list_leaves(db, head.book, head.log, start, end - start)
    hashes = [tree.leaf_hash(leaf) for _, leaf in rows]
    _require_edge(head, start, hashes)
    return hashes


def _require_edge(head: Head, start: int, hashes: Sequence[bytes]) -> None:
    """Raises TreeBroken unless the last leaves are those that the frontier was made of."""
    edge = tree.Frontier()
    edge.extend(hashes)
    stated = tree.Frontier.decode(head.size, head.frontier).hashes
    if edge.size != head.size - start or edge.hashes != stated[len(stated) - len(edge.hashes) :]:
        raise TreeBroken(book=head.book, log=head.log.name.lower(), index=start)


def _roots(db: Connection, head: Head, level: int, start: int, end: int) -> list[bytes]:
    """Return the roots of the stored tiles of a level from start to end."""
    stored = models.tiles
    query = (
        sa.select(stored.c.root)
        .where(
            stored.c.book_id == head.book,
            stored.c.log == int(head.log),
            stored.c.level == level,
            stored.c.tile_index >= start,
            stored.c.tile_index < end,
        )
        .order_by(stored.c.tile_index)
    )
    roots = [bytes(root) for root in db.execute(query).scalars()]
    if len(roots) != end - start:
        raise TreeBroken(book=head.book, log=head.log.name.lower(), index=start)
    return roots
