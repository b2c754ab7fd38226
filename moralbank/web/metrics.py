"""Figures for Prometheus: of requests as they happen, of the books and the jobs as the database has them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from moralbank import clock, findings, ledger, slots
from moralbank.config import Config
from moralbank.db import Database
from moralbank.errors import Forbidden
from moralbank.transparency import queries as transparency
from moralbank.web import health
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.logs import route

REQUEST_SECONDS = Histogram(
    "moralbank_request_seconds",
    "How long requests took.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter("moralbank_refusals", "Refusals by their code.", ["code"])

_ALL = ledger.EntryFilter()


@lru_cache(maxsize=4096)
def _seconds_of(method: str, rule: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, rule, str(status))


def observe(method: str, rule: str, status: int, seconds: float) -> None:
    """Count a request and how long it took."""
    _seconds_of(method, rule, status).observe(seconds)


blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@public
def show_metrics() -> Response:
    """Show the figures to this machine, or to one who bears METRICS_TOKEN."""
    config: Config = current_app.config["MORALBANK"]
    if not _may_read(config):
        raise Forbidden()
    own = CollectorRegistry()
    own.register(_FromDatabase(database()))
    if config.metrics_dir:
        processes = CollectorRegistry()
        MultiProcessCollector(processes, path=config.metrics_dir)
    else:
        processes = REGISTRY
    return Response(generate_latest(processes) + generate_latest(own), content_type=CONTENT_TYPE_LATEST)


class _FromDatabase(Collector):
    """Figures that are the same whichever process is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._database.reading() as db:
            jobs = slots.list_latest(db)
            lease = slots.find_lease(db)
            logs = transparency.list_lags(db, clock.now(), health.STARTED_AT)
            verified = findings.list_findings(db, findings.BOOKS)
            codes = {f"{findings.BOOKS}{book.book_id}": book.code for book in ledger.list_books(db)}
            refused = len(transparency.list_refusals(db, open_only=True))
            latest = {book.code: ledger.list_entries(db, book.book_id, _ALL, limit=1) for book in ledger.list_books(db)}
        posted = GaugeMetricFamily("moralbank_ledger_seq", "Number of a book's latest entry.", labels=["book"])
        for code, entries in latest.items():
            posted.add_metric([code], entries[0].seq if entries else 0)
        yield posted
        lag = GaugeMetricFamily("moralbank_job_lag_seconds", "Age of the latest slot a job has run.", labels=["job"])
        for run in jobs:
            lag.add_metric([run.job], (clock.now() - run.slot_at).total_seconds())
        yield lag
        yield from _of_verified([(codes[one.name], one) for one in verified if one.name in codes])
        yield from _of_logs(logs)
        yield GaugeMetricFamily("moralbank_trees_refused", "Trees that the signer would not sign.", value=refused)
        yield GaugeMetricFamily(
            "moralbank_scheduler_up", "1 while a scheduler holds the lease.", value=int(lease is not None)
        )


def _of_verified(verified: list[tuple[str, findings.Finding]]) -> Iterator[GaugeMetricFamily]:
    """Yield what the nightly verification found last, book by book."""
    sound = GaugeMetricFamily("moralbank_book_sound", "1 when the last verification found nothing.", labels=["book"])
    age = GaugeMetricFamily("moralbank_book_verified_seconds", "Age of the last verification.", labels=["book"])
    for code, one in verified:
        sound.add_metric([code], int(one.is_good))
        age.add_metric([code], (clock.now() - one.found_at).total_seconds())
    yield from (sound, age)


def _of_logs(logs: list[transparency.Lag]) -> Iterator[GaugeMetricFamily]:
    """Yield how far sealing and signing are behind, log by log; all of it is 0 in an idle bank."""
    figures: tuple[tuple[str, str, Callable[[transparency.Lag], float]], ...] = (
        ("waiting", "Entries and facts that are not in the log yet.", lambda lag: lag.waiting),
        ("waiting_seconds", "For how long the first of them has waited.", lambda lag: lag.waiting_seconds),
        ("unsigned", "Leaves that are in no checkpoint yet.", lambda lag: lag.unsigned),
        ("unsigned_seconds", "For how long the first of them has waited.", lambda lag: lag.unsigned_seconds),
    )
    for name, what, figure in figures:
        family = GaugeMetricFamily(f"moralbank_log_{name}", what, labels=["book", "log"])
        for lag in logs:
            family.add_metric([lag.book, lag.log.name.lower()], figure(lag))
        yield family


def _may_read(config: Config) -> bool:
    """A proxy on this machine speaks for others, so what it passes on doesn't count as coming from here."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if config.metrics_token and kind.lower() == "bearer":
        return secrets.compare_digest(token.encode(), config.metrics_token.encode())
    passed_on = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not passed_on and request.remote_addr is not None and ip_address(request.remote_addr).is_loopback


def _begin() -> None:
    g.measured_from = time.perf_counter()


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.measured_from
    observe(request.method, route(), response.status_code, seconds)
    if code := g.get("refusal"):
        REFUSALS.labels(code).inc()
    return response


def init_app(app: Flask) -> None:
    """Measure every request and open /metrics."""
    app.before_request(_begin)
    app.after_request(_end)
    app.register_blueprint(blueprint)
