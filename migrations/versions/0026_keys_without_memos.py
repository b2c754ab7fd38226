"""What a key was asked for is kept without its private part: a hash that stays would tell it to whoever guesses.

Of an answered key the private part stands beside the entry, so that the hash without it is found from the one with it.
Where it is gone, or the key was refused, what was asked can't be told any more and any repetition counts as the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import product
from json.encoder import encode_basestring as quoted
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026_keys_without_memos"
down_revision = "0025_deeds_proven"

_ANY = bytes(32)
_PAGE = 1_000
_KEYS = sa.text(
    "SELECT k.book_id, k.actor, k.key, k.fingerprint, k.refusal, e.leaf_bytes, p.content FROM ledger_keys k "
    "LEFT JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id "
    "LEFT JOIN ledger_private_parts p ON p.book_id = k.book_id AND p.entry_id = k.entry_id "
    "WHERE (k.book_id, k.actor, k.key) > (:book, :actor, :key) ORDER BY k.book_id, k.actor, k.key LIMIT :limit"
)
_WRITE = sa.text("UPDATE ledger_keys SET fingerprint = :now WHERE book_id = :book AND actor = :actor AND key = :key")


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name == "postgresql":
        op.execute("ALTER TABLE ledger_keys DISABLE TRIGGER ledger_keys_append_only")
        _rewrite(db)
        op.execute("ALTER TABLE ledger_keys ENABLE ALWAYS TRIGGER ledger_keys_append_only")
        return
    name = "ledger_keys_no_update"
    found = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name").bindparams(name=name)
    guard = db.execute(found).scalar_one()
    op.execute(f"DROP TRIGGER {name}")
    _rewrite(db)
    op.execute(guard)


def _rewrite(db: sa.Connection) -> None:
    last: tuple[int, str, str] = (0, "", "")
    while page := db.execute(_KEYS, {**dict(zip(("book", "actor", "key"), last, strict=True)), "limit": _PAGE}).all():
        changed = []
        for row in page:
            now = _without_private(row)
            if now != bytes(row.fingerprint):
                changed.append({"now": now, "book": row.book_id, "actor": row.actor, "key": row.key})
        if changed:
            db.execute(_WRITE, changed)
        last = (page[-1].book_id, page[-1].actor, page[-1].key)


def _without_private(row: Any) -> bytes:
    """Return what is to be kept of a key: of a draft with nothing private, what is kept already."""
    if row.leaf_bytes is None:
        return _ANY
    leaf = json.loads(bytes(row.leaf_bytes))
    if "m" not in leaf:
        return bytes(row.fingerprint)
    for asked in _drafts(leaf):
        if row.content is not None and _hash(asked, row.content) == bytes(row.fingerprint):
            return _hash(asked, "{}")
    return _ANY


def _drafts(leaf: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what may have been asked for, before and behind the private part: with or without a day and an id."""
    legs = ",".join(
        f'[{leg["a"]},{1 if leg["u"] == "points" else 2},{leg["d"]},"{leg.get("x", "")}"]' for leg in leaf["legs"]
    )
    source = ",".join(quoted(word) for word in leaf.get("src", ()))
    rule = f"{quoted(leaf['rule'][0])},{leaf['rule'][1]}" if "rule" in leaf else ""
    checker = f",{quoted(leaf['ok'])}" if "ok" in leaf else ""
    for day, entry in product(("", leaf["on"]), ("", leaf["id"])):
        yield (
            f"[{quoted(leaf['kind'])},[{legs}],{leaf.get('br', 0)},[{source}],[{rule}],{quoted(leaf.get('grade', ''))},"
            f'"{day}","{leaf.get("rev", "")}",',
            f',"{entry}"{checker}]',
        )


def _hash(asked: tuple[str, str], private: str) -> bytes:
    return sha256(f"{asked[0]}{private}{asked[1]}".encode()).digest()
