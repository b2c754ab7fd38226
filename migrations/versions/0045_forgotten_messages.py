"""A message whose person is forgotten says so itself: `null` in place of its facts; `{}` is a sentence without figures.

A process of the version before reads `null` as forgotten too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045_forgotten_messages"
down_revision = "0044_team_signups"


def upgrade() -> None:
    op.execute(sa.text("UPDATE messages_messages SET facts = 'null' WHERE facts = '{}'"))
