"""Makes the statement file: a month of an account with all that it takes to check it without the bank.

Its form is docs/STATEMENT_FILE.md. Reads only, one snapshot.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.ledger import Line, Opening, Unit
from moralbank.proofs import queries as proofs
from moralbank.proofs.values import Signed, Trust
from moralbank.statements import queries, values
from moralbank.statements.values import Owner
from moralbank.transparency import Log
from moralbank.transparency import queries as logs

FORMAT = "moralbank-statement/1"
UNIT_NAMES = {Unit.POINTS: "points", Unit.MINUTES: "minutes"}


def statement_file(db: Connection, owner: Owner, month: date) -> dict[str, Any]:
    """Return the file of a month that began, as JSON takes it.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    queries.check_month(owner, month)
    since, until = clock.start_of(month), clock.start_of(values.next_month(month))
    units, wanted = {}, {}
    for unit in Unit:
        before, lines, after = _lines(db, owner, unit, since, until)
        units[UNIT_NAMES[unit]] = _edges(before, lines)
        # One entry may bring a line of either unit; each leaf is in the file once.
        wanted |= {line.entry_id: None for line in (*before, *lines, *after)}
    openings = ledger.list_openings(db, owner.book, list(wanted))
    indexes = {one.entry_id: logs.leaf_index_of_entry(db, owner.book, one.entry_id) for one in openings}
    trust = proofs.trust_of(db, owner.book)
    signed, sealed = _sealed(db, owner.book, openings, indexes, trust)
    made = {
        "format": FORMAT,
        "book": owner.book,
        "account": owner.account,
        "month": f"{month:%Y-%m}",
        "since": ledger.instant(since),
        "until": ledger.instant(until),
        "as_of": ledger.instant(clock.now()),
        **units,
        "leaves": sealed,
        "waiting": [one.leaf.decode() for one in openings[len(sealed) :]],
    }
    if trust is not None and signed is not None:
        made |= _trusted(trust, signed.checkpoint.size)
        made["checkpoint"] = signed.checkpoint.note.decode()
    return made


def _lines(
    db: Connection, owner: Owner, unit: Unit, since: datetime, until: datetime
) -> tuple[list[Line], list[Line], list[Line]]:
    """Return the last line before the month, those of the month, and the first after it."""

    def one(**bounds: Any) -> list[Line]:
        return ledger.history(db, owner.book, owner.account, unit, limit=1, **bounds)

    lines = list(queries.lines_between(db, owner, unit, since, until))
    return one(until=since), lines, one(since=until, newest_first=False)


def _edges(before: Sequence[Line], lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    opening = _edge(before[-1] if before else None)
    return {"opening": opening, "closing": _edge(lines[-1]) if lines else opening}


def _edge(line: Line | None) -> dict[str, int]:
    if line is None or line.n is None or line.balance_after is None:
        return {"n": 0, "balance": 0}
    return {"n": line.n, "balance": line.balance_after}


def _sealed(
    db: Connection, book: int, openings: Sequence[Opening], indexes: dict[UUID, int | None], trust: Trust | None
) -> tuple[Signed | None, list[dict[str, Any]]]:
    """Return the checkpoint that proves most of the entries, and these with their proofs in it.

    An account's lines rise along the log, so that what is in no checkpoint yet are the last ones.
    """
    placed = [(index, one) for one in openings if (index := indexes[one.entry_id]) is not None]
    signed = None
    while placed and signed is None:
        signed = proofs.find_signed(db, book, placed[-1][0], trust)
        if signed is None:
            placed.pop()
    if signed is None:
        return None, []
    size = signed.checkpoint.size
    paths = logs.inclusion_proofs(db, book, Log.LEDGER, [index for index, _ in placed], size)
    return signed, [dict(_leaf(index, one, path)) for (index, one), path in zip(placed, paths, strict=True)]


def _leaf(index: int, opening: Opening, path: Sequence[bytes]) -> Iterator[tuple[str, Any]]:
    yield "index", index
    yield "leaf", opening.leaf.decode()
    yield "proof", [b64encode(step).decode() for step in path]
    if opening.salt is not None and opening.content is not None:
        yield "private", {"salt": b64encode(opening.salt).decode(), "content": opening.content}


def _trusted(trust: Trust, size: int) -> dict[str, Any]:
    return {
        "origin": trust.origin_at(size),
        "log_keys": [str(key) for key in trust.keys],
        "witness_keys": [str(key) for key in trust.policy.keys],
        "witnesses_needed": trust.policy.needed,
    }
