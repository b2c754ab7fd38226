"""Which leaf of the access log a deed is, so that its proof is found from it."""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0025_deeds_proven"
down_revision = "0024_offline"

_ACCESS = 2
_PAGE = 1_000


def upgrade() -> None:
    op.add_column("access_deeds", sa.Column("fact_no", sa.BigInteger, nullable=True))
    op.create_index("ix_access_deeds_book_id_fact_no", "access_deeds", ["book_id", "fact_no"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE access_deeds DISABLE TRIGGER access_deeds_append_only")
        _number()
        op.execute("ALTER TABLE access_deeds ENABLE TRIGGER access_deeds_append_only")
        return
    name = "access_deeds_no_update"
    found = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name").bindparams(name=name)
    guard = op.get_bind().execute(found).scalar_one()
    op.execute(f"DROP TRIGGER {name}")
    _number()
    op.execute(guard)


def _number() -> None:
    """Find each deed's leaf by its hash, in which its number stands too: no two leaves are the same."""
    db = op.get_bind()
    page = sa.text(
        "SELECT book_id, no, leaf_bytes FROM transparency_facts "
        "WHERE log = :log AND (book_id > :book OR book_id = :book AND no > :no) ORDER BY book_id, no LIMIT :limit"
    )
    number = sa.text("UPDATE access_deeds SET fact_no = :no WHERE book_id = :book AND leaf_hash = :hash")
    op.create_index("ix_numbering", "access_deeds", ["leaf_hash"])
    book, no = 0, 0
    while rows := db.execute(page, {"log": _ACCESS, "book": book, "no": no, "limit": _PAGE}).all():
        hashed = [
            {"book": row.book_id, "no": row.no, "hash": sha256(b"\x00" + bytes(row.leaf_bytes)).hexdigest()}
            for row in rows
        ]
        db.execute(number, hashed)
        book, no = rows[-1].book_id, rows[-1].no
    op.drop_index("ix_numbering", "access_deeds")
