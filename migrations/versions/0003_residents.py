"""Tables of residents: people, households, cards, consents, and rosters on their way in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0003_residents"
down_revision = "0002_access"


def upgrade() -> None:
    """Create the tables; people first, since everything else points at them."""
    _people()
    _person_keys()
    _cards()
    _consents()
    _deeds()
    _imports()


def _people() -> None:
    op.create_table(
        "residents_households",
        sa.Column("household_id", BigId, nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("account_id", sa.BigInteger),
        sa.PrimaryKeyConstraint("household_id", name="pk_residents_households"),
        sa.UniqueConstraint("book_id", "code", name="uq_residents_households_book_id_code"),
    )
    op.create_table(
        "residents_residents",
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", BigId, nullable=False),
        sa.Column("number", sa.String(8), nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("household_id", BigId),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("phone", sa.String(11)),
        sa.Column("phone_tail", sa.String(4)),
        sa.Column("born_on", sa.Date),
        sa.Column("sex", sa.String(6)),
        sa.Column("grid", sa.String(50)),
        sa.Column("building", sa.String(50)),
        sa.Column("party_member", sa.Boolean, nullable=False),
        sa.Column("joined_on", sa.Date, nullable=False),
        sa.Column("guardian_name", sa.String(50)),
        sa.Column("guardian_relation", sa.String(20)),
        sa.Column("status", sa.String(9), nullable=False),
        sa.Column("enrolled_at", UtcDateTime, nullable=False),
        sa.Column("enrolled_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", name="pk_residents_residents"),
        sa.UniqueConstraint("account_id", name="uq_residents_residents_account_id"),
        sa.UniqueConstraint("book_id", "number", name="uq_residents_residents_book_id_number"),
        sa.ForeignKeyConstraint(
            ["household_id"], ["residents_households.household_id"], name="fk_residents_residents_household_id"
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branches_branches.branch_id"], name="fk_residents_residents_branch_id"
        ),
        sa.CheckConstraint("status IN ('active', 'suspended', 'left')", name="ck_residents_residents_status_known"),
        sa.CheckConstraint("sex IN ('female', 'male')", name="ck_residents_residents_sex_known"),
    )
    op.create_index("ix_residents_residents_branch", "residents_residents", ["branch_id", "resident_id"])
    op.create_index("ix_residents_residents_household", "residents_residents", ["household_id"])
    for column in ("phone", "phone_tail", "name"):
        op.create_index(f"ix_residents_residents_{column}", "residents_residents", [column])


def _person_keys() -> None:
    op.create_table(
        "residents_person_keys",
        sa.Column("book_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("person_key", sa.String(32), nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("book_id", "person_key", name="pk_residents_person_keys"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_residents_person_keys_resident_id"
        ),
    )
    op.create_index("ix_residents_person_keys_resident_id", "residents_person_keys", ["resident_id"])


def _cards() -> None:
    op.create_table(
        "residents_cards",
        sa.Column("card_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("issued_by", sa.String(64), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(64)),
        sa.Column("revoke_reason", sa.String(200)),
        sa.PrimaryKeyConstraint("card_id", name="pk_residents_cards"),
        sa.UniqueConstraint("number", name="uq_residents_cards_number"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_residents_cards_resident_id"
        ),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoke_reason IS NULL)", name="ck_residents_cards_revoked_with_reason"
        ),
    )
    op.create_index("ix_residents_cards_resident_id", "residents_cards", ["resident_id"])
    op.create_index(
        "uq_residents_cards_one_active",
        "residents_cards",
        ["resident_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _consents() -> None:
    op.create_table(
        "residents_consents",
        sa.Column("consent_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("given_by", sa.String(64), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime),
        sa.Column("withdrawn_by", sa.String(64)),
        sa.PrimaryKeyConstraint("consent_id", name="pk_residents_consents"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_residents_consents_resident_id"
        ),
        sa.CheckConstraint("kind IN ('record', 'notice', 'photo', 'honour')", name="ck_residents_consents_kind_known"),
    )
    op.create_index("ix_residents_consents_resident_id", "residents_consents", ["resident_id"])
    op.create_index(
        "uq_residents_consents_one_standing",
        "residents_consents",
        ["resident_id", "kind"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )


def _deeds() -> None:
    op.create_table(
        "residents_deeds",
        sa.Column("deed_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("deed", sa.String(16), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("done_at", UtcDateTime, nullable=False),
        sa.Column("done_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("deed_id", name="pk_residents_deeds"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_residents_deeds_resident_id"
        ),
    )
    op.create_index("ix_residents_deeds_resident_id", "residents_deeds", ["resident_id"])


def _imports() -> None:
    op.create_table(
        "residents_imports",
        sa.Column("import_id", BigId, nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", BigId, nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("file_format", sa.String(4), nullable=False),
        sa.Column("header", sa.JSON, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("uploaded_by", sa.String(64), nullable=False),
        sa.Column("uploaded_at", UtcDateTime, nullable=False),
        sa.Column("confirmed_by", sa.String(64)),
        sa.Column("confirmed_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("touched_at", UtcDateTime, nullable=False),
        sa.Column("done_rows", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("stopped_by", sa.String(64)),
        sa.PrimaryKeyConstraint("import_id", name="pk_residents_imports"),
        sa.ForeignKeyConstraint(["branch_id"], ["branches_branches.branch_id"], name="fk_residents_imports_branch_id"),
        sa.CheckConstraint(
            "state IN ('reading', 'preview', 'running', 'stopped', 'done', 'dropped')",
            name="ck_residents_imports_state_known",
        ),
    )
    op.create_index("ix_residents_imports_branch_id", "residents_imports", ["branch_id"])
    op.create_table(
        "residents_import_rows",
        sa.Column("import_id", BigId, nullable=False, autoincrement=False),
        sa.Column("sheet_row", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("verdict", sa.String(6), nullable=False),
        sa.Column("reason_code", sa.String(32)),
        sa.Column("reason_column", sa.String(100)),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("cells", sa.JSON),
        sa.Column("person", sa.JSON),
        sa.Column("opening_points", sa.BigInteger, nullable=False),
        sa.Column("resident_id", BigId),
        sa.PrimaryKeyConstraint("import_id", "sheet_row", name="pk_residents_import_rows"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["residents_imports.import_id"], name="fk_residents_import_rows_import_id"
        ),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_residents_import_rows_resident_id"
        ),
        sa.CheckConstraint(
            "verdict IN ('take', 'here', 'refuse', 'skip')", name="ck_residents_import_rows_verdict_known"
        ),
    )
    op.create_index("ix_residents_import_rows_verdict", "residents_import_rows", ["import_id", "verdict", "sheet_row"])
