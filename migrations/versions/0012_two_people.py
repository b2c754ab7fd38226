"""The second person of an entry: who checked it; and the database refuses what one person alone may not post."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_two_people"
down_revision = "0011_unknown_tries"

#: No release posted an entry of these kinds by one person: only the demonstration did.
CONTRACTS = (
    "ledger_entries: new trigger ledger_entries_two_people",
    "ledger_books: new trigger ledger_books_two_people_stand",
)
_KINDS = "('reversal', 'adjustment', 'offset')"


def upgrade() -> None:
    op.add_column("ledger_entries", sa.Column("checker", sa.String(64), nullable=True))
    op.add_column("ledger_books", sa.Column("two_people_from", sa.BigInteger, nullable=False, server_default="1"))
    # What stands in the book stays as it is, and the book says up to where.
    op.execute(
        "UPDATE ledger_books SET two_people_from = 1 + coalesce((SELECT max(e.seq) FROM ledger_entries e "
        f"WHERE e.book_id = ledger_books.book_id AND e.kind IN {_KINDS}), 0)"
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    op.execute(
        f"""
        CREATE TRIGGER ledger_entries_two_people BEFORE INSERT ON ledger_entries
        WHEN NEW.kind IN {_KINDS} OR NEW.checker IS NOT NULL BEGIN
          SELECT RAISE(ABORT, 'the entry needs a second person') WHERE
            NEW.checker IS NULL AND NEW.seq >=
              coalesce((SELECT two_people_from FROM ledger_books WHERE book_id = NEW.book_id), 1)
            OR substr(NEW.checker, instr(NEW.checker, ':') + 1) = substr(NEW.actor, instr(NEW.actor, ':') + 1);
        END
        """
    )
    op.execute(
        """
        CREATE TRIGGER ledger_books_two_people_stand BEFORE UPDATE OF two_people_from ON ledger_books
        BEGIN SELECT RAISE(ABORT, 'the number from which two people are needed stands'); END
        """
    )


def _guard_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION ledger_two_people_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.checker IS NULL AND NEW.seq >=
               coalesce((SELECT two_people_from FROM ledger_books WHERE book_id = NEW.book_id), 1)
             OR substr(NEW.checker, strpos(NEW.checker, ':') + 1) = substr(NEW.actor, strpos(NEW.actor, ':') + 1) THEN
            RAISE EXCEPTION 'the entry needs a second person' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER ledger_entries_two_people BEFORE INSERT ON ledger_entries
        FOR EACH ROW WHEN (NEW.kind IN {_KINDS} OR NEW.checker IS NOT NULL)
        EXECUTE FUNCTION ledger_two_people_guard()
        """
    )
    op.execute(
        """
        CREATE FUNCTION ledger_books_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'the number from which two people are needed stands' USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER ledger_books_two_people_stand BEFORE UPDATE OF two_people_from ON ledger_books
        FOR EACH ROW EXECUTE FUNCTION ledger_books_guard()
        """
    )
