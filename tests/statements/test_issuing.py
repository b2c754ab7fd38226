"""Issued statements: each period once for everybody, frozen, and made again from the ledger to the octet."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import Unit
from moralbank.statements import cli, issued, jobs, queries, service
from moralbank.statements.errors import IssuedDiffers, NotIssued, PeriodMalformed, PeriodNotClosed
from moralbank.statements.issued import Issued
from moralbank.statements.models import issued as table
from moralbank.statements.periods import periods_ended, read_period
from tests.statements._story import NOW, Story, Teller, at

APRIL = read_period("2025-04")


@pytest.fixture
def april(database: Database, story: Story) -> Story:
    """The story, with all statements through April issued in May."""
    database.transact(ledger.close_day, story.book, date(2025, 4, 30))
    jobs.issue_periods(database)
    return story


def get(database: Database, story: Story, account: int, period: str = "2025-04") -> Issued:
    with database.reading() as db:
        return issued.get_issued(db, story.book, account, read_period(period))


def test_periods_end_months_first_and_years_last() -> None:
    found = [one.name for one in periods_ended(date(2025, 10, 20), date(2026, 1, 30))]

    assert found == ["2025-10", "2025-11", "2025-12", "2025-Q4", "2025"]
    assert [read_period("2025-Q4").first, read_period("2025-Q4").last] == [date(2025, 10, 1), date(2025, 12, 31)]


@pytest.mark.parametrize("name", ["2025-13", "2025-Q5", "0000", "202", "2025-", "2025-4", "２０２５"])
def test_a_period_that_cant_be_meant_is_refused(name: str) -> None:
    with pytest.raises(PeriodMalformed):
        read_period(name)


def test_everybody_with_a_line_gets_each_closed_period_and_it_says_what_the_lines_say(
    database: Database, april: Story
) -> None:
    with database.reading() as db:
        rows = db.execute(sa.select(table.c.period, table.c.account_id).where(table.c.book_id == april.book)).all()
        statement = queries.statement(db, queries.owner_of_resident(db, april.zhang), APRIL.first)
        shops = queries.statement(db, queries.owner_of_merchant(db, april.shop), APRIL.first)
    zhang, shop = get(database, april, april.zhang.account_id), get(database, april, april.shop.account_id)

    old = {(period, whose) for period in ("2025-03", "2025-Q1") for whose in (april.zhang, april.shop)}
    # Wang's first line is of April, and the pool never had one.
    assert set(rows) == {(period, whose.account_id) for period, whose in old} | {
        ("2025-04", whose.account_id) for whose in (april.zhang, april.shop, april.wang)
    }
    assert (zhang.points.opening, zhang.points.closing) == (statement.points.opening, statement.points.closing)
    assert (zhang.points.opening_n, zhang.points.lines) == (3, len(statement.points.lines))
    assert statement.minutes
    assert (zhang.minutes.opening, zhang.minutes.closing) == (150, statement.minutes.closing)
    assert (shop.points.opening, shop.points.closing, shop.points.lines) == (30, shops.points.closing, 2)


def test_issuing_again_adds_nothing_and_a_page_is_kept_once(database: Database, april: Story) -> None:
    assert jobs.issue_periods(database) == 0

    with database.reading() as db:
        again = service.get_run(db, april.book, APRIL)
        page = service.read_page(db, replace(again, through_account=0))
    assert page.rows
    assert not database.transact(service.keep_page, page)


def test_what_was_stopped_between_two_pages_goes_on_and_comes_to_the_same(
    database: Database, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.transact(ledger.close_day, story.book, date(2025, 4, 30))
    with database.reading() as db:
        kinds = dict(ledger.account_page(db, story.book, 0, 100))
    monkeypatch.setattr(service.read_page, "__defaults__", (1,))
    run = database.transact(service.begin, story.book, APRIL)
    for _ in range(2):
        with database.reading() as db:
            page = service.read_page(db, run)
        assert database.transact(service.keep_page, page)
        assert not database.transact(service.keep_page, page)
        run = replace(run, through_account=page.through)
    assert not run.is_ended
    assert len(kinds) > 2

    jobs.issue_period(database, story.book, APRIL)

    with database.reading() as db:
        assert service.get_run(db, story.book, APRIL).statements == 3
        for one in issued.stream_issued(db, story.book, APRIL):
            issued.check(db, one)


def test_a_period_is_not_issued_before_its_last_day_is_closed(database: Database, story: Story) -> None:
    database.transact(ledger.close_day, story.book, date(2025, 4, 29))

    jobs.issue_periods(database)

    with pytest.raises(NotIssued):
        get(database, story, story.zhang.account_id)
    with pytest.raises(PeriodNotClosed):
        database.transact(service.begin, story.book, APRIL)


def test_an_issued_statement_stays_to_the_octet_and_a_correction_is_in_the_next_one(
    database: Database, april: Story
) -> None:
    before = get(database, april, april.zhang.account_id)
    with database.reading() as db:
        text = issued.check(db, before)
        read = queries.statement(db, queries.owner_of_resident(db, april.zhang), APRIL.first)

    def go_on(db: sa.Connection) -> None:
        with clock.at(at(5, 19)):
            Teller(db, april.book).award(april.zhang, 30, 60, "后来的活动", "河边")
            ledger.forget_private(db, april.book, april.zhang.account_id)

    database.transact(go_on)

    with database.reading() as db:
        assert issued.check(db, before) == text
        after = queries.statement(db, queries.owner_of_resident(db, april.zhang), APRIL.first)
        may = queries.statement(db, queries.owner_of_resident(db, april.zhang), date(2025, 5, 1))
    assert [line.number for line in read.points.lines] == [4, 5, 6]
    # Line 6 was reversed in May: April says what was true at its end, and what came later beside it.
    assert [line.reversed_by_number for line in after.points.lines] == [5, None, None]
    assert [(one.number, one.by_number) for one in after.points.later] == [(6, 7)]
    assert [line.reverses_number for line in may.points.lines] == [6, None]
    assert text.splitlines()[0] == "moralbank-issued-statement/1"
    assert april.zhang.name not in text


def test_an_altered_ledger_no_longer_says_what_was_issued(database: Database, april: Story) -> None:
    one = get(database, april, april.zhang.account_id)

    with database.reading() as db, pytest.raises(IssuedDiffers):
        issued.check(db, replace(one, content_hash=bytes(32)))


def test_the_database_itself_keeps_issued_statements(database: Database, april: Story) -> None:
    for change in (sa.update(table).values(points_closing=1), sa.delete(table)):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, change=change: db.execute(change))


def test_a_late_issue_begins_where_the_account_stood_then(database: Database, april: Story) -> None:
    with clock.at(NOW), database.reading() as db:
        for name in ("2025-03", "2025-Q1", "2025-04"):
            period = read_period(name)
            for one in issued.stream_issued(db, april.book, period):
                for unit, edges in ((Unit.POINTS, one.points), (Unit.MINUTES, one.minutes)):
                    moved = edges.closing - edges.opening
                    lines = ledger.history(
                        db, april.book, one.account, unit, since=period.since, until=period.until, limit=100
                    )
                    assert (sum(line.amount for line in lines), len(lines)) == (moved, edges.lines)


def test_the_bench_issues_a_small_book_and_says_what_it_took() -> None:
    script = Path(__file__).resolve().parent.parent.parent / "scripts" / "bench_statements.py"
    run = subprocess.run(
        [sys.executable, str(script), "--accounts", "20", "--lines", "200"], capture_output=True, text=True, timeout=120
    )

    assert run.returncode == 0, run.stderr[-2000:]
    assert "issued 2026-03: 20 statements, 200 lines in" in run.stdout
    assert "plain SQL aggregate over the same rows" in run.stdout


def test_the_command_makes_issued_statements_again(
    database: Database, database_url: str, april: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    runner = CliRunner()

    checked = runner.invoke(cli.statements, ["verify", "--book", "NS-00", "2025-04"])
    listed = runner.invoke(cli.statements, ["list"])

    assert checked.output == "3 statements of 2025-04 are what was issued\n"
    assert "2025-Q1" in listed.output
    assert runner.invoke(cli.statements, ["verify", "--book", "??", "2025-04"]).exit_code == 1
