"""Runs the migrations as the schema's owner, in one transaction and under a lock, so that many may start at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from moralbank.db import make_engine


def run() -> None:
    url = context.config.attributes["url"]
    engine = make_engine(url)
    try:
        with engine.connect() as db:
            if db.dialect.name == "postgresql":
                db.execute(sa.text("RESET ROLE"))
                db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('moralbank migrations'))"))
            context.configure(connection=db, transaction_per_migration=False, transactional_ddl=True)
            with context.begin_transaction():
                context.run_migrations()
            db.commit()
    finally:
        engine.dispose()


run()
