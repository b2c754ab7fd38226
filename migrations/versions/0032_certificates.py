"""The register of certificates of service, their copies, and the keys that sign them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, BigId, UtcDateTime

revision = "0032_certificates"
down_revision = "0031_issued_statements"

_TABLE, _COPIES, _KEYS = "certificates_certificates", "certificates_copies", "certificates_keys"
#: Of a certificate these never change.
_ISSUED = (
    "book_id", "branch_id", "resident_id", "number", "year", "serial", "since_on", "until_on", "service_minutes",
    "document", "token", "short_code", "issued_at", "issued_by",
)  # fmt: skip
#: These are written once; the reason may be taken away with what the certificate says.
_VOIDED = ("voided_at", "voided_by", "corrected_by")


def upgrade() -> None:
    op.create_table(
        _KEYS,
        sa.Column("kid", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("retired_at", UtcDateTime()),
        sa.CheckConstraint("kid BETWEEN 0 AND 255", name=op.f("ck_certificates_keys_kid_one_byte")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_certificates_keys")),
    )
    _create_register()
    op.create_table(
        _COPIES,
        sa.Column("certificate_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("means", sa.String(8), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.CheckConstraint("means IN ('pdf', 'print', 'file')", name=op.f("ck_certificates_copies_means_known")),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            [f"{_TABLE}.certificate_id"],
            name=op.f("fk_certificates_copies_certificate_id"),
        ),
        sa.PrimaryKeyConstraint("certificate_id", "number", name=op.f("pk_certificates_copies")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_register() -> None:
    op.create_table(
        _TABLE,
        sa.Column("certificate_id", BigId, nullable=False),
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("service_minutes", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("document", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(132), nullable=False),
        sa.Column("short_code", sa.String(12), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("issued_by", sa.String(64), nullable=False),
        sa.Column("voided_at", UtcDateTime()),
        sa.Column("voided_by", sa.String(64)),
        sa.Column("void_reason", sa.String(200)),
        sa.Column("corrected_by", sa.BigInteger()),
        sa.CheckConstraint("since_on <= until_on", name=op.f("ck_certificates_certificates_period_forwards")),
        sa.CheckConstraint("service_minutes > 0", name=op.f("ck_certificates_certificates_minutes_positive")),
        sa.CheckConstraint(
            "(voided_at IS NULL) = (voided_by IS NULL)", name=op.f("ck_certificates_certificates_voided_whole")
        ),
        sa.CheckConstraint(
            "corrected_by IS NULL OR voided_at IS NOT NULL", name=op.f("ck_certificates_certificates_corrected_is_void")
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branches_branches.branch_id"], name=op.f("fk_certificates_certificates_branch_id")
        ),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name=op.f("fk_certificates_certificates_resident_id")
        ),
        sa.ForeignKeyConstraint(
            ["corrected_by"], [f"{_TABLE}.certificate_id"], name=op.f("fk_certificates_certificates_corrected_by")
        ),
        sa.PrimaryKeyConstraint("certificate_id", name=op.f("pk_certificates_certificates")),
        sa.UniqueConstraint("book_id", "year", "serial", name=op.f("uq_certificates_certificates_book_id_year_serial")),
        sa.UniqueConstraint("document", name=op.f("uq_certificates_certificates_document")),
        sa.UniqueConstraint("token", name=op.f("uq_certificates_certificates_token")),
        sa.UniqueConstraint("short_code", name=op.f("uq_certificates_certificates_short_code")),
    )
    op.create_index("ix_certificates_certificates_resident_id", _TABLE, ["resident_id"])
    op.create_index("ix_certificates_certificates_branch_id", _TABLE, ["branch_id", "certificate_id"])


def _condition(unlike: str) -> str:
    """Return when a change of a certificate's row is one that nobody may make."""
    issued = " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in _ISSUED)
    voided = " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in _VOIDED)
    content = f"NEW.content {unlike} OLD.content AND NEW.content {unlike} ''"
    reason = f"NEW.void_reason {unlike} OLD.void_reason AND NEW.void_reason IS NOT NULL"
    return f"{issued} OR {content} OR OLD.voided_at IS NOT NULL AND ({voided} OR {reason})"


def _guard_sqlite() -> None:
    op.execute(
        f"CREATE TRIGGER {_TABLE}_stand BEFORE UPDATE ON {_TABLE} WHEN {_condition('IS NOT')} "
        f"BEGIN SELECT RAISE(ABORT, 'what {_TABLE} says stands'); END"
    )
    op.execute(
        f"CREATE TRIGGER {_TABLE}_no_delete BEFORE DELETE ON {_TABLE} "
        f"BEGIN SELECT RAISE(ABORT, 'what {_TABLE} says stands'); END"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_COPIES}_no_{act.lower()} BEFORE {act} ON {_COPIES} "
            f"BEGIN SELECT RAISE(ABORT, '{_COPIES} is append-only'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {_TABLE}_stand BEFORE UPDATE ON {_TABLE} FOR EACH ROW "
        f"WHEN ({_condition('IS DISTINCT FROM')}) EXECUTE FUNCTION approvals_stand()"
    )
    op.execute(
        f"CREATE TRIGGER {_TABLE}_no_delete BEFORE DELETE ON {_TABLE} FOR EACH ROW EXECUTE FUNCTION approvals_stand()"
    )
    op.execute(
        f"CREATE TRIGGER {_COPIES}_append_only BEFORE UPDATE OR DELETE ON {_COPIES} "
        "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {_COPIES}_no_truncate BEFORE TRUNCATE ON {_COPIES} "
        "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
    )
    op.execute(f"ALTER TABLE {_COPIES} ENABLE ALWAYS TRIGGER {_COPIES}_append_only")
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if op.get_bind().execute(role).scalar():
        op.execute(f"REVOKE UPDATE, DELETE ON {_COPIES} FROM {APP_ROLE}")
