"""Whether the process lives (/healthz) and whether it may be given work (/readyz)."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from moralbank import startup
from moralbank.config import Config
from moralbank.db import Database
from moralbank.web import outages
from moralbank.web.auth import public
from moralbank.web.db import database

blueprint = Blueprint("health", __name__)

_OK = "ok"


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Say that the process answers."""
    return jsonify(status=_OK)


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Say whether the database can be reached, trusted and written to, check by check."""
    config: Config = current_app.config["MORALBANK"]
    checks = check(database(), config)
    if checks["database"] == _OK and checks.get("migrated") == _OK:
        checks |= outages.check(database())
    failing = [name for name, found in checks.items() if not found.startswith(_OK)]
    response = jsonify(status="not ready" if failing else _OK, failing=failing, checks=checks)
    response.status_code = 503 if failing else 200
    return response


def check(database: Database, config: Config) -> dict[str, str]:
    """Return what each of the start's checks found, but for the books' ends: "ok…", or what is wrong."""
    found = startup.look(database, with_tail=False)
    failing = startup.failing(found, production=config.production)
    return {
        name: _OK if finding is None else str(finding) if finding in failing else f"ok for a trial, but {finding}"
        for name, finding in found.items()
    }
