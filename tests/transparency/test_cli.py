"""The operator's commands: how the logs stand, a new key, a refusal decided."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from moralbank.config import ConfigError, SignerConfig
from moralbank.db import Database
from moralbank.transparency import Log, queries
from moralbank.transparency.cli import transparency
from moralbank.transparency.signer import Signer
from moralbank.transparency.signer_errors import RotationRunning, SigningKeyThere, UnknownRefusal
from moralbank.transparency.signer_memory import Place
from moralbank.transparency.signing_keys import KeyFile
from tests.transparency._sealing import award, integrate_all

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MORALBANK_VAR", str(tmp_path))
    return lambda *words: CliRunner().invoke(transparency, list(words))


def signer(database: Database, tmp_path: Path) -> Signer:
    return Signer(database, KeyFile(tmp_path / "signing.key"), Place(tmp_path / "signer"), "bank.example", every=0)


@ON_SQLITE
def test_the_commands_show_the_logs_change_the_key_and_decide_a_refusal(run, database, book, tmp_path):
    assert "NS-00 ledger: unsigned" in run("status").output
    award(database, book, "a", "b")
    assert "0  leaves, 2 wait to be sealed" in run("status").output
    integrate_all(database, book.book)
    signer(database, tmp_path).cycle()
    shown = run("status").output
    assert "2  signed, 0 leaves are not" in shown
    assert "(in use)" in shown
    handed = run("rotate-key").output
    assert handed.startswith("bank.example/log/NS-00+")
    assert "the old key signs until 20" in handed
    assert isinstance(run("rotate-key").exception, RotationRunning)
    assert isinstance(run("rotate-key", "--lost").exception, SigningKeyThere)
    integrate_all(database, book.book)
    record = next((tmp_path / "signer").glob("book-*.json"))
    kept = record.read_bytes()
    signer(database, tmp_path).cycle()
    newer = record.read_bytes()
    assert kept != newer
    with database.reading() as db:
        head = queries.find_head(db, book.book, Log.LEDGER)
    assert head is not None
    assert head.size == 3


@ON_SQLITE
def test_a_refusal_is_listed_and_decided_by_its_number(run, database, book, tmp_path):
    from moralbank.transparency.jobs import record_broken
    from moralbank.transparency.values import Head

    database.transact(record_broken, Head(book.book, Log.LEDGER, 7, b"", b"", 0, 0, 0, 0, None))
    assert "REFUSED 1: book 1 ledger, broken" in run("status").output
    assert run("resolve", "1", "--by", "admin").exit_code == 2
    assert "is decided" in run("resolve", "1", "--by", "admin", "--reason", "a trial").output
    assert "REFUSED" not in run("status").output
    assert isinstance(run("resolve", "1", "--by", "admin", "--reason", "again").exception, UnknownRefusal)


def test_the_signers_settings_have_their_places_and_a_bad_address_is_refused(tmp_path):
    config = SignerConfig.from_env({"MORALBANK_VAR": "/v", "PUBLIC_URL": "https://bank.example:8443/points/"})
    assert (config.host, config.key, config.memory) == ("bank.example:8443", Path("/v/signing.key"), Path("/v/signer"))
    own = SignerConfig.from_env({"MORALBANK_SIGNING_KEY": "/k/a.key", "MORALBANK_SIGNER_MEMORY": "/k/memory"})
    assert (own.key, own.memory) == (Path("/k/a.key"), Path("/k/memory"))
    with pytest.raises(ConfigError, match="PUBLIC_URL"):
        SignerConfig.from_env({"PUBLIC_URL": "bank.example"})
