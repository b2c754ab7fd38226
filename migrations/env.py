"""Runs the migrations as the schema's owner, in one transaction and under a lock, so that many may start at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from moralbank.db import make_engine

#: A step that can't have a table at once gives up, undone, instead of keeping everybody behind it waiting.
_LOCK_SECONDS = 2


def run() -> None:
    """Migrate the database at `url`; or through `connection`, whose transaction is its owner's to end."""
    attributes = context.config.attributes
    if given := attributes.get("connection"):
        _migrate(given)
        return
    engine = make_engine(attributes["url"])
    try:
        with engine.connect() as db:
            _migrate(db)
            db.commit()
    finally:
        engine.dispose()


def _migrate(db: sa.Connection) -> None:
    if db.dialect.name == "postgresql":
        db.execute(sa.text("RESET ROLE"))
        db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('moralbank migrations'))"))
        db.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
    context.configure(connection=db, transaction_per_migration=False, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run()
