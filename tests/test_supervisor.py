"""scripts/serve's second half, run as the process it is: it starts, mends, refuses and stops."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from moralbank import server, supervisor

#: How long it waits for what must happen: a machine with much else to do takes its time.
_PATIENCE_SECONDS = 120


class Bank:
    """A supervisor of its own directory and port, what it printed, and what it started."""

    def __init__(self, var: Path, database_url: str | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.var = var
        self.output = var.with_suffix(".log")
        environment = dict(os.environ, MORALBANK_VAR=str(var))
        environment.pop("DATABASE_URL", None)
        if database_url:
            environment["DATABASE_URL"] = database_url
        words = [sys.executable, "-m", "moralbank.supervisor", "--port", str(self.port)]
        with self.output.open("wb") as output:
            self.process = psutil.Popen(words, env=environment, stdout=output, stderr=output)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def is_open(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def child(self, word: str) -> psutil.Process | None:
        """Return the living child whose name or command line has `word`."""
        for child in self.process.children():
            with contextlib.suppress(psutil.Error):  # It ended while we looked.
                if child.status() != psutil.STATUS_ZOMBIE and any(
                    word in part for part in (child.name(), *child.cmdline())
                ):
                    return child
        return None

    def worker(self) -> psutil.Process | None:
        """Return the process that answers."""
        web = self.child("bank-web")
        with contextlib.suppress(psutil.Error):
            return next(iter(web.children()), None) if web else None
        return None

    def ask(self) -> socket.socket:
        """Send a request and return the line on which its answer comes."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_SECONDS)
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return line

    def stop(self) -> int:
        self.process.resume()  # A test that failed may have left it suspended.
        self.process.terminate()
        return self.process.wait(timeout=_PATIENCE_SECONDS)


def eventually(happened: Callable[[], object], bank: Bank) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, bank.said
        time.sleep(0.1)


@pytest.fixture
def open_bank(tmp_path: Path) -> Iterator[Callable[..., Bank]]:
    banks: list[Bank] = []

    def open_one(database_url: str | None = None) -> Bank:
        bank = Bank(tmp_path / "var", database_url)
        banks.append(bank)
        eventually(lambda: "is open" in bank.said, bank)
        return bank

    yield open_one
    for bank in banks:
        if bank.process.is_running():
            bank.stop()


def wait_for_family(bank: Bank, size: int) -> list[psutil.Process]:
    eventually(lambda: len(bank.process.children(recursive=True)) >= size, bank)
    return bank.process.children(recursive=True)


def test_a_new_bank_opens_and_leaves_nothing_behind_when_stopped(
    open_bank: Callable[..., Bank], database_url: str
) -> None:
    bank = open_bank(database_url)
    eventually(bank.is_open, bank)
    family = wait_for_family(bank, 3)  # The scheduler comes a little after the web server.
    assert bank.stop() == 0
    assert psutil.wait_procs(family, timeout=0)[1] == []


def test_the_first_password_is_shown_once_and_the_key_is_kept_private(open_bank: Callable[..., Bank]) -> None:
    first = open_bank()
    assert "first administrator: admin / " in first.said
    key = (first.var / "secret.key").read_text()
    assert stat.S_IMODE(first.var.stat().st_mode) == 0o700
    assert stat.S_IMODE((first.var / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((first.var / "moralbank.db").stat().st_mode) == 0o600
    first.stop()
    second = open_bank()
    assert "administrator" not in second.said
    assert (second.var / "secret.key").read_text() == key


@pytest.mark.parametrize("word", ["bank-web", "moralbank.scheduler"])
def test_a_killed_child_comes_back(open_bank: Callable[..., Bank], word: str) -> None:
    bank = open_bank()
    eventually(lambda: bank.child(word), bank)
    victim = bank.child(word)
    assert victim is not None
    victim.kill()
    eventually(lambda: (new := bank.child(word)) and new.pid != victim.pid, bank)
    eventually(bank.is_open, bank)


def test_who_comes_after_a_worker_was_killed_waits_for_a_fork_of_what_was_loaded_before(
    open_bank: Callable[..., Bank], database_url: str
) -> None:
    bank = open_bank(database_url)
    worker = bank.worker()
    assert worker is not None
    with bank.ask() as line:
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
    half = bank.ask()
    bank.process.suspend()  # So that nobody can be there sooner than we ask.
    family = [one for child in bank.process.children() if child.name() == "bank-web" for one in child.children()]
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=_PATIENCE_SECONDS)
    lines = [bank.ask() for _ in range(20)]
    bank.process.resume()
    with half, contextlib.suppress(ConnectionResetError):
        half.recv(65_536)  # Answered just before, cut off (the page asks again), or never taken and answered now.
    for line in lines:
        with line:
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 "), bank.said
    eventually(bank.worker, bank)
    heir = bank.worker()
    assert heir is not None
    assert heir.pid != worker.pid
    assert heir.cmdline() == bank.process.cmdline()  # Another program would have had to load everything first.


def test_the_supervisor_shares_no_thread_and_no_connection_with_its_forks(
    open_bank: Callable[..., Bank], database_url: str
) -> None:
    bank = open_bank(database_url)
    assert bank.process.num_threads() == 1
    assert [file.path for file in bank.process.open_files() if file.path.endswith((".db", "-wal", "-shm"))] == []
    assert {line.status for line in bank.process.net_connections("tcp")} == {"LISTEN"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died")
def test_a_killed_supervisor_is_not_outlived(open_bank: Callable[..., Bank]) -> None:
    bank = open_bank()
    eventually(lambda: bank.child("moralbank.scheduler"), bank)
    family = bank.process.children(recursive=True)
    bank.process.kill()
    assert psutil.wait_procs(family, timeout=_PATIENCE_SECONDS)[1] == []


def test_an_interrupt_stops_it_like_a_termination(open_bank: Callable[..., Bank]) -> None:
    bank = open_bank()
    bank.process.send_signal(signal.SIGINT)
    assert bank.process.wait(timeout=_PATIENCE_SECONDS) == 0


def test_a_taken_port_is_refused_in_one_sentence(open_bank: Callable[..., Bank], tmp_path: Path) -> None:
    bank = open_bank()
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", str(bank.port)]
    second = subprocess.run(
        words, capture_output=True, text=True, env=dict(os.environ, MORALBANK_VAR=str(tmp_path / "b"))
    )
    assert second.returncode == 1
    assert second.stderr.startswith(f"Can't listen on 127.0.0.1:{bank.port} (Address already in use).")
    assert second.stdout == ""
    assert not (tmp_path / "b").exists()


def run_to_its_end(var: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", "0"]
    environment = dict(os.environ, MORALBANK_VAR=str(var), **settings)
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=2 * _PATIENCE_SECONDS)


def test_a_setting_that_cannot_be_meant_is_refused_by_name(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path / "var", PUBLIC_URL="not an address")
    assert ended.returncode == 1
    assert ended.stderr == "PUBLIC_URL must begin with http:// or https://\n"
    ended = run_to_its_end(tmp_path / "var", SMTP_HOST="mail.example", SMTP_FROM="nobody")
    assert ended.returncode == 1
    assert "SMTP_FROM" in ended.stderr


def test_a_web_server_that_cannot_run_is_given_up_with_a_failure(tmp_path: Path) -> None:
    broken = "import sys, granian\ngranian.Granian.serve = lambda *_, **__: sys.exit(3)\n"
    (tmp_path / "sitecustomize.py").write_text(broken)
    ended = run_to_its_end(tmp_path / "var", PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    assert "The web server keeps failing" in ended.stdout
    assert ended.stdout.endswith("stopped\n")


def test_a_port_is_claimed_by_one_start_alone(tmp_path: Path) -> None:
    claim = supervisor._claim_port("127.0.0.1", 0)
    port = claim.getsockname()[1]
    with pytest.raises(SystemExit, match="Address already in use"):
        supervisor._claim_port("127.0.0.1", port)
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    _, second = server.doors(claim, 2)
    with second:
        assert second.getsockname()[1] == port
    socket.create_connection(("127.0.0.1", port)).close()
    claim.close()
