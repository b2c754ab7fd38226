"""The ledger: books, accounts, entries, postings, balances, keys, private parts, closed days, and their guards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, BigId, UtcDateTime

revision = "0001_ledger"
down_revision = None

#: Rows of these are never changed and never removed.
APPEND_ONLY = ("ledger_accounts", "ledger_entries", "ledger_postings", "ledger_keys", "ledger_closed_days")

#: How each table's rows are told apart, so that INSERT OR REPLACE finds no row to replace in any SQLite client.
IDENTITIES = {
    "ledger_accounts": ("account_id",),
    "ledger_entries": ("entry_id",),
    "ledger_postings": ("entry_id", "leg"),
    "ledger_keys": ("actor", "key"),
    "ledger_closed_days": ("day",),
}


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
        _grant_postgresql()
    else:
        _guard_sqlite()


def _create_tables() -> None:
    op.create_table(
        "ledger_books",
        sa.Column("book_id", BigId, nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("last_account", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", name=op.f("pk_ledger_books")),
        sa.UniqueConstraint("code", name=op.f("uq_ledger_books_code")),
    )
    op.create_table(
        "ledger_keys",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("refusal", sa.String(length=32), nullable=True),
        sa.CheckConstraint("(entry_id IS NULL) <> (refusal IS NULL)", name=op.f("ck_ledger_keys_one_answer")),
        sa.PrimaryKeyConstraint("book_id", "actor", "key", name=op.f("pk_ledger_keys")),
    )
    op.create_table(
        "ledger_private_parts",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "entry_id", name=op.f("pk_ledger_private_parts")),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f("fk_ledger_accounts_book_id")),
        sa.PrimaryKeyConstraint("book_id", "account_id", name=op.f("pk_ledger_accounts")),
    )
    op.create_index("ix_ledger_accounts_book_id_kind", "ledger_accounts", ["book_id", "kind"], unique=False)
    op.create_table(
        "ledger_closed_days",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f("fk_ledger_closed_days_book_id")),
        sa.PrimaryKeyConstraint("book_id", "day", name=op.f("pk_ledger_closed_days")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("source_kind", sa.String(length=32), nullable=True),
        sa.Column("source_id", sa.String(length=64), nullable=True),
        sa.Column("rule_code", sa.String(length=16), nullable=True),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("grade", sa.String(length=1), nullable=True),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("reverses", sa.Uuid(), nullable=True),
        sa.Column("leaf_bytes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("ck_ledger_entries_seq_positive")),
        sa.ForeignKeyConstraint(
            ["book_id", "reverses"],
            ["ledger_entries.book_id", "ledger_entries.entry_id"],
            name=op.f("fk_ledger_entries_book_id_reverses"),
        ),
        sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f("fk_ledger_entries_book_id")),
        sa.PrimaryKeyConstraint("book_id", "entry_id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "book_id",
            "kind",
            "source_kind",
            "source_id",
            name=op.f("uq_ledger_entries_book_id_kind_source_kind_source_id"),
        ),
        sa.UniqueConstraint("book_id", "reverses", name=op.f("uq_ledger_entries_book_id_reverses")),
        sa.UniqueConstraint("book_id", "seq", name=op.f("uq_ledger_entries_book_id_seq")),
    )
    op.create_index("ix_ledger_entries_book_id_posted_at", "ledger_entries", ["book_id", "posted_at"], unique=False)
    op.create_table(
        "ledger_balances",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_ledger_balances_balance_not_negative")),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_ledger_balances_book_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("book_id", "account_id", "unit", name=op.f("pk_ledger_balances")),
    )
    op.create_table(
        "ledger_postings",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("leg", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("balance_after", sa.BigInteger(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(n IS NULL) = (balance_after IS NULL)", name=op.f("ck_ledger_postings_line_whole")),
        sa.CheckConstraint(
            "amount <> 0 AND amount BETWEEN -9007199254740991 AND 9007199254740991",
            name=op.f("ck_ledger_postings_amount_whole"),
        ),
        sa.CheckConstraint("balance_after >= 0 AND n > 0", name=op.f("ck_ledger_postings_line_guarded")),
        sa.CheckConstraint("unit IN (1, 2)", name=op.f("ck_ledger_postings_unit_known")),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_ledger_postings_book_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["book_id", "entry_id"],
            ["ledger_entries.book_id", "ledger_entries.entry_id"],
            name=op.f("fk_ledger_postings_book_id_entry_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("book_id", "entry_id", "leg", name=op.f("pk_ledger_postings")),
        sa.UniqueConstraint(
            "book_id", "account_id", "unit", "n", name=op.f("uq_ledger_postings_book_id_account_id_unit_n")
        ),
        sa.UniqueConstraint(
            "book_id",
            "account_id",
            "unit",
            "seq",
            name=op.f("uq_ledger_postings_book_id_account_id_unit_seq"),
        ),
    )
    op.create_index(
        "ix_ledger_postings_book_id_account_id_unit_posted_at",
        "ledger_postings",
        ["book_id", "account_id", "unit", "posted_at"],
        unique=False,
    )


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        same = " AND ".join(f"{column} = NEW.{column}" for column in ("book_id", *IDENTITIES[table]))
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    op.execute(
        """
        CREATE TRIGGER ledger_entries_balanced BEFORE INSERT ON ledger_entries BEGIN
          SELECT RAISE(ABORT, 'the legs of the entry do not balance') WHERE
            (SELECT count(*) FROM ledger_postings
              WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id
                AND seq = NEW.seq AND posted_at = NEW.posted_at) < 2
            OR EXISTS (SELECT 1 FROM ledger_postings
              WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id
              GROUP BY unit HAVING sum(amount) <> 0);
          SELECT RAISE(ABORT, 'the day is closed') WHERE EXISTS
            (SELECT 1 FROM ledger_closed_days
              WHERE book_id = NEW.book_id AND day >= date(NEW.posted_at, '+8 hours'));
        END
        """
    )
    op.execute(
        """
        CREATE TRIGGER ledger_postings_before_entry BEFORE INSERT ON ledger_postings
        WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id)
        BEGIN SELECT RAISE(ABORT, 'the entry is complete and takes no further leg'); END
        """
    )


def _guard_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION moralbank_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in APPEND_ONLY:
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
        """
        CREATE FUNCTION ledger_entry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (SELECT count(*) FROM ledger_postings
               WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id
                 AND seq = NEW.seq AND posted_at = NEW.posted_at) < 2
             OR EXISTS (SELECT 1 FROM ledger_postings
               WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id
               GROUP BY unit HAVING sum(amount) <> 0) THEN
            RAISE EXCEPTION 'the legs of the entry do not balance' USING ERRCODE = 'restrict_violation';
          END IF;
          IF EXISTS (SELECT 1 FROM ledger_closed_days WHERE book_id = NEW.book_id
                       AND day >= (NEW.posted_at AT TIME ZONE 'Asia/Shanghai')::date) THEN
            RAISE EXCEPTION 'the day is closed' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER ledger_entries_balanced BEFORE INSERT ON ledger_entries "
        "FOR EACH ROW EXECUTE FUNCTION ledger_entry_guard()"
    )
    op.execute(
        """
        CREATE FUNCTION ledger_posting_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF EXISTS (SELECT 1 FROM ledger_entries WHERE book_id = NEW.book_id AND entry_id = NEW.entry_id) THEN
            RAISE EXCEPTION 'the entry is complete and takes no further leg' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER ledger_postings_before_entry BEFORE INSERT ON ledger_postings "
        "FOR EACH ROW EXECUTE FUNCTION ledger_posting_guard()"
    )


def _grant_postgresql() -> None:
    """Make the role that the service works as, where the owner may, and give it no way to alter the ledger."""
    op.execute(
        f"""
        DO $$ BEGIN
          IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
            CREATE ROLE {APP_ROLE} NOLOGIN;
          END IF;
          IF NOT pg_has_role(current_user, '{APP_ROLE}', 'MEMBER') THEN
            EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
          END IF;
        EXCEPTION
          WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    # A book's numbers come from a sequence of its own, which only the schema's owner may create.
    op.execute(
        f"""
        CREATE FUNCTION ledger_open_sequence(book bigint) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN
          EXECUTE format('CREATE SEQUENCE ledger_seq_%s', book);
          IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE ledger_seq_%s TO {APP_ROLE}', book);
          END IF;
        END $$
        """
    )
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if not op.get_bind().execute(role).scalar():
        return
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(APPEND_ONLY)} TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON ledger_books, ledger_balances TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON ledger_private_parts TO {APP_ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APP_ROLE}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    # The tables of the later migrations are ordinary ones, unless they say otherwise.
    op.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE}"
    )
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {APP_ROLE}")
