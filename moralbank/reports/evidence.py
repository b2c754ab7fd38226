"""A whole book as one file that strangers check without the bank: leaves, checkpoints, and what they are held against.

The file is made of one snapshot while the bank works, a piece at a time, and is whole only with its last piece.
scripts/verify_export.py reads it; docs/VERIFY.md says what is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.deed_queries import list_notes
from moralbank.approvals.queries import stream_offsets
from moralbank.db import Database
from moralbank.earning.queries import list_adoptions
from moralbank.errors import MoralBankError
from moralbank.ledger import Book
from moralbank.logbook.queries import policy_of
from moralbank.reports.errors import BookUnreadable, ExportExists, NothingSince, VerifierMissing
from moralbank.reports.evidence_text import readme
from moralbank.settlements import queries as settlements
from moralbank.transparency import Log, copying, cosignature, note
from moralbank.transparency import queries as logs
from moralbank.transparency.copying import Stretch

FORMAT = "moralbank-export/1"
VERIFIER = Path(__file__).resolve().parents[2] / "scripts" / "verify_export.py"
_PIECE_BYTES = 1 << 18
_NAMES = {Log.LEDGER: "ledger", Log.ACCESS: "access"}
#: What a leaf and all that belongs to it take in the file, packed.
BYTES_A_LEAF = 150
#: How many leaves are between two words on how far it is.
_STEP = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a book is wanted. since: from the checkpoint before that day on; None means from its first leaf on."""

    since: date | None = None
    with_openings: bool = False


@dataclass(slots=True)
class _Sink:
    """Takes what the archive writes until somebody fetches it."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def take(self) -> bytes:
        taken = b"".join(self.parts)
        self.parts.clear()
        self.size = 0
        return taken


def stream(
    db: Connection, book: Book, asked: Asked, progress: Callable[[int], None] = lambda leaves: None
) -> Iterator[bytes]:
    """Yield the export of a book, as the connection's snapshot has it, in pieces.

    progress: called with the number of leaves written so far.
    Raises (before the first piece): VerifierMissing, NothingSince; at any piece BookUnreadable.
    """
    check(db, book, asked)
    try:
        yield from _pieces(db, book, asked, progress)
    except (MoralBankError, ValueError, TypeError, LookupError, AttributeError, sa.exc.SQLAlchemyError) as error:
        if isinstance(error, sa.exc.DBAPIError) and not isinstance(error, sa.exc.DataError):
            raise  # That the database is away or busy says nothing about the book.
        # SQLite keeps in a cell whatever somebody who altered it has put there.
        raise BookUnreadable(what=f"{type(error).__name__}: {error}"[:200]) from error


def stream_from(database: Database, book: Book, asked: Asked) -> Iterator[bytes]:
    """Yield the export of a book out of a snapshot that lives as long as somebody fetches it. Raises: as stream."""
    with database.reading() as db:
        yield from stream(db, book, asked)


def check(db: Connection, book: Book, asked: Asked) -> int:
    """Return how many leaves an export would hold. Raises: VerifierMissing, NothingSince."""
    if not VERIFIER.is_file():
        raise VerifierMissing()
    start = _start(db, book, Log.LEDGER, asked.since)
    return logs.size(db, book.book_id, Log.LEDGER) - start


def write(
    database: Database, book: Book, asked: Asked, target: Path, progress: Callable[[int], None] = lambda leaves: None
) -> int:
    """Write the export to a new file and return its bytes. Under the file's own name it is whole or not there.

    Raises: ExportExists, VerifierMissing, NothingSince, BookUnreadable.
    """
    if target.exists():
        raise ExportExists(path=target)
    half = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with half.open("xb") as file, database.reading() as db:
            for piece in stream(db, book, asked, progress):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        half.rename(target)
    finally:
        half.unlink(missing_ok=True)
    return target.stat().st_size


def _pieces(db: Connection, book: Book, asked: Asked, progress: Callable[[int], None]) -> Iterator[bytes]:
    sink, listed = _Sink(), []
    # A sink that can't go back: the sizes stand behind each file, so that what is written is written.
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:  # type: ignore[arg-type]
        for name, pieces in _files(db, book, asked, progress):
            hashed, size = hashlib.sha256(), 0
            with archive.open(_named(name), "w", force_zip64=True) as target:
                for piece in _gathered(pieces):
                    hashed.update(piece)
                    size += len(piece)
                    target.write(piece)
                    if sink.size >= _PIECE_BYTES:
                        yield sink.take()
            listed.append({"name": name, "bytes": size, "sha256": hashed.hexdigest()})
        manifest = json.dumps({"format": FORMAT, "files": listed}, indent=1).encode()
        archive.writestr(_named("manifest.json"), manifest)
    yield sink.take()


def _named(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, clock.local(clock.now()).timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield larger pieces: a line at a time is slow to hash and to pack."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _files(
    db: Connection, book: Book, asked: Asked, progress: Callable[[int], None]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield every file's name and its content, in pieces that are read from the database as they are asked for."""
    number = book.book_id
    stretches = {log: copying.stretch(db, number, log, _start(db, book, log, asked.since)) for log in Log}
    whole = stretches[Log.LEDGER]
    month = _first_month(db, book, whole)
    yield "README.txt", [readme(book, asked.with_openings).encode()]
    yield "verify_export.py", [VERIFIER.read_bytes()]
    yield "book.json", [_about(db, book, asked, stretches)]
    yield "policy.txt", [_policy(db, number)]
    for log, part in stretches.items():
        name, leaves = _NAMES[log], copying.stream_leaves(db, number, log, part.start, part.size)
        yield f"{name}/leaves.jsonl", _told(leaves, progress if log is Log.LEDGER else None)
        notes = (ledger.canonical(one.note.decode()) for one in copying.stream_checkpoints(db, number, log, part.start))
        yield f"{name}/checkpoints.jsonl", _lines(notes)
        yield f"{name}/keys.txt", _rows((key.text,) for key in logs.verifier_keys(db, number, log))
    if asked.with_openings:
        yield "access/openings.txt", _rows(_reasons(db, number, stretches[Log.ACCESS]))
    unsealed = list(copying.stream_unsealed(db, number))
    yield "unsealed.jsonl", _lines(leaf for _, leaf in unsealed)
    yield "accounts.txt", _rows(ledger.stream_accounts(db, number))
    yield "balances.txt", _rows(ledger.stream_balances(db, number))
    yield "rules.txt", _rows(_rules(db))
    yield "closed_days.txt", _rows(ledger.list_closed_days(db, number))
    yield "statements.txt", _rows(ledger.stream_months(db, number, month))
    yield "offsets.txt", _rows(_offsets(db, number))
    yield "notices.txt", _rows(ledger.stream_notices(db, number, clock.today()))
    yield "reversed.txt", _rows((entry_id,) for entry_id in ledger.list_reversed(db, number))
    yield "differences.txt", _rows(ledger.stream_differences(db, number))
    if not whole.start:
        yield "settlements.txt", _rows(settlements.stream_book(db, number))
        yield "keys.txt", _rows(ledger.stream_keys(db, number))
    if asked.with_openings:
        yield "openings.txt", _rows(_openings(db, number, whole, [seq for seq, _ in unsealed]))


def _start(db: Connection, book: Book, log: Log, since: date | None) -> int:
    if since is None:
        return 0
    start = copying.size_before(db, book.book_id, log, clock.start_of(since))
    if not start and log is Log.LEDGER:
        raise NothingSince(day=since.isoformat())
    return start


def _first_month(db: Connection, book: Book, part: Stretch) -> str:
    """Return the month of the first entry that is exported: statements of earlier ones have no lines here."""
    if not part.start:
        return ""
    for leaf in copying.stream_leaves(db, book.book_id, Log.LEDGER, part.start, part.size):
        fields = json.loads(leaf)
        if "legs" in fields:
            return f"{clock.local(datetime.fromisoformat(fields['at'])):%Y-%m}"
    return "9999-99"


def _about(db: Connection, book: Book, asked: Asked, stretches: dict[Log, Stretch]) -> bytes:
    about: dict[str, object] = {
        "book": book.book_id,
        "code": book.code,
        "name": book.name,
        "at": ledger.instant(clock.now()),
        "with_openings": asked.with_openings,
        "two_people_from": ledger.two_people_from(db, book.book_id),
    }
    for log, part in stretches.items():
        about[_NAMES[log]] = {
            "start": part.start,
            "size": part.size,
            "root": part.root.hex(),
            "frontier": [each.hex() for each in part.frontier],
            "origins": [list(origin) for origin in part.origins],
        }
    return ledger.canonical(about)


def _policy(db: Connection, book: int) -> bytes:
    """Return whose signatures count, as a tlog-policy file: the keys of both logs, the witnesses, and how many."""
    keys = [note.parse_verifier_key(key.text) for log in Log for key in logs.verifier_keys(db, book, log)]
    return cosignature.policy_file(keys, policy_of(db, book)).encode()


def _rules(db: Connection) -> Iterator[tuple[object, ...]]:
    for adoption in list_adoptions(db):
        rule = adoption.rule
        said = [rule.category_zh, rule.points, adoption.consultation, adoption.adopted_by]
        yield rule.code, rule.version, rule.effective_from.isoformat(), ledger.canonical(said).decode()


def _openings(db: Connection, book: int, part: Stretch, unsealed: list[int]) -> Iterator[tuple[object, ...]]:
    for index, salt, content in copying.stream_private_parts(db, book, part.start):
        if index < part.size:
            yield index, salt.hex(), content
    for place, seq in enumerate(unsealed):
        for _, salt, content in ledger.list_private_parts(db, book, seq, seq):
            yield part.size + place, salt.hex(), content


def _reasons(db: Connection, book: int, part: Stretch) -> Iterator[tuple[object, ...]]:
    """Yield what was written beside the deeds, by the index of the leaf that commits to it."""
    for run in copying.stream_runs(db, book, Log.ACCESS, part.start):
        shift = run.first_index - run.first_number
        for first in range(max(run.first_number, part.start - shift), run.end_number, copying.PAGE):
            last = min(first + copying.PAGE, run.end_number) - 1
            for no, salt, text in list_notes(db, book, first, last):
                yield no + shift, salt.hex(), ledger.canonical(text).decode()


def _offsets(db: Connection, book: int) -> Iterator[tuple[object, ...]]:
    """Yield award, account, request, points missing, offset and let go, steps and times of each."""
    for one in stream_offsets(db, book):
        points = (one.missing_points, one.offset_points, one.written_off_points)
        times = (ledger.instant(at) if at else None for at in (one.opened_at, one.ends_at, one.closed_at))
        yield one.entry_id.hex, one.account_id, one.request_id, *points, one.steps, *times


def _told(leaves: Iterable[bytes], progress: Callable[[int], None] | None) -> Iterator[bytes]:
    for count, leaf in enumerate(leaves, 1):
        yield leaf + b"\n"
        if progress is not None and count % _STEP == 0:
            progress(count)


def _lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line + b"\n" for line in lines)


def _rows(rows: Iterable[Iterable[object]]) -> Iterator[bytes]:
    """Yield rows as lines: a blank between two values, - for none."""
    for row in rows:
        yield (" ".join("-" if value is None else str(value) for value in row) + "\n").encode()
