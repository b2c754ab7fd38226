"""Whether the process lives (/healthz) and whether it may be given work (/readyz)."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from moralbank import clock, findings, startup
from moralbank.config import Config
from moralbank.db import Database
from moralbank.transparency import queries as transparency
from moralbank.web import outages
from moralbank.web.auth import public
from moralbank.web.db import database

blueprint = Blueprint("health", __name__)

_OK = "ok"
#: An entry is sealed within a second and in a checkpoint within ten; when it waits for so long, something is wrong.
SEALED_SECONDS_MAX, SIGNED_SECONDS_MAX = 30.0, 60.0
#: What was left waiting when the bank was shut hasn't waited for anybody.
STARTED_AT = clock.now()


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
        checks |= outages.check(database()) | {"sealed": check_logs(database()), "books": check_books(database())}
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


def check_books(database: Database) -> str:
    """Return what the nightly verification says of the books. None of it takes work away from this process.

    A book that does not add up is looked at by people, and turning the service off would hide it from them.
    """
    found = database.look(findings.list_findings, findings.BOOKS)
    broken = [one.name.removeprefix(findings.BOOKS) for one in found if not one.is_good]
    if broken:
        return f"ok to serve, but the nightly verification found book {', '.join(broken)} broken: moralbank jobs list"
    return _OK


def check_logs(database: Database) -> str:
    """Return whether entries reach the logs and checkpoints in time, and none was refused: "ok", or what is wrong."""
    with database.reading() as db:
        refused = transparency.list_refusals(db, open_only=True)
        lags = transparency.list_lags(db, clock.now(), STARTED_AT)
    if refused:
        return f"tree-refused: {len(refused)} not signed, see moralbank transparency status"
    behind = max(lags, key=lambda lag: lag.waiting_seconds, default=None)
    if behind and behind.waiting_seconds > SEALED_SECONDS_MAX:
        return f"log-behind: {behind.waiting} of book {behind.book} wait, the first for {behind.waiting_seconds:.0f} s"
    unsigned = max(lags, key=lambda lag: lag.unsigned_seconds, default=None)
    if unsigned and unsigned.unsigned_seconds > SIGNED_SECONDS_MAX:
        since = f"for {unsigned.unsigned_seconds:.0f} s"
        return f"checkpoint-behind: {unsigned.unsigned} leaves of book {unsigned.book} are in no checkpoint {since}"
    return _OK
