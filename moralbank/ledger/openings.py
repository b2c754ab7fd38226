"""Entries as their holders keep them to prove them: the stored leaf, and the private part with its salt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models

_CHUNK = 500
_entries, _parts = models.entries, models.private_parts


@dataclass(frozen=True, slots=True)
class Opening:
    """salt, content: what the leaf's `m` commits to; None where there is none, or where it was forgotten."""

    entry_id: UUID
    leaf: bytes
    salt: bytes | None
    content: str | None


def list_openings(db: Connection, book: int, entry_ids: Sequence[UUID]) -> list[Opening]:
    """Return the openings of these entries in the order of their numbers; for their own holders and auditors only."""
    found: list[Any] = []
    for start in range(0, len(entry_ids), _CHUNK):
        query = (
            sa.select(_entries.c.seq, _entries.c.entry_id, _entries.c.leaf_bytes, _parts.c.salt, _parts.c.content)
            .outerjoin(_parts, (_parts.c.book_id == _entries.c.book_id) & (_parts.c.entry_id == _entries.c.entry_id))
            .where(_entries.c.book_id == book, _entries.c.entry_id.in_(entry_ids[start : start + _CHUNK]))
        )
        found += db.execute(query).all()
    return [
        Opening(row.entry_id, bytes(row.leaf_bytes), None if row.salt is None else bytes(row.salt), row.content)
        for row in sorted(found, key=lambda row: row.seq)
    ]
