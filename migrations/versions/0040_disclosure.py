"""Public notices, who is named in them, and objections. What was published stays as it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0040_disclosure"
down_revision = "0039_messages"

_BRANCH = "branches_branches.branch_id"
_RESIDENT = "residents_residents.resident_id"
#: Of a published notice these never change; what ends it is written once.
_SAID = (
    "book_id", "branch_id", "kind", "since_on", "until_on", "content", "content_hash", "drafted_at", "drafted_by",
    "published_at", "published_by", "up_until_on",
)  # fmt: skip
_ENDED = ("state", "ended_at", "ended_by", "reason")
_ASKED = (
    "book_id", "branch_id", "about_kind", "about", "about_actor", "resident_id", "raised_at", "answer_by",
)  # fmt: skip
_ANSWERED = ("state", "answered_at", "answered_by")


def upgrade() -> None:
    _create_notices()
    _create_objections()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_notices() -> None:
    table = "disclosure_notices"
    op.create_table(
        table,
        sa.Column("notice_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey(_BRANCH), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("since_on", sa.Date, nullable=False),
        sa.Column("until_on", sa.Date, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.Column("drafted_at", UtcDateTime, nullable=False),
        sa.Column("drafted_by", sa.String(64), nullable=False),
        sa.Column("published_at", UtcDateTime),
        sa.Column("published_by", sa.String(64)),
        sa.Column("up_until_on", sa.Date),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("ended_by", sa.String(64)),
        sa.Column("reason", sa.String(200)),
        *_checks(
            table,
            kind_known="kind IN ('totals', 'list')",
            state_known="state IN ('draft', 'published', 'closed', 'withdrawn')",
            published_whole="(state = 'draft') = (published_at IS NULL)",
            published_by_somebody=(
                "(published_at IS NULL) = (published_by IS NULL) AND (published_at IS NULL) = (up_until_on IS NULL)"
            ),
            two_people="published_by <> drafted_by",
            ended_whole="(state IN ('closed', 'withdrawn')) = (ended_at IS NOT NULL)",
            withdrawn_with_reason="(state = 'withdrawn') = (reason IS NOT NULL)",
            period_forward="since_on <= until_on",
        ),
    )
    op.create_index("ix_disclosure_notices_branch_id_state", table, ["branch_id", "state"])
    _index_one("uq_disclosure_notices_one_a_period", table, ["branch_id", "kind", "since_on"], "state <> 'withdrawn'")
    op.create_table(
        "disclosure_rows",
        sa.Column("notice_id", sa.BigInteger, sa.ForeignKey("disclosure_notices.notice_id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey(_RESIDENT), nullable=False),
        sa.Column("shown", sa.String(200), nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_disclosure_rows_resident_id", "disclosure_rows", ["resident_id"])


def _create_objections() -> None:
    table = "objections_objections"
    op.create_table(
        table,
        sa.Column("objection_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey(_BRANCH), nullable=False),
        sa.Column("about_kind", sa.String(16), nullable=False),
        sa.Column("about", sa.String(64), nullable=False),
        sa.Column("about_actor", sa.String(64)),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey(_RESIDENT)),
        sa.Column("from_name", sa.String(50)),
        sa.Column("contact", sa.String(100)),
        sa.Column("words", sa.String(500), nullable=False),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        sa.Column("answer_by", sa.Date, nullable=False),
        sa.Column("assigned_login_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(500)),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("answered_by", sa.String(64)),
        *_checks(
            table,
            about_known="about_kind IN ('line', 'notice', 'late_entry')",
            state_known="state IN ('open', 'upheld', 'explained', 'withdrawn')",
            answered_whole="(state = 'open') = (answered_at IS NULL)",
            answered_by_somebody="(state IN ('upheld', 'explained')) = (answered_by IS NOT NULL)",
        ),
    )
    op.create_index("ix_objections_objections_about", table, ["about_kind", "about"])
    op.create_index("ix_objections_objections_resident_id", table, ["resident_id"])
    op.create_index("ix_objections_objections_branch_id_state", table, ["branch_id", "state", "objection_id"])
    where = "state = 'open' AND resident_id IS NOT NULL"
    _index_one("uq_objections_objections_one_open", table, ["resident_id", "about_kind", "about"], where)


def _checks(table: str, **checks: str) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(text, name=op.f(f"ck_{table}_{name}")) for name, text in checks.items()]


def _index_one(name: str, table: str, columns: list[str], where: str) -> None:
    one = sa.text(where)
    op.create_index(name, table, columns, unique=True, sqlite_where=one, postgresql_where=one)


def _differs(names: tuple[str, ...], unlike: str) -> str:
    return " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in names)


def _conditions(unlike: str) -> dict[str, str]:
    """Return by table when a row's change is one that nobody may make."""
    ended = f"OLD.state IN ('closed', 'withdrawn') AND ({_differs(_ENDED, unlike)})"
    blanked = "NEW.shown = '' AND length(NEW.salt) = 0"
    return {
        "disclosure_notices": f"OLD.state <> 'draft' AND ({_differs(_SAID, unlike)}) OR {ended}",
        "disclosure_rows": f"{_differs(('notice_id', 'number', 'resident_id'), unlike)} OR NOT ({blanked})",
        "objections_objections": (
            f"{_differs(_ASKED, unlike)} OR OLD.state <> 'open' AND ({_differs(_ANSWERED, unlike)})"
        ),
    }


def _guard_sqlite() -> None:
    for table, condition in _conditions("IS NOT").items():
        op.execute(
            f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'what {table} says stands'); END"
        )
    for table, which in (("disclosure_notices", "WHEN OLD.state <> 'draft' "), ("objections_objections", "")):
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {which}"
            f"BEGIN SELECT RAISE(ABORT, 'what {table} says stands'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION disclosure_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'what % says stands', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table, condition in _conditions("IS DISTINCT FROM").items():
        op.execute(
            f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition}) "
            "EXECUTE FUNCTION disclosure_stand()"
        )
    for table, which in (("disclosure_notices", "WHEN (OLD.state <> 'draft') "), ("objections_objections", "")):
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {which}"
            "EXECUTE FUNCTION disclosure_stand()"
        )
