"""What waits for a second person, and what a reversal could not take back. What was decided stays decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0023_approvals"
down_revision = "0022_expiry"

#: Of a request these never change, and the second ones never again once it is decided.
_ASKED = (
    "book_id", "branch_id", "kind", "resident_id", "account_id", "entry_id", "points", "maker", "maker_login_id",
    "created_at", "expires_at",
)  # fmt: skip
_DECIDED = ("state", "checker", "checker_login_id", "decided_at")
_OPENED = ("book_id", "account_id", "request_id", "entry_id", "missing_points", "opened_at", "ends_at")
_OPEN = "state IN ('waiting', 'approved')"


def upgrade() -> None:
    _create_requests()
    _create_offsets()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_requests() -> None:
    op.create_table(
        "approvals_requests",
        sa.Column("request_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("points", sa.BigInteger),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("maker", sa.String(64), nullable=False),
        sa.Column("maker_login_id", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("checker", sa.String(64)),
        sa.Column("checker_login_id", sa.BigInteger),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("answer", sa.String(200)),
        sa.Column("posted_entry_id", sa.Uuid),
        sa.CheckConstraint("kind IN ('reversal', 'adjustment')", name="ck_approvals_requests_kind_known"),
        sa.CheckConstraint(
            "(kind = 'reversal') = (entry_id IS NOT NULL)", name="ck_approvals_requests_reversal_has_entry"
        ),
        sa.CheckConstraint(
            "(kind = 'adjustment') = (points IS NOT NULL)", name="ck_approvals_requests_adjustment_has_points"
        ),
        sa.CheckConstraint("points > 0", name="ck_approvals_requests_points_positive"),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'refused', 'withdrawn', 'lapsed')",
            name="ck_approvals_requests_state_known",
        ),
        sa.CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="ck_approvals_requests_decided_whole"),
        sa.CheckConstraint(
            "(state IN ('approved', 'refused')) = (checker IS NOT NULL)", name="ck_approvals_requests_checker_decides"
        ),
        sa.CheckConstraint(
            "(checker IS NULL) = (checker_login_id IS NULL)", name="ck_approvals_requests_checker_whole"
        ),
        sa.CheckConstraint("checker_login_id <> maker_login_id", name="ck_approvals_requests_two_people"),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'refused') OR decided_at < expires_at", name="ck_approvals_requests_in_time"
        ),
    )
    op.create_index("ix_approvals_requests_book_id_state", "approvals_requests", ["book_id", "state", "request_id"])
    op.create_index("ix_approvals_requests_account", "approvals_requests", ["book_id", "account_id"])
    op.create_index(
        "uq_approvals_requests_one_reversal",
        "approvals_requests",
        ["book_id", "entry_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )


def _create_offsets() -> None:
    op.create_table(
        "approvals_offsets",
        sa.Column("offset_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.BigInteger, sa.ForeignKey("approvals_requests.request_id"), nullable=False),
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("missing_points", sa.BigInteger, nullable=False),
        sa.Column("offset_points", sa.BigInteger, nullable=False),
        sa.Column("written_off_points", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.UniqueConstraint("request_id", name="uq_approvals_offsets_request_id"),
        sa.CheckConstraint(
            "missing_points > 0 AND offset_points >= 0 AND written_off_points >= 0",
            name="ck_approvals_offsets_not_negative",
        ),
        sa.CheckConstraint(
            "offset_points + written_off_points <= missing_points", name="ck_approvals_offsets_never_more"
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (offset_points + written_off_points < missing_points)",
            name="ck_approvals_offsets_closed_when_settled",
        ),
    )
    op.create_index("ix_approvals_offsets_account", "approvals_offsets", ["book_id", "account_id"])


def _differs(names: tuple[str, ...], unlike: str) -> str:
    return " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in names)


def _conditions(unlike: str) -> dict[str, str]:
    """Return by table when a row's change is one that nobody may make."""
    posted = f"OLD.posted_entry_id IS NOT NULL AND {_differs(('posted_entry_id',), unlike)}"
    decided = f"{_differs(_DECIDED, unlike)} OR {posted}"
    settled = _differs(("offset_points", "written_off_points", "closed_at"), unlike)
    return {
        "approvals_requests": f"{_differs(_ASKED, unlike)} OR OLD.state <> 'waiting' AND ({decided})",
        "approvals_offsets": f"{_differs(_OPENED, unlike)} OR NEW.offset_points < OLD.offset_points "
        f"OR OLD.closed_at IS NOT NULL AND ({settled})",
    }


def _guard_sqlite() -> None:
    for table, condition in _conditions("IS NOT").items():
        op.execute(
            f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'what {table} says stands'); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'what {table} says stands'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION approvals_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'what % says stands', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table, condition in _conditions("IS DISTINCT FROM").items():
        op.execute(
            f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition}) "
            "EXECUTE FUNCTION approvals_stand()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION approvals_stand()"
        )
