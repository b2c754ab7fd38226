"""Witnessing with a USB stick: the bank writes a file, the witness signs it, the bank takes it in."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moralbank.errors import MoralBankError
from moralbank.logbook import queries
from moralbank.logbook.cli import witness
from moralbank.logbook.errors import LargerThanLog, NothingSigned, UnknownLogBook, UnknownWitness
from moralbank.transparency import Log, witness_files
from moralbank.transparency.errors import BadPolicy, Inconsistent, OtherRoot, OtherSize, UntrustedOrigin
from tests.logbook._signed import SignedBook, key_of
from tests.transparency._logs import GrowingLog, leaves

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(signed: SignedBook, database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: object, fails: type[MoralBankError] | None = None, given: bytes | None = None) -> Result:
        result = CliRunner().invoke(witness, [str(word) for word in words], input=given)
        if fails is None:
            assert result.exception is None, result.output
        else:
            assert isinstance(result.exception, fails), result.output
        return result

    return run


def test_a_stick_goes_to_the_witness_and_back(signed: SignedBook, run, tmp_path: Path):
    place, stick = tmp_path / "street", tmp_path / "stick"
    stick.mkdir()
    key = run("init", place, "--name", "street.example/witness").stdout.strip()
    assert stat.S_IMODE((place / witness_files.KEY).stat().st_mode) == 0o600
    run("trust", place, key_of(1, Log.LEDGER).key)
    run("add", key, "--book", "NS-00", "--title", "南山街道办事处")
    assert run("policy", "--book", "NS-00", "1 of 1").stdout == "1 of 1\n"
    for size, log in ((1, ()), (2, ())):
        signed.award()
        assert signed.sign() == size
        run("request", "--book", "NS-00", "--for", "street.example/witness", "-o", stick / "request", *log)
        run("sign", place, stick / "request", "-o", stick / "signed")
        told = run("accept", stick / "signed", "--book", "NS-00").stdout
        assert told == f"ledger log, size {size}: signed by street.example/witness\n"
    with signed.database.reading() as db:
        standing = queries.get_standing(db, signed.book, Log.LEDGER)
    assert standing.is_enough
    shown = run("show", place).stdout
    assert shown.startswith(f"{key}\nbank.example/log/NS-00  size 2  root ")
    assert "policy 1 of 1\n南山街道办事处  by file\n" in run("list", "--book", "NS-00").stdout


def test_the_log_of_deeds_is_signed_by_file_too_and_a_line_alone_will_do(signed: SignedBook, run, tmp_path: Path):
    place = tmp_path / "street"
    key = run("init", place, "--name", "street.example").stdout.strip()
    run("add", key, "--book", "NS-00", "--title", "街道")
    run("trust", place, key_of(1, Log.ACCESS).key)
    for _ in range(3):
        signed.tell()
        signed.sign(Log.ACCESS)
    request = run("request", "--book", "NS-00", "--access").stdout_bytes
    line = run("sign", place, "--line", given=request).stdout_bytes
    assert line.startswith("— street.example ".encode())
    told = run("accept", "--book", "NS-00", given=line).stdout
    assert told.startswith("access log, size ")


def test_what_the_witness_refuses_is_named_and_nothing_is_written(signed: SignedBook, run, tmp_path: Path):
    place = tmp_path / "street"
    run("init", place, "--name", "street.example")
    signed.award(3)
    signed.sign()
    request = run("request", "--book", "NS-00").stdout_bytes
    assert run("sign", place, given=request, fails=UntrustedOrigin).stdout_bytes == b""
    run("trust", place, key_of(1, Log.LEDGER).key)
    run("sign", place, given=request)
    forger = GrowingLog(leaves(9), key_of(1, Log.LEDGER))
    for forged, kind in (
        (forger.request(0, 9), OtherSize),
        (forger.request(3, 3), OtherRoot),
        (forger.request(3, 9), Inconsistent),
    ):
        assert run("sign", place, given=forged.encode(), fails=kind).stdout_bytes == b""
    run("accept", "--book", "NS-00", given=run("sign", place, given=forger_free(run)).stdout_bytes, fails=NothingSigned)


def forger_free(run) -> bytes:
    """Return a request that goes on from what the witness signed; nobody registered that witness."""
    return run("request", "--book", "NS-00", "--since", 3).stdout_bytes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_the_bank_refuses_is_named(signed: SignedBook, run, tmp_path: Path):
    signed.award()
    signed.sign()
    run("request", "--book", "nowhere", fails=UnknownLogBook)
    run("request", "--book", "NS-00", "--for", "nobody", fails=UnknownWitness)
    run("request", "--book", "NS-00", "--since", 9, fails=LargerThanLog)
    run("retire", "nobody", "--book", "NS-00", fails=UnknownWitness)
    run("policy", "--book", "NS-00", "2 of 3", fails=BadPolicy)
    key = run("init", tmp_path / "street", "--name", "street.example").stdout.strip()
    run("add", key, "--book", "NS-00", "--title", "街道", "--url", "https://street.example/w")
    assert "street.example witnesses NS-00 no more" in run("retire", "street.example", "--book", "NS-00").stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_witness_serves_as_a_process_of_its_own_and_needs_no_database(signed: SignedBook, run, tmp_path: Path):
    from moralbank.logbook.asking import post_to

    place = tmp_path / "street"
    run("init", place, "--name", "street.example")
    run("trust", place, key_of(1, Log.LEDGER).key)
    words = [sys.executable, "-m", "moralbank.cli", "witness", "serve", str(place), "--port", "0"]
    process = subprocess.Popen(words, cwd=ROOT, env={"PATH": "", "DATABASE_URL": ""}, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        process.stderr.readline()
        address = process.stderr.readline().split()[-1]
        signed.award()
        signed.sign()
        request = run("request", "--book", "NS-00").stdout_bytes
        status, _, body = post_to(address)(request)
        assert (status, body[:19]) == (200, "— street.example ".encode())
        # What one process signed, the command knows of: they share the place.
        run("sign", place, given=request, fails=OtherSize)
    finally:
        process.terminate()
        process.communicate()
