"""PostgreSQL's guards of entries and postings look at all rows of a statement at once, and take no lock to do so."""

from __future__ import annotations

from alembic import op

revision = "0019_guards_of_sets"
down_revision = "0018_job_works"

#: From this version on a foreign key may stay in the schema without being looked up row by row.
_NOT_ENFORCED = (18,)

#: OFFSET keeps the look-ups one by one: planned as a join while a large batch came, they would read all entries.
_POSTINGS = """
CREATE OR REPLACE FUNCTION ledger_posting_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM fresh f WHERE 0 =
      (SELECT count(*) FROM ledger_accounts a WHERE a.book_id = f.book_id AND a.account_id = f.account_id)
  ) THEN
    RAISE EXCEPTION 'the account of a leg is not in the book' USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF EXISTS (
    SELECT 1 FROM (SELECT book_id, entry_id, count(*) AS legs FROM fresh GROUP BY book_id, entry_id) f
    CROSS JOIN LATERAL
      (SELECT 1 FROM ledger_entries e WHERE e.book_id = f.book_id AND e.entry_id = f.entry_id OFFSET 0) e
    WHERE f.legs <>
      (SELECT count(*) FROM ledger_postings p WHERE p.book_id = f.book_id AND p.entry_id = f.entry_id)
  ) THEN
    RAISE EXCEPTION 'the entry is complete and takes no further leg' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$
"""
_ENTRIES = """
CREATE OR REPLACE FUNCTION ledger_entry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM fresh e CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE p.seq = e.seq AND p.posted_at = e.posted_at) AS legs,
        coalesce(sum(p.amount) FILTER (WHERE p.unit = 1), 0) AS points,
        coalesce(sum(p.amount) FILTER (WHERE p.unit = 2), 0) AS minutes
      FROM ledger_postings p WHERE p.book_id = e.book_id AND p.entry_id = e.entry_id) s
    WHERE s.legs < 2 OR s.points <> 0 OR s.minutes <> 0
  ) THEN
    RAISE EXCEPTION 'the legs of the entry do not balance' USING ERRCODE = 'restrict_violation';
  END IF;
  IF EXISTS (
    SELECT 1 FROM fresh e WHERE (e.posted_at AT TIME ZONE 'Asia/Shanghai')::date <=
      (SELECT max(c.day) FROM ledger_closed_days c WHERE c.book_id = e.book_id)
  ) THEN
    RAISE EXCEPTION 'the day is closed' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGERS = (
    ("ledger_postings_before_entry", "ledger_postings", "ledger_posting_guard"),
    ("ledger_entries_balanced", "ledger_entries", "ledger_entry_guard"),
)
#: Each looked up and locked the account or the book for every row, and everybody who posts locked the same ones.
#: Accounts are never removed, so a look when the leg comes is enough; and who has an account has a book.
_LOOKED_UP = (
    ("ledger_postings", "fk_ledger_postings_book_id_account_id"),
    ("ledger_entries", "fk_ledger_entries_book_id"),
)


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name != "postgresql":
        return
    for trigger, table, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    op.execute(_POSTINGS)
    op.execute(_ENTRIES)
    for trigger, table, function in _TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {trigger} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    if db.dialect.server_version_info >= _NOT_ENFORCED:
        for table, key in _LOOKED_UP:
            op.execute(f"ALTER TABLE {table} ALTER CONSTRAINT {key} NOT ENFORCED")
    # A balance moves with every line of its account; with room on its page no index has to follow.
    op.execute("ALTER TABLE ledger_balances SET (fillfactor = 50)")
