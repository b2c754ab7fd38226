"""Print runs of what is no person's own: the statements of merchants, teams and the pool."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051_shop_prints"
down_revision = "0050_held_signoffs"

_FORMS = "form IN ('run', 'files')"
_MORE_FORMS = "form IN ('run', 'files', 'shops')"
_CHECK = "ck_statements_prints_form_known"
_P = "statements_prints: {} check ck_statements_prints_form_known: {}"
_ANY = "form::text = ANY (ARRAY['run'::character varying, 'files'::character varying{}]::text[])"
#: Nothing that old code writes is refused: the check admits one more form.
CONTRACTS = (
    _P.format("no longer:", _FORMS),
    _P.format("new:", _MORE_FORMS),
    _P.format("no longer:", _ANY.format("")),
    _P.format("new:", _ANY.format(", 'shops'::character varying")),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(_CHECK), "statements_prints", type_="check")
        op.create_check_constraint(op.f(_CHECK), "statements_prints", _MORE_FORMS)
        return
    # On SQLite in its own copy of the table's text, as with late entries.
    op.execute("PRAGMA writable_schema=ON")
    text = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
        "WHERE type = 'table' AND name = 'statements_prints'"
    )
    op.get_bind().execute(text, {"before": _FORMS, "after": _MORE_FORMS})
    op.execute("PRAGMA writable_schema=RESET")
