"""Leaves that are no entries: written once with their bytes, and sealed in the log as entries are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import insert_for
from moralbank.transparency import models, tree
from moralbank.transparency.tree_errors import BadFact
from moralbank.transparency.values import Log

VERSION = 1
LEAF_BYTES_MAX = 4_096
_WHOLE_MAX = 2**53 - 1
_KIND = re.compile(r"[a-z][a-z0-9-]{0,15}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_OWN = frozenset({"v", "book", "log", "k", "at", "no"})

_counters, _facts = models.counters, models.facts


class Written(NamedTuple):
    """A fact that was just written: its number in the log, and its leaf's hash."""

    no: int
    leaf_hash: bytes


def append_fact(db: Connection, book: int, log: Log, kind: str, fields: Mapping[str, object]) -> bytes:
    """Write a fact into a log and return its leaf's hash. Raises: as write_fact."""
    return write_fact(db, book, log, kind, fields).leaf_hash


def write_fact(db: Connection, book: int, log: Log, kind: str, fields: Mapping[str, object]) -> Written:
    """Write a fact into a log. It is sealed with the next batch.

    Facts of a log are numbered without gaps; who writes one keeps others of that log waiting until the commit.
    fields: what it says, under ASCII names; text in NFC, whole numbers, lists and objects of these, never a person's
        name, phone or free text.
    Raises: BadFact.
    """
    stated = _checked(kind, fields)
    now = clock.now()
    advance = insert_for(db, _counters).values(book_id=book, log=int(log), last_no=1)
    advance = advance.on_conflict_do_update(
        index_elements=["book_id", "log"], set_={"last_no": _counters.c.last_no + 1}
    )
    no: int = db.execute(advance.returning(_counters.c.last_no)).scalar_one()
    own = {"v": VERSION, "book": book, "log": int(log), "k": kind, "at": ledger.instant(now), "no": no}
    leaf = ledger.canonical(stated | own)
    if len(leaf) > LEAF_BYTES_MAX:
        raise BadFact(field="size")
    row = {"book_id": book, "log": int(log), "no": no, "kind": kind, "made_at": now, "leaf_bytes": leaf}
    db.execute(_facts.insert(), [row])
    return Written(no, tree.leaf_hash(leaf))


def find_last(db: Connection, book: int, log: Log) -> int:
    """Return the number of a log's last fact, 0 when it has none."""
    query = sa.select(_counters.c.last_no).where(_counters.c.book_id == book, _counters.c.log == int(log))
    return int(db.execute(query).scalar() or 0)


def list_leaves(db: Connection, book: int, log: Log, first: int, limit: int) -> list[tuple[int, bytes]]:
    """Return numbers and leaves of the facts from `first` on, by number."""
    query = (
        sa.select(_facts.c.no, _facts.c.leaf_bytes)
        .where(_facts.c.book_id == book, _facts.c.log == int(log), _facts.c.no >= first)
        .order_by(_facts.c.no)
        .limit(limit)
    )
    return [(no, bytes(leaf)) for no, leaf in db.execute(query)]


def _checked(kind: str, fields: Mapping[str, object]) -> dict[str, object]:
    if not _KIND.fullmatch(kind):
        raise BadFact(field="kind")
    for name, value in fields.items():
        if name in _OWN or not _is_plain(name, value):
            raise BadFact(field=name)
    return dict(fields)


def _is_plain(name: str, value: object) -> bool:
    """Tell whether a value has one canonical spelling, as leaves need."""
    if not _NAME.fullmatch(name):
        return False
    if isinstance(value, str):
        return unicodedata.is_normalized("NFC", value) and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, Mapping):
        return all(isinstance(each, str) and _is_plain(each, inner) for each, inner in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(name, inner) for inner in value)
    if isinstance(value, bool):
        return True
    return isinstance(value, int) and abs(value) <= _WHOLE_MAX
