"""An index of unknown numbers alone: a busy till no longer counts through all it charged in the last minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_unknown_tries"
down_revision = "0010_ledger_folds"

_UNKNOWN_TRY = sa.text("refusal IN ('unknown-code', 'unknown-card')")


def upgrade() -> None:
    op.create_index(
        "ix_redemptions_answers_unknown_tries",
        "redemptions_answers",
        ["operator_id", "answered_at"],
        sqlite_where=_UNKNOWN_TRY,
        postgresql_where=_UNKNOWN_TRY,
    )
    op.drop_index("ix_redemptions_answers_operator_id_answered_at", table_name="redemptions_answers")
