"""The log's tables. Every key leads with book and log; what was published once is append-only.

Runs, full tiles, facts, origins, checkpoints and cosignatures are never changed or removed: triggers of the migration
refuse UPDATE and DELETE on both engines. The head row moves on with each batch, and everything in it follows from them.
"""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

#: How far each log has come: what the next batch goes on from.
logs = sa.Table(
    "transparency_logs",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    #: How many leaves are in the tree, its root, and its complete subtrees' roots.
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    #: The highest entry's number in the tree, and the one up to which nothing can come any more.
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("settled_seq", sa.BigInteger, nullable=False),
    #: The last fact in the tree.
    sa.Column("last_fact", sa.BigInteger, nullable=False),
    #: Of the lease under which it was last moved: an earlier holder moves it no more.
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("integrated_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("size >= 0 AND settled_seq <= last_seq", name="head_whole"),
)

#: Which leaves are which entries and facts: leaves in a row that have numbers in a row.
runs = sa.Table(
    "transparency_runs",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("first_index", sa.BigInteger, primary_key=True, autoincrement=False),
    #: See values.Source.
    sa.Column("source", sa.SmallInteger, nullable=False),
    sa.Column("first_number", sa.BigInteger, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("integrated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("book_id", "log", "source", "first_number"),
    sa.CheckConstraint("length > 0 AND first_number > 0 AND first_index >= 0", name="run_whole"),
)

#: Full tiles only: what a partial one holds is in the leaves and in the roots of the full tiles below it.
tiles = sa.Table(
    "transparency_tiles",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("tile_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)

#: Leaves that are no entries: the day's seal, a key, an erasure, deeds.
facts = sa.Table(
    "transparency_facts",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    #: 1, 2, 3 … without gaps.
    sa.Column("no", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("leaf_bytes", sa.LargeBinary, nullable=False),
)

#: The last fact's number of each log. The row is their lock: facts are committed in the order of their numbers.
counters = sa.Table(
    "transparency_counters",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("last_no", sa.BigInteger, nullable=False),
)

#: The name under which a log signs, kept from its first signature on. A log that can't be continued gets another, for
#: the sizes above `from_size`.
origins = sa.Table(
    "transparency_origins",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("from_size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("origin", sa.String(255), nullable=False, unique=True),
    sa.Column("set_at", UtcDateTime, nullable=False),
)

checkpoints = sa.Table(
    "transparency_checkpoints",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    #: The signed note with the log's own signatures.
    sa.Column("note", sa.LargeBinary, nullable=False),
    sa.Column("signed_at", UtcDateTime, nullable=False),
)

#: The log's own keys and the time for which each signs.
keys = sa.Table(
    "transparency_keys",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    #: name+id+key, as verifiers take it.
    sa.Column("verifier_key", sa.String(400), primary_key=True),
    sa.Column("valid_from", UtcDateTime, nullable=False),
    #: None while it has no successor.
    sa.Column("valid_until", UtcDateTime),
)

#: What witnesses signed below a checkpoint; the line of each is a signature line of the note.
cosignatures = sa.Table(
    "transparency_cosignatures",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.String(600), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("key_id", sa.LargeBinary, nullable=False),
    sa.Column("added_at", UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(
        ["book_id", "log", "size"],
        ["transparency_checkpoints.book_id", "transparency_checkpoints.log", "transparency_checkpoints.size"],
    ),
)

#: Trees that the signer would not sign, until somebody who looked into it says what it was.
refusals = sa.Table(
    "transparency_refusals",
    metadata,
    sa.Column("refusal_id", BigId, primary_key=True),
    #: The signer's own name for it, by which it knows whether it was resolved.
    sa.Column("token", sa.String(64), nullable=False, unique=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("log", sa.SmallInteger, nullable=False),
    #: shrunk, rewritten or unreadable.
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("signed_size", sa.BigInteger, nullable=False),
    sa.Column("found_size", sa.BigInteger, nullable=False),
    sa.Column("refused_at", UtcDateTime, nullable=False),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("resolved_by", sa.String(64)),
    sa.Column("reason", sa.String(400)),
    sa.Index("ix_transparency_refusals_book_id", "book_id", "log"),
)
