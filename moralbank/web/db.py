"""The application's database, as views reach it."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from moralbank.db import Database


def init_app(app: Flask, database: Database) -> None:
    app.extensions["moralbank_database"] = database


def database() -> Database:
    """Return the database of the running application."""
    return cast(Database, current_app.extensions["moralbank_database"])
