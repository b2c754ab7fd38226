"""The log over each book: leaves in runs, full tiles, facts, heads, checkpoints, keys, cosignatures, refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, BigId, UtcDateTime

revision = "0013_transparency"
down_revision = "0012_two_people"

#: Rows of these are never changed and never removed; how each table's rows are told apart besides book and log.
IDENTITIES = {
    "transparency_runs": ("first_index",),
    "transparency_tiles": ("level", "tile_index"),
    "transparency_facts": ("no",),
    "transparency_origins": ("from_size",),
    "transparency_checkpoints": ("size",),
    "transparency_cosignatures": ("size", "line"),
}


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _of_log() -> list[sa.Column[int]]:
    return [
        sa.Column("book_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log", sa.SmallInteger(), autoincrement=False, nullable=False),
    ]


def _of_book(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f(f"fk_{table}_book_id"))


def _create_tables() -> None:
    op.create_table(
        "transparency_logs",
        *_of_log(),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("settled_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_fact", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("integrated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("size >= 0 AND settled_seq <= last_seq", name=op.f("ck_transparency_logs_head_whole")),
        _of_book("transparency_logs"),
        sa.PrimaryKeyConstraint("book_id", "log", name=op.f("pk_transparency_logs")),
    )
    op.create_table(
        "transparency_runs",
        *_of_log(),
        sa.Column("first_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("integrated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "length > 0 AND first_number > 0 AND first_index >= 0", name=op.f("ck_transparency_runs_run_whole")
        ),
        sa.PrimaryKeyConstraint("book_id", "log", "first_index", name=op.f("pk_transparency_runs")),
        sa.UniqueConstraint(
            "book_id",
            "log",
            "source",
            "first_number",
            name=op.f("uq_transparency_runs_book_id_log_source_first_number"),
        ),
    )
    op.create_table(
        "transparency_tiles",
        *_of_log(),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("tile_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "log", "level", "tile_index", name=op.f("pk_transparency_tiles")),
    )
    op.create_table(
        "transparency_facts",
        *_of_log(),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("leaf_bytes", sa.LargeBinary(), nullable=False),
        _of_book("transparency_facts"),
        sa.PrimaryKeyConstraint("book_id", "log", "no", name=op.f("pk_transparency_facts")),
    )
    op.create_table(
        "transparency_counters",
        *_of_log(),
        sa.Column("last_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "log", name=op.f("pk_transparency_counters")),
    )
    _create_signed()


def _create_signed() -> None:
    op.create_table(
        "transparency_origins",
        *_of_log(),
        sa.Column("from_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        _of_book("transparency_origins"),
        sa.PrimaryKeyConstraint("book_id", "log", "from_size", name=op.f("pk_transparency_origins")),
        sa.UniqueConstraint("origin", name=op.f("uq_transparency_origins_origin")),
    )
    op.create_table(
        "transparency_checkpoints",
        *_of_log(),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "log", "size", name=op.f("pk_transparency_checkpoints")),
    )
    op.create_table(
        "transparency_keys",
        *_of_log(),
        sa.Column("verifier_key", sa.String(length=400), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("book_id", "log", "verifier_key", name=op.f("pk_transparency_keys")),
    )
    op.create_table(
        "transparency_cosignatures",
        *_of_log(),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.String(length=600), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["book_id", "log", "size"],
            ["transparency_checkpoints.book_id", "transparency_checkpoints.log", "transparency_checkpoints.size"],
            name=op.f("fk_transparency_cosignatures_book_id_log_size"),
        ),
        sa.PrimaryKeyConstraint("book_id", "log", "size", "line", name=op.f("pk_transparency_cosignatures")),
    )
    op.create_table(
        "transparency_refusals",
        sa.Column("refusal_id", BigId, nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.SmallInteger(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("signed_size", sa.BigInteger(), nullable=False),
        sa.Column("found_size", sa.BigInteger(), nullable=False),
        sa.Column("refused_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("refusal_id", name=op.f("pk_transparency_refusals")),
        sa.UniqueConstraint("token", name=op.f("uq_transparency_refusals_token")),
    )
    op.create_index("ix_transparency_refusals_book_id", "transparency_refusals", ["book_id", "log"])


#: A run begins where the one before ends, and holds no number that another run holds: no leaf twice, whoever writes.
_FOLLOWS = """
  (SELECT coalesce(max(r.first_index + r.length), 0) FROM transparency_runs r
    WHERE r.book_id = NEW.book_id AND r.log = NEW.log AND r.first_index =
      (SELECT max(first_index) FROM transparency_runs WHERE book_id = NEW.book_id AND log = NEW.log))
"""
_OVERLAPS = """
  EXISTS (SELECT 1 FROM
    (SELECT first_number, length FROM transparency_runs WHERE book_id = NEW.book_id AND log = NEW.log
       AND source = NEW.source AND first_number < NEW.first_number + NEW.length
     ORDER BY first_number DESC LIMIT 1) AS before
    WHERE before.first_number + before.length > NEW.first_number)
"""


def _guard_sqlite() -> None:
    for table, columns in IDENTITIES.items():
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        same = " AND ".join(f"{column} = NEW.{column}" for column in ("book_id", "log", *columns))
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    op.execute(
        "CREATE TRIGGER transparency_runs_follow BEFORE INSERT ON transparency_runs BEGIN "
        "SELECT RAISE(ABORT, 'the run does not begin where the log ends') "
        f"WHERE NEW.first_index <> {_FOLLOWS}; "
        f"SELECT RAISE(ABORT, 'a leaf is in the log already') WHERE {_OVERLAPS}; END"
    )


def _guard_postgresql() -> None:
    for table in IDENTITIES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")
    op.execute(
        f"""
        CREATE FUNCTION transparency_run_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.first_index <> {_FOLLOWS} THEN
            RAISE EXCEPTION 'the run does not begin where the log ends' USING ERRCODE = 'restrict_violation';
          END IF;
          IF {_OVERLAPS} THEN
            RAISE EXCEPTION 'a leaf is in the log already' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER transparency_runs_follow BEFORE INSERT ON transparency_runs "
        "FOR EACH ROW EXECUTE FUNCTION transparency_run_guard()"
    )
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if op.get_bind().execute(role).scalar():
        op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(IDENTITIES)} FROM {APP_ROLE}")
