"""The bench runs: every row on both engines, each in an instant. What the figures are is no test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import bench_load, bench_plot
from scripts.bench_table import Family, Measure, Row, Table, line
from tests import _ci, _postgres

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (.+?) \| (SQLite|PostgreSQL) \| (.+?) \| (.+?) \| (.+?) \|", re.MULTILINE)
#: The paths of the goals' table.
PATHS = (
    "ledger.post, 1 client", "ledger.post, 8 clients", "post_many, 100 a commit", "post, 16 threads in",
    "one merchant / spread", "HTTP charge, 8 connections", "ledger redemption over HTTP, 64 connections / bare",
    "ledger redemption over HTTP, 64 connections / R", "ledger redemption over HTTP, 64 connections: p99",
    "whole counter charge", "check-in over HTTP", "bulk check-ins", "balance over HTTP", "last 20 lines over HTTP",
    "replay of a known key", "charge, 1 client: p50", "memory of a web process", "ledger.post: cost", "charge: cost",
    "balance: cost", "page of history: cost", "month's statement: cost", "merchant's balance: cost",
    "merchant's page of history: cost", "verify every invariant, 500 entries, rows",
    "verify every invariant, 500 entries / a loop", "post, 16 threads, sealed",
    "from posting to its place in the log: p50", "from posting to its place in the log: p99",
    "from posting to a signed checkpoint: p50", "from posting to a signed checkpoint: p99",
    "sealing 500 entries that waited", "award of points and minutes on disk", "redemption on disk",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_row_of_the_table_is_measured_on_both_engines() -> None:
    try:
        _postgres.find_binaries()
    except _postgres.Unavailable:
        _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
    run = subprocess.run(
        [sys.executable, "scripts/bench.py", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=580
    )
    assert run.returncode == 0, run.stderr[-3000:]
    rows = ROW.findall(run.stdout)
    for engine in ("SQLite", "PostgreSQL"):
        paths = [path for path, on, *_ in rows if on == engine and not path.startswith("a peer")]
        for start in PATHS:
            assert len([path for path in paths if path.startswith(start)]) == 1, (engine, start, paths)
        assert len(paths) == len(PATHS)
    assert all(re.search(r"[1-9]", ours) for _, _, _, ours, _ in rows), "a rate of nothing"


def test_a_row_tells_ratio_and_whether_the_goal_is_reached() -> None:
    rounds = [{"ours": 200.0, "floor": 100.0}, {"ours": 900.0, "floor": 300.0}, {"ours": 500.0, "floor": 200.0}]
    row = Row("charge", "ours", "floor", 1.5, 4)
    assert line(row, "SQLite", rounds) == (
        "| charge | SQLite | 200/s | 500/s | 2.50 (2.00–3.00) | ≥ 1.5 | ≥ 4 | floor |"
    )
    assert line(Row("p99", "ours", None, 600, 400, "ms", at_most=True), "SQLite", rounds).endswith(
        "| – | 500 ms | 200 ms–900 ms | ≤ 600 ms | ≤ 400 ms | floor |"
    )
    assert line(Row("charge", "ours", "floor", 3), "SQLite", rounds).endswith("| ≥ 3 | – | no |")


def test_only_what_is_asked_for_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def measure(name: str) -> Measure:
        return Measure((name,), lambda: (ran.append(name), [1.0])[1])

    class Opened:
        def __enter__(self) -> tuple[Measure, ...]:
            return measure("a"), measure("floor"), measure("b")

        def __exit__(self, *_: object) -> None: ...

    rows = (Row("path a", "a", "floor"), Row("path b", "b", "floor"))
    Table(2, "path B").run(Family("family", "SQLite", rows, Opened))
    assert ran == ["floor", "b"] * 3
    assert "path b" in capsys.readouterr().out
    assert Table(2, "nothing").run(Family("family", "SQLite", rows, Opened)) == []
    assert len(ran) == 6


def test_the_plot_is_a_picture_with_a_line_for_every_verb(tmp_path: Path) -> None:
    curves = {"SQLite": {"post": [(10, 1.0), (100, 1.1)], "read": [(10, 0.1), (100, 9.0)]}}
    bench_plot.draw(tmp_path / "plot.svg", curves)
    picture = ElementTree.parse(tmp_path / "plot.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{space}polyline")) == 2
    assert {text.text for text in picture.findall(f"{space}text")} >= {"post", "read", "10", "100", "0.1 ms", "10 ms"}


def test_the_load_refuses_a_server_that_refuses(client_of_nothing: int) -> None:
    requests = [bench_load.request("GET", f"/{number}") for number in range(20)]
    load = bench_load.run(bench_load.Job(client_of_nothing, requests, 4))
    assert (len(load.latencies), load.refused) == (20, 20)
    assert b"501" in load.refusal or b"404" in load.refusal


@pytest.fixture
def client_of_nothing():
    """A port whose server knows no path."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Nothing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
