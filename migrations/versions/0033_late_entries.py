"""Late entries: what staff enters for somebody who was never scanned, and the requests by which two people agree."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0033_late_entries"
down_revision = "0032_certificates"

#: What requests were held to, and what they are from now on: both admit all that the old did.
_CHECKS = (
    (
        "kind_known",
        "kind IN ('reversal', 'adjustment', 'refund')",
        "kind IN ('reversal', 'adjustment', 'refund', 'late-entry')",
    ),
    (
        "others_have_points",
        "(kind = 'reversal') = (points IS NULL)",
        "(kind IN ('reversal', 'late-entry')) = (points IS NULL)",
    ),
)
_R = "approvals_requests: {} check ck_approvals_requests_{}: {}"
_ANY = "{}kind::text = ANY (ARRAY[{}]::text[]){}"
_ADMITTED = ("reversal", "adjustment", "refund")


def _any(kinds: tuple[str, ...], before: str = "", after: str = "") -> str:
    return _ANY.format(before, ", ".join(f"'{kind}'::character varying" for kind in kinds), after)


#: Nothing that old code writes is refused: the checks admit one more kind.
CONTRACTS = (
    *(_R.format("no longer:", name, old) for name, old, _ in _CHECKS),
    *(_R.format("new:", name, new) for name, _, new in _CHECKS),
    _R.format("no longer:", "kind_known", _any(_ADMITTED)),
    _R.format("new:", "kind_known", _any((*_ADMITTED, "late-entry"))),
    _R.format("no longer:", "others_have_points", "(kind::text = 'reversal'::text) = (points IS NULL)"),
    _R.format("new:", "others_have_points", _any(("reversal", "late-entry"), "(", ") = (points IS NULL)")),
)

#: Of a request these never change, and the second ones never again once it is decided.
_ASKED = (
    "book_id", "branch_id", "kind", "resident_id", "account_id", "entry_id", "points", "maker", "maker_login_id",
    "created_at", "expires_at", "needs_outside",
)  # fmt: skip
_DECIDED = ("state", "checker", "checker_login_id", "decided_at")


def upgrade() -> None:
    _widen_requests()
    _create_late_entries()


def _widen_requests() -> None:
    outside = sa.Column("needs_outside", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("approvals_requests", outside)
    if op.get_bind().dialect.name == "postgresql":
        for name, _, condition in _CHECKS:
            op.drop_constraint(f"ck_approvals_requests_{name}", "approvals_requests")
            op.create_check_constraint(op.f(f"ck_approvals_requests_{name}"), "approvals_requests", condition)
        op.execute("DROP TRIGGER approvals_requests_stand ON approvals_requests")
        op.execute(
            "CREATE TRIGGER approvals_requests_stand BEFORE UPDATE ON approvals_requests FOR EACH ROW "
            f"WHEN ({_condition('IS DISTINCT FROM')}) EXECUTE FUNCTION approvals_stand()"
        )
        return
    for _, before, after in _CHECKS:
        _replace_check("approvals_requests", before, after)
    op.execute("DROP TRIGGER approvals_requests_stand")
    op.execute(
        f"CREATE TRIGGER approvals_requests_stand BEFORE UPDATE ON approvals_requests WHEN {_condition('IS NOT')} "
        "BEGIN SELECT RAISE(ABORT, 'what approvals_requests says stands'); END"
    )


def _replace_check(table: str, before: str, after: str) -> None:
    """Change a check in SQLite's own copy of the table's text: a wider check holds for every row there is.

    Building the table anew would take its triggers and the keys that point at it along. https://sqlite.org/lang_altertable.html
    """
    db = op.get_bind()
    op.execute("PRAGMA writable_schema=ON")
    text = sa.text("UPDATE sqlite_master SET sql = replace(sql, :before, :after) WHERE type = 'table' AND name = :name")
    db.execute(text, {"before": before, "after": after, "name": table})
    op.execute("PRAGMA writable_schema=RESET")


def _condition(unlike: str) -> str:
    """Return when a request's change is one that nobody may make."""
    posted = f"OLD.posted_entry_id IS NOT NULL AND {_differs(('posted_entry_id',), unlike)}"
    decided = f"{_differs(_DECIDED, unlike)} OR {posted}"
    return f"{_differs(_ASKED, unlike)} OR OLD.state <> 'waiting' AND ({decided})"


def _differs(names: tuple[str, ...], unlike: str) -> str:
    return " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in names)


def _create_late_entries() -> None:
    op.create_table(
        "activities_late_entries",
        sa.Column("late_id", BigId, primary_key=True),
        sa.Column("request_id", BigId, sa.ForeignKey("approvals_requests.request_id"), nullable=False),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("came_at", UtcDateTime, nullable=False),
        sa.Column("left_at", UtcDateTime, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("evidence", sa.String(200), nullable=False),
        sa.Column("is_related", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("ended_by", sa.String(64)),
        sa.Column("note", sa.String(200)),
        sa.UniqueConstraint("request_id", name="uq_activities_late_entries_request_id"),
        sa.CheckConstraint("left_at > came_at", name="ck_activities_late_entries_left_after_coming"),
        sa.CheckConstraint("minutes > 0", name="ck_activities_late_entries_minutes_positive"),
        sa.CheckConstraint(
            "outcome IN ('posted', 'void', 'withdrawn', 'objected')", name="ck_activities_late_entries_outcome_known"
        ),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ck_activities_late_entries_ended_whole"),
    )
    op.create_index("ix_activities_late_entries_session_id", "activities_late_entries", ["session_id"])
    op.create_index("ix_activities_late_entries_resident_id", "activities_late_entries", ["resident_id"])
    op.create_index("ix_activities_late_entries_branch_id_month", "activities_late_entries", ["branch_id", "month"])
