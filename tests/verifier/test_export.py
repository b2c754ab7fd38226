"""Taking a book away: by command and by page, whole or from a day on, whole under its name or not there at all."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock, ledger
from moralbank.access.models import access_deeds
from moralbank.cli import cli
from moralbank.db import Database
from moralbank.reports import evidence
from moralbank.reports.errors import BookUnreadable, ExportExists, NothingSince, VerifierMissing
from moralbank.reports.evidence import Asked
from moralbank.transparency import Log, copying
from tests.verifier._bank import START, Bank, open_bank
from tests.verifier._run import PATH, run


@pytest.fixture
def bank(database: Database) -> Bank:
    return open_bank(database)


@pytest.fixture
def command(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    url = bank.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def ask(*words: str):
        return CliRunner().invoke(cli, ["audit", *words])

    return ask


def test_the_command_writes_a_book_that_the_enclosed_program_finds_sound(bank: Bank, command, tmp_path: Path) -> None:
    target = tmp_path / "book.zip"
    done = command("export", "--book", "NS-00", "--with-openings", str(target))
    assert done.exit_code == 0, done.output
    assert "5 leaves" in done.output
    (tmp_path / "keys.txt").write_text(bank.policy)
    status, said = run(target, "--key", tmp_path / "keys.txt")
    assert status == 0, said
    assert "2  checkpoints cosigned by enough witnesses, the last of 5 leaves" in said
    assert "3  private parts as they were committed to" in said
    with zipfile.ZipFile(target) as archive:
        assert archive.read("verify_export.py") == PATH.read_bytes()
        assert "核对它不需要银行" in archive.read("README.txt").decode()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_without_openings_no_private_part_is_in_the_file(bank: Bank, tmp_path: Path) -> None:
    target = bank.write(tmp_path / "book.zip", Asked())
    with zipfile.ZipFile(target) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert "openings.txt" not in archive.namelist()
    for private in ("豆浆一杯", "误记"):
        assert private.encode() not in everything
    assert run(target)[0] == 0


def test_who_exported_is_a_deed_and_the_deed_a_leaf(bank: Bank, command, tmp_path: Path) -> None:
    assert command("export", "--book", "NS-00", str(tmp_path / "book.zip")).exit_code == 0
    with bank.database.reading() as db:
        deeds = db.execute(sa.select(access_deeds.c.kind, access_deeds.c.about)).all()
    assert ("export", "book") in [tuple(deed) for deed in deeds]
    bank.seal()
    with bank.database.reading() as db:
        last = list(copying.stream_leaves(db, bank.book.book_id, Log.ACCESS, 0, 99))[-1]
    assert b'"k":"export"' in last


def test_a_part_goes_on_from_what_an_auditor_has(bank: Bank, tmp_path: Path) -> None:
    whole = bank.write(tmp_path / "whole.zip")
    with clock.at(START + timedelta(days=2)):
        bank.database.transact(ledger.post, bank.people.award("a5", bank.people.guiying, 5, minutes=30))
        bank.database.transact(ledger.post, bank.people.redemption("r5", bank.people.guiying, 2))
        bank.seal()
    part = bank.write(tmp_path / "part.zip", Asked(since=date(2026, 3, 3), with_openings=True))
    (tmp_path / "keys.txt").write_text(bank.policy)
    status, said = run("since", whole, part, "--key", tmp_path / "keys.txt")
    assert status == 0, said
    assert "2  leaves hashed anew (ledger)" in said
    assert run(part, "--key", tmp_path / "keys.txt")[0] == 0
    with bank.database.reading() as db, pytest.raises(NothingSince):
        bank.export(db, Asked(since=date(2026, 3, 1)))


def test_a_file_that_is_there_stays_and_a_half_written_one_never_gets_the_name(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "book.zip"
    target.write_text("mine")
    with pytest.raises(ExportExists):
        evidence.write(bank.database, bank.book, Asked(), target)
    assert target.read_text() == "mine"

    def breaks(*_: object):
        raise OSError("no space left on device")

    monkeypatch.setattr(ledger, "stream_balances", breaks)
    with pytest.raises(OSError, match="no space"):
        evidence.write(bank.database, bank.book, Asked(), tmp_path / "other.zip")
    assert [path.name for path in tmp_path.iterdir() if "moralbank.db" not in path.name] == ["book.zip"]


def test_what_cannot_be_read_is_refused_by_name(bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def spoilt(*_: object):
        raise ValueError("Invalid isoformat string")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "list_closed_days", spoilt)
        with bank.database.reading() as db, pytest.raises(BookUnreadable, match="Invalid isoformat"):
            bank.export(db)
    monkeypatch.setattr(evidence, "VERIFIER", tmp_path / "none.py")
    with bank.database.reading() as db, pytest.raises(VerifierMissing):
        bank.export(db)


def test_what_is_posted_meanwhile_is_in_the_next_export(bank: Bank) -> None:
    """The file is of one instant, however long it is fetched."""
    pieces = evidence.stream_from(bank.database, bank.book, Asked())
    first = next(pieces)
    if not bank.database.is_sqlite:
        bank.database.transact(ledger.post, bank.people.award("meanwhile", bank.people.guiying, 5))
    whole = io.BytesIO(first + b"".join(pieces))
    with zipfile.ZipFile(whole) as archive:
        assert archive.read("unsealed.jsonl") == b""
        assert archive.testzip() is None
