"""The audit commands: figures when the books are sound, the first broken entry when they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.reports.cli import audit
from moralbank.transparency import Log, integrate
from tests.statements._story import NOW, Story


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str):
        with clock.at(NOW):
            return CliRunner().invoke(audit, list(arguments))

    return run


def test_verify_prints_what_it_checked_of_every_book(run, story: Story) -> None:
    result = run("verify")

    assert result.exit_code == 0
    assert result.output.count("nothing is broken") == 2
    figures = [line.split(maxsplit=1) for line in result.output.split("book XX-00")[0].splitlines()[1:]]
    assert [(number, what.split(",")[0]) for number, what in figures[:6]] == [
        ("8", "entries"),
        ("22", "postings"),
        ("10", "accounts"),
        ("8", "keys"),
        ("8", "private parts"),
        ("2", "reversals"),
    ]
    assert "100  points outstanding, all legs sum to 0" in result.output


def test_verify_of_one_book_checks_that_book_only(run, story: Story) -> None:
    output = run("verify", "--book", "XX-00").output
    assert "book XX-00" in output
    assert "book NS-00" not in output
    assert isinstance(run("verify", "--book", "no-such-book").exception, MoralBankError)


def test_the_trial_balance_is_ruled_and_closes_now_and_at_a_past_instant(run, story: Story) -> None:
    result = run("trial-balance", "--book", "NS-00")
    assert result.exit_code == 0
    assert "it closes" in result.output
    resident = next(line.split() for line in result.output.splitlines() if line.startswith("resident"))
    assert resident == ["resident", "2", "190", "90", "100"]

    then = run("trial-balance", "--book", "NS-00", "--at", "2025-03-10T00:00")
    resident = next(line.split() for line in then.output.splitlines() if line.startswith("resident"))
    assert resident == ["resident", "1", "100", "0", "100"]
    for at in ("soon", "2025-05-21"):
        assert run("trial-balance", "--at", at).exit_code == 2


def test_verify_names_the_broken_entry_and_exits_with_1(run, database: Database, story: Story) -> None:
    with broken(database, story):
        result = run("verify")

    assert result.exit_code == 1
    first = next(line for line in result.output.splitlines() if "BROKEN" in line)
    assert str(story.soap.entry_id) in first
    assert run("verify").exit_code == 0


def test_verify_checks_the_logs_too(run, database: Database, story: Story) -> None:
    book = story.tree["NS-00"].book_id
    database.transact(integrate.integrate, book, Log.LEDGER)
    assert "8  leaves in the ledger log, 0 tiles, 0 checkpoints; 0 wait to be sealed" in run("verify").output
    move = sa.text("UPDATE transparency_logs SET frontier = :edge, root = :edge WHERE log = 1")
    database.transact(lambda db: db.execute(move, {"edge": bytes(32)}))
    result = run("verify", "--book", "NS-00")
    assert result.exit_code == 1
    assert "BROKEN  the head does not follow from the leaves" in result.output


@contextmanager
def broken(database: Database, story: Story) -> Iterator[None]:
    """Change one cell behind the book's back for as long as the block lasts."""
    set_grade(database, story, "A")
    yield
    set_grade(database, story, None)


def set_grade(database: Database, story: Story, grade: str | None) -> None:
    with database.engine.begin() as db:
        if not database.is_sqlite:
            db.execute(sa.text("RESET ROLE"))
            db.execute(sa.text("ALTER TABLE ledger_entries DISABLE TRIGGER USER"))
        else:
            [(name, sql)] = db.execute(
                sa.text(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entries'"
                    " AND sql LIKE '%BEFORE UPDATE%'"
                )
            ).all()
            db.execute(sa.text(f"DROP TRIGGER {name}"))
        change = sa.text("UPDATE ledger_entries SET grade = :grade WHERE entry_id = :entry")
        typed = change.bindparams(sa.bindparam("entry", story.soap.entry_id, sa.Uuid))
        db.execute(typed, {"grade": grade})
        if not database.is_sqlite:
            db.execute(sa.text("ALTER TABLE ledger_entries ENABLE TRIGGER USER"))
            db.execute(sa.text("SET ROLE moralbank_app"))
        else:
            db.execute(sa.text(sql))
