"""Recomputes a log from the stored leaves and names what of runs, tiles, head and checkpoints doesn't follow from them.

Reads only. What a leaf says is held against the entry's columns by the ledger's own `verify`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.errors import MoralBankError
from moralbank.transparency import checkpoint, facts, heads, models, note, queries, tree
from moralbank.transparency.tiles import WIDTH
from moralbank.transparency.values import Head, Log, Run, Source

MAX_FAULTS = 100
_PAGE = 2_048

_runs, _tiles, _checkpoints = models.runs, models.tiles, models.checkpoints


@dataclass(slots=True)
class LogReport:
    """What of a log was checked, in figures, and what was found broken (the first hundred faults, in words)."""

    book: int
    log: Log
    leaves: int = 0
    tiles: int = 0
    facts: int = 0
    checkpoints: int = 0
    #: Entries and facts that are not sealed yet, which is no fault.
    waiting: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.faults

    def blame(self, what: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(what)


@dataclass(slots=True)
class _Growth:
    """The tree as grown so far: the hashes that stand in no full tile yet, level by level."""

    frontier: tree.Frontier
    ragged: list[list[bytes]]

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Add a leaf's hash; yield level, index, root and hashes of each tile that it fills."""
        self.frontier.append(leaf)
        level, value = 0, leaf
        while True:
            if level == len(self.ragged):
                self.ragged.append([])
            hashes = self.ragged[level]
            hashes.append(value)
            if len(hashes) < WIDTH:
                return
            value = tree.perfect_root(hashes)
            yield level, (self.frontier.size >> 8 * (level + 1)) - 1, value, b"".join(hashes)
            self.ragged[level] = []
            level += 1


def verify_log(db: Connection, book: int, log: Log) -> LogReport:
    """Check a log of a book, in one snapshot, and return what was checked and what is broken."""
    report = LogReport(book, log)
    head = heads.head_of(db, book, log)
    growth = _Growth(tree.Frontier(), [])
    signed = _Signed(db, report)
    for run in _walk_runs(db, report, head):
        for index, leaf in _walk_leaves(db, report, run):
            _check_leaf(report, run, index, leaf)
            for level, tile, root, hashes in growth.add(tree.leaf_hash(leaf)):
                _check_tile(db, report, level, tile, root, hashes)
            report.leaves += 1
            signed.check(growth.frontier)
    _check_head(report, head, growth.frontier)
    signed.end()
    stored = sa.select(sa.func.count()).where(_tiles.c.book_id == book, _tiles.c.log == int(log))
    if db.execute(stored).scalar_one() != report.tiles:
        report.blame("a tile is stored that the leaves don't fill")
    _check_cosignatures(db, report)
    _check_facts(db, report)
    _check_all_sealed(db, report, head)
    return report


def _walk_runs(db: Connection, report: LogReport, head: Head) -> Iterator[Run]:
    query = sa.select(_runs.c.first_index, _runs.c.source, _runs.c.first_number, _runs.c.length)
    query = query.where(_runs.c.book_id == report.book, _runs.c.log == int(report.log)).order_by(_runs.c.first_index)
    end = 0
    for index, source, number, length in db.execute(query).all():
        if source not in tuple(Source) or (source == Source.ENTRY and report.log is not Log.LEDGER):
            report.blame(f"leaf {index} is of no known kind")
            return
        if index != end:
            report.blame(f"leaf {min(index, end)} is missing or stands twice")
        run = Run(index, Source(source), number, length)
        yield run
        end = run.end_index
    if end != head.size:
        report.blame(f"the head says {head.size} leaves, and {end} are there")


def _walk_leaves(db: Connection, report: LogReport, run: Run) -> Iterator[tuple[int, bytes]]:
    """Yield the leaves of a run; blame the first that isn't there."""
    at = run.first_number
    while at < run.end_number:
        last = min(run.end_number, at + _PAGE) - 1
        if run.source is Source.ENTRY:
            page = ledger.list_leaves(db, report.book, [(at, last)], last - at + 1)
        else:
            page = facts.list_leaves(db, report.book, report.log, at, last - at + 1)
        for number, leaf in page:
            if number != at:
                break
            yield run.first_index + at - run.first_number, leaf
            at += 1
        if at <= last:
            report.blame(f"leaf {run.first_index + at - run.first_number} is sealed and no longer stored")
            return


def _check_leaf(report: LogReport, run: Run, index: int, leaf: bytes) -> None:
    """A leaf says itself which book and which number it is of."""
    number = run.first_number + index - run.first_index
    try:
        fields = json.loads(leaf)
        stated = (fields["book"], fields["seq" if run.source is Source.ENTRY else "no"])
        is_of_log = run.source is Source.ENTRY or fields["log"] == int(report.log)
    except (ValueError, KeyError, TypeError):
        report.blame(f"leaf {index} is damaged")
        return
    if stated != (report.book, number) or not is_of_log or ledger.canonical(fields) != leaf:
        report.blame(f"leaf {index} is not the one that was sealed there")


def _check_tile(db: Connection, report: LogReport, level: int, index: int, root: bytes, hashes: bytes) -> None:
    report.tiles += 1
    query = sa.select(_tiles.c.root, _tiles.c.hashes).where(
        _tiles.c.book_id == report.book,
        _tiles.c.log == int(report.log),
        _tiles.c.level == level,
        _tiles.c.tile_index == index,
    )
    stored = db.execute(query).first()
    if stored is None or (bytes(stored.root), bytes(stored.hashes)) != (root, hashes):
        report.blame(f"tile {level}/{index} does not follow from the leaves")


def _check_head(report: LogReport, head: Head, frontier: tree.Frontier) -> None:
    if (head.root, head.frontier) != (frontier.root(), frontier.encode()):
        report.blame("the head does not follow from the leaves")


class _Signed:
    """Holds each checkpoint against the tree at the size that it states, as the tree grows."""

    def __init__(self, db: Connection, report: LogReport) -> None:
        self._db, self._report = db, report
        self._origins = dict(queries.list_origins(db, report.book, report.log))
        self._keys = self._own_keys()
        self._page: list[sa.Row[tuple[object, ...]]] = []
        self._next()

    def check(self, frontier: tree.Frontier) -> None:
        while self._page and self._page[0].size <= frontier.size:
            row = self._page.pop(0)
            self._report.checkpoints += 1
            if row.size != frontier.size or bytes(row.root) != frontier.root():
                self._report.blame(f"the checkpoint of {row.size} leaves is not of this tree")
            self._check_note(row.size, bytes(row.root), bytes(row.note))
            if not self._page:
                self._next(row.size)

    def end(self) -> None:
        if self._page:
            self._report.blame(f"a checkpoint says {self._page[0].size} leaves, more than there are")

    def _next(self, after: int = 0) -> None:
        own = (_checkpoints.c.book_id == self._report.book, _checkpoints.c.log == int(self._report.log))
        query = sa.select(_checkpoints).where(*own, _checkpoints.c.size > after).order_by(_checkpoints.c.size)
        self._page = list(self._db.execute(query.limit(500)).all())

    def _check_note(self, size: int, root: bytes, signed: bytes) -> None:
        origin = next((self._origins[since] for since in sorted(self._origins, reverse=True) if since < size), "")
        try:
            body, _ = checkpoint.open_signed(signed, origin, self._keys)
        except MoralBankError as refusal:
            self._report.blame(f"the checkpoint of {size} leaves is not signed by the log: {refusal.code}")
            return
        if (body.size, body.root) != (size, root):
            self._report.blame(f"the checkpoint of {size} leaves says something else in its note")

    def _own_keys(self) -> tuple[note.VerifierKey, ...]:
        keys = []
        for key in queries.verifier_keys(self._db, self._report.book, self._report.log):
            try:
                keys.append(note.parse_verifier_key(key.text))
            except MoralBankError:
                self._report.blame("a verifier key is damaged")
        return tuple(keys)


def _check_cosignatures(db: Connection, report: LogReport) -> None:
    """A cosignature's columns are what its line says, and it stands below a checkpoint that is there."""
    lines = models.cosignatures
    same = [lines.c[name] == _checkpoints.c[name] for name in ("book_id", "log", "size")]
    query = (
        sa.select(lines, _checkpoints.c.size.label("signed_size"))
        .outerjoin(_checkpoints, sa.and_(*same))
        .where(lines.c.book_id == report.book, lines.c.log == int(report.log))
    )
    for row in db.execute(query.execution_options(yield_per=_PAGE)):
        try:
            [line] = note.parse_signatures(f"{row.line.rstrip()}\n")
        except (MoralBankError, ValueError):
            report.blame(f"a cosignature of {row.size} leaves is damaged")
            continue
        if (line.name, line.key_id) != (row.name, bytes(row.key_id)) or row.signed_size is None:
            report.blame(f"a cosignature of {row.size} leaves is not below the checkpoint that it signs")


def _check_facts(db: Connection, report: LogReport) -> None:
    """A fact's columns are what its leaf says, and the numbers have no gap."""
    stored = models.facts
    own = (stored.c.book_id == report.book, stored.c.log == int(report.log))
    while page := db.execute(
        sa.select(stored).where(*own, stored.c.no > report.facts).order_by(stored.c.no).limit(_PAGE)
    ).all():
        for row in page:
            report.facts += 1
            try:
                fields = json.loads(row.leaf_bytes)
                is_same = (fields["k"], fields["at"]) == (row.kind, ledger.instant(row.made_at))
            except (ValueError, KeyError, TypeError):
                is_same = False
            if not is_same or row.no != report.facts:
                report.blame(f"fact {row.no} is not the one that its leaf says")
                report.facts = row.no


def _check_all_sealed(db: Connection, report: LogReport, head: Head) -> None:
    """Every entry below the settled number and every fact up to the head's is sealed once."""
    last = facts.find_last(db, report.book, report.log)
    if report.facts != last:
        report.blame(f"the last fact is number {report.facts}, and {last} were written")
    sealed_facts = _sealed(db, report, Source.FACT)
    if sealed_facts != head.last_fact:
        report.blame(f"{sealed_facts} facts are sealed, and the head says {head.last_fact}")
    report.waiting = max(report.facts - sealed_facts, 0)
    highest = sa.select(sa.func.coalesce(sa.func.max(_runs.c.first_number + _runs.c.length - 1), 0)).where(
        _runs.c.book_id == report.book, _runs.c.log == int(report.log), _runs.c.source == int(Source.ENTRY)
    )
    if head.last_seq != db.execute(highest).scalar_one():
        report.blame(f"the head says entry number {head.last_seq} is the highest that is sealed")
    if report.log is Log.LEDGER:
        entries = ledger.count_entries(db, report.book, head.settled_seq)
        sealed = _sealed(db, report, Source.ENTRY, head.settled_seq)
        if entries != sealed:
            report.blame(f"of {entries} entries up to number {head.settled_seq}, {sealed} are sealed")
        report.waiting += ledger.count_entries(db, report.book) - _sealed(db, report, Source.ENTRY)


def _sealed(db: Connection, report: LogReport, source: Source, through: int = ledger.ENDLESS) -> int:
    """Return how many numbers up to one the runs hold; no run holds numbers on both sides of a settled one."""
    query = sa.select(sa.func.coalesce(sa.func.sum(_runs.c.length), 0)).where(
        _runs.c.book_id == report.book,
        _runs.c.log == int(report.log),
        _runs.c.source == int(source),
        _runs.c.first_number <= through,
    )
    return int(db.execute(query).scalar_one())


def verify_all(db: Connection, book: int) -> list[LogReport]:
    """Check both logs of a book."""
    return [verify_log(db, book, log) for log in Log]
